--- The file of a record: lines that are collected for some milliseconds and written together, 0600, up to a limit, at which the file is
--- moved to FILE.1 and a new one begun. Whatever fails ends the record, once, and nothing else. Owned by luna.record.
local host = require "_luna.host"
local timer = require "_luna.timer"
local Class = require "luna.class"

local File = Class.new "File"

local GATHER = 0.01 -- seconds
local FULL = 1 << 16 -- bytes that are not kept any longer

local MARK = '{"luna":"record",'
File.MARK = MARK

-- A new file at the path, or nil and why.
local function open(path)
  local ok, why = host.writeFile(path, "", 384) -- 0600 from the first byte on
  if not ok then return nil, why end
  local file
  file, why = io.open(path, "ab")
  if file then file:setvbuf "no" end
  return file, why
end

--- opts: path, limit (bytes), onFull() (a new file has been begun: what it has to begin with), onError(why). Raises nothing; see open.
function File:init(opts)
  self.path, self.limit, self.onFull, self.onError = opts.path, opts.limit, opts.onFull, opts.onError
  self.lines, self.n, self.held, self.written = {}, 0, 0, 0
end

--- True, or nil and why. A record that is there already is moved away, anything else is left alone.
function File:open()
  local stat = host.stat(self.path)
  if stat then
    if stat.type ~= "file" then return nil, "it is no file" end
    local old = io.open(self.path, "rb")
    local head = old and old:read(#MARK) or ""
    if old then old:close() end
    if head ~= MARK and head ~= "" then return nil, "there is a file of that name, which is no record" end
    if head == MARK then
      local ok, why = os.rename(self.path, self.path .. ".1")
      if not ok then return nil, why end
      self.moved = true
    end
  end
  local why
  self.file, why = open(self.path)
  if not self.file then return nil, why end
  return true
end

local function fail(self, why)
  if self.file then self.file:close() end
  self.file, self.lines, self.n = nil, {}, 0
  self.onError((tostring(why):gsub("^.*: ", "")))
end

-- What stands in the lines, into the file.
local function put(self)
  local text = table.concat(self.lines, "", 1, self.n)
  self.lines, self.n, self.held = {}, 0, 0
  local ok, done, why = pcall(self.file.write, self.file, text)
  if not ok or not done then
    fail(self, ok and why or done)
    return false
  end
  self.written = self.written + #text
  return true
end

--- Writes what has been collected.
function File:flush()
  if self.timer then timer.cancel(self.timer) end
  self.timer = nil
  if not self.file or self.n == 0 or not put(self) or self.written < self.limit then return end
  self.file:close()
  local ok, why = os.rename(self.path, self.path .. ".1")
  if ok then
    self.file, why = open(self.path)
  else
    self.file = nil
  end
  if not self.file then return fail(self, why) end
  self.written = 0
  self.onFull()
end

--- One line, with its end.
function File:write(line)
  if not self.file then return end
  local n = self.n + 1
  self.lines[n], self.n = line, n
  self.held = self.held + #line
  if self.held >= FULL then
    self:flush()
  elseif not self.timer then
    self.timer = timer.unref(timer.after(GATHER, self.flush, self))
  end
end

function File:close()
  self:flush()
  if self.file then self.file:close() end
  self.file = nil
end

return File
