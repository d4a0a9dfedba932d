--- The commands of `luna`, in the order in which its help lists them: name, what it does. Each is the module luna.cli.<name>. Used by
--- luna.cli and by luna help.
return {
  { "run", "runs bots and scripts" },
  { "replay", "runs bots against a record of luna run --record" },
  { "test", "runs specs inside the host, against sandboxes" },
  { "sandbox", "the sandbox as a server of its own" },
  { "new", "writes a bot and its spec, ready to run" },
  { "help", "explains a method, type, update, error, setting, function or command" },
  { "stubs", "writes annotations of the API for editors" },
  { "login", "saves a session, so that later runs need no token" },
  { "logout", "ends a saved session" },
  { "repl", "a prompt in a running bot" },
  { "reload", "has a running bot load its script anew" },
  { "status", "what runs and how it fares" },
  { "service", "a unit file for systemd" },
  { "doctor", "what is wrong with the set-up, and what to do" },
}
