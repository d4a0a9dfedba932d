--- The table of all handlers, "messages.sendMessage" → fn(ctx, params), put together from methods/*; and `free`, the methods that need no
--- login. A new method goes into the file of its namespace.
local methods = {}

for _, name in ipairs {
  "auth", "help", "users", "account", "contacts", "updates", "messages", "inline", "reactions", "polls", "scheduled", "history", "dialogs",
  "chats", "channels", "forums", "bots", "upload", "payments", "quiet",
} do
  for method, fn in pairs(require("luna.sandbox.methods." .. name)) do
    if methods[method] then error("two handlers of " .. method) end
    methods[method] = fn
  end
end

methods.free = {}
for _, name in ipairs {
  "auth.sendCode", "auth.resendCode", "auth.cancelCode", "auth.signIn", "auth.signUp", "auth.importBotAuthorization",
  "auth.importAuthorization", "auth.bindTempAuthKey", "auth.dropTempAuthKeys", "auth.exportLoginToken", "auth.logOut", "help.getConfig",
  "help.getNearestDc", "help.getAppConfig", "help.getAppUpdate", "help.getCdnConfig", "help.getCountriesList", "help.getSupport",
  "help.getInviteText", "langpack.getLangPack", "langpack.getStrings", "langpack.getDifference", "langpack.getLanguages",
  "langpack.getLanguage",
} do
  methods.free[name] = true
end

return methods
