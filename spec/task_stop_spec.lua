--- Stop really stops: whatever a task does, and wherever it waits.
local core = require "rille.core"

local CHAIN <const> = os.getenv "RILLE_GC" and 500 or 100000   -- tasks; fewer where the collector is aggressive

local function late()
  return setmetatable({ code = "timeout", message = "ran too long" }, core.failure_metatable)
end

local function closing(fn)
  return setmetatable({}, { __close = fn })
end

--- Spins for some seconds.
local function compute(seconds)
  local start = core.now()
  while core.now() - start < seconds do end
end

--- Cancels a task after a moment; the failure that it met and the seconds until its end.
local function cancelled(fn)
  local task = core.spawn(fn)
  core.sleep(0.002)
  local start = core.now()
  task:cancel "stop"
  local _, failure = task:join()
  return failure, core.now() - start
end

describe("a cancelled task", function()
  it("is closed when it only ever yields", async(function()
    local failure, seconds = cancelled(function() while true do coroutine.yield() end end)
    assert.equal("stop", failure.message)
    assert.is_true(seconds < 2.6)
  end))

  it("has its whole time to clean up, though it had computed for long before", async(function()
    local cleaned, task
    task = core.spawn(function()
      compute(2.1)   -- the loop has not looked at the clock since
      task:cancel()
      pcall(core.sleep, 60)
      core.sleep(0.05)
      cleaned = true
    end)
    task:join()
    assert.is_true(cleaned)
  end))

  it("takes along what it starts while it cleans up", async(function()
    local left
    cancelled(function()
      local _ <close> = closing(function() left = core.spawn(function() core.sleep(60) end) end)
      core.sleep(60)
    end)
    local _, failure = left:join()
    assert.equal("stop", failure.message)
  end))

  it("may start and join tasks to clean up", async(function()
    local cleaned
    cancelled(function()
      local _ <close> = closing(function()
        cleaned = core.spawn(function() core.sleep(0.002) return "cleaned" end):join()
      end)
      core.sleep(60)
    end)
    assert.equal("cleaned", cleaned)
  end))

  it("waits no longer than its grace in a coroutine of its own either", async(function()
    local failure, seconds = cancelled(function()
      pcall(core.sleep, 60)
      while true do pcall(coroutine.wrap(function() core.op():wait() end)) core.sleep(0.01) end
    end)
    assert.equal("stop", failure.message)
    assert.is_true(seconds < 2.6)
  end))

  it("cannot wait any more when it is closed by force", async(function()
    local met = {}
    local _, seconds = cancelled(function()
      local _ <close> = closing(function()
        met[1] = select(2, pcall(core.sleep, 60))
        met[2] = select(2, pcall(coroutine.wrap(function() core.op():wait(60) end)))
        local done = core.op()
        done:complete "at once"
        met[3] = done:wait()
      end)
      while true do pcall(core.sleep, 60) end
    end)
    assert.is_true(seconds < 2.6)
    assert.equal("stop", met[1].message)
    assert.equal("stop", met[2].message)
    assert.equal("at once", met[3])
  end))

  it("takes along a chain of a hundred thousand", async(function()
    local depth = 0
    local function go()
      depth = depth + 1
      if depth < CHAIN then core.spawn(go) end
      core.op():wait()
    end
    local root = core.spawn(go)
    while depth < CHAIN do core.sleep(0) end
    root:cancel()
    root:join()
    core.sleep(0)
    assert.is_true(core.counts().tasks < 10)
  end))
end)

