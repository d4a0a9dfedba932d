--- What `luna doctor` says of the program itself: its version, the libraries as they were loaded, limits, what the specs need.
local host = require "_luna.host"
local system = require "_luna.system"
local tl = require "_luna.tl"

local FILES_LOW, FILES_FEW = 256, 1024

local function numbers(version)
  local list = {}
  for n in version:gmatch "%d+" do list[#list + 1] = tonumber(n) end
  return list
end

local function older(a, b)
  local x, y = numbers(a), numbers(b)
  for i = 1, math.max(#x, #y) do
    if (x[i] or 0) ~= (y[i] or 0) then return (x[i] or 0) < (y[i] or 0) end
  end
  return false
end

-- The version of Debian's package of the library, where there is one.
local function package()
  local text = host.readFile "/var/lib/dpkg/status"
  local stanza = text and ("\n" .. text):match "\nPackage: liblua5%.4%-0\n(.-)\n\n"
  return stanza and stanza:match "\nVersion: ([^\n]+)"
end

-- Lua below 5.4.6 has memory errors that a script can reach (CVE-2021-43519, -44647, -44964, 2022-28805, -33099); Debian mends its own.
local function lua(report, version)
  if not version then return report.note "the version of Lua is unknown" end
  if not older(version, "5.4.6") then return report.ok(("Lua %s"):format(version)) end
  local debian = package()
  local fixes = debian and debian:match "^5%.4%.4%-3%+deb12u(%d+)"
  if fixes and tonumber(fixes) >= 1 or debian and not older(debian:match "^[%d.]+", "5.4.6") then
    return report.ok(("Lua %s, mended by its package (%s)"):format(version, debian))
  end
  report.wrong(("Lua %s%s has known memory errors (CVE-2022-33099, CVE-2022-28805 and older)"):format(version,
    debian and " (" .. debian .. ")" or ""), "5.4.6 or newer, or Debian's 5.4.4-3+deb12u1")
end

local function limits(report)
  local soft, hard = system.limits()
  if not soft then return report.ok "any number of files may be open" end
  local more = hard and hard > soft and ("ulimit -n %d, or LimitNOFILE in the unit"):format(math.min(hard, 8192))
    or "ask who runs this machine"
  if soft < FILES_LOW then
    report.wrong(("only %d files may be open (RLIMIT_NOFILE)"):format(soft), more)
  elseif soft < FILES_FEW then
    report.note(("%d files may be open (RLIMIT_NOFILE), which is little for many connections"):format(soft), more)
  else
    report.ok(("%d files may be open"):format(soft))
  end
end

return function(report)
  report.ok(("luna %s, layer %d, %s, Lua sources %s"):format(host.version, tl.layer, _VERSION,
    host.root and "read from " .. host.root .. "/lua" or "inside the program"))
  local libraries = system.libraries()
  lua(report, libraries.lua)
  local found, http = pcall(require, "_luna.http")
  local there, curl = pcall(function() return found and http.version and http.version() end)
  report.ok(("%s, libuv %s, SQLite %s, zlib %s%s"):format(libraries.openssl, libraries.libuv, libraries.sqlite, libraries.zlib,
    there and curl and ", libcurl " .. curl or ""))
  if older(libraries.openssl:match "%d[%d.]*" or "0", "1.1.1") then report.wrong("OpenSSL is too old", "1.1.1 or newer") end
  if not (there and curl) then
    report.note(("HTTP does not work: %s"):format(tostring(curl or "it is not built in")), "host/setup installs libcurl")
  end
  limits(report)
  if pcall(require, "busted.runner") and pcall(require, "lfs") then
    report.ok "busted is there: luna test works"
  else
    report.note("busted is not there: luna test needs it", "host/setup --specs installs it")
  end
end
