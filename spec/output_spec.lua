local agents = require "spec.support.agents"
local json = require "rille.json"
local rille = require "rille"

local S <const> = rille.script

local point <const> = { { "x", "integer" }, { "y", "integer", optional = true, default = 0 } }

--- An agent without tools that must answer with a point.
local function pointer(steps, more)
  local options = { output = point }
  for key, value in pairs(more or {}) do options[key] = value end
  return agents.new(steps, options)
end

describe("rille.output", function()
  describe("as response_format", function()
    it("is asked for, and the validated value is the output", async(function()
      local agent = pointer { S.text '{"x":1}' }
      local reply = agents.reply(agent)
      assert.same({ x = 1, y = 0 }, reply.output)
      assert.equal('{"x":1}', reply.text)
      local request = agent.model.requests[1]
      assert.equal("json_schema", request.response_format.type)
      local format = request.response_format.json_schema
      assert.equal("assistant", format.name)
      assert.is_true(format.strict)
      assert.equal("integer", format.schema.properties.x.type)
      assert.is_false(format.schema.additionalProperties)
      assert.is_nil(request.tools)
    end))

    it("takes null for what strict mode makes the model write", async(function()
      local reply = agents.reply(pointer { S.text '{"x":1,"y":null}' })
      assert.same({ x = 1, y = 0 }, reply.output)
    end))

    it("is a name that servers take, whatever the agent is called", async(function()
      local agent = pointer({ S.text '{"x":1}' }, { name = "who am I?" })
      agents.reply(agent)
      assert.equal("who_am_I_", agent.model.requests[1].response_format.json_schema.name)
    end))

    it("is sent without strict when strict mode cannot express the schema", async(function()
      local agent = agents.new({ S.text '{"a":1,"b":2}' }, { output = { type = "object",
        patternProperties = { ["^[ab]$"] = { type = "integer" } }, minProperties = 2 } })
      local reply = agents.reply(agent)
      assert.same({ a = 1, b = 2 }, reply.output)
      assert.is_nil(agent.model.requests[1].response_format.json_schema.strict)
    end))

    it("is left to a caller who sets response_format", async(function()
      local agent = pointer({ S.text '{"x":2}' }, { params = { response_format = { type = "json_object" } } })
      assert.same({ x = 2, y = 0 }, agents.reply(agent).output)
      assert.same({ type = "json_object" }, agent.model.requests[1].response_format)
    end))

    it("reads an answer between fences", async(function()
      local reply = agents.reply(pointer { S.text '```json\n{"x":3}\n```' })
      assert.same({ x = 3, y = 0 }, reply.output)
    end))

    it("never looks for JSON inside prose", async(function()
      local failure = agents.failure("schema", pointer { S.text 'It is {"x":3}.', S.text 'It is {"x":3}, really.' })
      assert.matches("not valid JSON", failure.message)
    end))
  end)

  describe("that does not fit", function()
    it("is sent back once, with what is wrong", async(function()
      local agent = pointer { S.text '{"x":"one"}', S.text '{"x":1}' }
      local reply = agents.reply(agent)
      assert.same({ x = 1, y = 0 }, reply.output)
      assert.equal("user assistant user assistant", agents.roles(reply.transcript))
      local told = reply.transcript[3].content
      assert.matches("%$%.x", told)
      assert.matches("integer", told)
      assert.equal(2, reply.usage.requests)
    end))

    it("fails the second time, with the reply so far", async(function()
      local failure = agents.failure("schema", pointer { S.text "{}", S.text '{"x":null}' })
      assert.equal('{"x":null}', failure.reply.text)
      assert.is_nil(failure.reply.output)
      assert.equal(2, #failure.reply.turns)
    end))

    it("because the model refused is a refusal", async(function()
      local failure = agents.failure("refusal", pointer { S.text("", { refusal = "I will not." }) })
      assert.equal("I will not.", failure.reply.refusal)
    end))

    it("because it was cut off gets its chance, too", async(function()
      local reply = agents.reply(pointer { S.text('{"x":', { finish_reason = "length" }), S.text '{"x":1}' })
      assert.equal(1, reply.output.x)
    end))
  end)

  describe("beside tools", function()
    it("is a tool to call, so that servers that force JSON do not skip the others", async(function()
      local agent = pointer({ S.call("echo", { text = "a" }), S.call("final_answer", { x = 4 }) }, { tools = { agents.echo } })
      local reply = agents.reply(agent)
      assert.same({ x = 4, y = 0 }, reply.output)
      assert.same({ x = 4, y = 0 }, json.decode(reply.text))
      assert.equal(2, reply.usage.requests)
      local request = agent.model.requests[1]
      assert.is_nil(request.response_format)
      assert.equal("final_answer", request.tools[2]["function"].name)
      assert.same({ "a", "accepted" }, agents.results(reply.transcript))
    end))

    it("runs the other calls of the last turn, too", async(function()
      local agent = pointer({ S.calls { { "final_answer", { x = 1 } }, { "echo", { text = "b" } } } }, { tools = { agents.echo } })
      local reply = agents.reply(agent)
      assert.same({ "accepted", "b" }, agents.results(reply.transcript))
    end))

    it("takes the first of two answers", async(function()
      local agent = pointer({ S.calls { { "final_answer", { x = 1 } }, { "final_answer", { x = 2 } } } }, { tools = { agents.echo } })
      local reply = agents.reply(agent)
      assert.equal(1, reply.output.x)
      assert.matches("given already", agents.results(reply.transcript)[2])
    end))

    it("has one repair, then fails", async(function()
      local agent = pointer({ S.call("final_answer", { x = "a" }), S.call("final_answer", { x = 5 }) }, { tools = { agents.echo } })
      assert.equal(5, agents.reply(agent).output.x)
      agent = pointer({ S.call("final_answer", { x = "a" }), S.call("final_answer", { x = "b" }) }, { tools = { agents.echo } })
      assert.matches("%$%.x", agents.failure("schema", agent).message)
    end))

    it("is accepted as text that fits, and asked for when the text does not", async(function()
      local agent = pointer({ S.text '{"x":6}' }, { tools = { agents.echo } })
      assert.equal(6, agents.reply(agent).output.x)
      agent = pointer({ S.text "It is six.", S.call("final_answer", { x = 6 }) }, { tools = { agents.echo } })
      local reply = agents.reply(agent)
      assert.equal(6, reply.output.x)
      assert.matches("Call final_answer", reply.transcript[3].content)
    end))
  end)

  describe("for a server without json_schema", function()
    for word, flags in pairs {
      refused = { response_format = { json_schema = "json_object" } }, ignored = { json_schema = false },
    } do it("is a tool to call, where the schema is " .. word, async(function()
      local provider = require "rille.provider"
      local before = provider.resolve
      provider.resolve = function(wanted) return { name = "x", model = wanted.model, flags = flags } end
      local run = { agent = agents.new({}, { output = point }) }
      local output, toolset = require "rille.output", require "rille.agent.toolset"
      local params = {}
      local tools = output.arrange(run, toolset.new({}, "spec", 1), params, "some-model")
      provider.resolve = before
      assert.is_nil(params.response_format)
      assert.equal("final_answer", tools.list[1].name)
    end)) end
  end)

  describe("that is no object", function()
    it("is wrapped on the wire, and unwrapped in the reply", async(function()
      local agent = agents.new({ S.text '{"value":["a","b"]}' }, { output = { type = "array", items = { type = "string" } } })
      local reply = agents.reply(agent)
      assert.same({ "a", "b" }, reply.output)
      assert.equal("array", agent.model.requests[1].response_format.json_schema.schema.properties.value.type)
    end))

    it("may be false", async(function()
      local agent = agents.new({ S.call("final_answer", { value = false }) }, { tools = { agents.echo }, output = { type = "boolean" } })
      local reply = agents.reply(agent)
      assert.is_false(reply.output)
      assert.equal("false", reply.text)
    end))
  end)

  it("needs the name of its tool for itself", function()
    local tool = agents.tool("final_answer", function() end)
    assert.error_matches(function() rille.agent { output = point, tools = { tool } } end, "no tool of yours can be called 'final_answer'")
  end)

  it("raises for a schema that is none, at the agent's line", function()
    local _, message = pcall(function() rille.agent { output = { { "x", "intger" } } } end)
    assert.matches("output_spec.lua:%d+: rille.agent: output: ", message)
  end)
end)
