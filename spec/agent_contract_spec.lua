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


describe("limits.seconds", function()
  it("end a run whose tool never waits", function()
    local spin = agents.tool("spin", function() while true do end end, { timeout = 30 })
    local start = rille.now()
    local _, failure = rille.agent({ model = S { S.call "spin", "never" }, tools = { spin }, limits = { seconds = 0.05 } }):run "x"
    assert.equal("limit_seconds", failure.code)
    assert.is_true(rille.now() - start < 5)
  end)
end)
