local core = require "rille.core"

local function late()
  return setmetatable({ code = "timeout", message = "ran too long" }, core.failure_metatable)
end

local function spin(seconds)
  local start = core.now()
  while core.now() - start < seconds do type(start) end
end

--- Runs `fn` with a deadline; its failure and the seconds it took.
local function stopped(fn, seconds)
  local task = core.spawn(fn)
  local failure = late()
  task:deadline(seconds or 0.05, failure)
  local start = core.now()
  local _, met = task:join()
  assert.equal(failure, met)
  return core.now() - start
end

describe("task:deadline", function()
  it("stops a loop that never waits", async(function()
    assert.is_true(stopped(function() while true do end end) < 1)
  end))

  it("stops a loop that catches errors", async(function()
    assert.is_true(stopped(function()
      while true do pcall(function() while true do end end) end
    end) < 2)
  end))

  it("stops a loop of caught calls", async(function()
    assert.is_true(stopped(function()
      local function f() end
      while true do pcall(f) end
    end) < 2)
  end))

  it("stops a loop inside a coroutine", async(function()
    assert.is_true(stopped(function() coroutine.wrap(function() while true do end end)() end) < 1)
  end))

  it("stops coroutines inside coroutines, and those that catch", async(function()
    assert.is_true(stopped(function()
      while true do
        coroutine.resume(coroutine.create(function()
          pcall(coroutine.wrap(function() while true do end end))
        end))
      end
    end) < 2)
  end))

  it("stops what runs after the coroutine in which it was set", async(function()
    local task, failure = nil, late()
    local function set() task:deadline(0.05, failure) end
    local function fail() set() error("boom") end
    for _, inside in ipairs { set, fail } do
      task = core.spawn(function()
        pcall(coroutine.wrap(inside))
        collectgarbage()   -- that coroutine is gone
        spin(2)
      end)
      local start = core.now()
      local _, met = task:join()
      assert.equal(failure, met)
      assert.is_true(core.now() - start < 1.5)
    end
  end))

  it("stops the coroutine that waited when it was set", async(function()
    local function wait_and_spin()
      core.sleep(0.02)
      spin(2)
    end
    local task, failure = core.spawn(function() coroutine.wrap(wait_and_spin)() end), late()
    core.sleep(0.005)
    task:deadline(0.05, failure)
    local start = core.now()
    local _, met = task:join()
    assert.equal(failure, met)
    assert.is_true(core.now() - start < 1.5)
  end))

  it("does not strike what cleans up after a wait that it ended", async(function()
    local steps = 0
    local task = core.spawn(function()
      pcall(core.sleep, 60)
      for _ = 1, 3000 do pcall(function() steps = steps + 1 end) end   -- a strike would end one of the calls early
      core.sleep(0.001)
      steps = steps + 1
    end)
    task:deadline(0.005, late())
    task:join()
    assert.equal(3001, steps)
  end))

  it("leaves time to clean up after the first strike", async(function()
    local cleaned
    stopped(function()
      local _guard <close> = setmetatable({}, { __close = function()
        for _ = 1, 1000 do cleaned = (cleaned or 0) + 1 end
      end })
      while true do end
    end)
    assert.equal(1000, cleaned)
  end))

  it("reaches what the task has spawned", async(function()
    local child
    local parent = core.spawn(function()
      core.sleep(0)
      child = core.spawn(function() while true do end end)
      core.sleep(60)
    end)
    parent:deadline(0.05, late())
    local _, failure = parent:join()
    assert.equal("timeout", failure.code)
    child:join()
    parent:cancel()
  end))

  it("ends a wait, set before it or during it", async(function()
    assert.is_true(stopped(function() core.sleep(60) end) < 1)
    local task = core.spawn(function() core.op():wait() end)
    core.sleep(0.002)
    task:deadline(0.02, late())
    assert.equal("timeout", select(2, task:join()).code)
  end))

  it("leaves a wait its own end when it is taken back", async(function()
    local task = core.spawn(function() core.sleep(0.06) return "slept" end)
    core.sleep(0.002)
    task:deadline(0.02, late())
    task:deadline(nil, late())
    assert.equal("slept", task:join())
  end))

  it("does nothing to a task that ends in time, nor to others", async(function()
    local task = core.spawn(function() core.sleep(0.001) return "fine" end)
    task:deadline(0.03, late())
    assert.equal("fine", task:join())
    local start = core.now()
    while core.now() - start < 0.08 do end -- this task has none
    assert.is_true(true)
  end))

  it("may be taken back", async(function()
    local task = core.spawn(function()
      local start = core.now()
      while core.now() - start < 0.06 do end
      return "free"
    end)
    task:deadline(0.02, late())
    task:deadline(nil, late())
    assert.equal("free", task:join())
  end))

  it("is not put off by a later one of what it spawned", async(function()
    assert.is_true(stopped(function()
      local child = core.spawn(function() while true do end end)
      child:deadline(60, late())
      child:join()
    end) < 1)
  end))

  it("gives way to an earlier one of what it spawned, and comes back when that is taken back", async(function()
    local why, parents
    local parent = core.spawn(function()
      local child, soon = core.spawn(function() core.sleep(60) end), late()
      child:deadline(0.02, soon)
      why = rawequal(select(2, child:join()), soon)
      child = core.spawn(function() core.sleep(60) end)
      child:deadline(0.02, late())
      child:deadline(nil, late())
      child:join()
    end)
    local mine, start = late(), core.now()
    parent:deadline(0.1, mine)
    parents = select(2, parent:join())
    assert.is_true(why)
    assert.equal(mine, parents)
    assert.is_true(core.now() - start >= 0.09)
  end))

  it("goes on watching after a wait", async(function()
    assert.is_true(stopped(function()
      core.sleep(0.01)
      while true do end
    end) < 1)
  end))
end)

