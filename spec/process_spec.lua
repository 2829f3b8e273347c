local core = require "rille.core"
local proc = require "spec.support.proc"
local rille = require "rille"

local run, open = rille.process.run, rille.process.open
local slack <const> = os.getenv "RILLE_GC" and 5 or 0   -- seconds that an aggressive collector may cost us

local function both(name, body)
  it(name .. ", in a task", async(body))
  it(name .. ", outside a task", body)
end

local function shell(script, options)
  local argv = { "sh", "-c", script }
  for key, value in pairs(options or {}) do argv[key] = value end
  return run(argv)
end

--- What the function raises, with the position, which luassert would take away.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function seconds_of(fn, ...)
  local before = rille.now()
  local values = table.pack(fn(...))
  return rille.now() - before, table.unpack(values, 1, values.n)
end

--- Fails when the group still has a process that runs.
local function assert_gone(group)
  if proc.is_here then assert.same({}, proc.living(tonumber(group))) end
end

--- Fails when `fn` leaves a descriptor or a zombie behind.
local function leaves_nothing(fn)
  return function()
    if not proc.is_here then return fn() end
    run { "true" }
    local before = proc.descriptors() -- what earlier tests left to the collector may go meanwhile
    fn()
    for _ = 1, 1000 do
      collectgarbage()
      rille.sleep(0.01)
      if proc.descriptors() <= before then break end
    end
    assert.is_true(proc.descriptors() <= before)
    assert.same({}, proc.zombies())
  end
end


describe("process.run", function()
  both("returns what the program printed and its status", leaves_nothing(function()
    local result = shell("echo out; echo err >&2; exit 3")
    assert.same({
      code = 3, stdout = "out\n", stderr = "err\n", timed_out = false, truncated = false,
    }, result)
  end))

  both("passes arguments as they are, without a shell", function()
    local arguments = { "a b", "$HOME", "*", "'", "\"", "", "-n", "日本", "a\nb", "\\" }
    local result = run { "printf", "%s|", table.unpack(arguments) }
    assert.equal(table.concat(arguments, "|") .. "|", result.stdout)
  end)

  both("takes numbers as arguments", function()
    assert.equal("5 1.5\n", run({ "echo", 5, 1.5 }).stdout)
  end)

  both("says which signal ended the program", function()
    local result = shell("kill -9 $$")
    assert.equal(137, result.code)
    assert.equal("SIGKILL", result.signal)
    assert.is_false(result.timed_out)
    result = shell("kill -TERM $$")
    assert.equal(143, result.code)
    assert.equal("SIGTERM", result.signal)
  end)

  both("returns a failure for a program that does not exist", leaves_nothing(function()
    for _ = 1, 5 do
      local result, why = run { "no-such-program-anywhere", "x" }
      assert.is_nil(result)
      assert.equal("not_found", why.code)
      assert.equal("cannot run 'no-such-program-anywhere': no such program", why.message)
      assert.equal("ENOENT", why.detail)
    end
  end))

  both("returns a failure for a directory that does not exist", leaves_nothing(function()
    local result, why = run { "true", cwd = "/no/such/directory" }
    assert.is_nil(result)
    assert.equal("not_found", why.code)
    assert.equal("cannot run 'true': no directory /no/such/directory", why.message)
  end))

  both("returns a failure for what may not be run", leaves_nothing(function()
    local result, why = run { "/etc/passwd" }
    assert.is_nil(result)
    assert.equal("permission", why.code)
  end))

  both("runs in the directory that is given", function()
    assert.equal("/\n", run({ "pwd", cwd = "/" }).stdout)
  end)

  both("keeps every byte", function()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local text = table.concat(bytes):rep(50)
    assert.equal(text, run({ "cat", stdin = text }).stdout)
  end)

  it("blames the caller for a wrong argument", function()
    local place = "^spec/process_spec.lua:%d+: rille.process.run: "
    local cases = {
      { {}, "a program expected as first entry$" },
      { { "true", tiemout = 1 }, "unknown option 'tiemout' %(did you mean 'timeout'%?%)$" },
      { { "true", {} }, "entry %[2%]: string or number expected, got table$" },
      { { "true", "a\0b" }, "a NUL byte cannot be passed$" },
      { { "true", stdin = 5 }, "option 'stdin': string expected, got number$" },
      { { "true", timeout = -1 }, "timeout: 0 or more$" },
      { { "true", max_bytes = -1 }, "max_bytes: 0 or more$" },
      { { "true", max_bytes = 1.5 }, "option 'max_bytes': integer expected, got number$" },
      { { "true", env = { "A=1" } }, "env: '1' is no name of a variable$" },
      { { "true", env = { ["A=B"] = "1" } }, "env: 'A=B' is no name of a variable$" },
      { { "true", env = { A = true } }, "env: A: string or false expected, got boolean$" },
    }
    for _, case in ipairs(cases) do
      assert.matches(place .. case[2], raised(function() run(case[1]) end))
    end
    assert.matches(place .. "env: a NUL byte", raised(function() run { "true", env = { A = "\0" } } end))
    assert.matches(place .. "a list expected, { program, argument, … }, got a string", raised(function() run("ls") end))
    assert.matches(place .. "a program expected", raised(function() run() end))
  end)
end)

