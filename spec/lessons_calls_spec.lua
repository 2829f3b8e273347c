--- lessons_calls_spec.lua -- what users of other runtimes lost an afternoon to: what a model may call without harm. The
--- names carry project and issue; docs/lessons.md is the table.
local agents = require "spec.support.agents"
local rille = require "rille"

local S <const> = rille.script
local results_of, seconds, counter = agents.results_of, agents.seconds, agents.counter

describe("lessons: calls", function()
  it("openai-agents #325 #686 #1671 #2204 #2957 #3459: an unknown tool is an error result with the valid names", async(function()
    assert.same({ "Error: there is no tool 'get_wether' (did you mean 'get_weather'?); available are 'get_weather', 'echo'" },
      results_of({ { "get_wether" } }, { agents.echo, agents.tool("get_weather", function() end) }))
  end))

  it("llm #1480 #1483: no call is dropped in silence", async(function()
    local calls = { { "nope" }, { "echo", { text = "a" } }, { name = "sql", input = "x", type = "custom" } }
    local results = results_of(calls, { agents.echo })
    assert.equal(3, #results)
    assert.equal("a", results[2])
  end))

  it("llm #1104: a name that is none does not crash, and does not poison the history", async(function()
    local reply = agents.reply(agents.new({ S.calls { { "../../bin/sh -c", {} }, { "", {} } }, S.text "ok" }, { tools = { agents.echo } }))
    for _, call in ipairs(reply.transcript[2].tool_calls) do assert.matches("^[%w_-]+$", call["function"].name) end
  end))

  it("llm #1521: empty arguments are no arguments", async(function()
    assert.same({ "1" }, results_of({ { "tick", "" } }, { (counter "tick") }))
    assert.same({ "1" }, results_of({ { "tick", "null" } }, { (counter "tick") }))
  end))

  it("vercel/ai #4111 #4446 #7789 #8173 #14280 #16643: invalid arguments never enter the history", async(function()
    local agent = agents.new({ S.calls { { "echo", '{"text":' }, { "echo", "[1]" }, { "echo", "{'text':'a'}" } }, S.text "ok" },
      { tools = { agents.echo } })
    agents.reply(agent)
    for _, call in ipairs(agent.model.requests[2].messages[2].tool_calls) do
      assert.equal("{}", call["function"].arguments)
    end
  end))

  it("vercel/ai #20947: hooks see validated arguments only", async(function()
    local seen = {}
    local tool = agents.tool("move", function() end, { parameters = { { "x", "integer" } } })
    local calls = S.calls { { "move", { x = "1" } }, { "move", "{" }, { "move", { x = 1 } } }
    agents.reply(agents.new({ calls, S.text "ok" }, { tools = { tool } }), "Go.",
      { on = { tool_call = function(event) seen[#seen + 1] = event.call.arguments.x end } })
    assert.same({ 1 }, seen)
  end))

  it("vercel/ai #1922 #2786: multi_tool_use.parallel is unwrapped", async(function()
    local uses = { { recipient_name = "functions.echo", parameters = { text = "a" } },
      { recipient_name = "functions.echo", parameters = { text = "b" } } }
    assert.same({ "a", "b" }, results_of({ { "multi_tool_use.parallel", { tool_uses = uses } } }, { agents.echo }))
  end))

  it("ADK #187 #1076 #3940: duplicate calls get ids and results of their own", async(function()
    local tool = counter "tick"
    assert.same({ "1", "2" }, results_of({ { name = "tick", id = "same" }, { name = "tick", id = "same" } }, { tool }))
  end))

  it("ADK PR#2289: a call without a name is answered", async(function()
    assert.matches("^Error: there is no tool ''", results_of({ { "", {} } }, { agents.echo })[1])
  end))

  it("codex #8479, opencode #44852 #44254 #43800: a sibling that fails leaves no call without a result", async(function()
    local bad = agents.tool("bad", function() error "broken" end)
    local results = results_of({ { "echo", { text = "a" } }, { "bad" }, { "echo", { text = "b" } } }, { bad, agents.echo })
    assert.same({ "a", "Error: broken", "b" }, results)
  end))

  it("strands #779 #614: calls can be made to run one after the other", async(function()
    local running, most = 0, 0
    local tool = agents.tool("work", function()
      running = running + 1
      most = math.max(most, running)
      rille.sleep(0.002)
      running = running - 1
    end)
    results_of({ { "work" }, { "work" } }, { tool }, { limits = { concurrency = 1 } })
    assert.equal(1, most)
  end))

  it("aichat PR#1465: a tool's error does not break the conversation", async(function()
    local bad = agents.tool("bad", function() return nil, "no such file" end)
    assert.same({ "Error: no such file" }, results_of({ { "bad" } }, { bad }))
  end))

  it("goose PR#1988: a huge result is cut, head and tail kept", async(function()
    local tool = agents.tool("dump", function() return "BEGIN" .. ("x"):rep(10 << 20) .. "END" end)
    local result = results_of({ { "dump" } }, { tool })[1]
    assert.is_true(#result < 70000)
    assert.matches("^BEGIN", result)
    assert.matches("END$", result)
  end))

  it("openai-agents #2386 #2387, agentlys PR#230: a tool that spins is stopped, and the others go on", async(function()
    local spin = agents.tool("spin", function()
      while true do pcall(function() while true do end end) end
    end, { timeout = 0.1 })
    local ticks = 0
    local ticker = rille.spawn(function()
      while true do
        rille.sleep(0.01)
        ticks = ticks + 1
      end
    end)
    local spent = seconds(function()
      assert.matches("timed out after 0.1 seconds", results_of({ { "spin" }, { "echo", { text = "a" } } }, { spin, agents.echo })[1])
    end)
    ticker:cancel()
    assert.is_true(spent < 2 * agents.slack)
    assert.is_true(ticks > 0)
  end))

  it("pydantic-ai #7557 #7692, smolagents #2197: a timeout does not wait for the tool", async(function()
    local tool = agents.tool("hang", function() rille.sleep(60) end, { timeout = 0.02 })
    assert.is_true(seconds(function() results_of({ { "hang" } }, { tool }) end) < 1 * agents.slack)
  end))

  it("openhuman PR#5767: the time of a call is not the time of the run", async(function()
    local tool = agents.tool("hang", function() rille.sleep(60) end, { timeout = 0.02 })
    local agent = agents.new({ S.call "hang", S.call "hang", S.text "ok" }, { tools = { tool }, limits = { seconds = 5 * agents.slack } })
    assert.equal("ok", agents.reply(agent).text)
  end))
end)

describe("lessons: cut messages", function()
  local function writer()
    return counter("write_file", { parameters = { { "path", "string" }, { "text", "string" } } })
  end

  it("goose #8167 #8272 PR#8175 PR#9946: a cut call never runs, and the model is told to write smaller", async(function()
    local tool, count = writer()
    local cut = S.call("write_file", '{"path":"a.txt","te', { finish_reason = "length" })
    local agent = agents.new({ cut, S.text "ok" }, { tools = { tool } })
    local reply = agents.reply(agent)
    assert.equal(0, count())
    assert.matches("smaller steps", agents.results(reply.transcript)[1])
  end))

  it("goose #8167: nothing of a cut message runs, not even what is whole", async(function()
    local tool, count = writer()
    local whole = { path = "a.txt", text = "half of it" }
    local cut = S.calls({ { "write_file", whole }, { "write_file", '{"path":"b' } }, { finish_reason = "length" })
    local agent = agents.new({ cut, S.text "ok" }, { tools = { tool } })
    local reply = agents.reply(agent)
    assert.equal(0, count())
    assert.equal(2, #agents.results(reply.transcript))
  end))

  it("goose #8272: cut again and again ends the run", async(function()
    local tool = writer()
    local cut = S.call("write_file", '{"path":"a', { finish_reason = "length" })
    local failure = agents.failure("length", agents.new({ cut, cut, S.text "never" }, { tools = { tool } }))
    assert.equal(2, #failure.reply.turns)
  end))

  it("goose #8272: a good turn in between gives a new chance", async(function()
    local tool = writer()
    local cut = S.call("write_file", '{"path":"a', { finish_reason = "length" })
    local good = S.call("write_file", { path = "a", text = "b" })
    assert.equal("ok", agents.reply(agents.new({ cut, good, cut, good, S.text "ok" }, { tools = { tool } })).text)
  end))

  it("Azure E11: calls of a filtered message never run", async(function()
    local tool, count = writer()
    local cut = S.call("write_file", { path = "a", text = "b" }, { finish_reason = "content_filter" })
    agents.failure("content_filter", agents.new({ cut, cut }, { tools = { tool } }))
    assert.equal(0, count())
  end))
end)
