--- What the service manager is told, after systemd's sd_notify: ready, reloading, stopping, a status line, and a sign of life as often as
--- it wants one. Where no manager asks ($NOTIFY_SOCKET is not set) nothing happens. Called by luna.cli.run; the datagram is C's.
local host = require "_luna.host"
local system = require "_luna.system"
local timer = require "_luna.timer"
local Logger = require "luna.logger"

local notify = {}

local socket = host.env "NOTIFY_SOCKET"
local on = socket ~= nil and socket ~= ""
local told, shown, ready

local function send(...)
  if not on then return end
  local ok, why = system.notify(table.concat({ ... }, "\n"))
  if ok or told then return end
  told = true
  Logger.write(Logger.WARNING, "host", "the service manager cannot be told: " .. tostring(why))
end

-- Half of the time that it allows, on the loop's own timer: a loop that is held gives no sign.
local function watchdog()
  local allowed = math.tointeger(tonumber(host.env "WATCHDOG_USEC" or ""))
  local pid = host.env "WATCHDOG_PID"
  if not allowed or allowed <= 0 or pid and pid ~= "" and tonumber(pid) ~= host.pid() then return end
  send "WATCHDOG=1"
  timer.unref(timer.every(allowed / 2e6, send, "WATCHDOG=1"))
end

local function line(text) return "STATUS=" .. text:gsub("%s*\n%s*", " ") end

--- All bots are logged in. text: the status line.
function notify.ready(text)
  if not on or ready then return end
  ready, shown = true, text
  send("READY=1", line(text), ("MAINPID=%d"):format(host.pid()))
  watchdog()
end

--- A reload begins (SIGHUP); notify.reloaded is to follow.
function notify.reloading()
  if ready then send("RELOADING=1", ("MONOTONIC_USEC=%d"):format(system.monotonic())) end
end

function notify.reloaded(text)
  shown = text
  if ready then send("READY=1", line(text)) end
end

--- The program ends.
function notify.stopping()
  if not on or notify.ended then return end
  notify.ended = true
  send "STOPPING=1"
end

--- Another status line; one that is known already is not sent again.
function notify.status(text)
  if not ready or notify.ended or text == shown then return end
  shown = text
  send(line(text))
end

return notify
