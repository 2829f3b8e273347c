--- task_outcome_spec.lua -- beside task_core_spec: how a task ended, and what it works for.
local core = require "rille.core"
local failure = require "rille.failure"

describe("task:outcome", function()
  it("says that the task returned, and what", async(function()
    assert.same({ true, 1, "two", n = 3 }, table.pack(core.spawn(function() return 1, "two" end):outcome()))
    assert.same({ true, n = 1 }, table.pack(core.spawn(function() end):outcome()))
    local waited = core.spawn(function() core.sleep(0.001) return nil, "late" end)
    assert.same({ true, nil, "late", n = 3 }, table.pack(waited:outcome()))
  end))

  it("gives its function the arguments, also when that is a table that can be called", async(function()
    local add = setmetatable({}, { __call = function(_, a, b) return a + b end })
    assert.same({ true, 5 }, { core.spawn(add, 2, 3):outcome() })
  end))

  it("says that it raised: a failure with the traceback", async(function()
    local ok, raised = core.spawn(function() error("broken") end):outcome()
    assert.is_false(ok)
    assert.equal("internal", raised.code)
    assert.matches("task_outcome_spec.lua:%d+: broken", raised.message)
    assert.matches("stack traceback", raised.traceback)
  end))

  it("keeps the traceback of a table that is no failure", async(function()
    for _, metatable in ipairs { false, {} } do
      local ok, raised = core.spawn(function() error(setmetatable({ code = 5 }, metatable or nil)) end):outcome()
      assert.is_false(ok)
      assert.equal(5, raised.detail.code)
      assert.matches("stack traceback", raised.traceback)
    end
  end))

  it("says what a value that cannot be said raises itself", async(function()
    for _, way in ipairs { "outcome", "join" } do
      for _, case in ipairs {
        { function() error("inner", 0) end, "inner" },
        { function() return {} end, "'__tostring' must return a string" },
        { function() error {} end, "an error without words" },
      } do
        local task = core.spawn(function() error(setmetatable({}, { __tostring = case[1] })) end)
        local _, raised = task[way](task)
        assert.equal("internal", raised.code)
        assert.equal(case[2], raised.message)
      end
    end
  end))

  it("gives a failure that was raised as it is", async(function()
    local refused = failure.new("connection", "refused")
    local ok, raised = core.spawn(function() error(refused) end):outcome()
    assert.is_false(ok)
    assert.equal(refused, raised)
    assert.is_nil(raised.traceback)
  end))

  it("says why it was cancelled", async(function()
    local task = core.spawn(function() core.sleep(60) end)
    local why = failure.new("cancelled", "enough")
    core.spawn(function() task:cancel(why) end)
    local results = table.pack(task:outcome())
    assert.same({ nil, why, n = 2 }, results)
    assert.is_true(task:is_cancelled())
  end))

  it("tells a deadline's failure", async(function()
    local late = failure.new("timeout", "late")
    for _, fn in ipairs { function() core.sleep(60) end, function() while true do end end } do
      local task = core.spawn(fn)
      task:deadline(0.02, late)
      local ok, why = task:outcome()
      assert.is_nil(ok)
      assert.equal(late, why)
    end
  end))

  it("is there again and again", async(function()
    local task = core.spawn(function() return 7 end)
    assert.same({ true, 7 }, { task:outcome() })
    assert.same({ true, 7 }, { task:outcome() })
    assert.equal(7, task:join())
  end))

  it("raises in a task that is cancelled while it waits; the other one has its own end", async(function()
    local inner = core.spawn(function() core.sleep(0.005) return "done" end)
    local outer = core.spawn(function() inner:outcome() end)
    core.sleep(0)
    outer:cancel "no longer"
    local _, why = outer:join()
    assert.equal("no longer", why.message)
    assert.same({ true, "done" }, { inner:outcome() })
  end))

  it("refuses to wait for the task itself", async(function()
    local task
    task = core.spawn(function() task:outcome() end)
    local ok, raised = task:outcome()
    assert.is_false(ok)
    assert.matches("cannot wait for itself", raised.message)
  end))

  describe("of a task that has not begun", function()
    it("lets it begin at once", async(function()
      local order = {}
      local first = core.spawn(function() order[#order + 1] = "first" end)
      local second = core.spawn(function() order[#order + 1] = "second" end)
      second:outcome()
      order[#order + 1] = "here"
      first:outcome()
      assert.same({ "second", "here", "first" }, order)
    end))

    it("takes no turn of the loop when nothing waits", async(function()
      local other = false
      core.spawn(function() other = true end)
      core.spawn(function() return 1 end):outcome()
      assert.is_false(other)
    end))

    it("waits when that waits", async(function()
      local task = core.spawn(function()
        core.sleep(0.002)
        return "slept"
      end)
      assert.is_false(task:has_begun())
      assert.same({ true, "slept" }, { task:outcome() })
      assert.is_true(task:has_begun())
    end))

    it("knows who runs, inside and afterwards", async(function()
      local here = core.running()
      local task = core.spawn(function() return core.running(), core.running():parent() end)
      local _, inside, parent = task:outcome()
      assert.equal(task, inside)
      assert.equal(here, parent)
      assert.equal(here, core.running())
    end))

    it("does not pile up on the stack, however deep", async(function()
      local function nest(depth)
        if depth == 0 then return 0 end
        local _, below = core.spawn(nest, depth - 1):outcome()
        return below + 1
      end
      assert.equal(500, nest(500))
    end))

    it("meets a cancel of the waiting task from inside", async(function()
      local outer, seen
      outer = core.spawn(function()
        core.spawn(function()
          outer:cancel "from inside"
          seen = core.running():is_cancelled()
          core.sleep(60)
        end):outcome()
      end)
      local _, why = outer:join()
      assert.equal("from inside", why.message)
      assert.is_true(seen)
    end))

    it("lets a task that was cancelled before end without running", async(function()
      local ran = false
      local task = core.spawn(function() ran = true end)
      task:cancel()
      local ok, why = task:outcome()
      assert.is_nil(ok)
      assert.equal("cancelled", why.code)
      assert.is_false(ran or task:has_begun())
    end))

    it("works outside a task and in a coroutine of the script's own", async(function()
      local co = coroutine.wrap(function() return core.spawn(function() core.sleep(0) return 3 end):outcome() end)
      assert.same({ true, 3 }, { co() })
    end))

    it("watches the waiting task's deadline again afterwards", async(function()
      local late = failure.new("timeout", "late")
      local task = core.spawn(function()
        core.spawn(function() end):outcome()
        while true do end
      end)
      task:deadline(0.03, late)
      assert.same({ nil, late }, { task:outcome() })
    end))
  end)
end)

describe("task:returned", function()
  it("is what a task returned, even if it was cancelled in that moment", async(function()
    local task = core.spawn(function()
      pcall(core.sleep, 60)
      return "kept", 2
    end)
    core.sleep(0)
    task:cancel()
    local ok = task:outcome()
    assert.is_nil(ok)
    assert.same({ true, "kept", 2 }, { task:returned() })
  end))

  it("is nothing of one that runs, raised or was closed", async(function()
    local task = core.spawn(function() core.sleep(0.001) error "x" end)
    assert.same({ false }, { task:returned() })
    task:join()
    assert.same({ false }, { task:returned() })
    local cancelled = core.spawn(function() return 1 end)
    cancelled:cancel()
    cancelled:join()
    assert.same({ false }, { cancelled:returned() })
  end))
end)

describe("core.spawn_for", function()
  local late <const> = failure.new("timeout", "late")

  --- Starts a function that works for `errand` and has a second.
  local function work_for(errand, fn, ...) return core.spawn_for(errand, 1, late, fn, ...) end

  it("says what a task, and those that it leads to, work for", async(function()
    local a, b = {}, {}
    local function errand() return core.running():errand() end
    local task = work_for(a, function(x, y)
      assert.same({ 1, 2 }, { x, y })
      local spawned = core.spawn(function() return core.spawn(errand):join() end):join()
      return errand(), spawned, (work_for(b, errand):join())
    end, 1, 2)
    assert.equal(a, task:errand())
    local own, spawned, other = task:join()
    assert.equal(a, own)
    assert.equal(a, spawned)
    assert.equal(b, other)
    assert.is_nil(core.spawn(errand):join())
  end))

  it("keeps it no longer than the task", async(function()
    local held = setmetatable({ {} }, { __mode = "v" })
    local task = work_for(held[1], function() end)
    assert.is_not_nil(task:errand())
    task:join()
    collectgarbage() collectgarbage()
    assert.is_nil(held[1])   -- though there is still somebody who may ask for the results
    assert.is_nil(task:errand())
  end))

  it("ends what waits and what spins at the deadline", async(function()
    for _, fn in ipairs { function() core.sleep(60) end, function() while true do end end } do
      local ok, why = core.spawn_for({}, 0.02, late, fn):outcome()
      assert.is_nil(ok)
      assert.equal(late, why)
    end
    assert.same({ true, 1 }, { core.spawn_for({}, math.huge, late, function() return 1 end):outcome() })
  end))

  it("wakes whoever watches in time, whatever deadlines came before", async(function()
    local function spin() while true do end end
    for _, seconds in ipairs { 60, 0.03, 60, 3600, 0.02, 0.05, 0.01, 60, 0.02 } do
      core.spawn_for({}, 60, late, function() end):outcome()
      core.spawn_for({}, 3600, late, core.sleep, 0):outcome()
      local start = core.now()
      local ok, why = core.spawn_for({}, seconds, late, seconds < 1 and spin or function() return 1 end):outcome()
      assert.is_true(core.now() - start < seconds + 1)
      if seconds < 1 then
        assert.equal(late, why)
      else
        assert.is_true(ok)
      end
    end
  end))

  it("refuses what makes no sense", async(function()
    local function refuses(...)
      local given = table.pack(...)
      assert.has_error(function() core.spawn_for(table.unpack(given, 1, given.n)) end)
    end
    refuses({}, -1, late, function() end)
    refuses({}, "soon", late, function() end)
    refuses({}, 1, "late", function() end)
    refuses({}, 1, late, 5)
    refuses({}, 1, late)
  end))
end)

describe("methods of tasks", function()
  it("are for tasks only", async(function()
    local task = core.spawn(function() end)
    for _, name in ipairs { "join", "outcome", "returned", "cancel", "is_cancelled",
      "has_begun", "deadline", "errand", "parent", "status" } do
      for _, wrong in ipairs { 5, {}, core.op(), "task", core.null } do
        assert.has_error(function() task[name](wrong) end)
      end
      assert.has_error(function() task[name]() end)
    end
    task:join()
  end))
end)
