--- echo_spec.lua -- what goes back in the next request, per provider, over a real socket.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local ids = require "rille.rewrite.ids"
local json = require "rille.json"
local raw_server = require "spec.support.raw_server"
local rille = require "rille"
local sendable = require "spec.support.sendable"
local world = require "spec.support.world"

local PROVIDERS <const> = {
  audio_id_only = "openai", copilot_opaque = "copilot", deepseek_thinking = "deepseek",
  gemini_thought_signature = "gemini", id_too_long = "openai", invalid_arguments = "generic",
  mistral_ids = "mistral", openai_default = "openai",
  openrouter_reasoning_details = "openrouter",
}
local ANSWER <const> =
  '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'


local function fixture(name)
  local file = assert(io.open("spec/fixtures/echo/" .. name .. ".json"))
  local value = assert(json.decode(file:read("a")))
  file:close()
  return value
end


--- "$MAP9(x)" stands for the id that is chosen for x.
local function fill(value)
  if type(value) == "string" then
    return (value:gsub("^%$MAP9%((.*)%)$", function(id) return ids.short(id) end))
  elseif type(value) ~= "table" then
    return value
  end
  local made = {}
  for key, inner in pairs(value) do made[key] = fill(inner) end
  return made
end


describe("the next request", function()
  local restore

  before_each(function()
    restore = world.environment { OPENAI_API_KEY = "sk-test-key" }
    config.reset()
    endpoint.reset()
  end)

  after_each(function() restore() end)

  --- The messages that a server of this provider receives.
  local function received(provider, transcript, instructions)
    local server <close> = raw_server.start(function(connection)
      connection:send(raw_server.response(ANSWER))
    end)
    assert(chat.complete {
      model = "m", provider = provider, base_url = server.url .. "/v1", api_key = "sk-any-key",
      messages = transcript,
      instructions = instructions,
    })
    return json.decode(server.requests[1].body).messages
  end

  for name, provider in pairs(PROVIDERS) do
    it("holds what the fixture " .. name .. " says", async(function()
      local case = fixture(name)
      local transcript = core.transcript { { role = "user", content = "q" }, case.received }
      local expected = { { role = "user", content = "q" }, fill(case.send) }
      if case.tool_message then
        transcript:append { role = "tool", tool_call_id = case.received.tool_calls[1].id,
          content = case.tool_message.content }
        expected[3] = fill(case.tool_message)
      end
      assert.same(expected, fill(received(provider, transcript)))
    end))
  end

  it("is asked of every file there is", async(function()
    for _, file in ipairs(assert(rille.fs.list "spec/fixtures/echo")) do
      assert.is_string(PROVIDERS[file:match "^(.*)%.json$"], file)
    end
  end))

  it("opens with the instructions", async(function()
    local transcript = core.transcript { { role = "user", content = "q" } }
    assert.same({ { role = "system", content = "be brief" }, { role = "user", content = "q" } },
      received("openai", transcript, "be brief"))
    assert.same({ { role = "system", content = "be brief" } },
      received("openai", core.transcript {}, "be brief"))
  end))

  it("is that of the provider, whoever was asked before", async(function()
    local call = { id = "call_long_enough_for_nobody", type = "function",
      ["function"] = { name = "f", arguments = "{}" } }
    local transcript = core.transcript {
      { role = "user", content = "q" },
      { role = "assistant", reasoning_content = "hm", tool_calls = { call } },
      { role = "tool", tool_call_id = call.id, content = "r" },
    }
    for _ = 1, 2 do
      local messages = received("mistral", transcript)
      assert.equal(9, #messages[3].tool_call_id)
      assert.equal(messages[2].tool_calls[1].id, messages[3].tool_call_id)
      assert.equal("hm", received("deepseek", transcript)[2].reasoning_content)
      assert.is_nil(received("openai", transcript)[2].reasoning_content)
      assert.equal(call.id, received("openai", transcript)[3].tool_call_id)
    end
  end))
end)


describe("an agent's next request", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
  end)

  after_each(function() restore() end)

  local weather <const> = rille.tool {
    name = "get_weather", parameters = { { "city", "string", optional = true } }, run = function() return "r" end,
  }

  --- What a server that answered with `received` first is told next.
  local function told_next(provider, received)
    local server <close> = raw_server.start(function(connection, _, number)
      local choice = { index = 0, finish_reason = "stop", message = number == 1 and received or { content = "ok" } }
      connection:send(raw_server.response(json.encode { choices = { choice } }))
    end)
    local agent = rille.agent {
      model = "m", provider = provider, base_url = server.url .. "/v1", api_key = "sk-any-key", tools = { weather },
    }
    local reply = assert(agent:run "q")
    sendable.check(reply.transcript)
    if #server.requests == 1 then assert(agent:run("more", { transcript = reply.transcript })) end
    return json.decode(server.requests[2].body).messages
  end

  for name, provider in pairs(PROVIDERS) do
    it("holds what the fixture " .. name .. " says", async(function()
      local case = fixture(name)
      local messages = told_next(provider, case.received)
      assert.same(fill(case.send), messages[2])
      for i, call in ipairs(messages[2].tool_calls or {}) do
        assert.equal("tool", messages[2 + i].role)
        assert.equal(call.id, messages[2 + i].tool_call_id)
      end
      if case.tool_message and name ~= "invalid_arguments" then assert.same(fill(case.tool_message), messages[3]) end
    end))
  end
end)