--- Runs `fn` in a task, with a deadline far away or without one.
local function in_task(has_deadline, fn)
  local task = core.spawn(fn)
  if has_deadline then task:deadline(60, late()) end
  local _, failure = task:join()
  if failure then error(failure.message .. "\n" .. tostring(failure.traceback), 0) end
end

for _, has_deadline in ipairs { false, true } do
  describe("a script's own coroutine " .. (has_deadline and "under a deadline" or "without one"), function()
    local function check(name, fn)
      it(name, async(function() in_task(has_deadline, fn) end))
    end

    check("is wrapped as the manual says", function()
      local produce = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2, "end" end)
      assert.equal(2, produce(1))
      assert.same({ 10, "end" }, { produce(5) })
      assert.has_error(produce, "cannot resume dead coroutine")
      local ok, message = pcall(coroutine.wrap(function() error("boom") end))
      assert.is_false(ok)
      assert.matches("boom$", message)
      local thrown = {}
      local _, err = pcall(coroutine.wrap(function() error(thrown) end))
      assert.equal(thrown, err)
      assert.has_error(function() coroutine.wrap(42) end)
    end)

    check("says where a wrapped one failed, inside and at its caller", function()
      local fail = coroutine.wrap(function() error("boom") end)
      local _, message = pcall(function() local _ = fail() .. "" end)
      assert.matches("^[^:]*deadline_spec.lua:%d+: [^:]*deadline_spec.lua:%d+: boom$", message)
    end)

    check("takes and gives any number of values", function()
      local echo = coroutine.wrap(function(...)
        local given = table.pack(...)
        while true do given = table.pack(coroutine.yield(table.unpack(given, 1, given.n))) end
      end)
      for _, n in ipairs { 0, 1, 2, 7, 200 } do
        local given = {}
        for i = 1, n do given[i] = i % 3 > 0 and i or nil end
        assert.same(table.pack(table.unpack(given, 1, n)), table.pack(echo(table.unpack(given, 1, n))))
      end
    end)

    check("is resumed as the manual says", function()
      local thread = coroutine.create(function(...) return select("#", ...), ... end)
      assert.same({ true, 2, 1, nil, n = 4 }, table.pack(coroutine.resume(thread, 1, nil)))
      assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(thread) })
      assert.has_error(function() coroutine.resume(42) end)
      local self = coroutine.running()
      assert.same({ false, "cannot resume non-suspended coroutine" }, { coroutine.resume(self) })
    end)

    check("is closed as the manual says", function()
      local closed = 0
      local guard <const> = { __close = function() closed = closed + 1 end }
      local thread = coroutine.create(function()
        local _guard <close> = setmetatable({}, guard)
        coroutine.yield()
      end)
      coroutine.resume(thread)
      assert.is_true(coroutine.close(thread))
      assert.is_true(coroutine.close(thread))
      assert.is_true(coroutine.close(coroutine.create(print)))
      assert.has_error(function() coroutine.close(coroutine.running()) end)
      assert.has_error(function() coroutine.close(42) end)
      pcall(coroutine.wrap(function()
        local _guard <close> = setmetatable({}, guard)
        error("out")
      end))
      assert.equal(2, closed)
    end)

    check("tells the error of what it had to close", function()
      local function fail()
        local _guard <close> = setmetatable({}, { __close = function() error("closing", 0) end })
        error("out", 0)
      end
      local _, message = pcall(coroutine.wrap(fail))
      assert.matches("closing$", message)
    end)
  end)
end
