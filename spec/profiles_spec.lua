--- profiles_spec.lua -- one conversation, as every provider wants to read it.
---
--- spec/fixtures/requests/conversation.json holds it as the transcript does, one file per provider
--- the body that goes out. Whoever changes a profile changes its file, and sees in the diff what
--- servers will see.
local body = require "rille.chat.body"
local config = require "rille.config"
local core = require "rille.core"
local json = require "rille.json"
local provider = require "rille.provider"
local world = require "spec.support.world"


local function fixture(name)
  local file = assert(io.open("spec/fixtures/requests/" .. name .. ".json"))
  local value = assert(json.decode(file:read("a")))
  file:close()
  return value
end


describe("the request", function()
  local conversation, restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    conversation = fixture "conversation"
  end)

  after_each(function() restore() end)

  local function built(name, transcript)
    local profile = assert(provider.resolve {
      model = conversation.model, provider = name, base_url = "http://localhost:9/v1",
    })
    local frame = body.frame({
      opened = true, tools = conversation.tools, params = conversation.params, stream = true,
    }, profile)
    assert.is_nil(body.fill(frame, transcript))
    return body.text(frame, transcript, { text = conversation.instructions })
  end

  for _, name in ipairs(world.providers()) do
    it("is what " .. name .. " wants to read", function()
      local transcript = core.transcript(conversation.messages)
      assert.same(fixture(name), json.decode(built(name, transcript)))
    end)

    it("is the same bytes every time for " .. name, function()
      local transcript = core.transcript(conversation.messages)
      local first = built(name, transcript)
      assert.equal(first, built(name, transcript))
      assert.equal(first, built(name, core.transcript(conversation.messages)))
    end)

    it("only grows at its end for " .. name, function()
      local transcript = core.transcript(conversation.messages)
      local before = built(name, transcript)
      local opened = before:match('^(.*)%],"') or before
      transcript:append { role = "assistant", content = "324 metres." }
      transcript:append { role = "user", content = "Thanks." }
      local messages = before:match('"messages":%[(.-)%],"[%w_]+":')
      assert.truthy(messages)
      assert.truthy(built(name, transcript):find(messages, 1, true), opened)
    end)

    it("leaves the transcript as it was for " .. name, function()
      local transcript = core.transcript(conversation.messages)
      local before = transcript:encode()
      built(name, transcript)
      assert.equal(before, transcript:encode())
    end)

    it("answers every call once, in order, for " .. name, function()
      local sent = json.decode(built(name, core.transcript(conversation.messages))).messages
      local open = {}
      for _, message in ipairs(sent) do
        if message.role == "tool" then
          assert.equal(table.remove(open, 1), message.tool_call_id)
          assert.equal("string", type(message.content))
        else
          assert.equal(0, #open)
        end
        for _, call in ipairs(type(message.tool_calls) == "table" and message.tool_calls or {}) do
          open[#open + 1] = call.id
          assert.equal("table", type(json.decode(call["function"].arguments)))
        end
      end
      assert.equal(0, #open)
    end)

    it("has content wherever it is needed for " .. name, function()
      local sent = json.decode(built(name, core.transcript(conversation.messages))).messages
      for _, message in ipairs(sent) do
        local has_more = message.tool_calls or message.refusal
        assert.is_true(message.content ~= nil)
        assert.is_true(has_more ~= nil or message.content ~= json.null)
      end
    end)
  end

  it("alternates strictly where templates ask for that", function()
    local sent = json.decode(built("llamacpp", core.transcript(conversation.messages))).messages
    for i = 2, #sent do
      local same = sent[i].role == sent[i - 1].role
      assert.is_false(same and sent[i].role ~= "tool", ("messages %d and %d"):format(i - 1, i))
      assert.is_false(sent[i].role == "system")
    end
  end)

  it("has no user after a tool where that is refused", function()
    local sent = json.decode(built("mistral", core.transcript(conversation.messages))).messages
    for i = 2, #sent do
      assert.is_false(sent[i].role == "user" and sent[i - 1].role == "tool")
    end
  end)

  it("goes from one provider to the next and back", function()
    local transcript = core.transcript(conversation.messages)
    for round = 1, 2 do
      for _, name in ipairs(world.providers()) do
        assert.same(fixture(name), json.decode(built(name, transcript)), name .. " " .. round)
      end
    end
  end)
end)
