-- readLine and echo, in a program of their own with standard input from a pipe.
describe("luna.readLine", function()
  local program = os.getenv "LUNA"

  -- What a script prints, where `before` is what stands before the program in the shell.
  local function run(before, code)
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write('local luna = require "luna"\n', code)
    file:close()
    local pipe = io.popen(("f=%s.in; %s '%s' run %s 2>&1; echo status $?; rm -f $f"):format(path, before, program, path))
    local text = pipe:read "a"
    pipe:close()
    os.remove(path)
    return text
  end

  local function test(name, before, code, expected)
    it(name, function()
      if not program then return pending "run by spec/run only" end
      assert.equal(expected .. "status 0\n", run(before, code))
    end)
  end

  test("gives line after line, and nil at the end", "printf 'one\\r\\n\\ntwo' |", [[
    luna.echo("prompt: ")
    luna.echo(("%s|%s|%s|%s|%s"):format(luna.readLine(), luna.readLine(), luna.readLine(), luna.readLine(), luna.readLine("more? ")))
  ]], "prompt: more? one||two|nil|nil")

  test("serves those who wait in the order in which they came", "printf 'a\\nb\\n' |", [[
    local jobs = {}
    for i = 1, 3 do jobs[i] = function() return i .. tostring(luna.readLine()) end end
    luna.echo(table.concat(luna.all(jobs), " "))
  ]], "1a 2b 3nil")

  test("passes over who has given up", "printf 'a\\nb\\n' |", [[
    local api = luna.API()
    local p, q = api:readLine({ async = true }), api:readLine({ async = true })
    luna.cancel(p)
    local r = luna.API():call(function() return luna.readLine() end)
    luna.cancel(r)
    luna.echo(luna.await(q) .. luna.readLine())
  ]], "ab")

  test("drops a line that is too long, all of it", "(head -c 1048570 /dev/zero; echo; head -c 4000000 /dev/zero; echo; echo next) |", [[
    luna.Logger.configure { target = function(text) luna.echo(text:match "longer than 1 MiB" .. ";") end }
    luna.echo(#luna.readLine() .. ";")
    luna.echo(luna.readLine() .. ";" .. tostring(luna.readLine()))
  ]], "1048570;longer than 1 MiB;next;nil")

  test("does nothing where it is called wrongly", "printf 'a\\nb\\n' |", [[
    local api = luna.API()
    local ok, err = pcall(function() api:readLine("never shown", { timeot = 1 }) end)
    luna.echo(ok and "" or err:match ": (.*)" .. "\n")
    pcall(table.sort, { 2, 1 }, function() api:readLine "never shown" end)
    pcall(api.echo, api, "never shown", { timeot = 1 })
    luna.echo(luna.readLine())
  ]], 'unknown option "timeot"; did you mean "timeout"?\na')

  -- The input stays open, and nobody wants more of it.
  test("does not hold the program", "mkfifo $f; exec 3<>$f; echo line >&3; <&3", [[
    luna.echo(luna.readLine())
  ]], "line")

  test("lets time pass while it waits", "(sleep 0.2; echo late) |", [[
    local n = 0
    local p = luna.API():readLine("", { async = true })
    while luna.stateOf(p) == "pending" do
      n = n + 1
      luna.sleep(0.01)
    end
    luna.echo(n > 3 and luna.await(p) or "it did not wait")
  ]], "late")
end)
