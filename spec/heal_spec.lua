local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local log = require "rille.log"
local profiles = require "rille.profiles"
local world = require "spec.support.world"

local DONE <const> = { completion = { id = "c", choices = {} } }


describe("rille.heal", function()
  local function find(message, body, fields, flags)
    local detail = { code = fields and fields.code, param = fields and fields.param }
    local trouble = failure.new("invalid_request", message,
      { status = fields and fields.status or 400, detail = detail })
    return heal.find(trouble, body or {}, flags
      or heal.apply(profiles.base, profiles.rows.generic.flags))
  end

  it("renames max_tokens when it is told to", function()
    local message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    assert.same({ max_tokens_key = "max_completion_tokens" },
      (find(message, { max_tokens = 5 }, { code = "unsupported_parameter", param = "max_tokens" })))
    assert.is_nil(find(message, {}, { code = "unsupported_parameter" }))
  end)

  it("renames it back where the new name is unknown", function()
    assert.same({ max_tokens_key = "max_tokens" },
      (find("body.max_completion_tokens: Extra inputs are not permitted",
        { max_completion_tokens = 5 }, { status = 422 })))
  end)

  it("drops the sampling that a model does not take", function()
    local message =
      "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
    assert.same({ drop = { "temperature" } },
      (find(message, { temperature = 0.2, top_p = 1 },
        { code = "unsupported_value", param = "temperature" })))
    assert.same({ drop = { "top_p" } }, (find("top_p is not supported", { top_p = 1 })))
  end)

  it("drops every member that a validator lists", function()
    local message =
      "body.metadata: Extra inputs are not permitted; body.user: Extra inputs are not permitted"
    assert.same({ drop = { "metadata", "user" } },
      (find(message, { metadata = {}, user = "u", seed = 1 }, { status = 422 })))
  end)

  it("drops what the server calls extra, known to us or not, wherever it says the name", function()
    assert.same({ drop = { "safe_prompt" } },
      (find("body.safe_prompt: Extra inputs are not permitted", { safe_prompt = true, seed = 1 }, { status = 422 })))
    assert.same({ drop = { "thinking" } },
      (find("Extra inputs are not permitted", { thinking = {}, seed = 1 }, { param = "thinking" })))
    assert.same({ drop = { "x-tra" } }, (find("extra_forbidden: x-tra", { ["x-tra"] = 1, seed = 2 })))
    assert.is_nil(find("unknown parameter: safe_prompt", { safe_prompt = true }))
  end)

  it("keeps what a request is about", function()
    for _, name in ipairs(
      { "tools", "messages", "response_format", "model", "n", "audio", "modalities" }) do
      assert.is_nil(
        find(name .. ": Extra inputs are not permitted", { [name] = {} }, { status = 422 }), name)
    end
    assert.is_nil(find("registry.ollama.ai/library/gemma does not support tools", { tools = {} }))
  end)

  it("does without stream_options", function()
    for _, message in ipairs({
      "body.stream_options.include_usage: Extra inputs are not permitted",
      "Unrecognized request argument supplied: stream_options",
      "unknown field stream_options",
    }) do
      assert.same({ stream_usage = false },
        (find(message, { stream_options = { include_usage = true } })))
    end
  end)

  it("calls developer system, and system user", function()
    assert.same({ developer_role = "system" },
      (find("'developer' is not one of ['system', 'assistant', 'user'] - 'messages.0.role'")))
    assert.same({ developer_role = "system" }, (find("Unexpected role: developer")))
    assert.equal("user",
      (find("messages[0].role does not support 'system' with this model.")).developer_role)
    local flags = heal.apply(profiles.base, { developer_role = "system" })
    assert.is_nil(find("'developer' is not one of", {}, nil, flags))
  end)

  it("gives up a forced tool_choice", function()
    local learned = find("deepseek-reasoner does not support this tool_choice",
      { tool_choice = "required" })
    assert.same({ "." }, learned.thinking_choice)
    assert.is_nil(find("does not support this tool_choice", { tool_choice = "auto" }))
  end)

  it("drops parallel_tool_calls", function()
    assert.same({ drop = { "parallel_tool_calls" } },
      (find("'parallel_tool_calls' is only allowed when 'tools' are specified. Unsupported.",
        { parallel_tool_calls = true })))
  end)

  it("passes reasoning back where it is missed, and stops where it is refused", function()
    for _, message in ipairs({
      "The `reasoning_content` in the thinking mode must be passed back to the API.",
      "Missing `reasoning_content` field in the assistant message at message index 2",
    }) do
      assert.equal("reasoning_content", (find(message)).echo_always)
    end
    local flags = heal.apply(profiles.base, { echo = { "reasoning_content" } })
    assert.same({},
      (find("messages.1.reasoning_content: Extra inputs are not permitted", {}, nil, flags)).echo)
  end)

  it("drops names of messages", function()
    assert.same({ names = false },
      (find("body.messages.0.user.name: Extra inputs are not permitted", {}, { status = 422 })))
  end)

  it("reads 400 and 422 only", function()
    for _, status in ipairs({ 401, 404, 429, 500 }) do
      assert.is_nil(find("temperature is not supported", { temperature = 1 }, { status = status }))
    end
  end)

  it("finds nothing in other trouble", function()
    local messages = { "invalid api key", "the temperature of the sun", "",
      "This model's maximum context length is 8192 tokens" }
    for _, message in ipairs(messages) do
      assert.is_nil(find(message, { temperature = 1, max_tokens = 1 }), message)
    end
  end)
end)


