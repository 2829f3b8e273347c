local core = require "rille.core"
local json = require "rille.json"
local profiles = require "rille.profiles"
local rewrite = require "rille.rewrite"
local ids = require "rille.rewrite.ids"
local images = require "rille.rewrite.images"
local raw_server = require "spec.support.raw_server"
local schema = require "rille.rewrite.schema"
local world = require "spec.support.world"

--- A profile as rille.provider would resolve it, without address and key.
local function profile(name, changes, model)
  local flags = {}
  for _, layer in ipairs(
    { profiles.base, name and profiles.rows[name].flags or {}, changes or {} }) do
    for flag, value in pairs(layer) do flags[flag] = value end
  end
  return { name = name or "base", flags = flags, model = model or "m" }
end

--- The wire messages, as values that compare (null as "<null>").
local function plain(value)
  if value == json.null then return "<null>" end
  if type(value) ~= "table" then return value end
  local made = {}
  for key, inner in pairs(value) do made[key] = plain(inner) end
  return made
end

local function wire(messages, name, changes, model)
  return plain(assert(rewrite.messages(messages, profile(name, changes, model))))
end

--- The same through a transcript, one message after the other, as a conversation goes.
local function wire_step_by_step(messages, target)
  local transcript = core.transcript()
  local text
  for _, message in ipairs(messages) do
    transcript:append(message)
    local key = assert(rewrite.transcript(transcript, target))
    text = transcript:wire(key)
  end
  return plain(json.decode(text))
end

local function call(id, name, arguments)
  return { id = id, type = "function",
    ["function"] = { name = name or "f", arguments = arguments or "{}" } }
end

local function asks(...)
  return { role = "assistant", content = json.null, tool_calls = { ... } }
end

local function result(id, content)
  return { role = "tool", tool_call_id = id, content = content or "ok" }
end

local PICTURE <const> = { type = "image_url", image_url = { url = "data:image/png;base64,AA" } }
local USER <const> = { role = "user", content = "hi" }


describe("what goes back in the next request", function()
  local profile_of <const> = {
    audio_id_only = "openai", copilot_opaque = "copilot", deepseek_thinking = "deepseek",
    id_too_long = "openai",
    invalid_arguments = "generic", openai_default = "openai",
    openrouter_reasoning_details = "openrouter",
  }

  --- "$MAP9(x)" stands for an id that the rewrite chooses for x.
  local function fill(value)
    if type(value) == "string" then
      return (value:gsub("^%$MAP9%((.*)%)$", function(id) return ids.short(id) end))
    elseif type(value) == "table" then
      local made = {}
      for key, inner in pairs(value) do made[key] = fill(inner) end
      return made
    end
    return value
  end

  for name, provider_name in pairs(profile_of) do
    it("is as the fixture " .. name .. " has it", function()
      local file = assert(io.open("spec/fixtures/echo/" .. name .. ".json"))
      local fixture = json.decode(file:read("a"))
      file:close()
      local sent, expected = { fixture.received }, { plain(fixture.send) }
      if fixture.tool_message then
        local reply = result(fixture.received.tool_calls[1].id, fixture.tool_message.content)
        sent[2], expected[2] = reply, plain(fixture.tool_message)
      end
      assert.same(fill(expected), wire(sent, provider_name))
      assert.same(fill(expected), wire_step_by_step(sent, profile(provider_name)))
    end)
  end

  it("is nothing that only responses have, anywhere", function()
    local received = {
      role = "assistant", content = "a", annotations = json.array {}, reasoning = "r",
      reasoning_content = "c",
      reasoning_details = { { type = "x" } }, thinking = "t", logprobs = json.null,
      extra_content = { g = 1 },
      tool_calls = json.array {}, refusal = json.null, audio = json.null, function_call = json.null,
    }
    for _, name in ipairs(
      { "openai", "mistral", "cerebras", "groq", "ollama", "vllm", "generic", "azure" }) do
      assert.same({ { role = "assistant", content = "a" } }, wire({ received }, name), name)
    end
  end)

  it("keeps what a caller may say of an assistant message", function()
    assert.same({ { role = "assistant", content = "a", prefix = true } },
      wire({ { role = "assistant", content = "a", prefix = true } }, "mistral"))
  end)

  it("never changes the neutral message", function()
    local message = asks(call("an-id-that-is-far-too-long-for-anybody-to-take-it", "f", "{"))
    local before = json.encode(message)
    for _, name in ipairs(world.providers()) do
      wire({ message, result("x", { PICTURE }) }, name)
    end
    assert.equal(before, json.encode(message))
  end)
end)