describe("process.run env", function()
  both("changes our environment", function()
    local result = shell("echo $FOO; echo ${PATH:+path}", { env = { FOO = "bar", N = 5 } })
    assert.equal("bar\npath\n", result.stdout)
  end)

  both("removes with false", function()
    local result = shell("echo ${HOME-none}", { env = { HOME = false } })
    assert.equal("none\n", result.stdout)
  end)

  both("is all there is with clear_env", function()
    local result = run { "/usr/bin/env", env = { ONLY = "this" }, clear_env = true }
    assert.equal("ONLY=this\n", result.stdout)
    assert.equal("", run({ "/usr/bin/env", clear_env = true }).stdout)
  end)
end)

describe("process.run stdin", function()
  both("is empty unless it is given", function()
    assert.equal("", run({ "cat", timeout = 5 }).stdout)
    assert.equal("", run({ "cat", stdin = "", timeout = 5 }).stdout)
  end)

  both("is written whole, however much it is", leaves_nothing(function()
    local text = ("0123456789abcdef"):rep(200000)
    local result = run { "cat", stdin = text, max_bytes = #text }
    assert.is_true(result.stdout == text)
    assert.is_false(result.truncated)
  end))

  both("that nobody reads does not kill us", leaves_nothing(function()
    for _ = 1, 10 do
      assert.equal(0, run({ "true", stdin = ("x"):rep(1 << 20) }).code)
    end
  end))

  both("of a program that closes it at once is no trouble", leaves_nothing(function()
    local result = shell("exec <&-; sleep 0.05; echo done", { stdin = ("x"):rep(1 << 22) })
    assert.equal("done\n", result.stdout)
  end))
end)

describe("process.run output", function()
  both("keeps head and tail and says what is missing", function()
    local result = shell("printf %05d $(seq 1 1000)", { max_bytes = 81 })
    assert.is_true(result.truncated)
    assert.equal("0000100002000030000400005000\n[… 4945 bytes cut …]\n950099600997009980099901000", result.stdout)
    assert.is_true(#result.stdout <= 81)
  end)

  both("is whole up to the limit", function()
    local result = run { "head", "-c", 1000, "/dev/zero", max_bytes = 1000 }
    assert.equal(1000, #result.stdout)
    assert.is_false(result.truncated)
  end)

  both("of a hundred megabytes neither blocks nor stays", leaves_nothing(function()
    collectgarbage()
    local before = collectgarbage("count")
    local took, result = seconds_of(run, { "head", "-c", 100000000, "/dev/zero", timeout = 60 })
    assert.equal(0, result.code)
    assert.is_true(result.truncated)
    assert.is_true(#result.stdout <= 1 << 20)
    assert.is_true(took < 30, took)
    result.stdout = nil
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 4096)
  end))

  both("has a limit of its own for stderr", function()
    local result = shell("head -c 5000 /dev/zero >&2; echo ok", { max_bytes = 100 })
    assert.equal("ok\n", result.stdout)
    assert.is_true(result.truncated)
    assert.matches("^%z+\n%[… 4926 bytes cut …%]\n%z+$", result.stderr)
    assert.equal(100, #result.stderr)
  end)

  both("can be thrown away", function()
    local result = run { "echo", "hello", max_bytes = 0 }
    assert.is_true(result.truncated)
    assert.equal("", result.stdout)
  end)
end)

describe("process.run timeout", function()
  both("ends a program that hangs", leaves_nothing(function()
    local took, result = seconds_of(shell, "echo $$; sleep 60", { timeout = 0.1 })
    assert.is_true(result.timed_out)
    assert.equal(143, result.code)
    assert.equal("SIGTERM", result.signal)
    assert.is_true(took < 1.5 + slack, took)
    assert_gone(result.stdout:match("%d+"))
  end))

  both("kills a program that ignores TERM", leaves_nothing(function()
    local took, result = seconds_of(shell, "trap '' TERM; echo $$; while :; do sleep 0.2; done",
      { timeout = 0.1 })
    assert.is_true(result.timed_out)
    assert.equal("SIGKILL", result.signal)
    assert.is_true(took >= 2 and took < 2.6 + slack, took)
    assert_gone(result.stdout:match("%d+"))
  end))

  both("kills the whole group", leaves_nothing(function()
    local took, result = seconds_of(shell, "echo $$; sleep 60 & sleep 60 & (sleep 60; true) & wait",
      { timeout = 0.1 })
    assert.is_true(result.timed_out)
    assert.is_true(took < 2.6 + slack, took)
    assert_gone(result.stdout:match("%d+"))
  end))

  both("lets a program clean up and keeps what it says", leaves_nothing(function()
    local result = shell("trap 'echo cleaned; exit 7' TERM; while :; do sleep 0.02; done", { timeout = 0.1 })
    assert.is_true(result.timed_out)
    assert.equal(7, result.code)
    assert.equal("cleaned\n", result.stdout)
  end))

  both("wakes a program that is stopped", leaves_nothing(function()
    local took, result = seconds_of(shell, "kill -STOP $$", { timeout = 0.1 })
    assert.is_true(result.timed_out)
    assert.equal("SIGTERM", result.signal)
    assert.is_true(took < 1.5 + slack, took)
  end))

  both("of 0 seconds ends it at once", leaves_nothing(function()
    local took, result = seconds_of(run, { "sleep", 60, timeout = 0 })
    assert.is_true(result.timed_out)
    assert.is_true(took < 1.5 + slack, took)
  end))

  both("does not touch a program that is faster", function()
    local result = run { "echo", "quick", timeout = 10 }
    assert.is_false(result.timed_out)
    assert.equal("quick\n", result.stdout)
  end)
end)

describe("what a program leaves behind", function()
  both("ends when the program exits", leaves_nothing(function()
    local took, result = seconds_of(shell, "echo $$; sleep 60 >/dev/null 2>&1 & exit 0")
    assert.equal(0, result.code)
    assert.is_true(took < 1 + slack, took)
    assert_gone(result.stdout:match("%d+"))
  end))

  both("may not hold us up by the pipe that it inherited", leaves_nothing(function()
    local took, result = seconds_of(shell, "echo $$; sleep 60 & exit 0")
    assert.equal(0, result.code)
    assert.is_true(took < 1 + slack, took)
    assert_gone(result.stdout:match("%d+"))
  end))

  both("may not even when it made a session of its own", leaves_nothing(function()
    local took, result = seconds_of(shell, "setsid sh -c 'echo $$; exec sleep 3' & sleep 0.1; echo out")
    assert.equal(0, result.code)
    assert.matches("out\n", result.stdout)
    assert.is_true(took < 1 + slack, took)
    local daemon = result.stdout:match("^(%d+)\n")
    if daemon then rille.uv.kill(tonumber(daemon), "sigkill") end
  end))

  both("is read while it comes within 0.2 seconds", function()
    local result = shell("(sleep 0.05; echo late) & exit 0")
    assert.equal("late\n", result.stdout)
  end)
end)

describe("a cancelled task", function()
  --- Starts a task, waits until the script has come to READY, cancels; returns seconds, group.
  local function cancel(script)
    local name = os.tmpname()
    local ready = ("echo $$ > %s.new; mv %s.new %s"):format(name, name, name)
    local task = rille.spawn(shell, (script:gsub("READY", ready)))
    local group
    for _ = 1, 200 do
      rille.sleep(0.01)
      group = assert(io.open(name)):read("l")
      if group then break end
    end
    os.remove(name)
    local took, _, why = seconds_of(function()
      task:cancel("stop")
      return task:join()
    end)
    assert.equal("cancelled", why.code)
    assert.equal("stop", why.message)
    return took, group
  end

  both("takes its program with it", leaves_nothing(function()
    local took, group = cancel("READY; sleep 60")
    assert.is_true(took < 0.9 + slack, took)
    assert_gone(group)
  end))

  both("takes a program with it that ignores TERM, a second later", leaves_nothing(function()
    local took, group = cancel("trap '' TERM; READY; while :; do sleep 0.1; done")
    assert.is_true(took >= 0.9 and took < 1.9 + slack, took)
    assert_gone(group)
  end))

  both("takes the whole group with it", leaves_nothing(function()
    local _, group = cancel("READY; sleep 60 & sleep 60 & (sleep 60; true) & wait")
    assert_gone(group)
  end))

  both("takes its program with it when rille.timeout gave up", leaves_nothing(function()
    local took, result, why = seconds_of(rille.timeout, 0.1, shell, "sleep 60")
    assert.is_nil(result)
    assert.equal("timeout", why.code)
    assert.is_true(took < 1.5 + slack, took)
  end))

  it("that was started by core.spawn does so, too", async(leaves_nothing(function()
    local task = core.spawn(run, { "sleep", "60" })
    rille.sleep(0.05)
    task:cancel()
    task:join()
  end)))

  it("that is closed by force leaves nothing", async(leaves_nothing(function()
    local task = rille.spawn(function()
      while true do pcall(run, { "sleep", "60" }) end
    end)
    rille.sleep(0.05)
    task:cancel()
    local took = seconds_of(task.join, task)
    assert.is_true(took < 3.5 + slack, took)
    rille.sleep(0.05)
  end)))
end)

describe("many programs", function()
  both("two hundred at once", leaves_nothing(function()
    local list = {}
    for i = 1, 200 do list[i] = i end
    local results, failures = rille.map(list, function(i)
      return shell("echo " .. i .. "; sleep 0.1; exit " .. i % 5)
    end)
    assert.is_nil(failures)
    for i = 1, 200 do
      assert.equal(i .. "\n", results[i].stdout)
      assert.equal(i % 5, results[i].code)
    end
  end))

  it("cancelled at random moments leave nothing", async(leaves_nothing(function()
    math.randomseed(7)
    local tasks = {}
    for i = 1, 60 do
      tasks[i] = rille.spawn(shell, "sleep 0.0" .. math.random(9) .. "; head -c 100000 /dev/zero; sleep 5")
    end
    for _, task in ipairs(tasks) do
      rille.sleep(math.random() / 100)
      task:cancel()
    end
    for _, task in ipairs(tasks) do task:join() end
  end)))
end)

describe("the child's own state", function()
  it("has no blocked signal and no descriptor of ours", function()
    if not proc.is_here then return pending("needs /proc") end
    local result = run { "cat", "/proc/self/status" }
    assert.equal("0000000000000000", result.stdout:match("SigBlk:%s*(%x+)"))
    local inherited = run({ "ls", "/proc/self/fd" }).stdout
    local file = rille.uv.fs_open("/dev/null", "r", 0)
    local other = assert(open { "cat" })
    local fds = run({ "ls", "/proc/self/fd" }).stdout
    other:close()
    rille.uv.fs_close(file)
    assert.equal(inherited, fds)
  end)

  it("leads a session of its own", function()
    if not proc.is_here then return pending("needs /proc") end
    local pid, group, session = run({ "cat", "/proc/self/stat" }).stdout:match("^(%d+) %(.-%) %a %d+ (%d+) (%d+)")
    assert.equal(pid, group)
    assert.equal(pid, session)
  end)
end)

describe("process.open", function()
  both("talks with a program", leaves_nothing(function()
    local cat <close> = assert(open { "cat" })
    for i = 1, 10 do
      assert.is_true(cat:write(i .. "\n"))
      assert.equal(i .. "\n", cat:read())
    end
    cat:close_stdin()
    assert.is_nil(cat:read())
    assert.equal(0, cat:wait().code)
  end))

  both("gives up reading after the time that it was given", leaves_nothing(function()
    local cat <close> = assert(open { "cat" })
    local bytes, why = cat:read(0.01)
    assert.is_nil(bytes)
    assert.equal("timeout", why.code)
    assert.is_true(cat:write("x"))
    assert.equal("x", cat:read(5))
  end))

  both("reads what is left after the exit", leaves_nothing(function()
    local echo <close> = assert(open { "echo", "hello" })
    assert.equal(0, echo:wait().code)
    assert.equal("hello\n", echo:read())
    assert.is_nil(echo:read())
  end))

  both("keeps stderr aside", leaves_nothing(function()
    local program <close> = assert(open { "sh", "-c", "echo oops >&2; echo out", max_bytes = 100 })
    assert.equal("out\n", program:read())
    assert.is_nil(program:read())
    assert.equal("oops\n", (program:stderr()))
  end))

  both("pauses a program whose output nobody takes, and loses nothing", leaves_nothing(function()
    local program <close> = assert(open { "head", "-c", 5000000, "/dev/zero" })
    rille.sleep(0.1)
    assert.is_true(program._waiting < 1000000, program._waiting)
    local total = 0
    for bytes in function() return program:read() end do total = total + #bytes end
    assert.equal(5000000, total)
    assert.equal(0, program:wait().code)
  end))

  both("ends with its scope", leaves_nothing(function()
    local pid
    do
      local program <close> = assert(open { "sh", "-c", "sleep 60 & sleep 60" })
      pid = program.pid
      rille.sleep(0.05)
    end
    assert_gone(pid)
  end))

  both("is closed twice without trouble", leaves_nothing(function()
    local program = assert(open { "sleep", 60 })
    program:close()
    program:close()
    assert.is_nil(program:read())
    assert.is_false(program:kill())
    local ok, why = program:write("x")
    assert.is_nil(ok)
    assert.equal("connection", why.code)
  end))

  both("says that nobody reads any more", leaves_nothing(function()
    local program <close> = assert(open { "true" })
    program:wait()
    local ok, why = program:write(("x"):rep(100000))
    assert.is_nil(ok)
    assert.equal("connection", why.code)
    assert.equal("EPIPE", why.detail)
  end))

  both("signals the group", leaves_nothing(function()
    local program <close> = assert(open { "sleep", 60 })
    assert.is_true(program:kill())
    assert.same({ code = 143, signal = "SIGTERM" }, program:wait(5))
    local other <close> = assert(open { "sleep", 60 })
    assert.is_true(other:kill("sigkill"))
    assert.same({ code = 137, signal = "SIGKILL" }, other:wait(5))
  end))

  both("waits for a time only", leaves_nothing(function()
    local program <close> = assert(open { "sleep", 60 })
    local exit, why = program:wait(0.01)
    assert.is_nil(exit)
    assert.equal("timeout", why.code)
  end))

  both("returns a failure for a program that does not exist", leaves_nothing(function()
    local program, why = open { "no-such-program-anywhere" }
    assert.is_nil(program)
    assert.equal("not_found", why.code)
  end))

  it("takes no options of run that mean nothing here", function()
    assert.matches("^spec/process_spec.lua:%d+: rille.process.open: unknown option 'stdin'",
      raised(function() open { "cat", stdin = "x" } end))
    assert.matches("^spec/process_spec.lua:%d+: write: string expected, got nil", raised(function()
      local cat <close> = assert(open { "cat" })
      cat:write(nil)
    end))
  end)

  it("writes and reads side by side", async(leaves_nothing(function()
    local cat <close> = assert(open { "cat" })
    local text = ("0123456789"):rep(100000)
    rille.spawn(function()
      for from = 1, #text, 9973 do cat:write(text:sub(from, from + 9972)) end
      cat:close_stdin()
    end)
    local pieces = {}
    for bytes in function() return cat:read() end do pieces[#pieces + 1] = bytes end
    assert.is_true(table.concat(pieces) == text)
  end)))
end)
