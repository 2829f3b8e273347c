--- lessons_limits_spec.lua -- what users of other runtimes lost an afternoon to: loops and budgets. The names carry
--- project and issue; docs/lessons.md is the table.
local agents = require "spec.support.agents"
local rille = require "rille"

local S <const> = rille.script
local results_of, seconds, counter = agents.results_of, agents.seconds, agents.counter
local usage <const> = { prompt_tokens = 40, completion_tokens = 10, total_tokens = 50 }

describe("lessons: loops and budgets", function()
  local function again(count)
    local steps = {}
    for i = 1, count do steps[i] = S.call("echo", { text = "a" }) end
    steps[count + 1] = S.text "done"
    return steps
  end

  it("pi #6158 #9637, opencode #45442, ADK #3637: the same call with the same result ends as a loop", async(function()
    local agent = agents.new(again(250), { tools = { agents.echo }, limits = { turns = 300 } })
    agents.failure("loop", agent)
    assert.equal(5, #agent.model.requests)
  end))

  it("opencode #45442: the model is told before it comes to that", async(function()
    local agent = agents.new(again(3), { tools = { agents.echo } })
    local results = agents.results(agents.reply(agent).transcript)
    assert.equal("a", results[2])
    assert.matches("^a\n\n%[This call gave the same result 3 times%. Do something else", results[3])
  end))

  it("rh-ai PR#247: parallel calls are no loop", async(function()
    local calls = {}
    for i = 1, 10 do calls[i] = { "echo", { text = "a" } } end
    assert.equal(10, #results_of(calls, { agents.echo }))
  end))

  it("adk-go #1287, strands #259 #2298 #2307: turns are limited even when nobody set a limit", async(function()
    local number = 0
    local agent = agents.new({ loop = true, function()
      number = number + 1
      return S.call("echo", { text = tostring(number) })
    end }, { tools = { agents.echo } })
    agents.failure("limit_turns", agent)
    assert.equal(20, #agent.model.requests)
  end))

  it("llm #1025 #1026: a run that met its limit can go on", async(function()
    local agent = agents.new(again(3), { tools = { agents.echo } })
    local failure = agents.failure("limit_turns", agent, "Go.", { limits = { turns = 2 } })
    local reply = agents.reply(agent, nil, { transcript = failure.reply.transcript })
    assert.equal("done", reply.text)
  end))

  it("openai-agents #844: the last turn can be made an answer", async(function()
    local agent = agents.new({ loop = true, function(request)
      return request.tool_choice == "none" and S.text "what I know so far" or S.call("echo", { text = tostring(#request.messages) })
    end }, { tools = { agents.echo }, limits = { turns = 3 }, prepare = function(turn)
      if turn.left.turns == 1 then return { tool_choice = "none" } end
    end })
    assert.equal("what I know so far", agents.reply(agent).text)
    assert.equal(3, #agent.model.requests)
  end))

  it("openai-agents #191 PR#263 JS #512: tool_choice required is left out after the first round", async(function()
    local agent = agents.new({ loop = true, function(request)
      return request.tool_choice == "required" and S.call("echo", { text = "a" }) or S.text "done"
    end }, { tools = { agents.echo }, params = { tool_choice = "required" } })
    assert.equal("done", agents.reply(agent).text)
    assert.equal(2, #agent.model.requests)
  end))

  it("openai-agents #1425: a whole run has a time limit", async(function()
    local agent = agents.new({ S.call "slow" }, { tools = { agents.slow }, limits = { seconds = 0.03 } })
    assert.is_true(seconds(function() agents.failure("limit_seconds", agent) end) < 1 * agents.slack)
  end))

  it("openai-agents #1425: the time limit ends a request, too", async(function()
    local agent = agents.new({ S.text("late", { delay = 60 }) }, { limits = { seconds = 0.03 } })
    assert.is_true(seconds(function() agents.failure("limit_seconds", agent) end) < 1 * agents.slack)
  end))

  it("openai-agents #448 #497 #551: nested runs spend the budget of the tree", async(function()
    local number = 0
    local inner = agents.new({ loop = true, function()
      number = number + 1
      return S.call("echo", { text = tostring(number) })
    end }, { name = "inner", tools = { agents.echo }, limits = { turns = 1000 } })
    local outer = agents.new({ loop = true, S.call("inner", { prompt = "x" }) }, { tools = { inner }, limits = { turns = 10 } })
    agents.failure("limit_turns", outer)
    assert.equal(10, #inner.model.requests + #outer.model.requests)
  end))

  it("docker-agent #3701, minga #404, trinity #1155, hive #2896: a spent budget stops before the next request and call", async(function()
    local tool, count = counter "tick"
    local agent = agents.new({ S.call("tick", {}, { usage = usage }), S.text "never" }, { tools = { tool }, limits = { tokens = 50 } })
    local failure = agents.failure("limit_tokens", agent)
    assert.equal(1, #agent.model.requests)
    assert.equal(0, count())
    assert.same({ "Error: not run: the limit of 50 tokens is reached" }, agents.results(failure.reply.transcript))
  end))

  it("mastra: the budget is counted in the loop, also when the server counts nothing", async(function()
    local agent = agents.new({ S.call("echo", { text = ("long "):rep(200) }, { usage = false }), S.text "never" },
      { tools = { agents.echo }, limits = { tokens = 10 } })
    agents.failure("limit_tokens", agent)
  end))

  it("adk-go #1287: calls are limited, in call order", async(function()
    local tool, count = counter "tick"
    local agent = agents.new({ S.calls { { "tick" }, { "tick" }, { "tick" } }, S.text "never" },
      { tools = { tool }, limits = { tool_calls = 2 } })
    local failure = agents.failure("limit_tool_calls", agent)
    assert.equal(2, count())
    assert.same({ "1", "2", "Error: not run: the limit of 2 tool calls is reached" }, agents.results(failure.reply.transcript))
  end))

  it("pydantic-ai #200 #576 #739 #822 #749 #3597: a small model may err more than once", async(function()
    local agent = agents.new({ S.call("ecco", {}), S.call("echo", "{"), S.call("echo", { txt = 1 }),
      S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo } })
    assert.equal("ok", agents.reply(agent).text)
  end))

  it("reliability row 1: but not for ever", async(function()
    local number = 0
    local agent = agents.new({ loop = true, function()
      number = number + 1
      return S.call("tool_" .. number)
    end }, { tools = { agents.echo }, limits = { turns = 100 } })
    agents.failure("loop", agent)
    assert.equal(5, number)
  end))

  it("strands/ADK #5054: an output schema beside tools comes to an end", async(function()
    local agent = agents.new({ S.call("echo", { text = "a" }), S.call("final_answer", { n = 1 }) },
      { tools = { agents.echo }, output = { { "n", "integer" } } })
    assert.same({ n = 1 }, agents.reply(agent).output)
  end))

  it("openai-agents #1012: an output schema does not make the model skip its tools", async(function()
    local agent = agents.new({ S.call("final_answer", { n = 1 }) }, { tools = { agents.echo }, output = { { "n", "integer" } } })
    agents.reply(agent)
    assert.is_nil(agent.model.requests[1].response_format)
  end))

  it("crush #2669: silence is asked about once", async(function()
    local agent = agents.new { loop = true, S.text "" }
    agents.failure("bad_response", agent)
    assert.equal(2, #agent.model.requests)
  end))
end)