describe("rille.rewrite, messages", function()
  it("calls developer system outside OpenAI (R4)", function()
    local message = { role = "developer", content = "be brief" }
    for _, name in ipairs(
      { "ollama", "mistral", "deepseek", "groq", "llamacpp", "xai", "openrouter" }) do
      assert.equal("system", wire({ message }, name)[1].role, name)
    end
    for _, name in ipairs({ "openai", "azure", "generic" }) do
      assert.equal("developer", wire({ message }, name)[1].role, name)
    end
  end)

  it("gives o1-mini no system message (R5)", function()
    local message = { role = "system", content = "be brief" }
    assert.equal("user", wire({ message }, "openai", nil, "o1-mini-2024-09-12")[1].role)
    assert.equal("system", wire({ message }, "openai", nil, "o3")[1].role)
  end)

  it("omits an empty tool_calls (R6)", function()
    assert.same({ { role = "assistant", content = "x" } },
      wire({ { role = "assistant", content = "x", tool_calls = json.array {} } }, "openai"))
  end)

  it("has no null content without calls (R8)", function()
    for _, name in ipairs(world.providers()) do
      assert.equal("", wire({ { role = "assistant", content = json.null } }, name)[1].content, name)
      assert.equal("", wire({ { role = "assistant" } }, name)[1].content, name)
    end
  end)

  it("has no null content beside calls where that is rejected (R9)", function()
    for name,
      expected in pairs(
      { lmstudio = "", ollama = "", groq = "", together = "", openai = "<null>",
      deepseek = "<null>" }) do
      assert.equal(expected, wire({ asks(call "a") }, name)[1].content, name)
    end
  end)

  it("joins the text parts of assistant messages (R10)", function()
    local message = { role = "assistant",
      content = { { type = "text", text = "a" }, { type = "text", text = "b" } } }
    assert.equal("a\nb", wire({ message }, "groq")[1].content)
  end)

  it("joins the text parts of tool and system messages (R11)", function()
    local parts = { { type = "text", text = "a" }, { type = "text", text = "b" } }
    assert.equal("a\nb", wire({ asks(call "x"), result("x", parts) }, "deepseek")[2].content)
    assert.equal("a\nb", wire({ { role = "system", content = parts } }, "deepseek")[1].content)
    assert.equal("a\nb", wire({ { role = "user", content = parts } }, "deepseek")[1].content)
    assert.same(parts, wire({ { role = "user", content = parts } }, "openai")[1].content)
  end)

  it("leaves parts alone that carry cache marks", function()
    local parts = { { type = "text", text = "a", cache_control = { type = "ephemeral" } } }
    assert.same(parts, wire({ { role = "system", content = parts } }, "openrouter")[1].content)
  end)

  it("moves images of tool results into a user message after the last of them (R12)", function()
    local out = wire({
      asks(call "a", call "b"), result("a", { { type = "text", text = "look" }, PICTURE }),
      result("b", "plain"), USER,
    }, "openai")
    assert.same({ "assistant", "tool", "tool", "user", "user" },
      { out[1].role, out[2].role, out[3].role, out[4].role, out[5].role })
    assert.equal("look", out[2].content)
    assert.equal("plain", out[3].content)
    assert.same({ { type = "text", text = "Returned by tool call a:" }, PICTURE }, out[4].content)
  end)

  it("says so when a tool result was nothing but an image", function()
    local out = wire({ asks(call "a"), result("a", { PICTURE }) }, "openai")
    assert.equal("The image follows.", out[2].content)
    assert.equal("user", out[3].role)
  end)

  it("maps tool ids to nine alphanumerics for Mistral (R13)", function()
    local out = wire(
      { asks(call "call_abc-1", call "Abc123xyZ"), result "call_abc-1", result "Abc123xyZ" },
      "mistral")
    assert.truthy(out[1].tool_calls[1].id:find("^%w%w%w%w%w%w%w%w%w$"))
    assert.equal(out[1].tool_calls[1].id, out[2].tool_call_id)
    assert.equal("Abc123xyZ", out[1].tool_calls[2].id)
    assert.equal("Abc123xyZ", out[3].tool_call_id)
  end)

  it("shortens tool ids beyond 40 characters for OpenAI, and no others (R14)", function()
    local long, fits = ("x"):rep(41), ("y"):rep(40)
    local out = wire({ asks(call(long), call(fits)), result(long), result(fits) }, "openai")
    assert.equal(ids.short(long), out[1].tool_calls[1].id)
    assert.equal(ids.short(long), out[2].tool_call_id)
    assert.equal(fits, out[1].tool_calls[2].id)
    assert.equal(long, wire({ asks(call(long)) }, "vllm")[1].tool_calls[1].id)
  end)

  it("maps different ids to different ids", function()
    local seen = {}
    for i = 1, os.getenv "RILLE_GC" and 500 or 20000 do
      local short = ids.short("call_" .. i)
      assert.is_nil(seen[short])
      seen[short] = true
    end
  end)

  it("puts an assistant turn between tool and user for Mistral (R15)", function()
    local out = wire({ asks(call "a"), result "a", USER }, "mistral")
    assert.same({ "assistant", "tool", "assistant", "user" },
      { out[1].role, out[2].role, out[3].role, out[4].role })
    assert.equal("Understood.", out[3].content)
    assert.equal(3, #wire({ asks(call "a"), result "a", USER }, "openai"))
  end)

  it("puts one there only once when images come in between (R12, R15)", function()
    local out = wire({ asks(call "a"), result("a", { PICTURE }), USER }, "mistral")
    local roles = {}
    for i, message in ipairs(out) do roles[i] = message.role end
    assert.same({ "assistant", "tool", "assistant", "user", "user" }, roles)
  end)

  it("drops names for Mistral (R16)", function()
    local message = { role = "user", content = "x", name = "bob" }
    assert.is_nil(wire({ message }, "mistral")[1].name)
    assert.equal("bob", wire({ message }, "openai")[1].name)
  end)

  it("never sends arguments that are no JSON object (R17)", function()
    for _, arguments in ipairs({ '{"a":', "", "null", "[1]", '"x"', "{}{}", "7" }) do
      for _, name in ipairs(world.providers()) do
        assert.equal("{}",
          wire({ asks(call("abcdefghi", "f", arguments)) },
          name)[1].tool_calls[1]["function"].arguments)
      end
    end
  end)

  it("keeps the bytes of good arguments", function()
    local text = ' { "b" : 1.0, "a":"\\u00e9" }'
    assert.equal(text,
      wire({ asks(call("x", "f", text)) }, "vllm")[1].tool_calls[1]["function"].arguments)
  end)

  it("sends arguments as text, never as an object (R18)", function()
    local out = wire({ asks(call("x", "f", { b = 1, a = "x" })) }, "ollama")
    assert.equal('{"a":"x","b":1}', out[1].tool_calls[1]["function"].arguments)
  end)

  it("says a refusal as text where the member is unknown", function()
    local message = { role = "assistant", content = json.null, refusal = "I will not." }
    assert.same({ { role = "assistant", content = "I will not." } }, wire({ message }, "vllm"))
    assert.same({ { role = "assistant", content = "<null>", refusal = "I will not." } },
      wire({ message }, "openai"))
  end)

  it("says sound as its transcript where audio is unknown", function()
    local message = { role = "assistant", content = json.null,
      audio = { id = "a1", data = "AQ", transcript = "Hi" } }
    assert.same({ { role = "assistant", content = "Hi" } }, wire({ message }, "vllm"))
  end)

  it("calls a custom tool a function where there are only those", function()
    local message = asks { id = "c", type = "custom",
      custom = { name = "sql", input = "select 1" } }
    local sent = wire({ message }, "vllm")[1].tool_calls[1]
    assert.same(
      { id = "c", type = "function",
      ["function"] = { name = "sql", arguments = '{"input":"select 1"}' } }, sent)
    assert.equal("select 1", wire({ message }, "openai")[1].tool_calls[1].custom.input)
  end)

  it("gives Gemini its thought signatures back (T20)", function()
    local signed = call "x"
    signed.extra_content = { google = { thought_signature = "sig" } }
    assert.same(signed, wire({ asks(signed) }, "gemini")[1].tool_calls[1])
    assert.is_nil(wire({ asks(signed) }, "openai")[1].tool_calls[1].extra_content)
  end)

  it("gives DeepSeek reasoning_content on every assistant turn, and R1 none (C4)", function()
    assert.equal("",
      wire({ { role = "assistant", content = "x" } }, "deepseek")[1].reasoning_content)
    local message = { role = "assistant", content = "x", reasoning_content = "hm" }
    assert.equal("hm", wire({ message }, "deepseek", nil, "deepseek-chat")[1].reasoning_content)
    assert.is_nil(wire({ message }, "deepseek", nil, "deepseek-r1")[1].reasoning_content)
  end)

  it("merges neighbours of one role for strict templates (R33)", function()
    local out = wire({
      { role = "system", content = "a" }, { role = "system", content = "b" }, USER,
      { role = "user", content = "again" },
      { role = "assistant", content = "x" }, { role = "assistant", content = "y" },
      { role = "system", content = "late" },
      { role = "user", content = { PICTURE } },
    }, "llamacpp")
    assert.same({
      { role = "system", content = "a\n\nb" }, { role = "user", content = "hi\n\nagain" },
      { role = "assistant", content = "x\n\ny" },
      { role = "user", content = { { type = "text", text = "late" }, PICTURE } },
    }, out)
  end)

  it("merges no tool results (R33)", function()
    local out = wire({ asks(call "a", call "b"), result "a", result "b" }, "llamacpp")
    assert.equal(3, #out)
  end)

  it("replaces invalid UTF-8 on the way out (R31)", function()
    local transcript = core.transcript { { role = "user", content = "a\xffb" } }
    local key = rewrite.transcript(transcript, profile "openai")
    assert.equal('[{"content":"a\u{FFFD}b","role":"user"}]', transcript:wire(key))
  end)
end)


describe("rille.rewrite.opening", function()
  it("is the system message, as each profile and model wants it", function()
    local o1 = profile("openai", nil, "o1-mini")
    local gpt = { name = "openai", flags = o1.flags, model = "gpt-5.4" }
    for _ = 1, 2 do
      assert.equal('{"content":"Be brief.","role":"system"}', rewrite.opening("Be brief.", gpt))
      assert.equal('{"content":"Be brief.","role":"user"}', rewrite.opening("Be brief.", o1))
      assert.equal('{"content":"Be long.","role":"user"}', rewrite.opening("Be long.", o1))
    end
  end)
end)


describe("rille.rewrite.transcript", function()
  local conversation <const> = {
    { role = "system", content = "s" }, USER, { role = "user", content = "more" },
    asks(call "a_1", call "b_2"),
    result("a_1", { { type = "text", text = "t" }, PICTURE }), result "b_2",
    { role = "assistant", content = "fine" },
    { role = "user", content = "next" }, asks(call "c_3"), result "c_3",
    { role = "user", content = "steered" },
    { role = "user", content = "twice" }, { role = "assistant", content = "bye" },
  }

  for _, name in ipairs(world.providers()) do
    it("makes step by step what it makes at once: " .. name, function()
      assert.same(wire(conversation, name), wire_step_by_step(conversation, profile(name)))
    end)
  end

  it("makes each form once", function()
    local transcript = core.transcript(conversation)
    local target = profile "mistral"
    local key = rewrite.transcript(transcript, target)
    assert.is_nil(transcript:unwired(key, 1))
    assert.equal(key, rewrite.transcript(transcript, target))
  end)

  it("moves between providers and back", function()
    local transcript = core.transcript(conversation)
    local function text(name)
      return transcript:wire(rewrite.transcript(transcript, profile(name)))
    end
    local first = text "mistral"
    assert.not_equal(first, text "openai")
    assert.equal(first, text "mistral")
  end)

  it("follows a cut and a change", function()
    local transcript = core.transcript(conversation)
    local target = profile "llamacpp"
    rewrite.transcript(transcript, target)
    for keep = #conversation, 1, -1 do
      transcript:truncate(keep)
      local key = rewrite.transcript(transcript, target)
      assert.same(wire({ table.unpack(conversation, 1, keep) }, "llamacpp"),
        plain(json.decode(transcript:wire(key))))
    end
    transcript = core.transcript(conversation)
    rewrite.transcript(transcript, target)
    transcript:replace(3, { role = "assistant", content = "changed" })
    local changed = { table.unpack(conversation) }
    changed[3] = { role = "assistant", content = "changed" }
    assert.same(wire(changed, "llamacpp"),
      plain(json.decode(transcript:wire(rewrite.transcript(transcript, target)))))
  end)

  it("leaves a clone as it is", function()
    local transcript = core.transcript { USER }
    local target = profile "llamacpp"
    rewrite.transcript(transcript, target)
    local clone = transcript:clone()
    transcript:append { role = "user", content = "more" }
    rewrite.transcript(transcript, target)
    assert.equal('[{"content":"hi","role":"user"}]', clone:wire(rewrite.transcript(clone, target)))
  end)

  it("shares forms between profiles that want the same", function()
    assert.equal(rewrite.key(profile "vllm"), rewrite.key(profile "fireworks"))
    assert.not_equal(rewrite.key(profile "vllm"), rewrite.key(profile "ollama"))
    assert.not_equal(rewrite.key(profile("openai", nil, "a")),
      rewrite.key(profile("openai", nil, "b")))
  end)
end)


describe("rille.rewrite, parameters", function()
  local function body(params, name, model, tools)
    return rewrite.body(params, tools, profile(name, nil, model))
  end

  local function tool(name, extra)
    local inner = { name = name, parameters = { type = "object", properties = json.object {} } }
    for key, value in pairs(extra or {}) do inner[key] = value end
    return { type = "function", ["function"] = inner }
  end

  it("sends what was set and nothing else", function()
    for _, name in ipairs(world.providers()) do assert.same({}, (body({}, name))) end
  end)

  it("sends empty lists as lists and empty objects as objects (R29)", function()
    local given = {
      stop = {}, modalities = {}, metadata = {}, logit_bias = {},
      response_format = { type = "json_schema", json_schema = { name = "x", schema = { properties = {}, required = {} } } },
    }
    for _, name in ipairs { "openai", "generic" } do
      local made = body(given, name)
      assert.equal('[[],[],{},{}]', json.encode { made.stop, made.modalities, made.metadata, made.logit_bias })
      assert.equal('{"properties":{},"required":[]}', json.encode(made.response_format.json_schema.schema))
    end
    assert.is_nil(getmetatable(given.stop))
    assert.is_nil(getmetatable(given.response_format.json_schema.schema.required))
    local definition = { type = "function", ["function"] = { name = "f", parameters = { properties = {}, required = {} } } }
    assert.equal('{"function":{"name":"f","parameters":{"properties":{},"required":[]}},"type":"function"}',
      rewrite.tool(definition, profile("openai").flags))
  end)

  it("calls the token limit what the server calls it (R1, R2)", function()
    for _, name in ipairs({ "openai", "azure", "groq", "xai", "openrouter", "litellm" }) do
      assert.same({ max_completion_tokens = 9 }, (body({ max_tokens = 9 }, name)), name)
    end
    for _, name in ipairs(
      { "mistral", "ollama", "vllm", "llamacpp", "deepseek", "together", "gemini", "anthropic" }) do
      assert.same({ max_tokens = 9 }, (body({ max_completion_tokens = 9 }, name)), name)
    end
    assert.same({ max_tokens = 9 }, (body({ max_tokens = 9 }, "generic")))
    assert.same({ max_completion_tokens = 9 }, (body({ max_completion_tokens = 9 }, "generic")))
  end)

  it("drops the sampling of reasoning models (R3)", function()
    local given = { temperature = 0, top_p = 1, presence_penalty = 1, frequency_penalty = 1,
      logprobs = true, seed = 1 }
    for _, model in ipairs({ "o1", "o3-mini", "gpt-5", "gpt-5.4", "gpt-6", "gpt-10-turbo" }) do
      assert.same({ seed = 1 }, (body(given, "openai", model)), model)
    end
    for _, model in ipairs(
      { "gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "chatgpt-4o-latest", "omni" }) do
      assert.same(given, (body(given, "openai", model)), model)
    end
    assert.same({ seed = 1 }, (body({ stop = "x", seed = 1 }, "openai", "o4-mini")))
    assert.same({ seed = 1, temperature = 0 },
      (body({ seed = 1, temperature = 0, presence_penalty = 1, stop = "x" }, "xai", "grok-4")))
    assert.same({ stop = "x" }, (body({ stop = "x" }, "xai", "grok-4-fast-non-reasoning")))
    assert.same({}, (body({ temperature = 0.2 }, "moonshot", "kimi-k2.5")))
    assert.same({ temperature = 0.2 }, (body({ temperature = 0.2 }, "moonshot", "moonshot-v1-8k")))
  end)

  it("keeps the sampling of reasoning models that do not reason", function()
    local given = { temperature = 0, top_p = 1, logprobs = true, presence_penalty = 1,
      reasoning_effort = "none" }
    assert.same({ temperature = 0, top_p = 1, logprobs = true, reasoning_effort = "none" },
      (body(given, "openai", "gpt-5.2")))
    assert.same({ reasoning_effort = "none" }, (body(given, "openai", "gpt-5")))
  end)

  it("keeps the temperature in range", function()
    assert.equal(1, (body({ temperature = 2 }, "anthropic")).temperature)
    assert.equal(0.01, (body({ temperature = 0 }, "minimax")).temperature)
    assert.equal(0.5, (body({ temperature = 0.5 }, "minimax")).temperature)
  end)

  it("sends Mistral only what it knows (R16)", function()
    assert.same({ random_seed = 1, max_tokens = 5, stream = true, temperature = 0 }, (body({
      seed = 1, max_completion_tokens = 5, stream = true, temperature = 0,
      stream_options = { include_usage = true },
      metadata = {}, store = true, service_tier = "auto", logit_bias = {}, user = "u",
      logprobs = true,
    }, "mistral")))
  end)

  it("omits tools, tool_choice and parallel_tool_calls together (R6, R7)", function()
    for _, name in ipairs(world.providers()) do
      local out, tools = body(
        { tools = {}, tool_choice = "auto", parallel_tool_calls = false, seed = 1 }, name, "m", {})
      assert.is_nil(tools)
      assert.is_nil(out.tool_choice)
      assert.is_nil(out.parallel_tool_calls)
      assert.is_nil(out.tools)
    end
  end)

  it("maps tool_choice (R19)", function()
    local tools = { tool "a", tool "b" }
    local named = { type = "function", ["function"] = { name = "b" } }
    local function choice(given, name, model, more)
      local params = { tool_choice = given }
      for key, value in pairs(more or {}) do params[key] = value end
      local out, list = body(params, name, model, tools)
      return out.tool_choice, #list
    end
    assert.equal("required", (choice("required", "openai")))
    assert.equal("any", (choice("required", "mistral")))
    assert.same({ "any", 1 }, { choice(named, "mistral") })
    assert.same({ "required", 1 }, { choice(named, "lmstudio") })
    assert.same({ named, 2 }, { choice(named, "openai") })
    assert.equal("auto", (choice("required", "deepseek", "deepseek-reasoner")))
    assert.equal("required", (choice("required", "deepseek", "deepseek-chat")))
    assert.equal("auto",
      (choice(named, "deepseek", "deepseek-chat", { thinking = { type = "enabled" } })))
    assert.equal("auto", (choice("required", "dashscope", "qwen3-max", { enable_thinking = true })))
    assert.equal("required",
      (choice("required", "dashscope", "qwen3-thinking", { enable_thinking = false })))
    assert.equal("none", (choice("none", "mistral")))
    assert.equal("auto", (choice("auto", "mistral")))
    local some = { type = "allowed_tools",
      allowed_tools = { mode = "required", tools = { named } } }
    assert.same({ some, 2 }, { choice(some, "openai") })
    assert.same({ "required", 1 }, { choice(some, "vllm") })
    assert.same({ "any", 1 }, { choice(some, "mistral") })
  end)

  it("maps response_format (R20)", function()
    local object = { type = "json_object" }
    local wanted = { type = "json_schema",
      json_schema = { name = "a", schema = { type = "object" } } }
    assert.equal("json_schema",
      (body({ response_format = object }, "lmstudio")).response_format.type)
    assert.same({ type = "json_object" },
      (body({ response_format = wanted }, "deepseek")).response_format)
    assert.equal(wanted, (body({ response_format = wanted }, "openai")).response_format)
    assert.equal(object, (body({ response_format = object }, "openai")).response_format)
  end)

  it("offers a custom tool as a function where there are only those", function()
    local custom = { type = "custom", custom = { name = "sql", description = "Runs it." } }
    local vllm, openai = profile("vllm").flags, profile("openai").flags
    assert.same({ type = "function", ["function"] = { name = "sql", description = "Runs it.",
      parameters = { type = "object", properties = { input = { type = "string" } },
        required = { "input" } } } }, json.decode(rewrite.tool(custom, vllm)))
    assert.same(custom, json.decode(rewrite.tool(custom, openai)))
    local choice = { type = "custom", custom = { name = "sql" } }
    assert.same({ type = "function", ["function"] = { name = "sql" } },
      rewrite.body({ tool_choice = choice }, { custom }, profile "vllm").tool_choice)
    assert.same(choice, rewrite.body({ tool_choice = choice }, { custom }, profile "openai").tool_choice)
  end)

  it("drops strict where it is unknown (R23)", function()
    local strict = tool("a", { strict = true })
    assert.is_nil(rewrite.tool(strict, profile("deepseek").flags):find("strict", 1, true))
    assert.truthy(rewrite.tool(strict, profile("openai").flags):find('"strict":true', 1, true))
  end)

  it("asks for usage only where that is known (R25)", function()
    local given = { stream = true, stream_options = { include_usage = true } }
    assert.same(given, (body(given, "openai")))
    assert.same({ stream = true }, (body(given, "mistral")))
  end)

  it("says nothing of a stream that is not wanted (R35)", function()
    assert.same({}, (body({ stream = false }, "openai")))
    local target = profile("openai", { stream_false = true })
    assert.is_false((rewrite.body({}, nil, target)).stream)
  end)

  it("keeps unknown members", function()
    local given = { top_k = 5, provider = { order = { "a" } }, thinking = { type = "disabled" },
      nothing = json.null }
    for _, name in ipairs({ "openrouter", "vllm", "generic", "openai" }) do
      assert.same(given, (body(given, name)))
    end
  end)
end)


describe("rille.rewrite.schema", function()
  local function reduce(node)
    return plain(schema.reduce(node, "gemini"))
  end

  it("takes away what Gemini has no word for (R22)", function()
    assert.same({ type = "object", properties = { a = { type = "string" } }, required = { "a" } },
      reduce {
      ["$schema"] = "x", type = "object", additionalProperties = false, required = { "a" },
      properties = { a = { type = "string", format = "uri", ["$comment"] = "c" } },
    })
  end)

  it("says const, type lists and exclusive bounds in its words", function()
    assert.same({ enum = { "x" }, type = "string" }, reduce { const = "x" })
    assert.same({ type = "string", nullable = true }, reduce { type = { "string", "null" } })
    assert.same({ anyOf = { { type = "string" }, { type = "number" } } },
      reduce { type = { "string", "number" } })
    assert.same({ type = "integer", minimum = 1, maximum = 9 },
      reduce { type = "integer", exclusiveMinimum = 0, exclusiveMaximum = 10 })
    assert.same({ type = "integer" }, reduce { type = "integer", enum = { 1, 2 } })
    assert.same({ type = "string", format = "date-time" },
      reduce { type = "string", format = "date-time" })
  end)

  it("says oneOf as anyOf, and one alternative beside null as nullable", function()
    assert.same({ anyOf = { { type = "string" }, { type = "number" } } },
      reduce { oneOf = { { type = "string" }, { type = "number" } } })
    assert.same({ type = "string", nullable = true },
      reduce { anyOf = { { type = "string" }, { type = "null" } } })
  end)

  it("unfolds references, and stops at recursive ones", function()
    assert.same({ type = "object", properties = { a = { type = "string", description = "d" } } },
      reduce {
      type = "object", properties = { a = { ["$ref"] = "#/$defs/t", description = "d" } },
      ["$defs"] = { t = { type = "string" } },
    })
    local tree = { ["$ref"] = "#/$defs/node", ["$defs"] = {
      node = { type = "object", properties = { child = { ["$ref"] = "#/$defs/node" } } },
    } }
    assert.equal("object", reduce(tree).type)
    assert.same({ type = "object" }, reduce { ["$ref"] = "#/nowhere" })
  end)

  it("makes one of allOf", function()
    assert.same(
      { type = "object", properties = { a = { type = "string" }, b = { type = "number" } },
      required = { "a", "b" } }, reduce {
      allOf = { { type = "object", properties = { a = { type = "string" } }, required = { "a" } },
        { properties = { b = { type = "number" } }, required = { "b" } } },
    })
  end)

  it("keeps the author's order of properties", function()
    local ordered = json.object { { "z", { type = "string" } }, { "a", { type = "string" } } }
    local made = schema.reduce({ type = "object", properties = ordered }, "gemini")
    assert.equal('{"properties":{"z":{"type":"string"},"a":{"type":"string"}},"type":"object"}',
      json.encode(made))
  end)

  it("reaches the tools of Gemini only", function()
    local definition = { type = "function",
      ["function"] = { name = "f",
      parameters = { type = "object", additionalProperties = false } } }
    local sent = json.decode(rewrite.tool(definition, profile("gemini").flags))
    assert.same({ type = "object" }, sent["function"].parameters)
    assert.equal(json.encode(definition), rewrite.tool(definition, profile("openai").flags))
  end)
end)


describe("rille.rewrite.images", function()
  local PNG <const> = "\x89PNG\r\n\x1a\n0000"
  local path

  before_each(function()
    path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(PNG)
    file:close()
  end)

  after_each(function() os.remove(path) end)

  local function sent(url)
    local out = assert(
      rewrite.messages({ { role = "user", content = { { type = "image_url", image_url = url } } } },
      profile "openai"))
    return out[1].content[1].image_url
  end

  it("sends a local file as a data URL", function()
    local expected = "data:image/png;base64," .. core.base64(PNG)
    assert.equal(expected, sent({ url = path }).url)
    assert.equal(expected, sent({ url = "file:" .. path }).url)
    assert.equal(expected, sent({ url = "file://" .. path, detail = "low" }).url)
    assert.equal("low", sent({ url = "file://localhost" .. path, detail = "low" }).detail)
    assert.equal(expected, sent(path).url)
  end)

  it("leaves other URLs alone", function()
    for _, url in ipairs(
      { "https://example.org/a.png", "data:image/png;base64,AA", "gs://bucket/a.png" }) do
      assert.equal(url, sent({ url = url }).url)
    end
  end)

  it("knows images by their first bytes", function()
    for mime, bytes in pairs({
      ["image/png"] = PNG, ["image/jpeg"] = "\xff\xd8\xff\xe0", ["image/gif"] = "GIF89a",
      ["image/webp"] = "RIFF1234WEBPVP8 ",
    }) do
      assert.equal(mime, images.type_of(bytes))
    end
    assert.is_nil(images.type_of("root:x:0:0"))
  end)

  it("carries nothing away that is no image", function()
    local file = assert(io.open(path, "wb"))
    file:write("root:x:0:0:root")
    file:close()
    local parts = { { type = "image_url", image_url = { url = path } } }
    local out, failure = rewrite.messages({ { role = "user", content = parts } }, profile "openai")
    assert.is_nil(out)
    assert.equal("invalid_request", failure.code)
    assert.truthy(failure.message:find("not an image", 1, true))
  end)

  it("fetches remote images for a server that does not, and for no other (R21)", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(raw_server.response(PNG))
    end)
    local part = { type = "image_url", image_url = { url = server.url .. "/a.png" } }
    local function sent_to(name, message)
      local out = assert(rewrite.messages({ message }, profile(name)))
      return out[#out].content
    end
    local data = "data:image/png;base64," .. core.base64(PNG)
    assert.equal(data, sent_to("ollama", { role = "user", content = { part } })[1].image_url.url)
    assert.equal(1, #server.requests)
    assert.equal(part.image_url.url,
      sent_to("openai", { role = "user", content = { part } })[1].image_url.url)
    assert.equal(part.image_url.url, sent_to("ollama", result("a", { part }))[2].image_url.url)
    assert.equal(1, #server.requests)
  end))

  it("says which remote image is none (R21)", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(raw_server.response("<html></html>"))
    end)
    local part = { type = "image_url", image_url = { url = server.url .. "/a.png" } }
    local out, failure = rewrite.messages({ { role = "user", content = { part } } },
      profile "ollama")
    assert.is_nil(out)
    assert.equal("invalid_request", failure.code)
    assert.truthy(failure.message:find("not an image", 1, true))
  end))

  it("says which file is missing", function()
    local transcript = core.transcript {
      { role = "user",
      content = { { type = "image_url", image_url = { url = "/no/such.png" } } } } }
    local key, failure = rewrite.transcript(transcript, profile "openai")
    assert.is_nil(key)
    assert.equal("invalid_request", failure.code)
    assert.truthy(failure.message:find("/no/such.png", 1, true))
  end)
end)
