local core = require "rille.core"
local failure = require "rille.failure"
local rille = require "rille"

local function both(name, body)
  it(name .. ", in a task", async(body))
  it(name .. ", outside a task", body)
end

--- What the function raises, with the position, which luassert would take away.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- A function that sleeps and then returns its values.
local function after(seconds, ...)
  local values = table.pack(...)
  return function()
    rille.sleep(seconds)
    return table.unpack(values, 1, values.n)
  end
end

--- Tasks that are cancelled together end in any order.
local function sorted(log)
  table.sort(log)
  return log
end

--- A function that waits for ever and writes down how it ended.
local function witness(log, name)
  return function()
    local _ <close> = setmetatable({}, { __close = function(_, err)
      log[#log + 1] = name .. ":" .. tostring(err and err.code)
    end })
    rille.sleep(60)
  end
end


describe("rille.spawn", function()
  both("runs a function beside the caller", function()
    local task = rille.spawn(function(a, b) rille.sleep(0.001) return a + b, "x" end, 1, 2)
    assert.same({ 3, "x" }, { task:join() })
    assert.equal("done", task:status())
  end)

  both("takes what can be called", function()
    local object = setmetatable({}, { __call = function(_, x) return x * 2 end })
    assert.equal(42, (rille.spawn(object, 21):join()))
  end)

  both("returns what was raised as a failure with the place where", function()
    local _, why = rille.spawn(function() error("boom") end):join()
    assert.equal("internal", why.code)
    assert.matches("task_spec.lua:%d+: boom", why.message)
    assert.matches("task_spec.lua:%d+: in ", why.traceback)
  end)

  it("blames the caller for a wrong argument", function()
    assert.matches("^spec/task_spec.lua:%d+: rille.spawn: function expected, got nil$",
      raised(function() rille.spawn(nil) end))
  end)

  it("is cancelled with its parent", async(function()
    local log = {}
    local parent = rille.spawn(function()
      rille.spawn(witness(log, "child"))
      rille.sleep(60)
    end)
    rille.sleep(0.002)
    parent:cancel()
    parent:join()
    rille.sleep(0)
    assert.same({ "child:cancelled" }, log)
  end))

  it("lets a cancelled task clean up with awaits", async(function()
    local log = {}
    local task = rille.spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        rille.sleep(0.01)
        log[#log + 1] = "cleaned"
      end })
      rille.sleep(60)
    end)
    rille.sleep(0.001)
    task:cancel()
    local _, why = task:join()
    assert.equal("cancelled", why.code)
    assert.same({ "cleaned" }, log)
  end))
end)

