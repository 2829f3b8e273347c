local agents = require "spec.support.agents"
local core = require "rille.core"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- An agent whose model calls `slow` and then answers.
local function slow_agent(more)
  local options = { tools = { agents.slow } }
  for key, value in pairs(more or {}) do options[key] = value end
  return agents.new({ S.call "slow", S.text "done" }, options)
end

--- Checks that a run ended as it has to: one last event, one outcome, a sendable transcript.
local function check_end(run, events, code)
  local reply, failure = run:wait()
  local last = events[#events]
  for i = 1, #events - 1 do assert.is_true(events[i].type ~= "done" and events[i].type ~= "failed") end
  if code then
    assert.is_nil(reply)
    assert.equal(code, failure.code)
    assert.equal("failed", last.type)
    assert.equal(failure, last.failure)
    reply = failure.reply
  else
    assert.is_nil(failure)
    assert.equal("done", last.type)
    assert.equal(reply, last.reply)
  end
  sendable.check(reply.transcript)
  return failure or reply
end

describe("rille.run", function()
  it("gives the reply to everybody who waits", async(function()
    local run = agents.new { S.text "hi" }:start "Go."
    local other = core.spawn(function() return (run:wait()) end)
    local reply = run:wait()
    assert.equal("hi", reply.text)
    assert.equal(reply, other:join())
    assert.equal(reply, (run:wait()))
  end))

  it("goes on while somebody waits for a while only", async(function()
    local run = agents.new { S.text("hi", { delay = 0.03 }) }:start "Go."
    local reply, failure = run:wait(0.005)
    assert.is_nil(reply)
    assert.equal("timeout", failure.code)
    assert.equal("hi", run:wait().text)
  end))

  it("turns the loop when nobody else does", function()
    assert.equal("hi", agents.new { S.text "hi" }:run("Go.").text)
    local run = agents.new { S.text "hi" }:start "Go."
    assert.equal("hi", run:wait().text)
    local text = {}
    for event in agents.new { S.text "hello" }:stream "Go." do text[#text + 1] = event.delta end
    assert.equal("hello", table.concat(text))
  end)

  it("runs a thousand at once", async(function()
    local runs, count = {}, agents.slack > 1 and 50 or 1000
    for i = 1, count do
      runs[i] = agents.new({ S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo } }):start "Go."
    end
    for _, run in ipairs(runs) do assert.equal("ok", run:wait().text) end
  end))

  describe("cancel", function()
    it("before the first step ends the run all the same", async(function()
      local run = slow_agent():start "Go."
      local reader = run:events()
      run:cancel "changed my mind"
      local failure = check_end(run, agents.read(reader), "cancelled")
      assert.equal("changed my mind", failure.message)
      assert.equal(0, #run.agent.model.requests)
    end))

    it("ends a request", async(function()
      local run = agents.new { S.text("late", { delay = 60 }) }:start "Go."
      local reader = run:events()
      agents.reached(run, "request")
      core.sleep(0.001)
      local start = core.now()
      run:cancel()
      check_end(run, agents.read(reader), "cancelled")
      assert.is_true(core.now() - start < 1 * agents.slack)
    end))

    it("ends a stream and keeps the text that came", async(function()
      local server <close> = assert(rille.mock.serve(rille.script { S.text("", { chunks = { "one ", "two ", "three ", "four" },
        pause = 0.05 }) }))
      local run = rille.agent { model = "any", base_url = server.url, api_key = "k" }:start "Go."
      local events = {}
      for event in run:events() do
        events[#events + 1] = event
        if event.type == "text" then run:cancel "enough" end
      end
      local failure = check_end(run, events, "cancelled")
      assert.matches("^one ", failure.reply.text)
      assert.is_nil(failure.reply.text:find "four")
      assert.equal("user", agents.roles(failure.reply.transcript))
    end))

    it("ends tools, which have time to clean up, and answers their calls", async(function()
      local cleaned = 0
      local tool = agents.tool("work", function(_, context)
        local _ <close> = setmetatable({}, { __close = function()
          core.sleep(0.001)
          cleaned = cleaned + (context:cancelled() and 1 or 100)
        end })
        rille.sleep(60)
      end)
      local agent = agents.new({ S.calls { { "work" }, { "work" }, { "echo", { text = "a" } } } }, { tools = { tool, agents.echo } })
      local run = agent:start "Go."
      local reader = run:events()
      agents.reached(run, "tool_result")   -- of echo; the others wait by now
      run:cancel "enough"
      local failure = check_end(run, agents.read(reader), "cancelled")
      assert.equal(2, cleaned)
      local results = agents.results(failure.reply.transcript)
      assert.equal("Error: interrupted while it ran (enough); it may have had effects", results[1])
      assert.equal("a", results[3])
    end))

    it("says of calls that had not begun that they did not run", async(function()
      local agent = agents.new({ S.calls { { "slow" }, { "slow" } } }, { tools = { agents.slow }, limits = { concurrency = 1 } })
      local run = agent:start "Go."
      agents.reached(run, "tool_call")
      run:cancel "enough"
      local _, failure = run:wait()
      assert.equal("Error: not run: enough", agents.results(failure.reply.transcript)[2])
    end))

    it("keeps the result of a tool that finished in spite of it", async(function()
      local tool = agents.tool("work", function(_, context)
        context:progress "waiting"
        pcall(rille.sleep, 60)
        return "saved"
      end)
      local run = agents.new({ S.call "work" }, { tools = { tool } }):start "Go."
      agents.reached(run, "tool_progress")
      run:cancel()
      local _, failure = run:wait()
      assert.same({ "saved" }, agents.results(failure.reply.transcript))
    end))

    it("does not wait for a tool that will not end", async(function()
      local tool = agents.tool("stubborn", function()
        while true do pcall(rille.sleep, 60) end
      end)
      local run = agents.new({ S.call "stubborn" }, { tools = { tool } }):start "Go."
      agents.reached(run, "tool_call")
      core.sleep(0.005)
      local start = core.now()
      run:cancel()
      local _, failure = run:wait()
      assert.is_true(core.now() - start < 2.5 * agents.slack)
      assert.equal("cancelled", failure.code)
      sendable.check(failure.reply.transcript)
      core.sleep(1.5)
    end))

    it("ends nested runs", async(function()
      local inner = slow_agent { name = "inner" }
      local run = agents.new({ S.call("inner", { prompt = "x" }) }, { tools = { inner } }):start "Go."
      agents.reached(run, "tool_call")
      run:cancel()
      local _, failure = run:wait()
      assert.equal("cancelled", failure.code)
      sendable.check(failure.reply.transcript)
    end))

    it("counts once", async(function()
      local run = slow_agent():start "Go."
      local reader = run:events()
      agents.reached(run, "tool_call")
      run:cancel "first"
      run:cancel "second"
      local failure = check_end(run, agents.read(reader), "cancelled")
      assert.equal("first", failure.message)
      run:cancel "third"
      assert.equal("first", select(2, run:wait()).message)
    end))

    it("after the end changes nothing", async(function()
      local run = agents.new { S.text "hi" }:start "Go."
      run:wait()
      run:cancel()
      assert.equal("hi", run:wait().text)
    end))

    it("from within a handler ends the run", async(function()
      local agent = agents.new({ S.call("echo", { text = "a" }), S.text "never" }, { tools = { agents.echo } })
      local run
      run = agent:start("Go.", { on = { tool_call = function() run:cancel "seen enough" end } })
      local _, failure = run:wait()
      assert.equal("seen enough", failure.message)
      sendable.check(failure.reply.transcript)
      assert.equal(1, #agent.model.requests)
    end))

    it("takes a failure as it is", async(function()
      local run = slow_agent():start "Go."
      agents.reached(run, "tool_call")
      run:cancel(rille.failure.new("approval", "the user closed the window"))
      assert.equal("approval", select(2, run:wait()).code)
    end))
  end)

  describe("that belongs to a task", function()
    it("is cancelled with it", async(function()
      local run
      local task = core.spawn(function()
        run = slow_agent():start "Go."
        run:wait()
      end)
      while not run do core.sleep(0) end
      agents.reached(run, "tool_call")
      task:cancel "gone"
      task:join()
      local _, failure = run:wait()
      assert.equal("cancelled", failure.code)
      sendable.check(failure.reply.transcript)
    end))

    it("is cancelled with it even before its first step, and its reader hears of it", async(function()
      local reader
      local task = core.spawn(function()
        reader = slow_agent():start("Go."):events()
        core.running():cancel "gone"
        core.sleep(60)
      end)
      task:join()
      local events = agents.read(reader)
      assert.equal("failed", agents.types(events))
      assert.equal("cancelled", events[1].failure.code)
    end))

    it("is ended by rille.timeout", async(function()
      local reply, failure = rille.timeout(0.02, function() return slow_agent():run "Go." end)
      assert.is_nil(reply)
      assert.equal("timeout", failure.code)
    end))
  end)

  describe("stream", function()
    it("ends the run when its loop is left", async(function()
      local agent = slow_agent()
      local stream
      local reader, a, b, close = agent:stream "Go."
      stream = reader
      for event in reader, a, b, close do
        if event.type == "tool_call" then break end
      end
      assert.is_true(stream.run.ended)
      assert.equal("cancelled", stream.run.failure.code)
      sendable.check(stream.run.transcript)
    end))

    it("ends the run when its loop raises", async(function()
      local agent = slow_agent()
      local ok = pcall(function()
        for event in agent:stream "Go." do
          if event.type == "tool_call" then error "reader at fault" end
        end
      end)
      assert.is_false(ok)
    end))

    it("lets the run alone when it was read to its end", async(function()
      local last
      for event in agents.new { S.text "hi" }:stream "Go." do last = event end
      assert.equal("done", last.type)
    end))
  end)

  describe("events", function()
    it("can be read beside others, without ending the run when left", async(function()
      local run = agents.new({ S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo } }):start "Go."
      local reader = run:events()
      local all = core.spawn(function() return agents.types(agents.read(reader)) end)
      for event in run:events() do
        if event.type == "message" then break end
      end
      assert.equal("ok", run:wait().text)
      assert.equal("request message tool_call tool_result turn request text message turn done", all:join())
    end))

    it("that are asked for after the end are the last one", async(function()
      local run = agents.new { S.text "hi" }:start "Go."
      run:wait()
      assert.equal("done", agents.types(agents.read(run:events())))
    end))
  end)

  describe("steer", function()
    it("adds a message of the user before the next request", async(function()
      local agent = agents.new({ S.call("echo", { text = "a" }), S.text "ok" }, { tools = { agents.echo } })
      local run
      run = agent:start("Go.", { on = { tool_call = function() assert.is_true(run:steer "Rather be brief.") end } })
      local reply = run:wait()
      assert.equal("user assistant tool user assistant", agents.roles(reply.transcript))
      assert.equal("Rather be brief.", reply.transcript[4].content)
      local sent = agent.model.requests[2].messages
      assert.equal("Rather be brief.", sent[#sent].content)
    end))

    it("is heard even when the model had just answered", async(function()
      local agent = agents.new { S.text "first", S.text "second" }
      local run
      run = agent:start("Go.", { on = { message = function(event)
        if event.message.content == "first" then run:steer "And then?" end
      end } })
      local reply = run:wait()
      assert.equal("second", reply.text)
      assert.equal("user assistant user assistant", agents.roles(reply.transcript))
    end))

    it("keeps the order of what was said", async(function()
      local run = agents.new { S.text "ok" }:start "Go."
      run:steer "one"
      run:steer { { type = "text", text = "two" } }
      local reply = run:wait()
      assert.equal("one", reply.transcript[2].content)
      assert.equal("two", reply.transcript[3].content[1].text)
    end))

    it("is refused when the run has ended", async(function()
      local run = agents.new { S.text "ok" }:start "Go."
      run:wait()
      assert.is_false(run:steer "too late")
      assert.equal(2, #run.transcript)
    end))

    it("raises for what nobody can say", async(function()
      local run = agents.new { S.text "ok" }:start "Go."
      assert.error_matches(function() run:steer(5) end, "run:steer: a string or content parts expected, got number")
      assert.has_error(function() run:steer { { type = "text", text = print } } end)
      run:wait()
    end))
  end)

  describe("with a handler that fails", function()
    it("ends as internal, with the place in the log", async(function()
      for _, kind in ipairs { "request", "text", "message", "turn" } do
        local failure = agents.failure("internal", agents.new { S.text "hi" }, "Go.", { on = { [kind] = function() error("bug", 0) end } })
        assert.equal("bug", failure.message)
        assert.is_string(failure.traceback)
      end
    end))

    it("ends with the failure that the handler raised", async(function()
      agents.failure("quota", agents.new { S.text "hi" }, "Go.", { on = { request = function()
        error(rille.failure.new("quota", "no money left"), 0)
      end } })
    end))

    it("at the very end stands as it ended", async(function()
      local reply = agents.quietly(agents.reply, agents.new { S.text "hi" }, "Go.", { on = { done = function() error "bug" end } })
      assert.equal("hi", reply.text)
    end))
  end)

  it("gives each run its own failure when one reason ends several", async(function()
    local reason = rille.failure.new("cancelled", "all of them")
    local runs = {}
    for i = 1, 3 do runs[i] = slow_agent():start "Go." end
    agents.reached(runs[3], "tool_call")
    for _, run in ipairs(runs) do run:cancel(reason) end
    local replies = {}
    for _, run in ipairs(runs) do
      local _, failure = run:wait()
      assert.is_nil(replies[failure.reply])
      replies[failure.reply] = true
    end
    assert.is_nil(reason.reply)
  end))

  it("has partial results at any time", async(function()
    local run = slow_agent():start "Go."
    agents.reached(run, "tool_call")
    local partial = run:partial()
    assert.equal(1, partial.usage.requests)
    sendable.check(partial.transcript)
    run:cancel()
    run:wait()
  end))
end)
