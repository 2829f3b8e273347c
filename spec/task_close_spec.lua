--- A state that is closed while tasks are in every state: in interpreters of their own, and under the sanitizers.
local interpreter = require "spec.support.interpreter"

--- What runs in front of each case: `core`, and `closing(fn)`, a value whose closing calls fn.
local opening <const> = [[
local core = require "rille.core"
local function closing(fn) return setmetatable({}, { __close = fn }) end
local function tell(...) print(...) end
]]

--- Runs a case; it must end well and say nothing on stderr. What it printed.
local function run(code)
  local result = interpreter.run(opening .. code)
  assert.equal("", result.stderr)
  assert.equal(0, result.code)
  return result.stdout
end

describe("a state that is closed", function()
  it("closes what is to be closed in tasks that wait, that are ready, and that have not begun", async(function()
    local printed = run [[
      core.spawn(function() local _ <close> = closing(function() tell "waits" end) core.sleep(60) end)
      local op = core.op()
      core.spawn(function() local _ <close> = closing(function() tell "is ready" end) op:wait() end)
      core.sleep(0.001)
      op:complete()
      core.spawn(function() local _ <close> = closing(function() tell "has begun" end) end)
    ]]
    assert.matches("waits\n", printed)
    assert.matches("is ready\n", printed)
    assert.not_matches("has begun", printed)
  end))

  it("lets go of a task that waits for one it has spawned, and the other way round", async(function()
    run [[
      core.spawn(function() core.spawn(function() core.op():wait() end):join() end)
      local first
      first = core.spawn(function() core.spawn(function() first:join() end) core.op():wait() end)
      core.sleep(0.001)
    ]]
  end))

  it("starts no task any more, and waits for nothing", async(function()
    local printed = run [[
      for _ = 1, 20 do
        core.spawn(function()
          local _ <close> = closing(function()
            tell(select(2, pcall(core.spawn, print)))
            tell(select(2, pcall(core.sleep, 1)))
            tell(select(2, pcall(coroutine.wrap(function() core.op():wait() end))))
          end)
          core.sleep(60)
        end)
      end
      core.sleep(0.001)
    ]]
    assert.equal(60, select(2, printed:gsub("the runtime is being closed\n", "")))
  end))

  it("lets what is closed cancel and ask about any task", async(function()
    run [[
      local tasks = {}
      for i = 1, 30 do
        tasks[i] = core.spawn(function()
          local _ <close> = closing(function()
            for _, task in ipairs(tasks) do
              pcall(task.cancel, task, "all end") pcall(task.status, task) pcall(task.parent, task)
              pcall(task.join, task) pcall(task.deadline, task, 1, {})
            end
            pcall(core.run)
          end)
          if i % 3 == 0 then core.sleep(60) elseif i > 1 then tasks[i - 1]:join() else core.op():wait() end
        end)
      end
      core.sleep(0.001)
    ]]
  end))

  it("answers finalizers that still hold a task, an operation or the module", async(function()
    local printed = run [[
      local task, op
      KEPT = setmetatable({}, { __gc = function()
        for _, name in ipairs { "status", "parent", "cancel", "join" } do tell(select(2, pcall(task[name], task))) end
        tell(pcall(op.complete, op))
        for _, name in ipairs { "running", "now", "counts", "uv" } do tell(name, (pcall(core[name]))) end
        for _, name in ipairs { "spawn", "sleep", "run", "http", "chat" } do tell(name, (pcall(core[name], {}))) end
      end })
      op = core.op()
      task = core.spawn(function() op:wait() end)
      core.sleep(0.001)
    ]]
    assert.equal(4, select(2, printed:gsub("the runtime is being closed\n", "")))
    assert.matches("counts\ttrue\n", printed)
    assert.matches("http\tfalse\n", printed)
  end))

  it("may be closed inside a task, a coroutine of its own, and a callback", async(function()
    for _, code in ipairs {
      [[core.spawn(function() core.sleep(0.001) os.exit(true, true) end):join()]],
      [[core.spawn(function() coroutine.wrap(function() core.sleep(0.001) os.exit(true, true) end)() end):join()]],
      [[local timer = core.uv().new_timer()
        timer:start(1, 0, function() os.exit(true, true) end)
        core.spawn(function() core.sleep(60) end):join()]],
    } do
      run("core.spawn(function() core.sleep(60) end) " .. code)
    end
  end))

  it("stops a handler that spins while it is closed", async(function()
    run [[
      local task = core.spawn(function()
        local _ <close> = closing(function() while true do pcall(function() while true do end end) end end)
        core.sleep(60)
      end)
      task:deadline(60, {})
      core.sleep(0.001)
    ]]
  end))

  it("leaves a loop that luv had before, and its handles", async(function()
    local result = interpreter.run [[
      local uv = require "luv"
      local timer = uv.new_timer()
      timer:start(5, 5, function() end)
      local core = require "rille.core"
      assert(core.uv() == uv)
      for _ = 1, 10 do core.spawn(function() core.sleep(60) end) end
      core.spawn(function() core.sleep(0.01) print "slept" end):join()
      core.spawn(function() print "never" end)
    ]]
    assert.equal("", result.stderr)
    assert.equal("slept\n", result.stdout)
    assert.equal(0, result.code)
  end))
end)

describe("a loop that others turn", function()
  it("resumes tasks in uv.run of a script", async(function()
    for _, first in ipairs { "rille.core", "luv" } do
      local result = interpreter.run(([[
        require "%s"
        local core, uv = require "rille.core", require "luv"
        core.spawn(function()
          for i = 1, 3 do core.sleep(0.002) print(i) end
          local op, timer = core.op(), uv.new_timer()
          timer:start(1, 0, function() timer:close() op:complete "rang" end)
          print(op:wait())
        end)
        core.spawn(function() core.spawn(function() print "child" end):join() end)
        uv.run()
        print(core.counts().tasks)
      ]]):format(first))
      assert.equal("", result.stderr)
      assert.equal("child\n1\n2\n3\nrang\n0\n", result.stdout)
    end
  end))

  it("refuses waits there that would turn it again", async(function()
    local printed = run [[
      core.spawn(function()
        tell(select(2, pcall(coroutine.wrap(function() core.sleep(1) end))))
        core.sleep(0.001)
        tell "parked"
      end)
      core.uv().run()
    ]]
    assert.matches("must not wait", printed)
    assert.matches("parked", printed)
  end))
end)
