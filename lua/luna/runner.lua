--- Loading a bot's file: compiles it in an environment of its own, runs its top level, and says what it returned. Called by the command
--- line, the test kit and the reload. The caller's task is where the top level runs, so it may wait.
local Class = require "luna.class"
local errors = require "luna.errors"
local environment = require "luna.environment"
local scope = require "luna.scope"
local task = require "_luna.task"

local runner = {}

--- The stem of a path: "bots/echo.lua" → "echo"; "-" → "stdin".
function runner.stem(path)
  if path == "-" then return "stdin" end
  return (path:match "([^/]+)$" or path):gsub("%.lua$", "")
end

-- A handler class, a function, a list of these, or nothing.
local function classify(value, path)
  local handler = require "luna.handler"
  local function one(x, where)
    if type(x) == "function" then return x end
    if handler.isHandler(x) then
      local ok, why = pcall(handler.check, x, 0)
      if not ok then
        error(errors.classes.Exception(("%s: %s"):format(path, errors.bare(tostring(why))), { status = why.status or 1 }), 0)
      end
      return x
    end
    local what = type(x)
    if Class.isClass(x) then what = tostring(x) end
    error(errors.classes.Exception(
      ("%s returned %s: a bot returns a handler class (luna.EventHandler:extend \"Name\"), a function, a list of these, or nothing")
        :format(where, what == "table" and "a table" or what == "nil" and "nothing" or "a " .. what), { status = 1 }), 0)
  end
  if value == nil then return nil end
  if type(value) == "table" and not Class.isClass(value) and getmetatable(value) == nil and #value > 0 then
    local list = {}
    for i, x in ipairs(value) do list[i] = one(x, ("%s: item %d that it"):format(path, i)) end
    return list
  end
  return one(value, path)
end

-- The running task's owner goes back to what it was; what a top level that failed has started is ended.
local leave = {
  __close = function(self, err)
    task.owner(self.owner)
    if err ~= nil then require("luna.ending").finish(self.mark, "the top level of the script has failed") end
  end,
}

--- Reads, compiles and runs a file ("-": standard input). Returns what it returned (class | function | list | nil), its environment and
--- what it has read (see luna.environment). record: a table that gets `files` (the same, with the script among their texts), `env` and
--- `mark` (the version's, see luna.scope), filled as far as the load came. Raises an exception with `status` (2: cannot be read, 1: does
--- not compile); an error of the top level is raised as it is.
function runner.load(path, source, record)
  record = record or {}
  record.files = record.files or { texts = {}, missing = {}, folders = {} }
  record.mark = scope.newMark()
  local text = source
  if not text then
    local file, why
    if path == "-" then
      file = io.stdin
    else
      file, why = io.open(path, "rb")
    end
    if not file then
      why = (why or ""):gsub("^.*: ", "") .. require("luna.cli.options").nearFile(path)
      error(errors.classes.Exception(("the script %s cannot be read: %s"):format(path, why), { status = 2 }), 0)
    end
    text = file:read "a"
    if path ~= "-" then file:close() end
    if not text then
      error(errors.classes.Exception(("the script %s cannot be read: is it a folder?"):format(path), { status = 2 }), 0)
    end
  end
  if path ~= "-" then record.files.texts[path] = text end
  local env = environment.new(path ~= "-" and path or nil, record.files)
  record.env = env
  local chunk, why = load((text:gsub("^#[^\n]*", "", 1)), path == "-" and "=stdin" or "@" .. path, "t", env)
  if not chunk then error(errors.classes.Exception(why, { status = 1, compile = true }), 0) end
  local _ <close> = setmetatable({ owner = scope.enterMark(nil, record.mark), mark = record.mark }, leave)
  local value = classify(chunk(path), path)
  return value, env, record.files
end

return runner
