--- What a request sends: a string at once, or a stream of pieces. A plan's `body` is a string; `source` is a function that gives a new
--- reader (a function: the next piece, or nil) each time it may be sent again, `once` says that it may not.
local crypto = require "_luna.crypto"
local core = require "_luna.promise"
local host = require "_luna.host"
local errors = require "luna.errors"

local body = {}
local PIECE = 65536

-- The next piece of a file; a file that cannot be read has no end that could be taken for the body's.
local function readPiece(f)
  local piece, why = f:read(PIECE)
  if not piece and why then error(errors.classes.Exception("the body cannot be read: " .. why), 0) end
  return piece
end

-- An open file from where it stands: its length is known, and it can be sent again.
local function file(f)
  local at = f:seek "cur"
  local length
  if at then
    length = f:seek "end" - at
    f:seek("set", at)
  end
  return function()
    if at then f:seek("set", at) end
    return function() return readPiece(f) end
  end, length, not at
end

local function checkedPieces(fn)
  return function()
    local piece = fn()
    if piece == nil or piece == false then return nil end
    if type(piece) ~= "string" then error(("a piece of the body is a %s, not a string"):format(type(piece)), 0) end
    return piece
  end
end

-- The stream behind what is neither a string nor a plain table: a function, a file, an iterator, or anything with a `read`.
local function stream(x)
  if io.type(x) == "file" then return file(x) end
  if type(x) == "function" then return function() return checkedPieces(x) end, nil, true end
  if type(x) == "table" or type(x) == "userdata" then
    if type(x.advance) == "function" then
      return function()
        return checkedPieces(function()
          if core.await(x:advance()) then return x:getCurrent() end
        end)
      end, nil, true
    end
    if type(x.read) == "function" then
      return function() return checkedPieces(function() return core.await((x:read())) end) end, nil, true
    end
  end
end

local function isPlain(x)
  return type(x) == "table" and getmetatable(x) == nil and type(x.advance) ~= "function" and type(x.read) ~= "function"
end

local function quoted(text) return (tostring(text):gsub('[%c"]', function(c) return ("%%%02X"):format(c:byte()) end)) end

