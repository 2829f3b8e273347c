local repeats = require "rille.repeats"

--- A call that was run.
local function call(name, arguments, content)
  return { name = name, arguments = arguments or "{}", content = content or "same", ran = true }
end

--- Observes turns; what the last one brought.
local function observe(watch, turns)
  local again, stop
  for _, calls in ipairs(turns) do
    again, stop = watch:observe(calls)
  end
  return again, stop
end

describe("rille.repeats", function()
  it("says nothing about the first two times", function()
    local again, stop = observe(repeats.new(5), { { call "a" }, { call "a" } })
    assert.same({}, again)
    assert.is_nil(stop)
  end)

  it("nudges at the third time and stops at the fifth", function()
    local watch = repeats.new(5)
    assert.same({ 3 }, (observe(watch, { { call "a" }, { call "a" }, { call "a" } })))
    local again, stop = watch:observe { call "a" }
    assert.same({ 4 }, again)
    assert.is_nil(stop)
    again, stop = watch:observe { call "a" }
    assert.same({ 5 }, again)
    assert.equal("loop", stop.code)
    assert.equal("'a' gave the same result 5 times", stop.message)
  end)

  it("counts turns, not calls", function()
    local many = {}
    for i = 1, 8 do many[i] = call "a" end
    local again, stop = observe(repeats.new(5), { many, many })
    assert.same({}, again)
    assert.is_nil(stop)
  end)

  it("starts again when the result changes", function()
    local turns = {}
    for i = 1, 12 do turns[i] = { call("poll", "{}", i % 2 == 0 and "pending" or "waiting") } end
    local again, stop = observe(repeats.new(5), turns)
    assert.same({}, again)
    assert.is_nil(stop)
  end)

  it("tells arguments apart", function()
    local turns = {}
    for i = 1, 12 do turns[i] = { call("a", ('{"i":%d}'):format(i)) } end
    local _, stop = observe(repeats.new(5), turns)
    assert.is_nil(stop)
  end)

  it("sees two calls that alternate", function()
    local turns = {}
    for i = 1, 9 do turns[i] = { call(i % 2 == 0 and "a" or "b") } end
    local _, stop = observe(repeats.new(5), turns)
    assert.equal("loop", stop.code)
  end)

  it("forgets what is long past", function()
    local watch = repeats.new(5)
    for i = 1, 100 do
      local name = i % 20 == 0 and "again" or "other" .. i
      local _, stop = watch:observe { call(name) }
      assert.is_nil(stop)
    end
    local kept = 0
    for _ in pairs(watch.seen) do kept = kept + 1 end
    assert.is_true(kept <= 31, "memory grows with the run: " .. kept)
  end)

  it("compares long results by head, tail and length", function()
    local body = ("x"):rep(5000)
    local turns = {}
    for i = 1, 5 do turns[i] = { call("a", "{}", body) } end
    local _, stop = observe(repeats.new(5), turns)
    assert.equal("loop", stop.code)
    turns[5] = { call("a", "{}", body .. "y") }
    _, stop = observe(repeats.new(5), turns)
    assert.is_nil(stop)
  end)

  it("stops after as many turns in which nothing could be run", function()
    local watch, stop, _ = repeats.new(5), nil, nil
    for i = 1, 5 do
      assert.is_nil(stop)
      _, stop = watch:observe { { name = "nope" .. i, arguments = "{}", content = "Error: no such tool" } }
    end
    assert.equal("loop", stop.code)
    assert.equal("no call could be run in 5 turns in a row", stop.message)
  end)

  it("does not hold bad calls against a model that also makes good ones", function()
    local watch = repeats.new(5)
    for i = 1, 20 do
      local _, stop = watch:observe { { name = "nope", arguments = "{}", content = "Error " .. i }, call("a", tostring(i)) }
      assert.is_nil(stop)
    end
  end)

  it("stops with 'approval' when a call is denied for the third time", function()
    local denied = { name = "rm", arguments = "{}", content = "Error: denied", denied = true }
    local _, stop = observe(repeats.new(5), { { denied }, { denied } })
    assert.is_nil(stop)
    _, stop = observe(repeats.new(5), { { denied }, { denied }, { denied } })
    assert.equal("approval", stop.code)
  end)

  it("can be switched off", function()
    local watch = repeats.new(math.huge)
    for _ = 1, 50 do
      local _, stop = watch:observe { call "a" }
      assert.is_nil(stop)
    end
  end)
end)