describe("rille.all", function()
  both("returns the first values in order, whoever is faster", function()
    local a, b, c = rille.all { after(0.01, "a", "ignored"), after(0, "b"), after(0.005, "c") }
    assert.same({ "a", "b", "c" }, { a, b, c })
  end)

  both("runs side by side", function()
    local before = rille.now()
    rille.all { after(0.3), after(0.3), after(0.3) }
    assert.is_true(rille.now() - before < 0.72)
  end)

  both("keeps nil and false where they belong", function()
    local values = table.pack(rille.all { after(0, nil), after(0, false), after(0, 3), after(0) })
    assert.same({ nil, false, 3, nil, n = 4 }, values)
  end)

  both("of nothing is nothing", function()
    assert.equal(0, select("#", rille.all {}))
  end)

  both("stops at an error and cancels the others", function()
    local log = {}
    local values = table.pack(rille.all {
      witness(log, "a"), function() rille.sleep(0.002) error("boom") end, witness(log, "b"),
    })
    assert.equal(2, values.n)
    assert.is_nil(values[1])
    assert.matches("boom", values[2].message)
    assert.same({ "a:cancelled", "b:cancelled" }, sorted(log))
  end)

  both("stops at nil, failure", function()
    local log, why = {}, failure.new("rate_limit", "slow down")
    local value, got = rille.all { witness(log, "a"), after(0.002, nil, why) }
    assert.is_nil(value)
    assert.equal(why, got)
    assert.same({ "a:cancelled" }, log)
  end)

  both("makes a failure of nil, text", function()
    local _, why = rille.all { after(0, nil, "no luck") }
    assert.equal("internal: no luck", tostring(why))
  end)

  both("takes the first failure in time, not in the list", function()
    local _, why = rille.all { after(0.02, nil, "second"), after(0.001, nil, "first") }
    assert.equal("first", why.message)
  end)

  it("waits until those that it cancelled have cleaned up", async(function()
    local log = {}
    rille.all {
      function()
        local _ <close> = setmetatable({}, { __close = function()
          rille.sleep(0.02)
          log[#log + 1] = "cleaned"
        end })
        rille.sleep(60)
      end,
      after(0.002, nil, "bad"),
    }
    assert.same({ "cleaned" }, log)
  end))

  it("cancels all of them when it is cancelled", async(function()
    local log = {}
    local task = rille.spawn(function() rille.all { witness(log, "a"), witness(log, "b") } end)
    rille.sleep(0.002)
    task:cancel()
    local _, why = task:join()
    assert.equal("cancelled", why.code)
    assert.same({ "a:cancelled", "b:cancelled" }, sorted(log))
  end))

  it("blames the caller for a wrong argument", function()
    assert.matches("^spec/task_spec.lua:%d+: rille.all: list of functions expected, got nil$",
      raised(function() rille.all() end))
    assert.matches("^spec/task_spec.lua:%d+: rille.all: entry %[2%]: function expected, got number$",
      raised(function() rille.all { print, 5 } end))
  end)

  it("starts nothing when an argument is wrong", async(function()
    local ran = false
    pcall(rille.all, { function() ran = true end, 5 })
    rille.sleep(0.002)
    assert.is_false(ran)
  end))
end)

describe("rille.map", function()
  both("returns results in order", function()
    local results, failures = rille.map({ 3, 1, 2 }, function(n, index)
      rille.sleep(n / 500)
      return n * 10 + index
    end)
    assert.same({ 31, 12, 23 }, results)
    assert.is_nil(failures)
  end)

  both("of nothing is an empty list", function()
    assert.same({ {} }, { rille.map({}, print) })
  end)

  both("keeps the other answers when one fails", function()
    local why = failure.new("rate_limit", "slow down")
    local results, failures = rille.map({ 1, 2, 3, 4 }, function(n)
      if n == 2 then return nil, why end
      if n == 3 then error("boom") end
      return n
    end)
    assert.same({ 1, false, false, 4 }, results)
    assert.equal(why, failures[2])
    assert.matches("boom", failures[3].message)
    assert.matches("stack traceback", failures[3].traceback)
    assert.is_nil(failures[1])
    assert.is_nil(failures[4])
  end)

  both("has false where there is no value, and that is no failure", function()
    local results, failures = rille.map({ 1, 2, 3 }, function(n) if n ~= 2 then return n end end)
    assert.same({ 1, false, 3 }, results)
    assert.is_nil(failures)
  end)

  both("runs all of them at the same time by default", function()
    local running, most = 0, 0
    rille.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, function()
      running = running + 1
      most = math.max(most, running)
      rille.sleep(0.005)
      running = running - 1
    end)
    assert.equal(9, most)
  end)

  for _, concurrency in ipairs { 1, 2, 3, 100 } do
    it("runs no more than " .. concurrency .. " at the same time when told so", async(function()
      local running, most, order = 0, 0, {}
      local list = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }
      local results = rille.map(list, function(n)
        order[#order + 1] = n
        running = running + 1
        most = math.max(most, running)
        rille.sleep(0.001)
        running = running - 1
        return n
      end, { concurrency = concurrency })
      assert.equal(math.min(concurrency, 10), most)
      assert.same(list, order)
      assert.same(list, results)
    end))
  end

  it("cancels all of them when it is cancelled, and starts no more", async(function()
    local log, started = {}, 0
    local task = rille.spawn(function()
      rille.map({ 1, 2, 3, 4 }, function(n)
        started = started + 1
        witness(log, tostring(n))()
      end, { concurrency = 2 })
    end)
    rille.sleep(0.002)
    task:cancel()
    task:join()
    assert.same({ "1:cancelled", "2:cancelled" }, sorted(log))
    assert.equal(2, started)
  end))

  it("takes ten thousand items", async(function()
    local list = {}
    for i = 1, 10000 do list[i] = i end
    local results, failures = rille.map(list, function(n) rille.sleep(0) return n end, { concurrency = 100 })
    assert.is_nil(failures)
    assert.equal(10000, #results)
    for i = 1, 10000, 997 do assert.equal(i, results[i]) end
  end))

  it("works inside itself", async(function()
    local results = rille.map({ 1, 2 }, function(a)
      return rille.map({ 1, 2 }, function(b) rille.sleep(0.001) return a * 10 + b end)
    end)
    assert.same({ { 11, 12 }, { 21, 22 } }, results)
  end))

  it("blames the caller for a wrong argument", function()
    local place = "^spec/task_spec.lua:%d+: rille.map: "
    assert.matches(place .. "list expected, got nil$", raised(function() rille.map() end))
    assert.matches(place .. "function expected, got nil$", raised(function() rille.map({}) end))
    assert.matches(place .. "unknown option 'concurency'", raised(function()
      rille.map({}, print, { concurency = 2 })
    end))
    assert.matches(place .. "concurrency: at least 1$", raised(function()
      rille.map({}, print, { concurrency = 0 })
    end))
  end)
end)

describe("rille.race", function()
  both("returns everything that the fastest returns", function()
    local values = table.pack(rille.race { after(0.05, "slow"), after(0.001, "fast", nil, 3) })
    assert.same({ "fast", nil, 3, n = 3 }, values)
  end)

  both("cancels the others", function()
    local log = {}
    assert.equal("x", rille.race { witness(log, "a"), after(0.001, "x"), witness(log, "b") })
    assert.same({ "a:cancelled", "b:cancelled" }, sorted(log))
  end)

  both("lets nobody win by failing", function()
    assert.equal("slow", rille.race {
      after(0.001, nil, "bad"), function() error("worse") end, after(0.01, "slow"),
    })
  end)

  both("returns the first failure when all fail", function()
    local value, why = rille.race { after(0.01, nil, "second"), after(0.001, nil, "first") }
    assert.is_nil(value)
    assert.equal("first", why.message)
  end)

  both("takes a result of nothing or nil for a result", function()
    assert.same({ n = 0 }, table.pack(rille.race { after(0.001), after(0.02, "x") }))
    assert.same({ n = 1 }, table.pack(rille.race { after(0.001, nil), after(0.02, "x") }))
    assert.is_false(rille.race { after(0.001, false), after(0.02, "x") })
  end)

  it("blames the caller for a wrong argument", function()
    assert.matches("^spec/task_spec.lua:%d+: rille.race: at least one function expected$",
      raised(function() rille.race {} end))
  end)
end)

describe("rille.timeout", function()
  both("returns what the function returns", function()
    local values = table.pack(rille.timeout(1, function(...) rille.sleep(0.001) return ... end, 1, nil, 3, nil))
    assert.same({ 1, nil, 3, nil, n = 4 }, values)
  end)

  both("gives up in time and cancels", function()
    local log, before = {}, rille.now()
    local value, why = rille.timeout(0.02, witness(log, "fn"))
    local waited = rille.now() - before
    assert.is_nil(value)
    assert.equal("timeout: not finished after 0.02 seconds", tostring(why))
    assert.is_true(waited >= 0.019 and waited < 0.5, waited)
    assert.same({ "fn:cancelled" }, log)
  end)

  both("raises what the function raises", function()
    local err = raised(rille.timeout, 1, function() error("boom") end)
    assert.equal("internal", err.code)
    assert.matches("task_spec.lua:%d+: boom", err.message)
    local first = failure.new("schema", "bad")
    assert.equal(first, raised(rille.timeout, 1, error, first))
  end)

  both("passes nil, failure on", function()
    local why = failure.new("quota", "empty")
    assert.same({ nil, why }, { rille.timeout(1, function() return nil, why end) })
  end)

  both("of 0 seconds gives the function no time to wait", function()
    local _, why = rille.timeout(0, rille.sleep, 10)
    assert.equal("timeout", why.code)
  end)

  it("ends tasks that the function started", async(function()
    local log = {}
    rille.timeout(0.005, function() rille.all { witness(log, "a"), witness(log, "b") } end)
    assert.same({ "a:cancelled", "b:cancelled" }, sorted(log))
  end))

  it("stops a function that catches the cancel, after its grace", async(function()
    local before = rille.now()
    local _, why = rille.timeout(0.01, function()
      while true do pcall(rille.sleep, 60) end
    end)
    assert.equal("timeout", why.code)
    local waited = rille.now() - before
    assert.is_true(waited > 1.5 and waited < 3, waited)
  end))

  it("takes math.huge for no limit", async(function()
    assert.equal(1, rille.timeout(math.huge, after(0.001, 1)))
  end))

  it("nests", async(function()
    local inner
    local outer = rille.timeout(1, function()
      local _, why = rille.timeout(0.005, rille.sleep, 60)
      inner = why.code
      return "outer"
    end)
    assert.same({ "timeout", "outer" }, { inner, outer })
  end))

  for name, spin in pairs {
    ["never waits"] = function() while true do end end,
    ["catches what stops it"] = function() while true do pcall(function() while true do end end) end end,
    ["spins in a coroutine"] = function() coroutine.wrap(function() while true do end end)() end,
  } do
    it("stops code that " .. name, function()
      local start = rille.now()
      local _, why = rille.timeout(0.03, spin)
      assert.equal("timeout: not finished after 0.03 seconds", tostring(why))
      assert.is_true(rille.now() - start < 2)
      assert.equal("fine", rille.timeout(1, function() rille.sleep(0.001) return "fine" end))
    end)
  end

  it("blames the caller for a wrong argument", function()
    local place = "^spec/task_spec.lua:%d+: rille.timeout: "
    assert.matches(place .. "seconds, 0 or more, expected$", raised(function() rille.timeout(print) end))
    assert.matches(place .. "seconds, 0 or more, expected$", raised(function() rille.timeout(-1, print) end))
    assert.matches(place .. "seconds, 0 or more, expected$", raised(function() rille.timeout(0 / 0, print) end))
    assert.matches(place .. "function expected, got nil$", raised(function() rille.timeout(1) end))
  end)
end)

describe("rille.sleep and rille.now", function()
  both("measure the same time", function()
    local before = rille.now()
    assert.is_true(rille.sleep(0.01))
    assert.is_true(rille.now() - before >= 0.009)
  end)

  it("blame the caller for a wrong argument", function()
    for _, value in ipairs { "1", -1, {}, false } do
      assert.matches("^spec/task_spec.lua:%d+: rille.sleep: seconds, 0 or more, expected$",
        raised(function() rille.sleep(value) end))
    end
    assert.has_error(function() rille.sleep() end)
  end)
end)

describe("groups under random cancels", function()
  it("leave no task behind", async(function()
    math.randomseed(20240229)
    local function work(depth)
      local kind = math.random(6)
      if depth == 0 or kind == 1 then return rille.sleep(math.random() / 100) end
      local function down() return work(depth - 1) end
      if kind == 2 then return rille.all { down, down } end
      if kind == 3 then return rille.race { down, down } end
      if kind == 4 then return rille.map({ 1, 2, 3 }, down, { concurrency = 2 }) end
      if kind == 5 then return rille.timeout(math.random() / 100, down) end
      error(failure.new("internal", "by chance"))
    end
    local before = core.counts().tasks
    for _ = 1, 150 do
      local task = rille.spawn(work, 4)
      if math.random(2) == 1 then
        rille.sleep(math.random() / 200)
        task:cancel()
      end
      task:join()
    end
    assert.equal(before, core.counts().tasks)
  end))
end)