-- The parts in order: a list of { name =, … }, or names → values.
local function parts(t)
  if t[1] ~= nil then return t end
  local list = {}
  for name, value in pairs(t) do
    local part = { name = name }
    if type(value) == "table" then
      for k, v in pairs(value) do part[k] = v end
    else
      part.value = value
    end
    list[#list + 1] = part
  end
  table.sort(list, function(a, b) return tostring(a.name) < tostring(b.name) end)
  return list
end

local known = { name = true, value = true, path = true, file = true, filename = true, type = true, headers = true }

-- One part's head, and what follows: a string, or an opener of a reader, its length, whether it can be read only once.
local function part(p, i, boundary, level)
  local function wrong(text) error(("part %d of the multipart body %s"):format(i, text), level + 1) end
  if type(p) ~= "table" then wrong("is a " .. type(p) .. ", not a table") end
  for k in pairs(p) do
    if not known[k] then
      wrong(('has an unknown field "%s"%s'):format(tostring(k), require("luna.suggest").hint(tostring(k), known)))
    end
  end
  if type(p.name) ~= "string" then wrong "has no name" end
  local content, length, once
  local filename = p.filename
  if p.path ~= nil then
    if type(p.path) ~= "string" then wrong("has a path that is a " .. type(p.path)) end
    local f, why = io.open(p.path, "rb")
    if not f then wrong("cannot be read: " .. tostring(why)) end
    local stat = host.stat(p.path)
    if stat and stat.type == "directory" then wrong(("cannot be read: %s is a folder"):format(p.path)) end
    length = stat and stat.type == "file" and f:seek "end" or nil
    f:close()
    content = function()
      local h, wrong_ = io.open(p.path, "rb")
      if not h then error(errors.classes.Exception("the body cannot be read: " .. wrong_), 0) end
      return function()
        local piece = readPiece(h)
        if not piece then h:close() end
        return piece
      end
    end
    filename = filename or p.path:match "[^/]*$"
  elseif p.file ~= nil then
    content, length, once = stream(p.file)
    if not content then wrong("has a file that is a " .. type(p.file)) end
    filename = filename or "file"
  elseif type(p.value) == "string" or type(p.value) == "number" or type(p.value) == "boolean" then
    content = tostring(p.value)
    length = #content
  else
    wrong "has neither a value nor a file"
  end
  local head = ('--%s\r\nContent-Disposition: form-data; name="%s"'):format(boundary, quoted(p.name))
  if filename then head = head .. ('; filename="%s"'):format(quoted(filename)) end
  local kind = p.type or filename and "application/octet-stream"
  if kind then head = head .. "\r\nContent-Type: " .. tostring(kind):gsub("%c", "") end
  return head .. "\r\n\r\n", content, length, once
end

-- Pieces after each other: strings and openers.
local function chain(list)
  return function()
    local i, reader = 0, nil
    local function nextPiece()
      if reader then
        local piece = reader()
        if piece then return piece end
        reader = nil
      end
      i = i + 1
      local x = list[i]
      if x == nil then return nil end
      if type(x) == "string" then return x end
      reader = x()
      return nextPiece()
    end
    return nextPiece
  end
end

local function multipart(plan, t, level)
  local boundary = "luna-" .. crypto.random(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  local list, total, once, streamed = {}, 0, false, false
  for i, p in ipairs(parts(t)) do
    local head, content, length, only = part(p, i, boundary, level + 1)
    list[#list + 1] = head
    list[#list + 1] = content
    list[#list + 1] = "\r\n"
    streamed = streamed or type(content) ~= "string"
    once = once or only or false
    total = total and length and total + #head + length + 2
  end
  local tail = ("--%s--\r\n"):format(boundary)
  list[#list + 1] = tail
  if streamed then
    plan.source, plan.length, plan.once = chain(list), total and total + #tail, once
  else
    plan.body = table.concat(list)
  end
  if not plan.headers:get "Content-Type" then plan.headers:set("Content-Type", "multipart/form-data; boundary=" .. boundary) end
end

-- The header Content-Length is of the client's making; what says the same is left out.
local function checkLength(plan, level)
  local said = plan.headers:get "Content-Length"
  if not said then return end
  local length = plan.source and plan.length or plan.body and #plan.body
  if plan.source and not length then
    plan.length = math.tointeger(tonumber(said))
    length = plan.length
  end
  if said ~= tostring(length) then
    error(('the header "Content-Length" is "%s", but the body has %s bytes'):format(said, length or "no"), level + 1)
  end
  plan.headers:remove "Content-Length"
end

-- The body as the options give it.
local function content(plan, opts, level, formEncode)
  local given
  for _, name in ipairs { "body", "form", "json", "multipart" } do
    if opts[name] ~= nil then
      if given then error(('a request has one body: both "%s" and "%s" are given'):format(given, name), level + 1) end
      given = name
    end
  end
  if not given then
    if plan.method == "POST" or plan.method == "PUT" or plan.method == "PATCH" then plan.body = "" end
    return
  end
  local x = opts[given]
  local function kind(default)
    if not plan.headers:get "Content-Type" then plan.headers:set("Content-Type", default) end
  end
  if given == "multipart" then return multipart(plan, x, level + 1) end
  if given == "json" then
    local ok, text = pcall(require("luna.json").encode, x)
    if not ok then error(tostring(text), level + 1) end
    kind "application/json"
    plan.body = text
    return
  end
  if given == "form" or isPlain(x) then
    kind "application/x-www-form-urlencoded"
    plan.body = formEncode(x, given, level + 1)
    return
  end
  if type(x) == "string" or type(x) == "number" then
    plan.body = tostring(x)
    -- libcurl would call it a form.
    kind "application/octet-stream"
    return
  end
  if io.type(x) == "closed file" then error("the body is a closed file", level + 1) end
  plan.source, plan.length, plan.once = stream(x)
  if not plan.source then
    error(("the body is a %s; it may be a string, a table, a function, a file, an iterator, or have a read method")
      :format(type(x)), level + 1)
  end
  plan.length = opts.contentLength or plan.length
  kind "application/octet-stream"
end

--- Puts `body`, or `source`, `length`, `once`, and the Content-Type into the plan. Raises at `level`.
function body.plan(plan, opts, level, formEncode)
  content(plan, opts, level + 1, formEncode)
  checkLength(plan, level + 1)
end

return body
