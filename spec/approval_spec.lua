local agents = require "spec.support.agents"
local approval = require "rille.approval"
local rille = require "rille"

local S <const> = rille.script

--- A tool that needs approval and notes with what it ran.
local function guarded(more)
  local ran = {}
  local options = { approve = true, parameters = { { "path", "string" } } }
  for key, value in pairs(more or {}) do options[key] = value end
  return agents.tool("rm", function(args) ran[#ran + 1] = args.path return "removed " .. args.path end, options), ran
end

--- An agent that calls rm once for each path, in one turn.
local function remover(tool, paths, more)
  local calls = {}
  for i, path in ipairs(paths) do calls[i] = { "rm", { path = path } } end
  local options = { tools = { tool } }
  for key, value in pairs(more or {}) do options[key] = value end
  return agents.new({ S.calls(calls), S.text "done" }, options)
end

describe("rille.approval", function()
  it("asks nobody about tools that need none", async(function()
    local tool, ran = guarded { approve = false }
    agents.reply(remover(tool, { "a" }, { approve = function() error("not asked") end }))
    assert.same({ "a" }, ran)
  end))

  it("denies when there is nobody to ask", async(function()
    local tool, ran = guarded()
    local reply = agents.reply(remover(tool, { "a" }))
    assert.same({}, ran)
    assert.same({ "Error: denied: there is nobody to ask" }, agents.results(reply.transcript))
  end))

  describe("by function", function()
    it("runs what is approved and tells the model why the rest was not", async(function()
      local tool, ran = guarded()
      local asked = {}
      local agent = remover(tool, { "a", "b" }, { approve = function(call, context)
        asked[#asked + 1] = context.value .. call.name .. call.arguments.path
        if call.arguments.path == "a" then return true end
        return false, "keep b"
      end })
      local reply = agents.reply(agent, "Go.", { value = "v:" })
      assert.same({ "a" }, ran)
      assert.same({ "v:rma", "v:rmb" }, asked)
      assert.same({ "removed a", "Error: denied: keep b" }, agents.results(reply.transcript))
    end))

    it("asks the run's function rather than the agent's", async(function()
      local tool, ran = guarded()
      local agent = remover(tool, { "a" }, { approve = function() return false end })
      agents.reply(agent, "Go.", { approve = function() return true end })
      assert.same({ "a" }, ran)
    end))

    it("takes only true for yes", async(function()
      for _, answer in ipairs { "yes", 1, "deny", {} } do
        local tool, ran = guarded()
        agents.reply(remover(tool, { "a" }, { approve = function() return answer end }))
        assert.same({}, ran)
      end
    end))

    it("takes a function that fails for no", async(function()
      local tool, ran = guarded()
      local agent = remover(tool, { "a" }, { approve = function() error("dialog lost", 0) end })
      local reply = agents.quietly(agents.reply, agent)
      assert.same({}, ran)
      assert.same({ "Error: denied: the approval could not be asked for" }, agents.results(reply.transcript))
    end))

    it("may wait, for several calls at once", async(function()
      local tool, ran = guarded()
      local waiting, most = 0, 0
      agents.reply(remover(tool, { "a", "b", "c" }, { approve = function()
        waiting = waiting + 1
        most = math.max(most, waiting)
        rille.sleep(0.005)
        waiting = waiting - 1
        return true
      end }))
      assert.equal(3, most)
      table.sort(ran)
      assert.same({ "a", "b", "c" }, ran)
    end))

    it("cannot change what will run", async(function()
      local tool, ran = guarded()
      agents.reply(remover(tool, { "a" }, { approve = function(call)
        call.arguments.path, call.name = "/", "other"
        return true
      end }))
      assert.same({ "a" }, ran)
    end))
  end)

  describe("by the tool's own policy", function()
    local function with_policy(policy, more)
      local tool, ran = guarded { approve = policy }
      return agents.quietly(agents.reply, remover(tool, { "a" }, more)), ran
    end

    it("allows, denies with a reason, or asks", async(function()
      local _, ran = with_policy(function(args, context) return args.path == "a" and context.agent and "allow" end)
      assert.same({ "a" }, ran)
      local reply
      reply, ran = with_policy(function() return "deny", "read only" end)
      assert.same({}, ran)
      assert.same({ "Error: denied: read only" }, agents.results(reply.transcript))
      _, ran = with_policy(function() return "ask" end, { approve = function() return true end })
      assert.same({ "a" }, ran)
    end))

    it("asks when it says anything else", async(function()
      for _, verdict in ipairs { true, "yes", 1 } do
        local _, ran = with_policy(function() return verdict end)
        assert.same({}, ran)
      end
    end))

    it("denies when it fails", async(function()
      local reply, ran = with_policy(function() error "bug" end, { approve = function() return true end })
      assert.same({}, ran)
      assert.same({ "Error: denied: its approval policy failed" }, agents.results(reply.transcript))
    end))

    it("says why it asks", async(function()
      local reason
      local tool = guarded { approve = function() return "ask", "outside of the project" end }
      agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        reason = event.reason
        event:deny()
      end } })
      assert.equal("outside of the project", reason)
      agents.reply(remover(tool, { "a" }, { approve = function(call)
        reason = call.reason .. "!"
        return false
      end }))
      assert.equal("outside of the project!", reason)
    end))
  end)

  describe("by event", function()
    it("shows the call, and runs it when a handler approves", async(function()
      local tool, ran = guarded()
      local seen
      agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        seen = event
        assert.is_true(event:approve())
      end } })
      assert.same({ "a" }, ran)
      assert.equal("approval", seen.type)
      assert.same({ "assistant" }, seen.path)
      assert.equal("rm", seen.call.name)
      assert.same({ path = "a" }, seen.call.arguments)
      assert.equal('rm {"path":"a"}', seen.shown)
    end))

    it("takes a reader's answer", async(function()
      local tool, ran = guarded()
      local agent = remover(tool, { "a", "b" })
      for event in agent:stream "Go." do
        if event.type == "approval" then
          if event.call.arguments.path == "a" then event:approve() else event:deny "no" end
        end
      end
      assert.same({ "a" }, ran)
    end))

    it("lets a reader collect several before it answers", async(function()
      local tool, ran = guarded()
      local pending = {}
      for event in remover(tool, { "a", "b" }):stream "Go." do
        if event.type == "approval" then pending[#pending + 1] = event end
        if #pending == 2 then
          for _, one in ipairs(pending) do one:approve() end
          pending = {}
        end
      end
      table.sort(ran)
      assert.same({ "a", "b" }, ran)
    end))

    it("denies what every listener went past, so that nothing hangs", async(function()
      local tool, ran = guarded()
      local agent = remover(tool, { "a" })
      local results = {}
      for event in agent:stream("Go.", { on = { approval = function() end } }) do
        if event.type == "tool_result" then results[#results + 1] = event.content end
      end
      assert.same({}, ran)
      assert.same({ "Error: denied: nobody answered" }, results)
    end))

    it("waits for an answer that was announced with defer", async(function()
      local tool, ran = guarded()
      local reply = agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        event:defer()
        rille.spawn(function()
          rille.sleep(0.01)
          event:approve()
        end)
      end } })
      assert.same({ "a" }, ran)
      assert.equal("done", reply.text)
    end))

    it("counts the first answer only", async(function()
      local tool, ran = guarded()
      local second, failure
      agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        event:approve()
        second, failure = event:deny()
      end } })
      assert.same({ "a" }, ran)
      assert.is_nil(second)
      assert.equal("approval", failure.code)
    end))

    it("is settled by a handler before the function is asked", async(function()
      local tool, ran = guarded()
      agents.reply(remover(tool, { "a" }, { approve = function() error("not asked") end }), "Go.",
        { on = { approval = function(event) event:approve() end } })
      assert.same({ "a" }, ran)
    end))

    it("takes the answer of whoever is first, and does not wait for the rest", async(function()
      local tool, ran = guarded()
      local agent = remover(tool, { "a" }, { approve = function()
        rille.sleep(60)
        return false
      end })
      local start = rille.now()
      for event in agent:stream "Go." do
        if event.type == "approval" then event:approve() end
      end
      assert.same({ "a" }, ran)
      assert.is_true(rille.now() - start < agents.slack)
    end))

    it("is still told when a function decides", async(function()
      local tool = guarded()
      local told = 0
      agents.reply(remover(tool, { "a" }, { approve = function() return true end }), "Go.",
        { on = { approval = function() told = told + 1 end } })
      assert.equal(1, told)
    end))

    it("runs with changed arguments, and the history says so", async(function()
      local tool, ran = guarded()
      local reply = agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        assert.is_true(event:approve { path = "b" })
      end } })
      assert.same({ "b" }, ran)
      assert.equal('{"path":"b"}', reply.transcript[2].tool_calls[1]["function"].arguments)
      assert.same({ "removed b" }, agents.results(reply.transcript))
    end))

    it("takes changed arguments as JSON text, too", async(function()
      local tool, ran = guarded()
      agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        assert.is_true(event:approve '{"path":"c"}')
      end } })
      assert.same({ "c" }, ran)
    end))

    it("holds changed arguments to the schema", async(function()
      local tool, ran = guarded()
      local problems = {}
      agents.reply(remover(tool, { "a" }), "Go.", { on = { approval = function(event)
        for _, changed in ipairs { { path = 5 }, "{", "3", 7 } do
          local ok, failure = event:approve(changed)
          assert.is_nil(ok)
          problems[#problems + 1] = failure.code
        end
        event:approve()
      end } })
      assert.same({ "invalid_request", "invalid_request", "invalid_request", "invalid_request" }, problems)
      assert.same({ "a" }, ran)
    end))
  end)

  it("asks again for each call, also for one that was approved before", async(function()
    local tool = guarded()
    local asked = 0
    local agent = agents.new({ S.call("rm", { path = "a" }), S.call("rm", { path = "a" }), S.text "ok" }, { tools = { tool },
      approve = function()
        asked = asked + 1
        return true
      end })
    agents.reply(agent)
    assert.equal(2, asked)
  end))

  it("tells a late answer that the run has ended", async(function()
    local tool, ran = guarded()
    local question
    local run = remover(tool, { "a" }):start("Go.", { on = { approval = function(event)
      event:defer()
      question = event
    end } })
    while not question do rille.sleep(0) end
    run:cancel "enough"
    run:wait()
    assert.is_nil((question:approve()))
    assert.same({}, ran)
  end))

  describe("of nested agents", function()
    local function nested(tool, inner_options, outer_options)
      local inner = remover(tool, { "a" }, inner_options)
      inner.name = "inner"
      local given = { name = "outer", tools = { inner } }
      for key, value in pairs(outer_options or {}) do given[key] = value end
      return agents.new({ S.call("inner", { prompt = "x" }), S.text "done" }, given)
    end

    it("asks the outer run's function", async(function()
      local tool, ran = guarded()
      local asked
      agents.reply(nested(tool, {}, { approve = function(call, context)
        asked = call.name .. " for " .. context.agent.name
        return true
      end }))
      assert.same({ "a" }, ran)
      assert.equal("rm for inner", asked)
    end))

    it("tells the outer run's listeners, with the path", async(function()
      local tool, ran = guarded()
      local path
      for event in nested(tool):stream "Go." do
        if event.type == "approval" then
          path = table.concat(event.path, "/")
          event:approve()
        end
      end
      assert.same({ "a" }, ran)
      assert.equal("outer/inner", path)
    end))

    it("denies when nobody anywhere can be asked", async(function()
      local tool, ran = guarded()
      agents.reply(nested(tool))
      assert.same({}, ran)
    end))

    it("lets an agent's own function decide for its own calls", async(function()
      local tool, ran = guarded()
      agents.reply(nested(tool, { approve = function() return false end }, { approve = function() return true end }))
      assert.same({}, ran)
    end))
  end)

  describe("describe", function()
    it("leaves nothing that a terminal would obey", function()
      local text = approval.describe("rm", '{"path":"\27[2J\u{202e}txt.exe\r"}')
      assert.is_nil(text:find "[\0-\31]")
      assert.is_nil(text:find "\u{202e}")
      assert.matches("\\x1b", text, 1, true)
      assert.matches("\\u{202e}", text, 1, true)
    end)

    it("shows head and tail of what is long, and says how much it leaves out", function()
      local text = approval.describe("write", '{"text":"' .. ("a"):rep(10000) .. '","path":"/etc/passwd"}')
      assert.is_true(#text < 4200)
      assert.matches("/etc/passwd", text)
      assert.matches("%d+ bytes not shown", text)
    end)

    it("never cuts inside a character", function()
      assert.is_truthy(utf8.len(approval.describe("w", ("€"):rep(5000))))
    end)
  end)
end)
