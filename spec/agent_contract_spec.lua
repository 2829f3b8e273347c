--- agent_contract_spec.lua -- what the public contract promises of agents, asked as a stranger would.
local agents = require "spec.support.agents"
local json = require "rille.json"
local rille = require "rille"
local world = require "spec.support.world"

local S <const> = rille.script

--- What a call raises, with the position, which luassert would take away.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return tostring(err)
end


describe("wrong arguments of an agent", function()
  local agent = rille.agent { model = S {} }

  it("name the prompt, at the caller's line", function()
    local place = "^spec/agent_contract_spec.lua:%d+: prompt: "
    assert.matches(place .. "a string, content parts or messages expected$", raised(function() agent:run {} end))
    assert.matches(place .. "a string, content parts or messages expected$", raised(function() agent:run { 5 } end))
    assert.matches(place .. "a string, content parts or messages expected, got number$", raised(function() agent:stream(5) end))
    assert.matches(place .. "message 1: role [^\n]*, got usr$", raised(function() agent:start { { role = "usr" } } end))
    assert.matches(place .. "message 1: role [^\n]*, got usr$", raised(function() agent:run { role = "usr" } end))
  end)

  it("name what is no transcript and what JSON cannot hold", function()
    assert.matches("option 'transcript': a transcript expected, got table$", raised(function() agent:run("x", { transcript = {} }) end))
    assert.matches("^spec/[^\n]*rille.agent: params: temperature: NaN has no JSON$",
      raised(function() rille.agent { params = { temperature = 0 / 0 } } end))
    assert.matches("^spec/[^\n]*agent:run: params: metadata: a: a function has no JSON$",
      raised(function() agent:run("x", { params = { metadata = { a = print } } }) end))
  end)

  it("name what is no number of seconds", function()
    local run = rille.agent({ model = S { "fine" } }):start "x"
    assert.matches("^spec/[^\n]*run:wait: seconds: number expected, got string$", raised(function() run:wait "soon" end))
    assert.equal("fine", run:wait(5).text)
  end)
end)


describe("an agent's turns and events", function()
  it("have results, none for a message that is only text", function()
    local reply = agents.reply(agents.new({ S.call("echo", { text = "a" }), S.text "b" }, { tools = { agents.echo } }))
    assert.equal("a", reply.turns[1].results[1].content)
    assert.same({}, reply.turns[2].results)
  end)

  it("name the model that the environment chose", function()
    local restore = world.environment { RILLE_MODEL = "chosen", OPENAI_BASE_URL = "http://127.0.0.1:9/v1" }
    require("rille.config").reset()
    local named
    rille.agent({ retries = 0, on = { request = function(event) named = event.model end } }):run "x"
    restore()
    require("rille.config").reset()
    assert.equal("chosen", named)
  end)
end)


describe("the events of a run that was started", function()
  local function types_of(run)
    local types = {}
    for event in run:events() do types[#types + 1] = event.type end
    return types
  end

  local all <const> = { "request", "text", "message", "turn", "done" }

  it("are all there for whoever reads at once, here or in a task spawned next", async(function()
    local agent = rille.agent { model = S { "a", loop = true } }
    assert.same(all, types_of(agent:start "x"))
    local run = agent:start "x"
    local reader = rille.spawn(types_of, run)
    assert.equal("a", run:wait().text)
    assert.same(all, (reader:join()))
  end))

  it("are all there outside of a task, too", function()
    local run = rille.agent({ model = S { "a" } }):start "x"
    local reader = rille.spawn(types_of, run)
    run:wait()
    assert.same(all, (reader:join()))
  end)
end)


describe("an output that is no object", function()
  it("is taken wrapped and bare", function()
    for _, said in ipairs { '{"value":[1,2]}', "[1,2]" } do
      local reply = agents.reply(rille.agent { model = S { said }, output = { type = "array", items = { type = "integer" } } })
      assert.same({ 1, 2 }, { table.unpack(reply.output) })
    end
  end)

  it("is still held to its schema", function()
    local model = S { '["a"]', '{"value":["b"]}' }
    local _, failure = rille.agent({ model = model, output = { type = "array", items = { type = "integer" } } }):run "x"
    assert.equal("schema", failure.code)
    assert.equal('["a"]', json.decode(failure.reply.transcript:encode())[2].content)
  end)
end)


describe("a run that is stopped in the middle of an answer", function()
  --- A server that says "one two …" word by word, for longer than anybody here listens.
  local function slow_server()
    local slow = { delta = 4, pause = 0.05 * agents.slack }
    return assert(rille.mock.serve(S { S.text(("one two three four "):rep(10), slow), loop = true }))
  end

  --- Waits until something was said, without being a reader: those are served otherwise.
  local function wait_for_text(server)
    while #server.requests == 0 do rille.sleep(0.01) end
    rille.sleep(0.3 * agents.slack)
  end

  it("keeps what had arrived, heard or not", async(function()
    local server = slow_server()
    for _, on in ipairs { { text = function() end }, {} } do
      local agent = rille.agent { model = "m", base_url = server.url, on = on, limits = { seconds = 0.5 * agents.slack } }
      local _, failure = agent:run "Count."
      assert.equal("limit_seconds", failure.code)
      assert.matches("^one ", failure.reply.text)
      assert.equal(1, #failure.reply.transcript)
    end
    server:close()
  end))

  it("keeps it when it is cancelled, too", async(function()
    local server = slow_server()
    local run = rille.agent({ model = "m", base_url = server.url }):start "Count."
    wait_for_text(server)
    run:cancel()
    local _, failure = run:wait()
    assert.equal("cancelled", failure.code)
    assert.matches("^one ", failure.reply.text)
    server:close()
  end))
end)


describe("limits.seconds", function()
  it("end a run whose tool never waits", function()
    local spin = agents.tool("spin", function() while true do end end, { timeout = 30 })
    local start = rille.now()
    local _, failure = rille.agent({ model = S { S.call "spin", "never" }, tools = { spin }, limits = { seconds = 0.05 } }):run "x"
    assert.equal("limit_seconds", failure.code)
    assert.is_true(rille.now() - start < 5)
  end)
end)
