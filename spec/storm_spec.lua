--- storm_spec.lua -- ten thousand agents and one server in trouble, in virtual time.
---
--- What reliability §4.2 and §4.5 promise: an outage is not answered by a storm of retries, and a limit that the server has
--- announced to one agent is kept by all of them.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local event_clock = require "spec.support.event_clock"
local heal = require "rille.heal"
local time = require "rille.time"
local world = require "spec.support.world"

local AGENTS <const> = os.getenv "RILLE_GC" and 500 or 10000
local MANY <const> = AGENTS // 4
local WINDOW <const> = 10   -- seconds of the budget
local LATENCY <const> = 0.2
local MESSAGES <const> = { { role = "user", content = "hi" } }
local ANSWER <const> = { id = "c", choices = { { message = { role = "assistant", content = "ok" } } } }


--- Stands in for core.chat: `answer(now)` decides, after a while, what comes: status, headers.
local function install(clock, answer)
  local before, wire = core.chat, { log = {} }
  function core.chat()
    local status, headers = answer(clock.now)
    wire.log[#wire.log + 1] = clock.now
    return {
      next = function() end, close = function() end,
      finish = function()
        time.sleep(LATENCY)
        local info = { status = status, headers = headers or {} }
        if status == 200 then return ANSWER, info end
        return nil, info, { kind = "http_error", status = status, message = "no", retryable = status == 429 or status >= 500 }
      end,
    }
  end
  function wire.restore() core.chat = before end
  return wire
end


describe("ten thousand agents", function()
  local clock, restore, wire

  before_each(function()
    clock = event_clock.install()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function()
    if wire then wire.restore() end
    clock.restore()
    restore()
    endpoint.reset()
  end)

  --- Starts an agent at each of these times; returns how their requests ended, by code.
  local function run(starts, options)
    local ends, fns = {}, {}
    local transcript = core.transcript(MESSAGES)
    for i, at in ipairs(starts) do
      fns[i] = function()
        if at > 0 then time.sleep(at) end
        local request = { model = "m", base_url = "http://localhost:9/v1", messages = transcript }
        for name, value in pairs(options or {}) do request[name] = value end
        local completion, failure = chat.complete(request)
        local code = completion and "ok" or failure.code
        ends[code] = (ends[code] or 0) + 1
      end
    end
    clock:run(fns)
    return ends
  end

  --- Times spread evenly over some seconds.
  local function spread(count, seconds)
    local starts = {}
    for i = 1, count do starts[i] = (i - 1) * seconds / count end
    return starts
  end

  --- How many requests began in each window.
  local function by_window(log)
    local windows = {}
    for _, at in ipairs(log) do
      local window = at // WINDOW + 1
      windows[window] = (windows[window] or 0) + 1
    end
    return windows
  end

  it("make no storm of an outage", async(function()
    wire = install(clock, function() return 503 end)
    local ends = run(spread(AGENTS, 60))
    assert.same({ server_error = AGENTS }, ends)
    local retries = #wire.log - AGENTS
    assert.is_true(retries > 0)
    assert.is_true(retries <= 0.12 * AGENTS + 3 * 8, retries .. " retries")
    for _, requests in ipairs(by_window(wire.log)) do
      assert.is_true(requests <= 1.25 * AGENTS / 6 + 3, requests .. " requests in a window")
    end
  end))

  it("make no storm when all of them fail at once", async(function()
    wire = install(clock, function() return 503 end)
    run(spread(AGENTS, 0))
    assert.is_true(#wire.log - AGENTS <= 0.12 * AGENTS + 3 * 3)
  end))

  it("come through a short outage, but for those whom the budget leaves out", async(function()
    wire = install(clock, function(now) return now > 20 and now < 21 and 503 or 200 end)
    local ends = run(spread(MANY, 60))
    assert.is_true(ends.ok >= MANY * 0.98, ends.ok)
    assert.is_true((ends.server_error or 0) <= MANY / 60)
  end))

  it("keep the limit that one of them was told", async(function()
    local LIMIT <const> = MANY // 10   -- requests that the server takes in a window
    local window, used, refused = 0, 0, 0
    wire = install(clock, function(now)
      if now // WINDOW > window then window, used = now // WINDOW, 0 end
      used = used + 1
      if used > LIMIT then refused = refused + 1 end
      return used > LIMIT and 429 or 200, {
        ["x-ratelimit-limit-requests"] = tostring(LIMIT),
        ["x-ratelimit-remaining-requests"] = tostring(math.max(0, LIMIT - used)),
        ["x-ratelimit-reset-requests"] = ("%.3fs"):format((window + 1) * WINDOW - now),
      }
    end)
    local starts = spread(MANY, 0)
    for i = 2, MANY do starts[i] = 1 end   -- the first one is told, and all others know
    local ends = run(starts)
    assert.same({ ok = MANY }, ends)
    assert.equal(0, refused)
    assert.is_true(clock.now < 12 * WINDOW, clock.now)
  end))

  it("wait as long as one of them was asked to", async(function()
    wire = install(clock, function(now)
      if now < 20 then return 429, { ["retry-after"] = ("%.3f"):format(20 - now) } end
      return 200
    end)
    local starts = spread(MANY, 0)
    for i = 2, MANY do starts[i] = 1 end
    assert.same({ ok = MANY }, run(starts))
    assert.equal(1, #wire.log - MANY)
    for i = 2, #wire.log do assert.is_true(wire.log[i] >= 20) end
  end))
end)
