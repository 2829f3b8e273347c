local core = require "rille.core"

--- A task that waits until it is cancelled, and says what it met.
local function waiter(seen)
  return core.spawn(function()
    local ok, err = pcall(core.sleep, 60)
    seen.ok, seen.err = ok, err
    error(err, 0)
  end)
end

describe("core.spawn", function()
  it("hands arguments in and results out", async(function()
    local task = core.spawn(function(...) core.sleep(0.001) return select("#", ...), ... end, 1, nil, "x", nil)
    assert.same({ 4, 1, nil, "x", nil, n = 5 }, table.pack(task:join()))
  end))

  it("runs the task on a later turn, not at once", async(function()
    local ran = false
    local task = core.spawn(function() ran = true end)
    assert.is_false(ran)
    assert.equal("ready", task:status())
    task:join()
    assert.is_true(ran)
    assert.equal("done", task:status())
  end))

  it("runs tasks side by side in the order of their deadlines", async(function()
    local order = {}
    local tasks = {}
    for i, seconds in ipairs { 0.03, 0.01, 0.02 } do
      tasks[i] = core.spawn(function() core.sleep(seconds) order[#order + 1] = i end)
    end
    for _, task in ipairs(tasks) do task:join() end
    assert.same({ 2, 3, 1 }, order)
  end))

  it("returns what was raised as a failure with a traceback", async(function()
    local result, failure = core.spawn(function() error("boom") end):join()
    assert.is_nil(result)
    assert.equal("internal", failure.code)
    assert.matches("task_core_spec.lua:%d+: boom", failure.message)
    assert.matches("stack traceback", failure.traceback)
  end))

  it("passes a raised failure through as it is", async(function()
    local raised = setmetatable({ code = "timeout", message = "late" }, core.failure_metatable)
    local _, failure = core.spawn(function() error(raised) end):join()
    assert.equal(raised, failure)
  end))

  it("raises for what is no function", function()
    assert.has_error(function() core.spawn(42) end)
  end)

  it("lets other tasks run on a bare coroutine.yield", async(function()
    local order = {}
    local a = core.spawn(function() for _ = 1, 3 do order[#order + 1] = "a" coroutine.yield("ignored") end end)
    local b = core.spawn(function() for _ = 1, 3 do order[#order + 1] = "b" coroutine.yield() end end)
    a:join()
    b:join()
    assert.equal("ababab", table.concat(order))
  end))

  it("runs a thousand tasks", async(function()
    local tasks, sum = {}, 0
    for i = 1, 1000 do tasks[i] = core.spawn(function() core.sleep(0.001 * (i % 7)) return i end) end
    for _, task in ipairs(tasks) do sum = sum + task:join() end
    assert.equal(500500, sum)
  end))

  it("works outside a task: join turns the loop", function()
    local task = core.spawn(function() core.sleep(0.005) return "done" end)
    assert.equal("done", task:join())
  end)
end)

describe("task:join", function()
  it("gives up after its seconds and leaves the task alone", async(function()
    local task = core.spawn(function() core.sleep(0.05) return 7 end)
    local result, failure = task:join(0.001)
    assert.is_nil(result)
    assert.equal("timeout", failure.code)
    assert.equal(7, task:join())
  end))

  it("may be called by many, again and again", async(function()
    local task = core.spawn(function() core.sleep(0.005) return "x" end)
    local joins = {}
    for i = 1, 5 do joins[i] = core.spawn(function() return task:join() end) end
    for _, join in ipairs(joins) do assert.equal("x", join:join()) end
    assert.equal("x", task:join())
    assert.equal("x", task:join(0))
  end))

  it("refuses a task that waits for itself", async(function()
    local task
    task = core.spawn(function() return pcall(task.join, task) end)
    local ok, message = task:join()
    assert.is_false(ok)
    assert.matches("cannot wait for itself", message)
  end))

  it("says deadlock when nothing is left that could end the wait", function()
    local task = core.spawn(function() core.op():wait() end)
    local _, failure = task:join()
    assert.equal("internal", failure.code)
    assert.matches("deadlock", failure.message)
    task:cancel()
    task:join()
  end)
end)

describe("task:cancel", function()
  it("raises a failure at the await", async(function()
    local seen = {}
    local task = waiter(seen)
    core.sleep(0)
    core.sleep(0)
    task:cancel("enough")
    local _, failure = task:join()
    assert.is_false(seen.ok)
    assert.equal("cancelled", seen.err.code)
    assert.equal("enough", failure.message)
    assert.equal(seen.err, failure)
    assert.equal("cancelled", task:status())
  end))

  it("takes a failure as the reason", async(function()
    local reason = setmetatable({ code = "timeout", message = "too slow" }, core.failure_metatable)
    local task = waiter {}
    task:cancel(reason)
    assert.equal(reason, select(2, task:join()))
  end))

  it("ends a task that has not begun without running it", async(function()
    local ran = false
    local task = core.spawn(function() ran = true end)
    task:cancel()
    assert.equal("cancelled", select(2, task:join()).code)
    assert.is_false(ran)
  end))

  it("reaches the tasks that the task has spawned, and theirs", async(function()
    local child, grandchild
    local parent = core.spawn(function()
      child = core.spawn(function()
        grandchild = core.spawn(function() core.sleep(60) end)
        core.sleep(60)
      end)
      core.sleep(60)
    end)
    core.sleep(0.005)
    parent:cancel()
    for _, task in ipairs { parent, child, grandchild } do
      assert.equal("cancelled", select(2, task:join()).code)
    end
  end))

  it("reaches what a finished task has left behind, through the one that spawned it", async(function()
    local left
    local outer = core.spawn(function()
      core.spawn(function() left = core.spawn(function() core.sleep(60) end) end)
      core.sleep(60)
    end)
    core.sleep(0.005)
    outer:cancel()
    assert.equal("cancelled", select(2, left:join()).code)
    outer:join()
  end))

  it("leaves alone what a finished task has spawned", async(function()
    local child
    local parent = core.spawn(function() child = core.spawn(function() core.sleep(0.02) return 1 end) end)
    parent:join()
    parent:cancel()
    assert.equal(1, child:join())
  end))

  it("is idempotent, and nothing happens after the end", async(function()
    local task = core.spawn(function() return "done" end)
    task:join()
    task:cancel()
    assert.equal("done", task:join())
    local other = waiter {}
    other:cancel("first")
    other:cancel("second")
    assert.equal("first", select(2, other:join()).message)
  end))

  it("cancels the running task at its next await", async(function()
    local after
    local task
    task = core.spawn(function()
      task:cancel("myself")
      after = true
      core.sleep(1)
      after = "not reached"
    end)
    local _, failure = task:join()
    assert.is_true(after)
    assert.equal("myself", failure.message)
  end))

  it("closes to-be-closed variables", async(function()
    local closed = {}
    local function guard(name)
      return setmetatable({}, { __close = function() closed[#closed + 1] = name end })
    end
    local task = core.spawn(function()
      local _outer <close> = guard "outer"
      local _inner <close> = guard "inner"
      core.sleep(60)
    end)
    core.sleep(0.001)
    task:cancel()
    task:join()
    assert.same({ "inner", "outer" }, closed)
  end))

  it("lets what is to be closed wait, after a cancel and after an error", async(function()
    for _, body in ipairs { function() core.sleep(60) end, function() error("out") end } do
      local log = {}
      local task = core.spawn(function()
        local _guard <close> = setmetatable({}, { __close = function()
          log[#log + 1] = coroutine.isyieldable()
          core.sleep(0.005)
          log[#log + 1] = "closed"
        end })
        core.sleep(0.001)
        body()
      end)
      if not task:join(0.02) then task:cancel() end
      assert.is_nil((task:join()))
      assert.same({ true, "closed" }, log)
    end
  end))

  it("grants cleaning up that waits", async(function()
    local cleaned
    local task = core.spawn(function()
      pcall(core.sleep, 60)
      core.sleep(0.005)
      cleaned = true
    end)
    core.sleep(0.001)
    task:cancel()
    local _, failure = task:join()
    assert.is_true(cleaned)
    assert.equal("cancelled", failure.code)
  end))

  it("closes by force what goes on after its grace", async(function()
    local closed
    local task = core.spawn(function()
      local _guard <close> = setmetatable({}, { __close = function() closed = true end })
      while true do pcall(core.sleep, 0.3) end
    end)
    core.sleep(0.001)
    local start = core.now()
    task:cancel()
    local _, failure = task:join()
    assert.equal("cancelled", failure.code)
    assert.is_true(closed)
    assert.is_true(core.now() - start < 2.6)
  end))
end)

describe("core.op", function()
  it("hands the values of complete to wait", async(function()
    local op = core.op()
    core.spawn(function() core.sleep(0.001) op:complete(1, nil, 3) end)
    assert.same({ 1, nil, 3, n = 3 }, table.pack(op:wait()))
    assert.same({ 1, nil, 3, n = 3 }, table.pack(op:wait()))
  end))

  it("counts only the first completion", async(function()
    local op = core.op()
    op:complete("first")
    op:complete("second")
    assert.equal("first", op:wait())
  end))

  it("is woken by a callback of luv", async(function()
    local uv, op = core.uv(), core.op()
    local timer = uv.new_timer()
    timer:start(1, 0, function() timer:close() op:complete("rang") end)
    assert.equal("rang", op:wait())
  end))

  it("times out", async(function()
    local _, failure = core.op():wait(0.001)
    assert.equal("timeout", failure.code)
  end))

  it("keeps its values while only the waiting task knows it", async(function()
    local task = core.spawn(function()
      local op = core.op()
      local timer = core.uv().new_timer()
      timer:start(2, 0, function() timer:close() op:complete(("x"):rep(100)) end)
      return op:wait()
    end)
    for _ = 1, 5 do collectgarbage() core.sleep(0.001) end
    assert.equal(("x"):rep(100), task:join())
  end))
end)

describe("waiting where no task can park", function()
  it("works in a coroutine of the script's own, inside a task", async(function()
    local produce = coroutine.wrap(function()
      for i = 1, 3 do core.sleep(0.001) coroutine.yield(i) end
    end)
    assert.same({ 1, 2, 3 }, { produce(), produce(), produce() })
  end))

  it("lets other tasks run meanwhile", async(function()
    local ticks = 0
    local ticker = core.spawn(function() for _ = 1, 5 do core.sleep(0.002) ticks = ticks + 1 end end)
    coroutine.wrap(function() core.sleep(0.05) end)()
    assert.equal(5, ticks)
    ticker:join()
  end))

  it("works in sort, gsub and metamethods", async(function()
    local text = ("abc"):gsub(".", function(c) core.sleep(0.001) return c:upper() end)
    assert.equal("ABC", text)
    local slow = setmetatable({}, { __index = function(_, key) core.sleep(0.001) return key end })
    assert.equal("key", slow.key)
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b) core.sleep(0.001) return a < b end)
    assert.same({ 1, 2, 3 }, list)
  end))

  it("is cancelled with its task", async(function()
    local seen
    local task = core.spawn(function()
      seen = table.pack(pcall(coroutine.wrap(function() core.sleep(60) end)))
    end)
    core.sleep(0.005)
    task:cancel("stop")
    assert.equal("stop", select(2, task:join()).message)
    assert.is_false(seen[1])
  end))

  it("refuses to nest deeper before the C stack ends", async(function()
    local message
    local function nest(depth)
      return coroutine.wrap(function()
        local task = core.spawn(function() if depth > 0 then nest(depth - 1) end end)
        local ok, err = pcall(task.join, task)
        if not ok then message = err end
        core.spawn(function() task:join() end)
      end)()
    end
    nest(80)
    assert.matches("too many waits", tostring(message))
  end))
end)

describe("core.running", function()
  it("knows the task, and nobody outside one", function()
    assert.is_nil(core.running())
    local task
    task = core.spawn(function() return core.running() == task end)
    assert.is_true(task:join())
    local inside = core.spawn(function() return coroutine.wrap(core.running)() end)
    assert.is_nil(inside:join())
  end)
end)

describe("core.childless", function()
  it("waits until what the task has spawned has ended, and theirs", async(function()
    local done = 0
    core.spawn(function() core.spawn(function() core.sleep(0.01) done = done + 1 end) end)
    for i = 1, 3 do core.spawn(function() core.sleep(0.002 * i) done = done + 1 end) end
    core.childless()
    assert.equal(4, done)
    core.childless()
  end))

  it("is for tasks only", function()
    assert.has_error(core.childless)
  end)
end)

describe("core.run", function()
  it("turns the loop until no task is left", function()
    local done = 0
    for i = 1, 3 do core.spawn(function() core.sleep(0.002 * i) done = done + 1 end) end
    core.run()
    assert.equal(3, done)
  end)

  it("is not for tasks", async(function()
    assert.is_false(pcall(core.run))
  end))
end)

describe("a task", function()
  it("shows nobody its finaliser", async(function()
    local task = core.spawn(function() end)
    assert.is_false(getmetatable(task))
    assert.has_error(function() setmetatable({}, getmetatable(task)) end)
    task:join()
  end))
end)

describe("a callback of luv that raises", function()
  it("becomes a warning and ends nobody", async(function()
    local uv, op = core.uv(), core.op()
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      timer:close()
      op:complete()
      error("in a callback")
    end)
    op:wait()
    assert.is_true(core.sleep(0.001))
  end))
end)

describe("core.sleep and core.now", function()
  it("refuse a negative time", function()
    assert.has_error(function() core.sleep(-1) end)
    assert.has_error(function() core.sleep("soon") end)
  end)

  it("measure seconds", function()
    local start = core.now()
    core.sleep(0.02)
    assert.is_true(core.now() - start >= 0.019)
  end)
end)
