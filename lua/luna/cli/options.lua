--- Options of the commands: parsed from a description, which also makes `--help`. Wrong use raises a luna.UsageException (status 2).
--- A command's spec: { usage = "FILE...", about = "…", arguments = { min, max }, { "name", "VALUE" | nil, "what it does", many = true,
--- choices = {…} }, … }. Called by luna.cli alone.
local errors = require "luna.errors"

local options = {}

local UsageException = errors.classes.UsageException or errors.classes.Exception:extend "UsageException"
UsageException.status = 2

--- Raises wrong use: one line, and a hint of what to do.
function options.fail(text, hint) error(UsageException(text, { hint = hint }), 0) end

--- "; did you mean bots/echo.lua?", or "": a file of the same folder with a name like that one's.
function options.nearFile(path)
  local folder, name = path:match "^(.*/)([^/]+)$"
  local list = require("_luna.system").names(folder or ".")
  local best = list and require("luna.suggest").nearest(name or path, list)
  return best and ("; did you mean %s%s?"):format(folder or "", best) or ""
end

--- The text of `luna NAME --help`.
function options.usage(spec, name)
  local lines = { ("usage: luna %s [option]... %s"):format(name, spec.usage or ""):gsub("%s+$", "") .. "", "", spec.about }
  local rows, width = {}, #"--no-color"
  for _, o in ipairs(spec) do
    local left = "--" .. o[1] .. (o[2] and " " .. o[2] or "")
    rows[#rows + 1] = { left, o[3] }
    width = math.max(width, #left)
  end
  rows[#rows + 1] = { "--no-color", "no colours (NO_COLOR does the same)" }
  rows[#rows + 1] = { "--help", "this text" }
  lines[#lines + 1] = ""
  for _, row in ipairs(rows) do lines[#lines + 1] = ("  %-" .. width .. "s  %s"):format(row[1], row[2]) end
  if spec.more then
    lines[#lines + 1] = ""
    lines[#lines + 1] = spec.more
  end
  return table.concat(lines, "\n") .. "\n"
end

local function find(spec, key)
  for _, o in ipairs(spec) do
    if o[1] == key then return o end
  end
end

local function all(spec)
  local list = { "--help", "--no-color" }
  for _, o in ipairs(spec) do list[#list + 1] = "--" .. o[1] end
  return list
end

local function check(o, name, value)
  if not o.choices then return end
  for _, choice in ipairs(o.choices) do
    if choice == value then return end
  end
  options.fail(("luna %s: --%s %s: it is one of %s"):format(name, o[1], value, table.concat(o.choices, ", ")),
    ("luna %s --help"):format(name))
end

--- Parses a list of words: { name = value | true | list, [1…] = arguments, help = true }.
function options.parse(spec, name, words)
  local args, plain = {}, false
  local help = ("luna %s --help says what there is"):format(name)
  local i = 1
  while i <= #words do
    local word = words[i]
    i = i + 1
    if plain or word == "-" or not word:find "^%-" then
      args[#args + 1] = word
    elseif word == "--" then
      plain = true
    elseif word == "-h" or word == "--help" then
      args.help = true
    elseif word == "--no-color" then
      require("luna.colour").disable()
    else
      local key, value = word:match "^%-%-([^=]+)=(.*)$"
      key = key or word:match "^%-%-(.+)$" or ""
      local o = find(spec, key)
      if not o then
        local hint = require("luna.suggest").hint("--" .. key, all(spec)):gsub('"', "")
        options.fail(("luna %s: unknown option %s%s"):format(name, word:match "^[^=]+", hint), help)
      end
      if o[2] then
        if value == nil then
          value = words[i]
          i = i + 1
        end
        if value == nil or value == "" then options.fail(("luna %s: --%s wants a value: --%s %s"):format(name, key, key, o[2]), help) end
        check(o, name, value)
      elseif value ~= nil then
        options.fail(("luna %s: --%s takes no value"):format(name, key), help)
      else
        value = true
      end
      if o.many then
        args[key] = args[key] or {}
        table.insert(args[key], value)
      elseif args[key] ~= nil and o[2] then
        options.fail(("luna %s: --%s is given twice"):format(name, key), help)
      else
        args[key] = value
      end
    end
  end
  if args.help then return args end
  local least, most = table.unpack(spec.arguments or { 0, 0 })
  if #args < least then options.fail(("luna %s: %s is missing"):format(name, (spec.usage or "an argument"):gsub("[%[%].]", "")), help) end
  if most and #args > most then options.fail(("luna %s: %q is one argument too many"):format(name, args[most + 1]), help) end
  return args
end

return options
