---@meta

---Settings of luna.API, of a class's `settings`, and of luna.conf.lua. The command line comes first, then the environment, the file, the
---class.
---```lua
----- luna.conf.lua beside the bot
---return { floodTimeout = 60, updates = { order = "chat" }, logger = { level = "verbose" } }
---```
---@class luna.Settings
---@field app? luna.Settings.App the application's id and hash, of my.telegram.org; LUNA_API_ID and LUNA_API_HASH
---@field botToken? string of @BotFather; LUNA_BOT_TOKEN
---@field phone? string of a person's account
---@field username? string of the bot in a sandbox
---@field name? string how the log calls the bot
---@field sandbox? any true: the embedded sandbox instead of Telegram
---@field dc? table<integer, string> addresses of another server's data centres: { [2] = "127.0.0.1:443" }
---@field homeDc? integer the data centre to begin with
---@field dcKeys? string[] public keys of another server: paths or PEM
---@field transport? "abridged"|"intermediate"|"padded"|"full"|"obfuscated-abridged"|"obfuscated-intermediate"|"obfuscated-padded"|"obfuscated-full" framing of the connection; "intermediate"
---@field pfs? boolean perfect forward secrecy: a key for each day, in memory alone, so that who takes the session file cannot read what was said before; a start takes 8 ms of processor time more; false
---@field connection? luna.Settings.Connection
---@field updates? luna.Settings.Updates
---@field floodTimeout? number seconds that a FLOOD_WAIT is slept through; longer ones are raised; 60
---@field durability? "full"|"normal"|"off" what a session survives: a power cut, a kill -9, nothing; "normal"
---@field slowCallback? number seconds that a callback may hold the loop before the log says so; 0.1
---@field handlerBudget? number seconds that a handler may compute without a wait before it is stopped; 5
---@field memoryLimit? integer bytes that all scripts of the program may hold (tables, texts, functions); what wants more raises "not enough memory"; of several bots the largest holds, and one without it lifts it
---@field logger? luna.Settings.Logger
---@field device? luna.Settings.Device what the server is told of this client
---@field untrusted? false scripts that are not trusted cannot be held in yet

---@class luna.Settings.App
---@field id integer
---@field hash string

---@class luna.Settings.Connection
---@field timeout? number seconds; 10
---@field proxies? string[] URLs, used where the direct way failed

---@class luna.Settings.Updates
---@field order? "chat"|"none"|"all" which updates are handled one after the other: those of one chat (in a forum, of one topic), none, all; "chat"
---@field catchUp? boolean fetch at the start what was missed; true
---@field pending? number how many updates may wait; 1000

---@class luna.Settings.Logger
---@field level? luna.LogLevel down to which lines are written; "notice"
---@field json? boolean each event as one JSON object a line
---@field target? string|fun(text: string, level: integer, room: string) where lines go: "stderr", "syslog", a file's name, a function

---@class luna.Settings.Device
---@field model? string
---@field system? string
---@field app? string
---@field lang? string the language's code; "en"
