local agents = require "spec.support.agents"
local core = require "rille.core"
local json = require "rille.json"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- The results of one turn with these calls.
local function results_of(calls, tools, more)
  local options = { tools = tools, limits = { turns = 2 } }
  for key, value in pairs(more or {}) do options[key] = value end
  local agent = agents.new({ S.calls(calls), S.text "done" }, options)
  return agents.results(agents.quietly(agents.reply, agent).transcript)
end

describe("rille.dispatch", function()
  it("gives the tool a copy of its path and its call", async(function()
    local paths = {}
    local tool = agents.tool("spoil", function(_, context)
      paths[#paths + 1] = table.concat(context.path, ">")
      context.path[1], context.call.name = "nobody", "other"
      return context.call.name
    end)
    local inner = agents.new({ S.calls { { "spoil" }, { "spoil" } }, S.text "ok" }, { name = "inner", tools = { tool } })
    local outer = agents.new({ S.call("inner", { prompt = "x" }), S.text "ok" }, { name = "outer", tools = { inner } })
    for event in outer:stream "Go." do
      assert.equal("outer", event.path[1])
      if event.call then assert.not_equal("other", event.call.name) end
    end
    assert.same({ "outer>inner", "outer>inner" }, paths)
  end))

  it("calls the tool with decoded arguments and a context", async(function()
    local seen, context
    local tool = agents.tool("look", function(args, given)
      seen, context = args, given
    end, { parameters = { { "n", "integer" }, { "unit", "string", optional = true, default = "m" } } })
    local agent = agents.new({ S.calls { { name = "look", arguments = { n = 5 }, id = "c9" } }, S.text "ok" }, { tools = { tool } })
    local reply = agents.reply(agent, "Go.", { value = "mine" })
    assert.same({ n = 5, unit = "m" }, seen)
    assert.equal("mine", context.value)
    assert.same({ id = "c9", name = "look", arguments = { n = 5, unit = "m" } }, context.call)
    assert.equal(agent, context.agent)
    assert.equal(reply.transcript, context.transcript)
    assert.is_false(context:cancelled())
  end))

  it("returns results in call order when the first tool is slower", async(function()
    local running, most = 0, 0
    local tool = agents.tool("wait", function(args)
      running = running + 1
      most = math.max(most, running)
      rille.sleep(args.s)
      running = running - 1
      return tostring(args.s)
    end, { parameters = { { "s", "number" } } })
    assert.same({ "0.03", "0.001", "0.015" }, results_of({ { "wait", { s = 0.03 } }, { "wait", { s = 0.001 } },
      { "wait", { s = 0.015 } } }, { tool }))
    assert.equal(3, most)
  end))

  it("runs no more calls at once than limits.concurrency", async(function()
    local running, most, calls = 0, 0, {}
    local tool = agents.tool("wait", function()
      running = running + 1
      most = math.max(most, running)
      rille.sleep(0.002)
      running = running - 1
    end)
    for i = 1, 9 do calls[i] = { "wait" } end
    results_of(calls, { tool }, { limits = { concurrency = 3 } })
    assert.equal(3, most)
    assert.equal(0, running)
  end))

  it("runs a sequential tool beside nothing else", async(function()
    local running, seen = 0, {}
    local function run(name)
      return function()
        running = running + 1
        seen[#seen + 1] = name .. running
        rille.sleep(0.003)
        running = running - 1
      end
    end
    local free, alone = agents.tool("free", run "free"), agents.tool("alone", run "alone", { sequential = true })
    results_of({ { "free" }, { "free" }, { "alone" }, { "free" }, { "alone" } }, { free, alone })
    assert.same({ "free1", "free2", "alone1", "free1", "alone1" }, seen)
  end))

  it("runs one call after the other when parallel_tool_calls is false", async(function()
    local running = 0
    local tool = agents.tool("wait", function()
      running = running + 1
      rille.sleep(0.002)
      local now = running
      running = running - 1
      return now
    end)
    assert.same({ "1", "1" }, results_of({ { "wait" }, { "wait" } }, { tool }, { params = { parallel_tool_calls = false } }))
  end))

  it("answers calls of unknown tools with the valid names", async(function()
    local results = results_of({ { "ecco" } }, { agents.echo, agents.slow })
    assert.equal("Error: there is no tool 'ecco' (did you mean 'echo'?); available are 'echo', 'slow'", results[1])
  end))

  it("answers arguments that break the schema with path, expected and got", async(function()
    local tool = agents.tool("move", function() error("never run") end,
      { parameters = { { "to", "object", fields = { { "x", "integer" } } } } })
    local results = results_of({ { "move", { to = { x = "left" } } } }, { tool })
    assert.matches("^Error: the arguments of 'move' do not fit:\n%- %$%.to%.x: ", results[1])
    assert.matches("integer", results[1])
    assert.matches("left", results[1])
  end))

  it("answers arguments that are no JSON, and keeps them out of the transcript", async(function()
    local agent = agents.new({ S.call("echo", '{"text":"a'), S.text "ok" }, { tools = { agents.echo } })
    local reply = agents.reply(agent)
    assert.matches("^Error: arguments are not valid JSON", agents.results(reply.transcript)[1])
    assert.equal("{}", reply.transcript[2].tool_calls[1]["function"].arguments)
  end))

  it("makes a result of whatever a tool returns", async(function()
    local values = { "text", { a = 1 }, 7, false, json.array {} }
    local tool = agents.tool("give", function(args) return values[args.n] end, { parameters = { { "n", "integer" } } })
    local calls = {}
    for n = 1, 6 do calls[n] = { "give", { n = n } } end
    assert.same({ "text", '{"a":1}', "7", "false", "[]", "null" }, results_of(calls, { tool }))
  end))

  it("caps results at max_result_bytes", async(function()
    local tool = agents.tool("dump", function() return ("x"):rep(10000) end, { max_result_bytes = 100 })
    local result = results_of({ { "dump" } }, { tool })[1]
    assert.is_true(#result <= 100)
    assert.matches("of 10000 bytes are not shown", result)
  end))

  it("tells the model of a crash what happened, and the log where", async(function()
    local lines = {}
    rille.log.sink(function(_, line) lines[#lines + 1] = line end)
    local before = rille.log.level "debug"
    local tool = agents.tool("crash", function() error("the disk is full") end)
    local agent = agents.new({ S.call "crash", S.text "ok" }, { tools = { tool } })
    local reply = agents.reply(agent)
    rille.log.level(before)
    rille.log.sink(nil)
    assert.same({ "Error: the disk is full" }, agents.results(reply.transcript))
    local log = table.concat(lines, "\n")
    assert.matches("dispatch_spec.lua:%d+: the disk is full", log)
    assert.matches("stack traceback", log)
  end))

  it("makes a result of anything that a tool raises", async(function()
    local unsayable = setmetatable({}, { __tostring = function() error("no words", 0) end })
    local raised = { "text", { code = 5 }, rille.failure.new("connection", "refused"), 7, unsayable }
    local tool = agents.tool("crash", function(args) error(raised[args.n], 0) end, { parameters = { { "n", "integer" } } })
    local results = results_of({ { "crash", { n = 1 } }, { "crash", { n = 2 } }, { "crash", { n = 3 } },
      { "crash", { n = 4 } }, { "crash", { n = 5 } }, { "crash", { n = 6 } } }, { tool })
    assert.equal("Error: text", results[1])
    assert.equal("Error: refused", results[3])
    assert.equal("Error: 7", results[4])
    assert.equal("Error: no words", results[5])
    for _, result in ipairs(results) do assert.matches("^Error: ", result) end
  end))

  it("takes what a tool returns although its task was cancelled", async(function()
    local tool = agents.tool("stubborn", function()
      core.running():cancel()
      return "done"
    end)
    assert.same({ "done" }, results_of({ "stubborn" }, { tool }))
  end))

  it("stops a tool at its timeout, and what it waits for", async(function()
    local cleaned = false
    local tool = agents.tool("hang", function(_, context)
      local _ <close> = setmetatable({}, { __close = function() cleaned = context:cancelled() end })
      rille.sleep(60)
    end, { timeout = 0.02 })
    local start = rille.now()
    assert.same({ "Error: timed out after 0.02 seconds and was stopped" }, results_of({ { "hang" } }, { tool }))
    assert.is_true(rille.now() - start < 1 * agents.slack)
    assert.is_true(cleaned)
  end))

  it("tells each call that takes too long with a failure of its own", async(function()
    local met = {}
    local tool = agents.tool("slow", function()
      local _, late = pcall(rille.sleep, 60)
      met[#met + 1] = late.message
      late.message = "slow: " .. late.message
      return nil, late
    end, { timeout = 0.02, sequential = true })
    results_of({ "slow", "slow" }, { tool })
    assert.same({ "timed out after 0.02 seconds and was stopped", "timed out after 0.02 seconds and was stopped" }, met)
  end))

  it("stops a tool that never waits at its timeout, in a coroutine of its own too", async(function()
    local spins = {
      function() while true do end end,
      function() while true do pcall(function() while true do end end) end end,
      function() coroutine.wrap(function() while true do end end)() end,
    }
    for _, spin in ipairs(spins) do
      local tool = agents.tool("spin", spin, { timeout = 0.03 })
      assert.equal("Error: timed out after 0.03 seconds and was stopped", results_of({ { "spin", {} } }, { tool })[1])
    end
  end))

  it("counts one tool's timeout for that tool alone", async(function()
    local tool = agents.tool("hang", function() rille.sleep(60) end, { timeout = 0.02 })
    local quick = agents.tool("quick", function() rille.sleep(0.04) return "fine" end)
    local results = results_of({ { "hang" }, { "quick" } }, { tool, quick })
    assert.matches("timed out", results[1])
    assert.equal("fine", results[2])
  end))

  it("ends what a tool started when its time is over", async(function()
    local child
    local tool = agents.tool("hang", function()
      child = rille.spawn(function() rille.sleep(60) end)
      rille.sleep(60)
    end, { timeout = 0.02 })
    results_of({ { "hang" } }, { tool })
    rille.sleep(0.01)
    assert.equal("cancelled", child:status())
  end))

  it("gives the text to a custom tool that was called as a function", async(function()
    local tool = rille.tool { name = "sql", type = "custom", run = function(text) return "ran " .. text end }
    assert.same({ "ran select 1", "Error: 'sql' is a custom tool" },
      results_of({ { "sql", { input = "select 1" } }, { "sql", { input = 1 } } }, { tool }))
  end))

  it("gives the text of a custom call to a custom tool, as it is", async(function()
    local tool = rille.tool { name = "sql", type = "custom", run = function(text) return "ran " .. text end }
    assert.same({ "ran select 1" }, results_of({ { name = "sql", input = "select 1", type = "custom" } }, { tool }))
  end))

  it("answers a call of the wrong kind", async(function()
    local tool = rille.tool { name = "sql", type = "custom", run = function() error("never run") end }
    local results = results_of({ { "sql", {} }, { name = "echo", input = "a", type = "custom" } }, { tool, agents.echo })
    assert.same({ "Error: 'sql' is a custom tool", "Error: 'echo' is a function tool" }, results)
  end))

  it("runs the calls inside multi_tool_use.parallel", async(function()
    local wrapped = { tool_uses = { { recipient_name = "functions.echo", parameters = { text = "a" } },
      { recipient_name = "functions.echo", parameters = { text = "b" } } } }
    assert.same({ "a", "b" }, results_of({ { "multi_tool_use.parallel", wrapped } }, { agents.echo }))
  end))

  it("gives duplicate and missing ids new ones, each with its result", async(function()
    local agent = agents.new({ S.raw { body = json.encode { choices = { { index = 0, finish_reason = "tool_calls",
      message = { role = "assistant", tool_calls = {
        { id = "x", type = "function", ["function"] = { name = "echo", arguments = '{"text":"1"}' } },
        { id = "x", type = "function", ["function"] = { name = "echo", arguments = '{"text":"2"}' } },
        { type = "function", ["function"] = { name = "echo", arguments = '{"text":"3"}' } },
      } } } } } }, S.text "ok" }, { tools = { agents.echo } })
    local reply = agents.reply(agent)
    assert.same({ "1", "2", "3" }, agents.results(reply.transcript))
  end))

  it("tells each call's way as events, with validated arguments only", async(function()
    local agent = agents.new({ S.calls { { "echo", { text = "a" } }, { "echo", { txt = 1 } } }, S.text "ok" },
      { tools = { agents.echo } })
    local calls, results = {}, {}
    agents.reply(agent, "Go.", { on = {
      tool_call = function(event) calls[#calls + 1] = event.call end,
      tool_result = function(event) results[#results + 1] = event end,
    } })
    assert.equal(1, #calls)
    assert.same({ text = "a" }, calls[1].arguments)
    assert.equal(2, #results)
    table.sort(results, function(a, b) return a.call.id < b.call.id end)
    assert.same({ true, false }, { results[1].ok, results[2].ok })
    assert.equal("a", results[1].content)
    assert.is_nil(results[2].call.arguments)
    assert.is_number(results[1].seconds)
  end))

  it("runs what was validated, whatever a handler does to what it is shown", async(function()
    local seen
    local tool = agents.tool("rm", function(args) seen = args.path end, { parameters = { { "path", "string" } } })
    local agent = agents.new({ S.call("rm", { path = "a" }), S.text "ok" }, { tools = { tool } })
    agents.reply(agent, "Go.", { on = { tool_call = function(event) event.call.arguments.path = "/" end } })
    assert.equal("a", seen)
  end))

  it("runs nothing that the reader of a stream stops when it hears of it", async(function()
    local ran = 0
    local tool = agents.tool("send", function() ran = ran + 1 end)
    for _, calls in ipairs { { "send" }, { "send", "send", "send" } } do
      local function sender() return agents.new({ S.calls(calls), S.text "ok" }, { tools = { tool } }) end
      local outer = agents.new({ S.call("inner", { prompt = "x" }), S.text "ok" }, { tools = { sender():as_tool { name = "inner" } } })
      for _, agent in ipairs { sender(), outer } do
        local stream <close> = agent:stream "x"
        for event in stream do
          if event.type == "tool_call" and event.call.name == "send" then stream.run:cancel() end
        end
        local _, failure = stream.run:wait()
        assert.equal("cancelled", failure.code)
        assert.equal(0, ran)
      end
    end
  end))

  it("lets others go on between calls that never wait", async(function()
    local run
    local tool = agents.tool("step", function(args)
      if args.n == 2 then rille.spawn(function() run:cancel "enough" end) end
      return tostring(args.n)
    end, { parameters = { { "n", "integer" } } })
    local agent = agents.new({ S.calls { { "step", { n = 1 } }, { "step", { n = 2 } }, { "step", { n = 3 } } } },
      { tools = { tool }, params = { parallel_tool_calls = false } })
    run = agent:start "x"
    local _, failure = run:wait()
    assert.same({ "1", "2", "Error: not run: enough" }, agents.results(failure.reply.transcript))
  end))

  it("tells progress", async(function()
    local seen = {}
    local tool = agents.tool("work", function(_, context)
      for i = 1, 3 do context:progress(i) end
    end)
    local agent = agents.new({ S.call "work", S.text "ok" }, { tools = { tool } })
    agents.reply(agent, "Go.", { on = { tool_progress = function(event)
      seen[#seen + 1] = event.call.name .. event.value
    end } })
    assert.same({ "work1", "work2", "work3" }, seen)
  end))

  it("ends the run, not the tool's caller, when a handler fails", async(function()
    for _, kind in ipairs { "tool_call", "tool_result", "tool_progress" } do
      local tool = agents.tool("work", function(_, context)
        context:progress(1)
        rille.sleep(0.001)
      end)
      local agent = agents.new({ S.calls { { "work" }, { "work" } }, S.text "never" }, { tools = { tool } })
      local failure = agents.failure("internal", agent, "Go.", { on = { [kind] = function() error("handler at fault", 0) end } })
      assert.equal("handler at fault", failure.message)
      assert.equal(2, #agents.results(failure.reply.transcript))
    end
  end))

  it("leaves the transcript as it was while tools run: nobody sees calls without results", async(function()
    local problem, count
    local tool = agents.tool("look", function(_, context)
      rille.sleep(0.001)
      problem, count = sendable.problem(context.transcript), #context.transcript
    end)
    local agent = agents.new({ S.calls { { "look" }, { "look" } }, S.text "ok" }, { tools = { tool } })
    agents.reply(agent)
    assert.is_nil(problem)
    assert.equal(1, count)
  end))
end)
