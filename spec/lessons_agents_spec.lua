--- lessons_agents_spec.lua -- what users of other runtimes lost an afternoon to: approvals, and agents inside agents. The names carry
--- project and issue; docs/lessons.md is the table.
local agents = require "spec.support.agents"
local core = require "rille.core"
local json = require "rille.json"
local rille = require "rille"

local S <const> = rille.script
local results_of = agents.results_of

describe("lessons: approvals", function()
  local function guarded()
    local ran = {}
    return agents.tool("rm", function(args) ran[#ran + 1] = args.path end, { approve = true, parameters = { { "path", "string" } } }), ran
  end

  it("goose PR#10528 #5539, #1858 #1469: there is no other way to a tool than the door that asks", async(function()
    local tool, ran = guarded()
    local wrapped = { tool_uses = { { recipient_name = "functions.rm", parameters = { path = "b" } } } }
    results_of({ { "rm", { path = "a" } }, { "multi_tool_use.parallel", wrapped }, { "functions.rm", { path = "c" } } }, { tool })
    assert.same({}, ran)
  end))

  it("openai-agents #2487 #2500: a nested agent's question reaches the same people", async(function()
    local tool, ran = guarded()
    local inner = agents.new({ S.call("rm", { path = "a" }), S.text "ok" }, { name = "inner", tools = { tool } })
    agents.reply(agents.new({ S.call("inner", { prompt = "x" }), S.text "ok" },
      { tools = { inner }, approve = function() return true end }))
    assert.same({ "a" }, ran)
  end))

  it("openai-agents JS #1435 #131: a second answer changes nothing", async(function()
    local tool, ran = guarded()
    agents.reply(agents.new({ S.call("rm", { path = "a" }), S.text "ok" }, { tools = { tool } }), "Go.",
      { on = { approval = function(event)
        event:approve()
        event:approve()
      end } })
    assert.same({ "a" }, ran)
  end))

  it("codecompanion PR#2917 PR#3021: questions wait beside each other, and hold nothing up", async(function()
    local tool, ran = guarded()
    local waiting, ticks = 0, 0
    local calls = S.calls { { "rm", { path = "a" } }, { "rm", { path = "b" } }, { "echo", { text = "c" } } }
    local agent = agents.new({ calls, S.text "ok" }, { tools = { tool, agents.echo } })
    local ticker = core.spawn(function()
      while waiting < 2 or ticks < 3 do
        core.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    agents.reply(agent, "Go.", { approve = function()
      waiting = waiting + 1
      ticker:join()
      return true
    end })
    table.sort(ran)
    assert.same({ "a", "b" }, ran)
  end))

  it("mastra: an approval is for exactly the call that was shown", async(function()
    local tool, ran = guarded()
    agents.reply(agents.new({ S.call("rm", { path = "a" }), S.call("rm", { path = "b" }), S.text "ok" }, { tools = { tool } }), "Go.",
      { on = { approval = function(event)
        if event.call.arguments.path == "a" then event:approve() end
      end } })
    assert.same({ "a" }, ran)
  end))

  it("reliability row 13: what is shown cannot be changed behind the question", async(function()
    local tool, ran = guarded()
    agents.reply(agents.new({ S.call("rm", { path = "a" }), S.text "ok" }, { tools = { tool } }), "Go.", { on = {
      approval = function(event)
        local arguments = event.call.arguments
        event:approve()
        arguments.path = "/"
        setmetatable(arguments, { __index = function() return "/" end })
      end,
      tool_call = function(event) event.call.arguments.path = "/" end,
    } })
    assert.same({ "a" }, ran)
  end))

  it("a model that will not take no for an answer is stopped", async(function()
    local tool, ran = guarded()
    local agent = agents.new({ loop = true, S.call("rm", { path = "a" }) }, { tools = { tool } })
    agents.failure("approval", agent)
    assert.equal(3, #agent.model.requests)
    assert.same({}, ran)
  end))
end)

describe("lessons: several agents", function()
  it("openai-agents #1057 #2065: nested events are told, with the path", async(function()
    local inner = agents.new({ S.text "b" }, { name = "inner" })
    local paths = {}
    for event in agents.new({ S.call("inner", { prompt = "x" }), S.text "a" }, { tools = { inner }, name = "outer" }):stream "Go." do
      if event.type == "text" then paths[#paths + 1] = table.concat(event.path, "/") end
    end
    assert.same({ "outer/inner", "outer" }, paths)
  end))

  it("smolagents #1781: agents side by side share nothing", async(function()
    local agent = rille.agent { name = "inner", tools = { agents.echo }, model = rille.script { loop = true, function(request)
      local said = request.messages[#request.messages]
      if said.role == "tool" then return said.content end
      return S.call("echo", { text = said.content })
    end } }
    local calls = {}
    for i = 1, 10 do calls[i] = { "inner", { prompt = "p" .. i } } end
    local expected = {}
    for i = 1, 10 do expected[i] = "p" .. i end
    assert.same(expected, results_of(calls, { agent }, { limits = { turns = 100 } }))
  end))

  it("pi PR#215: a nested agent needs no process", async(function()
    local before = core.counts().handles
    local inner = agents.new({ S.text "b" }, { name = "inner" })
    agents.reply(agents.new({ S.call("inner", { prompt = "x" }), S.text "a" }, { tools = { inner } }))
    assert.is_true(core.counts().handles - before <= 2)
  end))

  it("pi #4085 PR#4224: tools can be changed while a run goes on", async(function()
    local loaded = false
    local load = agents.tool("load", function() loaded = true end)
    local agent = agents.new({ S.call "load", S.call("echo", { text = "new" }), S.text "ok" }, { tools = { load }, prepare = function()
      if loaded then return { tools = { agents.echo } } end
    end })
    local reply = agents.reply(agent)
    assert.same({ "null", "new" }, agents.results(reply.transcript))
    assert.equal("echo", agent.model.requests[2].tools[1]["function"].name)
  end))

  it("langchain #34082 #34436: reasoning that a server wants back is still there", async(function()
    local agent = agents.new({ S.call("echo", { text = "a" }, { reasoning = "I think" }), S.text "ok" }, { tools = { agents.echo } })
    local reply = agents.reply(agent)
    local kept = json.encode(reply.transcript[2])
    assert.matches("I think", kept)
  end))
end)