describe("task:deadline", function()
  --- Runs with a deadline of 50 ms; the seconds until the end.
  local function stopped(fn)
    local task, failure = core.spawn(fn), late()
    task:deadline(0.05, failure)
    local start = core.now()
    local _, met = task:join()
    assert.equal(failure, met)
    return core.now() - start
  end

  it("ends a wait in a coroutine of the task's own", async(function()
    assert.is_true(stopped(function() coroutine.wrap(function() core.sleep(60) end)() end) < 1)
  end))

  it("ends it too when it is set while that waits", async(function()
    local task = core.spawn(function() coroutine.wrap(function() core.op():wait() end)() end)
    local failure = late()
    core.spawn(function() task:deadline(0.02, failure) end)
    core.sleep(0.002)
    assert.equal(failure, (select(2, task:join())))
  end))

  it("stops a coroutine that spins after it has waited beside others", async(function()
    local ticker = core.spawn(function() for _ = 1, 20 do core.sleep(0.001) end end)
    assert.is_true(stopped(function()
      coroutine.wrap(function()
        core.sleep(0.01)
        while true do end
      end)()
    end) < 1)
    ticker:join()
  end))

  it("leaves time to clean up with waits after any of them", async(function()
    for _, body in ipairs {
      function() core.sleep(60) end,
      function() while true do end end,
      function() coroutine.wrap(function() core.sleep(60) end)() end,
      function() coroutine.wrap(function() while true do end end)() end,
    } do
      local steps = 0
      stopped(function()
        local _ <close> = closing(function()
          for _ = 1, 5 do core.sleep(0.002) steps = steps + 1 compute(0.002) end
        end)
        body()
      end)
      assert.equal(5, steps)
    end
  end))

  it("stops what spins while it cleans up", async(function()
    assert.is_true(stopped(function()
      local _ <close> = closing(function() while true do pcall(compute, 60) end end)
      core.sleep(60)
    end) < 2)
  end))

  it("stops what spins in coroutine.close", async(function()
    assert.is_true(stopped(function()
      local thread = coroutine.create(function()
        local _ <close> = closing(function() while true do end end)
        coroutine.yield()
      end)
      coroutine.resume(thread)
      coroutine.close(thread)
    end) < 1)
  end))

  it("strikes nobody who runs a coroutine that was struck in another task", async(function()
    local shared = coroutine.wrap(function()
      while true do
        pcall(function() while true do pcall(compute, 60) end end)
        coroutine.yield "still there"
      end
    end)
    local first = core.spawn(function() shared() end)
    first:deadline(0.03, late())
    first:join()
    local second = core.spawn(function()
      local ok, answer = pcall(shared)
      compute(0.01)
      return ok and answer or "dead", "not struck"
    end)
    second:deadline(60, late())
    assert.equal("not struck", select(2, second:join()))
  end))

  it("does not strike the next task for the one before", async(function()
    for i = 1, 200 do
      local first = core.spawn(function() compute(0.0005 + i % 7 * 0.0001) end)
      first:deadline(0.001, late())
      local second = core.spawn(function() compute(0.0005) return "done" end)
      second:deadline(60, late())
      assert.equal("done", second:join())
      first:join()
    end
  end))

  it("does not make what cleans up late from the start", async(function()
    local cleaned
    stopped(function()
      local _ <close> = closing(function()
        cleaned = core.spawn(function() core.sleep(0.005) return "cleaned" end):join()
      end)
      core.sleep(60)
    end)
    assert.equal("cleaned", cleaned)
  end))
end)

describe("waiting by turning the loop", function()
  it("is refused in a callback of libuv", async(function()
    local uv, op = core.uv(), core.op()
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      timer:close()
      op:complete(select(2, pcall(core.sleep, 0.001)))
    end)
    assert.matches("must not wait", op:wait())
  end))

  it("is refused before the C stack has no room left for those it resumes", async(function()
    local messages, fates = {}, {}
    local function nest(depth)
      local list = { 2, 1 }
      table.sort(list, function(a, b)   -- each level takes several of Lua's C levels
        ("x"):gsub("x", function()
          local task = core.spawn(function() if depth > 0 then nest(depth - 1) end return "fine" end)
          local ok, message = pcall(coroutine.wrap(function() return task:join() end))
          if not ok then messages[#messages + 1] = tostring(message) end
          fates[#fates + 1] = task
        end)
        return a < b
      end)
    end
    nest(60)
    assert.matches("too many waits", messages[1])
    for _, task in ipairs(fates) do assert.equal("fine", (task:join())) end
  end))

  it("lets the others run when it waits for no time", function()
    local ran = false
    core.spawn(function() ran = true end)
    core.sleep(0)
    assert.is_true(ran)
  end)
end)
