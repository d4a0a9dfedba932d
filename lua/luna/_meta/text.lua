---@meta

---JSON. An empty table is a list; json.object{} is none.
---@class luna.json
---@field null any stands for null
local json = {}

---A value as JSON, the names of objects in order.
---```lua
---print(luna.json.encode({ name = "Alice", tags = { "a" } }, { pretty = true }))
---```
---@param value any
---@param options? { pretty?: boolean, indent?: integer, maxDepth?: integer, strict?: boolean }
---@return string
function json.encode(value, options) end

---The value of a JSON text; raises a JSONException that says where it is wrong.
---```lua
---local order = luna.json.decode('{"drink": "tea"}')
---```
---@param text string
---@param options? { maxDepth?: integer, dropNull?: boolean }
---@return any
function json.decode(text, options) end

---A table that is a list in JSON, also where it is empty.
---@param t? table
---@return table
function json.array(t) end

---A table that is an object in JSON, also where it is empty.
---@param t? table
---@return table
function json.object(t) end

---@alias luna.LogLevel integer|"fatal_error"|"error"|"warning"|"notice"|"verbose"|"ultra_verbose"

---The log. Tokens, keys and phone numbers are masked in it.
---@class luna.Logger
---@field FATAL_ERROR integer
---@field ERROR integer
---@field WARNING integer
---@field NOTICE integer
---@field VERBOSE integer
---@field ULTRA_VERBOSE integer
local Logger = {}

---Writes a line to the log.
---@param message any
---@param level? luna.LogLevel NOTICE where it is not given
---@param room? string who says it
function Logger.log(message, level, room) end

---Texts with formatting.
---@class luna.entities
local entities = {}

---Makes a text safe within HTML.
---```lua
---message:reply{ message = "<b>" .. luna.entities.escape(name) .. "</b>", parse_mode = "HTML" }
---```
---@param text string
---@return string
function entities.escape(text) end

---A text without its HTML marks, and the entities that they make.
---@param source string
---@return string text
---@return tl.MessageEntity[] entities
function entities.html(source) end

---A text without its Markdown marks, and the entities that they make.
---@param source string
---@return string text
---@return tl.MessageEntity[] entities
function entities.markdown(source) end
