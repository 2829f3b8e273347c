--- lessons_stops_spec.lua -- what users of other runtimes lost an afternoon to: how runs end. The names carry
--- project and issue; docs/lessons.md is the table.
local agents = require "spec.support.agents"
local core = require "rille.core"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script
local results_of, seconds = agents.results_of, agents.seconds

describe("lessons: the end of a run", function()
  local function slow_run(more)
    local run = agents.new({ S.calls { { "slow" }, { "slow" } }, S.text "never" }, { tools = { agents.slow } }):start("Go.", more)
    agents.reached(run, "tool_call", 2)
    return run
  end

  it("vercel/ai #8107 #309 #6699 #5204 #6823 #20908: exactly one last event on every way out", async(function()
    local ways = {
      done = function() return agents.new { S.text "hi" }:start "Go." end,
      server = function() return agents.new { S.failure { status = 400 } }:start "Go." end,
      limit = function() return agents.new({ S.text "hi" }, { limits = { turns = 0 } }):start "Go." end,
      handler = function() return agents.new { S.text "hi" }:start("Go.", { on = { request = function() error "bug" end } }) end,
      guard = function() return agents.new({ S.text "hi" }, { guard = { input = function() return false end } }):start "Go." end,
      cancel = function()
        local run = agents.new { S.text("hi", { delay = 5 }) }:start "Go."
        core.spawn(function() core.sleep(0.005) run:cancel() end)
        return run
      end,
    }
    for way, start in pairs(ways) do
      local last, count = nil, 0
      for event in start():events() do
        last = event.type
        if last == "done" or last == "failed" then count = count + 1 end
      end
      assert.equal(1, count, way)
      assert.equal(way == "done" and "done" or "failed", last, way)
    end
  end))

  it("goose #1624, crush #3408: a conversation goes on after its tools were interrupted", async(function()
    local run = slow_run()
    run:cancel()
    local _, failure = run:wait()
    sendable.check(failure.reply.transcript)
    local results = agents.results(failure.reply.transcript)
    assert.equal(2, #results)
    assert.matches("interrupted", results[1])
    assert.equal("ok", agents.reply(agents.new { S.text "ok" }, "Go on.", { transcript = failure.reply.transcript }).text)
  end))

  it("pydantic-ai #3960, codecompanion #2149 #2153 PR#2697, crush #151: cancelling really ends the tools", async(function()
    local ended = 0
    local tool = agents.tool("work", function()
      local _ <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
      rille.sleep(60)
    end)
    local run = agents.new({ S.calls { { "work" }, { "work" } } }, { tools = { tool } }):start "Go."
    agents.reached(run, "tool_call", 2)
    core.sleep(0)
    assert.is_true(seconds(function()
      run:cancel()
      run:wait()
    end) < 1 * agents.slack)
    assert.equal(2, ended)
  end))

  it("pydantic-ai #3960: child processes die with the run", async(function()
    local tool = agents.tool("sleeper", function() return rille.process.run { "sleep", "61.7" } end)
    local run = agents.new({ S.call "sleeper" }, { tools = { tool } }):start "Go."
    core.sleep(0.05)
    run:cancel()
    run:wait()
    local left = rille.process.run { "sh", "-c", "ps -eo args | grep '^sleep 61[.]7' | wc -l" }
    assert.equal("0", left.stdout:match "%d+")
  end))

  it("crush PR#175: quitting in the permission prompt leaves a whole conversation", async(function()
    local tool = agents.tool("rm", function() end, { approve = true })
    local run = agents.new({ S.call "rm" }, { tools = { tool }, approve = function() rille.sleep(60) end }):start "Go."
    agents.reached(run, "approval")
    run:cancel "session ended"
    local _, failure = run:wait()
    sendable.check(failure.reply.transcript)
    assert.same({ "Error: not run: session ended" }, agents.results(failure.reply.transcript))
  end))

  it("codecompanion #1366 #1590: a hanging tool does not hang the run", async(function()
    local tool = agents.tool("hang", function() core.op():wait() end, { timeout = 0.02 })
    assert.matches("timed out", results_of({ { "hang" } }, { tool })[1])
  end))

  it("openai-agents #2426 #4615 #4690 JS #441: no moment shows a call without its result", async(function()
    local problems = 0
    local agent = agents.new({ S.calls { { "slow" }, { "slow" } }, S.text "never" }, { tools = { agents.slow } })
    local run = agent:start "Go."
    local watch = core.spawn(function()
      while not run.ended do
        if sendable.problem(run.transcript) then problems = problems + 1 end
        core.sleep(0)
      end
    end)
    agents.reached(run, "tool_call", 2)
    run:cancel()
    run:wait()
    watch:join()
    assert.equal(0, problems)
  end))

  it("pi #812: results without a call are not sent", async(function()
    local agent = agents.new { S.text "ok" }
    agents.reply(agent, { { role = "user", content = "a" }, { role = "tool", tool_call_id = "x", content = "r" },
      { role = "user", content = "b" } })
    assert.equal(2, #agent.model.requests[1].messages)
  end))

  it("pydantic-ai #1292 #1472 #1763 #2256 #2308 #3574 #7688: text before a call is not the answer", async(function()
    local agent = agents.new({ S.call("echo", { text = "a" }, { text = "Let me look." }), S.text "Found." }, { tools = { agents.echo } })
    assert.equal("Found.", agents.reply(agent).text)
    local last
    agent = agents.new({ S.call("echo", { text = "a" }, { text = "Let me look." }), S.text "Found." }, { tools = { agents.echo } })
    for event in agent:stream "Go." do last = event end
    assert.equal("Found.", last.reply.text)
  end))

  it("ollama #7963, vLLM #9209, python-genai #2868: calls are run whatever the finish reason is called", async(function()
    assert.same({ "a" }, results_of({ { "echo", { text = "a" } } }, { agents.echo }))
    local agent = agents.new({ S.call("echo", { text = "a" }, { finish_reason = "stop" }), S.text "ok" }, { tools = { agents.echo } })
    assert.same({ "a" }, agents.results(agents.reply(agent).transcript))
  end))

  it("vercel/ai #18526: what a run keeps grows with its turns, not with their square", async(function()
    local function kilobytes()
      for _ = 1, 4 do
        core.sleep(0)
        collectgarbage()
      end
      return collectgarbage "count"
    end
    --- KiB that a run of so many turns keeps.
    local function kept(turns)
      local before, number = kilobytes(), 0
      local agent = agents.new({ loop = true, function()
        number = number + 1
        return number < turns and S.call("echo", { text = ("x"):rep(1000) .. number }) or S.text "ok"
      end }, { tools = { agents.echo }, limits = { turns = turns } })
      local reply = agents.reply(agent)
      agent.model.requests = {}   -- the script keeps what it was asked
      local after = kilobytes()
      assert.equal(turns, #reply.turns)
      return after - before
    end
    kept(3)
    local few <const> = os.getenv "RILLE_GC" and 6 or 20   -- each turn is decoded by the script once more
    local small, large = kept(few), kept(5 * few)
    assert.is_true(large < 8 * small + 100, ("%.0f KiB, then %.0f"):format(small, large))
  end))
end)
