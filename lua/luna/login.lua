--- Logging in: a saved session needs no call; a bot token needs one. Also what an account is called in the session store. Called by
--- core:start; a person's log-in (phone, code, password) is a command of its own.
local tl = require "_luna.tl"
local errors = require "luna.errors"
local Logger = require "luna.logger"
local host = require "_luna.host"

local login = {}
local classes = errors.classes

--- The name of the account in the session file: a bot by its id, a person by phone number, else the first that is logged in there (a
--- token that was refused leaves one that is not).
function login.accountName(settings, store)
  if settings.botToken then
    local id = settings.botToken:match "^(%d+):[%w_-]+$"
    if not id then
      error(classes.SettingsException("the bot token is not digits, a colon and letters: take it from @BotFather"), 0)
    end
    return "bot" .. id
  end
  if settings.phone then return "user" .. settings.phone:gsub("%D", "") end
  local names = store:accounts()
  for _, name in ipairs(names) do
    if store:account(name):get "self" then return name end
  end
  return names[1] or "account"
end

local function saveSelf(core, user)
  core.me = { id = user.id, bot = user.bot or false, username = user.username, first_name = user.first_name }
  core.peers:addUser(user)
  core.account:set("self", tl.encode(user))
end

--- The saved account, or nil.
function login.restore(core)
  local saved = core.account:get "self"
  if not saved or not core.account:authKey(core.home) then return nil end
  local ok, user = pcall(tl.decode, saved, "User")
  if not ok or not user then return nil end
  core.me = { id = user.id, bot = user.bot or false, username = user.username, first_name = user.first_name }
  return core.me
end

local hints = {
  ACCESS_TOKEN_INVALID = "the bot token is refused: take the current one from @BotFather",
  ACCESS_TOKEN_EXPIRED = "the bot token has been revoked: take the current one from @BotFather",
  API_ID_INVALID = "the api_id or its hash is refused: LUNA_API_ID and LUNA_API_HASH come from https://my.telegram.org",
  API_ID_PUBLISHED_FLOOD = "this api_id is public: LUNA_API_ID and LUNA_API_HASH come from https://my.telegram.org",
}

--- auth.importBotAuthorization. Raises a LoginException where the token is refused.
function login.bot(core)
  local s = core.settings
  host.secret(s.botToken)
  local app = s.app
  local ok, result = pcall(core.invoke, core, "auth.importBotAuthorization",
    { flags = 0, api_id = app.id, api_hash = app.hash, bot_auth_token = s.botToken })
  if not ok then
    local err = result
    if errors.is(err, classes.RPCErrorException) and hints[err.name] then
      error(classes.LoginException(hints[err.name], { rpc = err.rpc, code = err.code, status = 1 }), 0)
    end
    error(err, 0)
  end
  saveSelf(core, result.user)
  core:log(Logger.NOTICE, "logged in as @%s (%d)", result.user.username or "?", result.user.id)
  return core.me
end

--- The same as login.check, before a session file is made that nobody would log in to.
function login.checkBefore(core)
  local s = core.settings
  if s.botToken then return login.accountName(s) end
  if core.session and not s.phone and not host.stat(core.session) then login.check(core) end
end

--- Raises where there is nothing to log in with; before anything is connected.
function login.check(core)
  if core.settings.botToken or core.account and core.account:get "self" then return end
  error(require("luna.settings").missing(
    "no bot token and no saved session: set LUNA_BOT_TOKEN, give --token, or try --sandbox, which needs neither"), 0)
end

--- Makes core.me: from the session, or by logging in.
function login.run(core)
  if login.restore(core) then
    core:log(Logger.NOTICE, "the saved session of @%s (%d)", core.me.username or "?", core.me.id)
    return core.me
  end
  if core.settings.botToken then return login.bot(core) end
  error(classes.LoginException "the saved session has lost its key: log in anew", 0)
end

return login
