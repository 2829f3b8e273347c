local agents = require "spec.support.agents"
local core = require "rille.core"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- An agent that hands one prompt to `inner` and then answers.
local function outer_of(inner, more)
  local options = { name = "outer", tools = { inner } }
  for key, value in pairs(more or {}) do options[key] = value end
  return agents.new({ S.call("inner", { prompt = "look" }), S.text "done" }, options)
end

describe("an agent as a tool", function()
  it("takes a prompt and gives its answer", async(function()
    local inner = agents.new({ S.text "found it" }, { name = "inner", description = "Finds things." })
    local agent = outer_of(inner)
    local reply = agents.reply(agent)
    assert.same({ "found it" }, agents.results(reply.transcript))
    assert.equal("look", inner.model.requests[1].messages[1].content)
    local definition = agent.model.requests[1].tools[1]["function"]
    assert.equal("inner", definition.name)
    assert.equal("Finds things.", definition.description)
    assert.same({ "prompt" }, definition.parameters.required)
  end))

  it("begins each call with a transcript of its own", async(function()
    local inner = agents.new({ S.text "1", S.text "2" }, { name = "inner" })
    local twice = S.calls { { "inner", { prompt = "a" } }, { "inner", { prompt = "b" } } }
    agents.reply(agents.new({ twice, S.text "ok" }, { tools = { inner } }))
    assert.equal(1, #inner.model.requests[1].messages)
    assert.equal(1, #inner.model.requests[2].messages)
  end))

  it("may have a name, a description and parameters of its own", async(function()
    local inner = agents.new({ S.text "5 °C" }, { name = "a weather agent!" })
    local tool = inner:as_tool { name = "weather", description = "Knows the weather.", parameters = { { "city", "string" } } }
    local agent = agents.new({ S.call("weather", { city = "Oslo" }), S.text "ok" }, { tools = { tool } })
    agents.reply(agent)
    assert.equal('{"city":"Oslo"}', inner.model.requests[1].messages[1].content)
    assert.equal("Knows the weather.", agent.model.requests[1].tools[1]["function"].description)
    assert.equal("a_weather_agent_", inner:as_tool().name)
  end))

  it("gives its output when it has a schema for that", async(function()
    local inner = agents.new({ S.text '{"n":3}' }, { name = "inner", output = { { "n", "integer" } } })
    assert.same({ '{"n":3}' }, agents.results(agents.reply(outer_of(inner)).transcript))
  end))

  it("tells why it stopped, and what it had said", async(function()
    local inner = agents.new({ S.call("echo", {}, { text = "I have an idea" }) }, { name = "inner", tools = { agents.echo },
      limits = { turns = 1 } })
    local reply = agents.reply(outer_of(inner))
    assert.same({ "Error: agent 'inner' stopped: the limit of 1 turn is reached; until then it said: I have an idea" },
      agents.results(reply.transcript))
  end))

  it("tells of a refusal", async(function()
    local inner = agents.new({ S.text("", { refusal = "No." }) }, { name = "inner" })
    assert.same({ "The agent refused: No." }, agents.results(agents.reply(outer_of(inner)).transcript))
  end))

  it("has no clock but its limits", function()
    assert.equal(math.huge, agents.new({}, { name = "inner" }):as_tool().timeout)
    assert.equal(5, agents.new({}, { name = "inner" }):as_tool { timeout = 5 }.timeout)
  end)

  it("checks its options where they are written", function()
    local agent = agents.new({}, { name = "inner" })
    local _, message = pcall(function() agent:as_tool { nme = "x" } end)
    assert.matches("^spec/agent_nested_spec.lua:%d+: agent:as_tool: unknown option 'nme'", message)
    _, message = pcall(function() agent:as_tool { limits = { turn = 1 } } end)
    assert.matches("^spec/agent_nested_spec.lua:%d+: agent:as_tool: limits: unknown option 'turn'", message)
    _, message = pcall(function() agent:as_tool { name = "no name" } end)
    assert.matches("^spec/agent_nested_spec.lua:%d+: rille.tool: name", message)
  end)

  describe("shares with the run around it", function()
    it("the turns that are left", async(function()
      local inner = agents.new({ S.call("echo", {}), S.call("echo", { text = "b" }), S.text "never" },
        { name = "inner", tools = { agents.echo } })
      local failure = agents.failure("limit_turns", outer_of(inner, { limits = { turns = 3 } }))
      assert.equal(2, #inner.model.requests)
      assert.matches("the limit of 3 turns is reached", agents.results(failure.reply.transcript)[1])
    end))

    it("the tokens that are left", async(function()
      local usage = { total_tokens = 60 }
      local inner = agents.new({ S.call("echo", {}, { usage = usage }), S.text "never" }, { name = "inner", tools = { agents.echo } })
      local agent = agents.new({ S.call("inner", { prompt = "x" }, { usage = usage }), S.text "never" },
        { tools = { inner }, limits = { tokens = 100 } })
      local failure = agents.failure("limit_tokens", agent)
      assert.equal(120, failure.reply.usage.total_tokens)
      assert.equal(1, #inner.model.requests)
    end))

    it("the calls that are left", async(function()
      local inner = agents.new({ S.call("echo", {}), S.text "never" }, { name = "inner", tools = { agents.echo } })
      local reply = agents.reply(outer_of(inner, { limits = { tool_calls = 1 } }))
      assert.same({ "Error: agent 'inner' stopped: the limit of 1 tool call is reached" }, agents.results(reply.transcript))
      assert.equal(1, #inner.model.requests)
    end))

    it("the time that is left", async(function()
      local inner = agents.new({ S.call "slow" }, { name = "inner", tools = { agents.slow } })
      local start = core.now()
      local failure = agents.failure("limit_seconds", outer_of(inner, { limits = { seconds = 0.03 } }))
      assert.is_true(core.now() - start < 1 * agents.slack)
      assert.matches("0.03 seconds", failure.message)
    end))

    it("its value", async(function()
      local seen
      local tool = agents.tool("look", function(_, context) seen = context.value end)
      local inner = agents.new({ S.call "look", S.text "ok" }, { name = "inner", tools = { tool } })
      agents.reply(outer_of(inner), "Go.", { value = "mine" })
      assert.equal("mine", seen)
    end))

    it("its usage", async(function()
      local usage = { prompt_tokens = 1, completion_tokens = 1, total_tokens = 2 }
      local inner = agents.new({ S.text("a", { usage = usage }) }, { name = "inner" })
      local agent = agents.new({ S.call("inner", { prompt = "x" }, { usage = usage }), S.text("ok", { usage = usage }) },
        { tools = { inner } })
      assert.same({ requests = 3, prompt_tokens = 3, completion_tokens = 3, total_tokens = 6 }, agents.reply(agent).usage)
    end))

    it("its events, told with the path, but for the last one", async(function()
      local innermost = agents.new({ S.text "c" }, { name = "innermost" })
      local inner = agents.new({ S.call("innermost", { prompt = "x" }), S.text "b" }, { name = "inner", tools = { innermost } })
      local paths, last = {}, {}
      for event in outer_of(inner):stream "Go." do
        if event.type == "text" then paths[#paths + 1] = table.concat(event.path, "/") .. "=" .. event.delta end
        if event.type == "done" or event.type == "failed" then last[#last + 1] = table.concat(event.path, "/") end
      end
      assert.same({ "outer/inner/innermost=c", "outer/inner=b", "outer=done" }, paths)
      assert.same({ "outer" }, last)
    end))

    it("its own handlers' time: both hear", async(function()
      local heard = {}
      local inner = agents.new({ S.text "b" }, { name = "inner", on = { text = function() heard[#heard + 1] = "inner" end,
        done = function() heard[#heard + 1] = "inner done" end } })
      agents.reply(outer_of(inner), "Go.", { on = { text = function(event) heard[#heard + 1] = #event.path end } })
      assert.same({ "inner", 2, "inner done", 1 }, heard)
    end))
  end)

  describe("that a tool runs by itself", function()
    --- A tool whose body is `run`, in an agent with two turns.
    local function with_tool(run, more)
      local options = { name = "outer", tools = { agents.tool("work", run) } }
      for key, value in pairs(more or {}) do options[key] = value end
      return agents.new({ S.call "work", S.text "done" }, options)
    end

    it("is nested all the same", async(function()
      local inner = agents.new({ S.text "b" }, { name = "inner" })
      local paths = {}
      local reply = agents.reply(with_tool(function() return inner:run("x").text end), "Go.",
        { on = { text = function(event) paths[#paths + 1] = table.concat(event.path, "/") end } })
      assert.same({ "outer/inner", "outer" }, paths)
      assert.equal(3, reply.usage.requests)
    end))

    it("in tasks of its own is nested, too", async(function()
      local inner = agents.new({ loop = true, S.text "b" }, { name = "inner" })
      local reply = agents.reply(with_tool(function()
        rille.map({ "x", "y", "z" }, function(text)
          return rille.timeout(5, function() return inner:run(text) end)
        end)
      end))
      assert.equal(5, reply.usage.requests)
    end))

    it("in a coroutine of its own is nested, too", async(function()
      local inner = agents.new({ S.text "b" }, { name = "inner" })
      local reply = agents.reply(with_tool(function()
        return coroutine.wrap(function() return inner:run("x").text end)()
      end))
      assert.equal(3, reply.usage.requests)
    end))

    it("asks the same people", async(function()
      local ran = 0
      local danger = agents.tool("danger", function() ran = ran + 1 end, { approve = true })
      local inner = agents.new({ S.call "danger", S.text "b" }, { name = "inner", tools = { danger } })
      local asked = {}
      agents.reply(with_tool(function()
        rille.all { function() return inner:run "x" end }
      end, { approve = function(call, context)
        asked[#asked + 1] = context.agent.name .. ":" .. call.name
        return false
      end }))
      assert.same({ "inner:danger" }, asked)
      assert.equal(0, ran)
    end))

    it("is on its own when nobody's call is being run", async(function()
      assert.is_nil(core.running():errand())
      local heard = 0
      local other = agents.new { S.text "a" }
      local agent = agents.new({ S.text "b" }, { on = { turn = function() other:run "x" end, text = function() heard = heard + 1 end } })
      agents.reply(agent)
      assert.equal(1, heard)
    end))
  end)

  it("stops with the call that it runs in", async(function()
    local inner = agents.new({ S.call "slow" }, { name = "inner", tools = { agents.slow } })
    local reply = agents.reply(outer_of(inner:as_tool { timeout = 0.02, name = "inner" }))
    assert.same({ "Error: timed out after 0.02 seconds and was stopped" }, agents.results(reply.transcript))
  end))
end)

describe("a hand-off", function()
  local function pair(steps, more)
    local billing = agents.new({ S.text "You owe nothing." },
      { name = "billing", instructions = "You do the bills.", tools = { agents.echo } })
    local options = { name = "desk", instructions = "You greet.", tools = { billing:as_handoff() } }
    for key, value in pairs(more or {}) do options[key] = value end
    return agents.new(steps, options), billing
  end

  it("lets the other agent go on with the same transcript", async(function()
    local desk, billing = pair { S.call "transfer_to_billing" }
    local reply = agents.reply(desk, "What do I owe?")
    assert.equal("You owe nothing.", reply.text)
    assert.equal("user assistant tool assistant", agents.roles(reply.transcript))
    assert.same({ "The conversation was handed over to 'billing'." }, agents.results(reply.transcript))
    local sent = billing.model.requests[1]
    assert.equal("You do the bills.", sent.messages[1].content)
    assert.equal("What do I owe?", sent.messages[2].content)
    assert.equal("echo", sent.tools[1]["function"].name)
    assert.equal(1, #sent.tools)
  end))

  it("is told as an event, and changes the path", async(function()
    local desk = pair { S.call "transfer_to_billing" }
    local paths, handoff = {}, nil
    for event in desk:stream "Go." do
      paths[#paths + 1] = event.type .. "@" .. table.concat(event.path, "/")
      if event.type == "handoff" then handoff = { event.from, event.to } end
    end
    assert.same({ "desk", "billing" }, handoff)
    assert.equal("request@desk", paths[1])
    assert.equal("done@billing", paths[#paths])
  end))

  it("happens once a turn", async(function()
    local desk, billing = pair { S.calls { { "transfer_to_billing" }, { "transfer_to_billing" } } }
    local reply = agents.reply(desk)
    assert.same({ "The conversation was handed over to 'billing'.", "Error: the conversation was already handed over" },
      agents.results(reply.transcript))
    assert.equal(1, #billing.model.requests)
  end))

  it("stays within the limits of the run", async(function()
    local a, b
    a = agents.new({ loop = true, S.call "transfer_to_b" }, { name = "a", limits = { turns = 6, repeats = math.huge } })
    b = agents.new({ loop = true, S.call "transfer_to_a" }, { name = "b", limits = { turns = 100 } })
    a.toolset = require("rille.agent.toolset").new({ b:as_handoff() }, "spec", 1)
    b.toolset = require("rille.agent.toolset").new({ a:as_handoff() }, "spec", 1)
    agents.failure("limit_turns", a)
    assert.equal(6, #a.model.requests + #b.model.requests)
  end))

  it("leaves the options of the run to the agent that it began with", async(function()
    local other = rille.script { S.call "transfer_to_billing" }
    local desk, billing = pair {}
    agents.reply(desk, "Go.", { model = other })
    assert.equal(1, #billing.model.requests)
    assert.equal(0, #desk.model.requests)
  end))

  it("may have a name and a description of its own", function()
    local tool = agents.new({}, { name = "x" }):as_handoff { name = "escalate", description = "When lost." }
    assert.equal("escalate", tool.name)
    assert.equal("When lost.", tool.description)
  end)

  it("leaves a sendable transcript when the second agent fails", async(function()
    local broken = agents.new({ S.failure { status = 401 } }, { name = "broken" })
    local desk = agents.new({ S.call "transfer_to_broken" }, { tools = { broken:as_handoff() } })
    local failure = agents.failure("authentication", desk)
    sendable.check(failure.reply.transcript)
  end))
end)
