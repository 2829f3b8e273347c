local agents = require "spec.support.agents"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- The position and message of what a call raises.
local function raised(fn)
  local ok, message = pcall(fn)
  assert.is_false(ok)
  return message
end

describe("rille.agent", function()
  describe("options", function()
    it("are checked where they are written", function()
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: unknown option 'modle' %(did you mean 'model'%?%)$",
        raised(function() rille.agent { modle = "x" } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: limits: unknown option 'turn'",
        raised(function() rille.agent { limits = { turn = 1 } } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: on: unknown option 'tool_calls'",
        raised(function() rille.agent { on = { tool_calls = print } } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: guard: unknown option 'inputs'",
        raised(function() rille.agent { guard = { inputs = print } } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: option 'instructions': string or function expected, got number",
        raised(function() rille.agent { instructions = 5 } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: tools%[1%]", raised(function() rille.agent { tools = { 5 } } end))
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: params: n: ", raised(function() rille.agent { params = { n = 2 } } end))
    end)

    it("do not take the parameters of requests, and say where those go", function()
      assert.matches("^spec/agent_spec.lua:%d+: rille.agent: 'temperature' is a parameter of requests: params = { temperature = … }$",
        raised(function() rille.agent { model = "m", temperature = 0 } end))
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: 'seed' is a parameter",
        raised(function() agents.new({ S.text "hi" }):run("x", { seed = 1 }) end))
    end)

    it("name models by name or by script, alone or in a list", function()
      for _, model in ipairs { {}, { 5 }, { "m", { model = "m" } }, { {} } } do
        assert.matches("^spec/agent_spec.lua:%d+: rille.agent: model: a name, a script or a list of them expected$",
          raised(function() rille.agent { model = model } end))
        assert.matches("^spec/agent_spec.lua:%d+: agent:run: model: ",
          raised(function() agents.new({ S.text "hi" }):run("x", { model = model }) end))
      end
      for _, model in ipairs { "m", S { "hi" }, { "m", S { "hi" } } } do rille.agent { model = model } end
    end)

    it("of a provider are checked there, too", function()
      assert.matches("^spec/agent_spec.lua:%d+: provider: unknown option 'base_urll' %(did you mean 'base_url'%?%)$",
        raised(function() rille.agent { model = "m", provider = { base_urll = "x" } } end))
    end)

    it("of a run are checked there, too", function()
      local agent = agents.new { S.text "hi" }
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: unknown option 'transcrpt' %(did you mean 'transcript'%?%)",
        raised(function() agent:run("x", { transcrpt = 1 }) end))
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: option 'transcript': a transcript expected",
        raised(function() agent:run("x", { transcript = io.stdout }) end))
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: limits: ", raised(function() agent:start("x", { limits = { x = 1 } }) end))
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: tools%[1%]", raised(function() agent:stream("x", { tools = { 1 } }) end))
    end)

    it("that are prompts nobody can send raise at the caller", function()
      local agent = agents.new { S.text "hi" }
      assert.matches("^spec/agent_spec.lua:%d+: prompt: ", raised(function() agent:run(5) end))
      assert.matches("^spec/agent_spec.lua:%d+: agent:run: a prompt or a transcript expected", raised(function() agent:run() end))
    end)
  end)

  describe("reply", function()
    it("has everything that was said", async(function()
      local agent = agents.new { S.text("Hello!", { reasoning = "They greet.", usage = { prompt_tokens = 3, completion_tokens = 2,
        total_tokens = 5 }, id = "chatcmpl-9", model = "m-1" }) }
      local reply = agents.reply(agent, "Hi")
      assert.equal("Hello!", reply.text)
      assert.equal("They greet.", reply.reasoning)
      assert.equal("stop", reply.finish_reason)
      assert.same({ requests = 1, prompt_tokens = 3, completion_tokens = 2, total_tokens = 5 }, reply.usage)
      assert.equal("chatcmpl-9", reply.id)
      assert.equal("m-1", reply.model)
      assert.is_nil(reply.refusal)
      assert.is_nil(reply.output)
      assert.equal("user assistant", agents.roles(reply.transcript))
    end))

    it("has the turns, each with message, results, usage and seconds", async(function()
      local agent = agents.new({ S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo } })
      local turns = agents.reply(agent).turns
      assert.equal(2, #turns)
      assert.equal("echo", turns[1].message.tool_calls[1]["function"].name)
      assert.equal("a", turns[1].results[1].content)
      assert.equal("tool_calls", turns[1].finish_reason)
      assert.is_table(turns[1].usage)
      assert.is_number(turns[1].seconds)
      assert.equal("ok", turns[2].message.content)
      assert.same({}, turns[2].results)
    end))

    it("adds up the usage of all requests", async(function()
      local usage = { prompt_tokens = 10, completion_tokens = 1, total_tokens = 11 }
      local agent = agents.new({ S.call("echo", {}, { usage = usage }), S.text("ok", { usage = usage }) }, { tools = { agents.echo } })
      assert.same({ requests = 2, prompt_tokens = 20, completion_tokens = 2, total_tokens = 22 }, agents.reply(agent).usage)
    end))

    it("has a refusal, and no text", async(function()
      local reply = agents.reply(agents.new { S.text("", { refusal = "I cannot." }) })
      assert.equal("I cannot.", reply.refusal)
      assert.equal("", reply.text)
    end))

    it("of a text that was cut off says so", async(function()
      local reply = agents.reply(agents.new { S.text("half an ans", { finish_reason = "length" }) })
      assert.equal("half an ans", reply.text)
      assert.equal("length", reply.finish_reason)
    end))
  end)

  describe("prompt", function()
    it("may be a text, content parts or messages", async(function()
      local agent = agents.new { S.text "a", S.text "b", S.text "c" }
      agents.reply(agent, "hi")
      agents.reply(agent, rille.parts { "what is this?", { type = "image_url", image_url = { url = "https://example.org/a.png" } } })
      agents.reply(agent, { { role = "system", content = "Be brief." }, { role = "user", content = "hi" } })
      local requests = agent.model.requests
      assert.equal("hi", requests[1].messages[1].content)
      assert.equal("image_url", requests[2].messages[1].content[2].type)
      assert.equal("system", requests[3].messages[1].role)
    end))

    it("may be left out to go on where a transcript stands", async(function()
      local transcript = rille.transcript { { role = "user", content = "hi" } }
      local reply = agents.reply(agents.new { S.text "hello" }, nil, { transcript = transcript })
      assert.equal("hello", reply.text)
    end))
  end)

  describe("transcript", function()
    it("is appended to and comes back", async(function()
      local agent = agents.new { S.text "one", S.text "two" }
      local first = agents.reply(agent, "1")
      local second = agents.reply(agent, "2", { transcript = first.transcript })
      assert.equal(first.transcript, second.transcript)
      assert.equal("user assistant user assistant", agents.roles(second.transcript))
      assert.equal(3, #agent.model.requests[2].messages)
    end))

    it("of a failed run can be continued", async(function()
      local agent = agents.new({ S.call "slow", S.text "fine" }, { tools = { agents.slow } })
      local run = agent:start "Go."
      agents.reached(run, "tool_call")
      run:cancel()
      local _, failure = run:wait()
      local reply = agents.reply(agent, "Go on.", { transcript = failure.reply.transcript })
      assert.equal("fine", reply.text)
      assert.equal("user assistant tool user assistant", agents.roles(reply.transcript))
    end))

    it("with calls that were left open is repaired first", async(function()
      local transcript = rille.transcript { { role = "user", content = "a" }, { role = "assistant", tool_calls = {
        { id = "1", type = "function", ["function"] = { name = "echo", arguments = "{}" } } } } }
      local reply = agents.reply(agents.new { S.text "ok" }, "Go on.", { transcript = transcript })
      assert.equal("user assistant tool user assistant", agents.roles(reply.transcript))
      assert.matches("interrupted", reply.transcript[3].content)
    end))
  end)

  describe("instructions", function()
    it("open every request and are never part of the transcript", async(function()
      local agent = agents.new({ S.call("echo", {}), S.text "ok" }, { instructions = "Be brief.", tools = { agents.echo } })
      local reply = agents.reply(agent)
      for _, request in ipairs(agent.model.requests) do
        assert.equal("system", request.messages[1].role)
        assert.equal("Be brief.", request.messages[1].content)
        assert.not_equal("system", request.messages[2].role)
      end
      assert.equal("user assistant tool assistant", agents.roles(reply.transcript))
    end))

    it("are those of the agent that continues", async(function()
      local first = agents.new({ S.text "a" }, { instructions = "You are A." })
      local second = agents.new({ S.text "b" }, { instructions = "You are B." })
      local third = agents.new { S.text "c" }
      local transcript = agents.reply(first, "1").transcript
      agents.reply(second, "2", { transcript = transcript })
      agents.reply(third, "3", { transcript = transcript })
      assert.equal("You are B.", second.model.requests[1].messages[1].content)
      assert.equal("user assistant user", agents.roles(rille.transcript(second.model.requests[1].messages)):gsub("system ", ""))
      assert.equal("user", third.model.requests[1].messages[1].role)
    end))

    it("may be made by a function, once a run", async(function()
      local asked = 0
      local agent = agents.new({ S.call("echo", {}), S.text "ok" }, { tools = { agents.echo }, instructions = function(context)
        asked = asked + 1
        return ("You help %s. %d"):format(context.value, asked)
      end })
      agents.reply(agent, "Go.", { value = "Ada" })
      assert.equal("You help Ada. 1", agent.model.requests[1].messages[1].content)
      assert.equal("You help Ada. 1", agent.model.requests[2].messages[1].content)
    end))

    it("that fail end the run", async(function()
      agents.failure("internal", agents.new({ S.text "ok" }, { instructions = function() error("no template", 0) end }))
    end))

    it("make the same bytes open every request, for the servers' caches", async(function()
      local bodies = {}
      local script = rille.script { S.call("echo", { text = "a" }), S.call("echo", { text = "b" }), S.text "ok" }
      local server <close> = assert(rille.mock.serve(script))
      local agent = rille.agent { model = "m", base_url = server.url, api_key = "k", instructions = "Be brief.",
        tools = { agents.echo, agents.slow } }
      agents.reply(agent)
      for i, request in ipairs(server.requests) do bodies[i] = request.body end
      local function messages(body) return body:match '"messages":%[(.*)%],"stream"' end
      for i = 2, #bodies do
        local before = messages(bodies[i - 1])
        assert.equal(before, messages(bodies[i]):sub(1, #before))
      end
      assert.equal(bodies[1]:match '"tools":.*', bodies[3]:match '"tools":.*')
    end))
  end)

  describe("request", function()
    it("carries the parameters of the agent, then of the run", async(function()
      local agent = agents.new({ S.text "ok" }, { params = { temperature = 0, top_p = 0.5 } })
      agents.reply(agent, "Go.", { params = { top_p = 0.9, seed = 7 } })
      local sent = agent.model.requests[1]
      assert.same({ 0, 0.9, 7 }, { sent.temperature, sent.top_p, sent.seed })
    end))

    it("carries nothing that nobody set", async(function()
      local agent = agents.new { S.text "ok" }
      agents.reply(agent)
      local names = {}
      for name in pairs(agent.model.requests[1]) do names[#names + 1] = name end
      table.sort(names)
      assert.same({ "messages", "model", "stream", "stream_options" }, names)
    end))

    it("is no stream when stream = false says so", async(function()
      local agent = agents.new({ S.text "ok" }, { params = { stream = false } })
      agents.reply(agent)
      assert.is_nil(agent.model.requests[1].stream)
    end))

    it("goes to the model of the run rather than the agent's, with its tools", async(function()
      local other = rille.script { S.call("slow", {}), S.text "other" }
      local agent = agents.new({ S.text "mine" }, { tools = { agents.echo } })
      local quick = agents.tool("slow", function() return "quick" end)
      local reply = agents.reply(agent, "Go.", { model = other, tools = { quick } })
      assert.equal("other", reply.text)
      assert.same({ "quick" }, agents.results(reply.transcript))
      assert.equal(0, #agent.model.requests)
    end))

    it("leaves out tool_choice and parallel_tool_calls without tools", async(function()
      local agent = agents.new({ S.text "ok" }, { params = { tool_choice = "auto", parallel_tool_calls = false } })
      agents.reply(agent)
      assert.is_nil(agent.model.requests[1].tool_choice)
      assert.is_nil(agent.model.requests[1].parallel_tool_calls)
    end))
  end)

  describe("tool_choice", function()
    it("that forces a call is left out after the first round", async(function()
      for _, choice in ipairs { "required", { type = "function", ["function"] = { name = "echo" } } } do
        local agent = agents.new({ S.call("echo", {}), S.text "ok" }, { tools = { agents.echo }, params = { tool_choice = choice } })
        agents.reply(agent)
        assert.same(choice, agent.model.requests[1].tool_choice)
        assert.is_nil(agent.model.requests[2].tool_choice)
      end
    end))

    it("that forces nothing stays", async(function()
      local agent = agents.new({ S.call("echo", {}), S.text "ok" }, { tools = { agents.echo }, params = { tool_choice = "auto" } })
      agents.reply(agent)
      assert.equal("auto", agent.model.requests[2].tool_choice)
    end))

    it("by name makes other calls errors", async(function()
      local agent = agents.new({ S.calls { { "slow" }, { "echo", { text = "a" } } }, S.text "ok" },
        { tools = { agents.echo, agents.slow }, params = { tool_choice = { type = "function", ["function"] = { name = "echo" } } } })
      local reply = agents.reply(agent)
      assert.same({ "Error: 'echo' was asked for, not 'slow'", "a" }, agents.results(reply.transcript))
    end))
  end)

  describe("prepare", function()
    it("decides about the next request", async(function()
      local seen = {}
      local other = rille.script { S.text "other" }
      local agent = agents.new({ S.call("echo", { text = "a" }) }, { tools = { agents.echo }, prepare = function(turn)
        seen[#seen + 1] = { turn.number, #turn.transcript, turn.left.turns, turn.last and turn.last.results[1].content, turn.value }
        if turn.number == 1 then return { tool_choice = "required", params = { temperature = 1 } } end
        return { model = other, tools = {} }
      end })
      local reply = agents.reply(agent, "Go.", { value = "v" })
      assert.equal("other", reply.text)
      assert.same({ { 1, 1, 20, nil, "v" }, { 2, 3, 19, "a", "v" } }, seen)
      assert.equal("required", agent.model.requests[1].tool_choice)
      assert.equal(1, agent.model.requests[1].temperature)
      assert.is_nil(other.requests[1].tools)
    end))

    it("may say nothing", async(function()
      assert.equal("ok", agents.reply(agents.new({ S.text "ok" }, { prepare = function() end })).text)
    end))

    it("that says what nobody understands, or fails, ends the run", async(function()
      local failure = agents.failure("internal", agents.new({ S.text "ok" }, { prepare = function() return { tool = {} } end }))
      assert.matches("prepare: unknown option 'tool'", failure.message)
      agents.failure("internal", agents.new({ S.text "ok" }, { prepare = function() error "bug" end }))
    end))
  end)

  describe("stop_when", function()
    it("ends the run after a turn, with its results in the transcript", async(function()
      local agent = agents.new({ S.call("echo", { text = "a" }) }, { tools = { agents.echo }, stop_when = function(turn)
        return turn.results[1].content == "a"
      end })
      local reply = agents.reply(agent)
      assert.equal("tool_calls", reply.finish_reason)
      assert.equal("user assistant tool", agents.roles(reply.transcript))
    end))
  end)

  describe("guard", function()
    it("on the input stops before anything is sent or stored", async(function()
      local agent = agents.new({ S.text "ok" }, { guard = { input = function(prompt, context)
        if prompt:find "bomb" then return false, "not that" .. context.value end
      end } })
      local failure = agents.failure("guard", agent, "a bomb", { value = "!" })
      assert.equal("not that!", failure.message)
      assert.equal(0, #failure.reply.transcript)
      assert.equal(0, #agent.model.requests)
      assert.equal("ok", agents.reply(agent, "a cake", { value = "" }).text)
    end))

    it("on the input is asked when the run begins", async(function()
      local seen
      local agent = agents.new({ S.text "ok" })
      local run = agent:start "a cake"
      agent.guard = { input = function(prompt) seen = prompt end }
      assert(run:wait())
      assert.equal("a cake", seen)
    end))

    it("on the output stops the reply", async(function()
      local failure = agents.failure("guard", agents.new({ S.text "the secret is 42" }, { guard = { output = function(reply)
        return not reply.text:find "secret"
      end } }))
      assert.equal("the answer was refused by a guard", failure.message)
      assert.equal("the secret is 42", failure.reply.text)
    end))
  end)

  describe("an empty message", function()
    it("is asked about once, and not kept", async(function()
      local reply = agents.reply(agents.new { S.text "", S.text "sorry, here" })
      assert.equal("sorry, here", reply.text)
      assert.equal("user user assistant", agents.roles(reply.transcript))
    end))

    it("twice ends the run", async(function()
      local failure = agents.failure("bad_response", agents.new { S.text "", S.text "" })
      assert.matches("empty", failure.message)
    end))

    it("because of the length limit or a filter says that", async(function()
      agents.failure("length", agents.new { S.text("", { finish_reason = "length" }) })
      agents.failure("content_filter", agents.new { S.text("", { finish_reason = "content_filter" }) })
    end))
  end)

  describe("failures of the server", function()
    it("end the run with their code and what there was", async(function()
      local agent = agents.new({ S.call("echo", { text = "a" }), S.failure { status = 401 } }, { tools = { agents.echo } })
      local failure = agents.failure("authentication", agent)
      assert.equal(401, failure.status)
      assert.equal(1, #failure.reply.turns)
      assert.equal("user assistant tool", agents.roles(failure.reply.transcript))
    end))

    it("that may pass are retried, as events", async(function()
      local retries = {}
      local agent = agents.new { S.failure { status = 500 }, S.text "ok" }
      agents.reply(agent, "Go.", { on = { retry = function(event) retries[#retries + 1] = event end } })
      assert.equal(1, #retries)
      assert.equal("server_error", retries[1].failure.code)
      assert.is_number(retries[1].delay)
      assert.is_number(retries[1].attempt)
    end))

    it("lead to the next model of a list, and stay there", async(function()
      local broken = rille.script { S.failure { status = 500 }, S.failure { status = 500 }, S.failure { status = 500 }, model = "broken" }
      local good = rille.script { S.call("echo", {}), S.text "saved", model = "good" }
      local told = {}
      local agent = rille.agent { model = { broken, good }, tools = { agents.echo } }
      local reply = agents.reply(agent, "Go.", { on = { fallback = function(event) told[#told + 1] = event.model end } })
      assert.equal("saved", reply.text)
      assert.same({ "good" }, told)
      assert.equal(3, #broken.requests)
    end))
  end)

  it("tells the story of a run as events", async(function()
    local agent = agents.new({ S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo }, name = "teller",
      instructions = "Be brief." })
    local events = agents.read(agent:stream "Go.")
    assert.equal("request message tool_call tool_result turn request text message turn done", agents.types(events))
    for _, event in ipairs(events) do
      assert.same({ "teller" }, event.path)
      assert.is_number(event.time)
    end
    assert.same({ 1, 2 }, { events[1].number, events[1].messages })
    assert.equal(4, events[6].messages)
    assert.equal("ok", events[8].message.content)
    assert.equal(1, events[5].number)
    assert.is_table(events[5].usage)
  end))

  it("tells reasoning and refusals as they come", async(function()
    local heard = {}
    local function hear(event) heard[#heard + 1] = event.type .. ":" .. event.delta end
    agents.reply(agents.new { S.text("", { refusal = "No.", reasoning = "Hm." }) }, "Go.", { on = { reasoning = hear, refusal = hear } })
    assert.same({ "reasoning:Hm.", "refusal:No." }, heard)
  end))

  it("keeps what different runs of one agent do apart", async(function()
    local script = rille.script { loop = true, function(request)
      local said = request.messages[#request.messages]
      if said.role == "tool" then return "got " .. said.content end
      return S.call("echo", { text = said.content })
    end }
    local agent = rille.agent { model = script, tools = { agents.echo } }
    local replies = rille.map({ "a", "b", "c" }, function(text) return agent:run(text) end)
    for i, text in ipairs { "a", "b", "c" } do
      assert.equal("got " .. text, replies[i].text)
      sendable.check(replies[i].transcript)
    end
  end))

  it("is told apart from other tables", function()
    local agent = require "rille.agent"
    assert.is_true(agent.is(agents.new {}))
    assert.is_false(agent.is {})
  end)
end)
