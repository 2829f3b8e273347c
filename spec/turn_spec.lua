--- turn_spec.lua -- a turn of the loop does not wait for events when what it is turned for has just happened.
local core = require "rille.core"
local uv = core.uv()

--- Lets time pass without turning the loop, so that timers are due when the next turn begins.
local function dawdle(seconds)
  local till = core.now() + seconds
  while core.now() < till do end
end

--- Something that keeps the loop alive, and would wake it only in five seconds.
local function distant()
  local timer = uv.new_timer()
  timer:start(5000, 0, function() end)
  return setmetatable({}, { __close = function() timer:close() end })
end

--- Turns the loop and leaves no handle to be closed in the next turn, which would not wait because of it.
local function turn()
  for _ = 1, 2 do core.spawn(function() end):join() end
end

local function is_quick(fn)
  local other <close> = distant() -- luacheck: ignore
  turn()
  local before = core.now()
  fn()
  assert.is_true(core.now() - before < 2)
end


describe("a turn of the loop", function()
  it("resumes a task whose timer was due when it began", function()
    is_quick(function()
      local task = core.spawn(function() core.sleep(0.005) end)
      turn() -- it parks
      dawdle(0.02)
      task:join()
    end)
  end)

  it("ends a wait outside a task for what a callback completed first of all", function()
    local timer = uv.new_timer()
    is_quick(function()
      local op = core.op()
      timer:start(1, 0, function() op:complete() end)
      dawdle(0.01)
      op:wait()
    end)
    timer:close()
  end)

  it("ends many short sleeps outside a task, wherever they meet the clock", function()
    is_quick(function()
      for _ = 1, 100 do core.sleep(0.0005) end
    end)
  end)

  it("gives canned responses their end", async(function()
    is_quick(function()
      for cuts = 0, 6 do
        local list = {}
        for i = 1, cuts do list[i] = i end
        local handle <close> = core.chat { canned = { body = "data: [DONE]\n\n", cuts = list } }
        handle:finish()
      end
    end)
  end))

  it("does the same in coroutines of a task", async(function()
    is_quick(function()
      local inner = coroutine.wrap(function()
        local task = core.spawn(function() core.sleep(0.005) end)
        turn()
        dawdle(0.02)
        task:join()
        return true
      end)
      assert.is_true(inner())
    end)
  end))

  it("still sleeps while there is nothing to do", async(function()
    local before = uv.getrusage()
    core.sleep(0.2)
    local after = uv.getrusage()
    local used = (after.utime.sec - before.utime.sec) * 1e6 + after.utime.usec - before.utime.usec
    assert.is_true(used < 100000)
  end))
end)