describe("chat.start, when a server refuses a part of the request", function()
  local clock, wire, restore, lines, level

  before_each(function()
    clock = world.clock()
    restore = world.environment { OPENAI_API_KEY = "sk-test-key" }
    config.reset()
    endpoint.reset()
    heal.reset()
    lines, level = {}, log.level("info")
    log.sink(function(_, line) lines[#lines + 1] = line end)
  end)

  after_each(function()
    if wire then wire.restore() end
    restore()
    clock.restore()
    log.sink(nil)
    log.level(level)
    endpoint.reset()
    heal.reset()
  end)

  local function ask(params, more)
    local request = {
      model = "m", base_url = "http://localhost:9/v1", params = params, retries = 0,
      messages = core.transcript { { role = "developer", content = "be brief" },
        { role = "user", content = "hi" } },
    }
    for name, value in pairs(more or {}) do request[name] = value end
    return chat.complete(request)
  end

  local REFUSED <const> = {
    status = 400, code = "unsupported_parameter", param = "max_tokens",
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
  }

  it("sends it again without, at once, and remembers", function()
    wire = fake_wire.install { REFUSED, DONE, DONE }
    assert.equal(DONE.completion, (ask { max_tokens = 5 }))
    assert.same({}, clock.slept)
    assert.equal(5, wire.sent[1].body.max_tokens)
    assert.is_nil(wire.sent[2].body.max_tokens)
    assert.equal(5, wire.sent[2].body.max_completion_tokens)
    ask { max_tokens = 6 }
    assert.equal(3, #wire.sent)
    assert.equal(6, wire.sent[3].body.max_completion_tokens)
    assert.truthy(table.concat(lines, "\n"):find("max_tokens → max_completion_tokens", 1, true))
  end)

  it("learns for this server and model only", function()
    wire = fake_wire.install { REFUSED, DONE, DONE, DONE }
    ask { max_tokens = 5 }
    ask({ max_tokens = 5 }, { model = "other" })
    assert.equal(5, wire.sent[3].body.max_tokens)
    ask({ max_tokens = 5 }, { base_url = "http://localhost:7/v1" })
    assert.equal(5, wire.sent[4].body.max_tokens)
  end)

  it("asks once for each cure", function()
    wire = fake_wire.install { default = REFUSED }
    local _, trouble = ask { max_tokens = 5 }
    assert.equal("invalid_request", trouble.code)
    assert.equal(2, #wire.sent)
  end)

  it("forgets what did not help", function()
    wire = fake_wire.install { default = REFUSED }
    ask { max_tokens = 5 }
    assert.equal(5, wire.sent[2].body.max_completion_tokens)
    ask { max_tokens = 5 }
    assert.equal(5, wire.sent[3].body.max_tokens)
  end)

  it("keeps what helped, though the request failed of something else", function()
    wire = fake_wire.install { REFUSED, { status = 401 }, DONE }
    ask { max_tokens = 5 }
    ask { max_tokens = 5 }
    assert.equal(5, wire.sent[3].body.max_completion_tokens)
  end)

  it("cures one thing after the other", function()
    local TEMPERATURE <const> = {
      status = 400, code = "unsupported_value", param = "temperature",
      message = "Only the default (1) value is supported.",
    }
    wire = fake_wire.install { REFUSED, TEMPERATURE, DONE }
    assert.equal(DONE.completion, (ask { max_tokens = 5, temperature = 0 }))
    assert.is_nil(wire.sent[3].body.temperature)
    assert.equal(5, wire.sent[3].body.max_completion_tokens)
  end)

  it("rewrites the messages when it is about them", function()
    wire = fake_wire.install { { status = 400, message = "Unexpected role: developer" }, DONE }
    assert.equal(DONE.completion, (ask {}))
    assert.equal("developer", wire.sent[1].body.messages[1].role)
    assert.equal("system", wire.sent[2].body.messages[1].role)
  end)

  it("rewrites what a caller wrote himself, too", function()
    wire = fake_wire.install { { status = 400, message = "Unexpected role: developer" }, DONE }
    assert.equal(DONE.completion, (ask({}, { verbatim = true })))
    assert.equal("system", wire.sent[2].body.messages[1].role)
  end)

  it("does not count as a retry, and retries go on", function()
    wire = fake_wire.install { REFUSED, { status = 503 }, DONE }
    assert.equal(DONE.completion, (ask({ max_tokens = 5 }, { retries = 1 })))
    assert.same({ 0.5 }, clock.slept)
  end)

  it("leaves what the caller put into extra", function()
    wire = fake_wire.install { default = REFUSED }
    ask({}, { extra = { max_tokens = 5 } })
    assert.equal(5, wire.sent[#wire.sent].body.max_tokens)
  end)
end)
