local agents = require "spec.support.agents"
local clock = require "rille.agent.clock"
local core = require "rille.core"
local limits = require "rille.limits"
local rille = require "rille"

local S <const> = rille.script

local function spin() while true do end end

--- A run as far as the clock is concerned.
local function run_with(given) return { limits = limits.new(nil, given) } end

describe("rille.agent.clock", function()
  it("gives a tool its own time when the run has more", function()
    local seconds, late = clock.of_tool(run_with {}, { timeout = 5 })
    assert.equal(5, seconds)
    assert.equal("timeout", late.code)
    assert.equal("timed out after 5 seconds and was stopped", late.message)
    seconds = clock.of_tool(run_with { seconds = 100 }, { timeout = 5 })
    assert.equal(5, seconds)
  end)

  it("gives a tool the time of the run when that is less", function()
    local seconds, late = clock.of_tool(run_with { seconds = 2 }, { timeout = 60 })
    assert.is_true(seconds > 1.9 and seconds < 2.1)
    assert.equal("limit_seconds", late.code)
  end)

  it("names the limit when the deadline broke something else off", function()
    local other = { code = "internal" }
    assert.equal("limit_seconds", clock.why(run_with { seconds = 0 }, other).code)
    assert.equal(other, clock.why(run_with { seconds = 100 }, other))
    assert.equal(other, clock.why(run_with {}, other))
    local stopping = run_with { seconds = 0 }
    stopping.stopping = other
    assert.equal(other, clock.why(stopping, other))
  end)

  describe("limits.seconds", function()
    local SECONDS <const> = agents.slack > 1 and 1.5 or 0.1   -- long enough to come to the tool

    --- Expects the run to end at its limit.
    local function expect_late(agent, more)
      local start = core.now()
      local options = { limits = { seconds = SECONDS } }
      for key, value in pairs(more or {}) do options[key] = value end
      local failure = agents.failure("limit_seconds", agent, "Go.", options)
      assert.is_true(core.now() - start < 3 * agents.slack)
      return failure
    end

    it("ends a tool that waits", async(function()
      expect_late(agents.new({ S.call "slow" }, { tools = { agents.slow } }))
    end))

    it("ends a tool that spins", async(function()
      local failure = expect_late(agents.new({ S.call "spin" }, { tools = { agents.tool("spin", spin) } }))
      assert.equal(1, #agents.results(failure.reply.transcript))
    end))

    it("ends a handler that spins", async(function()
      expect_late(agents.new { S.text "hi" }, { on = { message = spin } })
    end))

    it("ends a tool that spins in a nested agent", async(function()
      local inner = agents.new({ S.call "spin" }, { name = "inner", tools = { agents.tool("spin", spin) } })
      expect_late(agents.new({ S.call("inner", { prompt = "x" }) }, { tools = { inner } }))
    end))

    it("leaves handlers of the last event their time", async(function()
      local heard
      expect_late(agents.new({ S.call "slow" }, { tools = { agents.slow } }), { on = { failed = function(event)
        for _ = 1, 10 do core.sleep(0.01) end
        heard = event.failure.code
      end } })
      assert.equal("limit_seconds", heard)
    end))

    it("does nothing to a run that is in time", async(function()
      local run = agents.new { S.text "hi" }:start("Go.", { limits = { seconds = SECONDS } })
      assert.equal("hi", run:wait().text)
      core.sleep(SECONDS * 1.5)
      assert.equal("hi", run:wait().text)
    end))
  end)
end)
