--- requests_spec.lua -- the request side of the quirk table, row by row, as a server receives it.
---
--- What needs no server (signatures, schemas) stands in the specs of the modules; here the rows are
--- looked at where they matter: in the bytes that arrive.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local json = require "rille.json"
local raw_server = require "spec.support.raw_server"
local world = require "spec.support.world"

local ANSWER <const> = raw_server.response(
  '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}')
local USER <const> = { role = "user", content = "hi" }


local function call(id, arguments)
  return { id = id, type = "function",
    ["function"] = { name = "f", arguments = arguments or "{}" } }
end


local function tool(name)
  return { type = "function", ["function"] = {
    name = name, parameters = { type = "object", properties = json.object {} },
  } }
end


describe("row", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function()
    restore()
    endpoint.reset()
    heal.reset()
  end)

  --- What a server of this provider receives: the body, decoded, and the request.
  local function received(name, request)
    local server <close> = raw_server.start(function(connection) connection:send(ANSWER) end)
    local complete = { model = "m", provider = name, base_url = server.url .. "/v1",
      api_key = "sk-any" }
    for key, value in pairs(request) do complete[key] = value end
    complete.messages = core.transcript(request.messages or { USER })
    assert(chat.complete(complete))
    return json.decode(server.requests[1].body), server.requests[1]
  end

  --- The members of a body that are not always there.
  local function extras(body)
    body.model, body.messages = nil, nil
    return body
  end

  it("R1: reasoning models of OpenAI read max_completion_tokens", async(function()
    for _, name in ipairs({ "openai", "azure" }) do
      local body = received(name, { model = "gpt-5.4", params = { max_tokens = 9 } })
      assert.equal(9, body.max_completion_tokens)
      assert.is_nil(body.max_tokens)
    end
  end))

  it("R2: Mistral, vLLM and Ollama read max_tokens", async(function()
    for _, name in ipairs({ "mistral", "vllm", "ollama" }) do
      assert.same({ max_tokens = 9 },
        extras(received(name, { params = { max_completion_tokens = 9 } })))
    end
  end))

  it("R3: reasoning models are asked without sampling", async(function()
    local params = { temperature = 0, presence_penalty = 1, stop = "x" }
    assert.same({}, extras(received("openai", { model = "o4-mini", params = params })))
    assert.same({ temperature = 0 }, extras(received("xai", { model = "grok-4", params = params })))
    assert.same({ presence_penalty = 1, stop = "x" },
      extras(received("moonshot", { model = "kimi-k2.5", params = params })))
  end))

  it("R4: developer is system outside OpenAI", async(function()
    local messages = { { role = "developer", content = "d" } }
    assert.equal("system", received("groq", { messages = messages }).messages[1].role)
    assert.equal("developer", received("openai", { messages = messages }).messages[1].role)
  end))

  it("R5: o1-mini has no system", async(function()
    local messages = { { role = "system", content = "d" }, USER }
    local request = { model = "o1-mini", messages = messages, instructions = "i" }
    for _, message in ipairs(received("openai", request).messages) do
      assert.equal("user", message.role)
    end
  end))

  it("R6, R7: no empty tools, no empty tool_calls, nothing about tools without tools",
    async(function()
    local messages = { { role = "assistant", content = "a", tool_calls = json.array {} }, USER }
    local request = { messages = messages, tools = {},
      params = { tool_choice = "auto", parallel_tool_calls = true } }
    for _, name in ipairs({ "openai", "dashscope", "deepseek", "vllm", "mistral" }) do
      local body = received(name, request)
      assert.is_nil(body.messages[1].tool_calls)
      assert.same({}, extras(body))
    end
  end))

  it("R8, R9, R10: content is text where null is none", async(function()
    local messages = {
      { role = "assistant", content = json.null }, USER,
      { role = "assistant", content = json.null, tool_calls = { call "a" } },
      { role = "tool", tool_call_id = "a", content = "r" },
    }
    for _, name in ipairs({ "ollama", "lmstudio", "groq" }) do
      local sent = received(name, { messages = messages }).messages
      assert.equal("", sent[1].content)
      assert.equal("", sent[3].content)
    end
    local sent = received("openai", { messages = messages }).messages
    assert.equal("", sent[1].content)
    assert.equal(json.null, sent[3].content)
  end))

  it("R11: tool and system messages are text", async(function()
    local parts = { { type = "text", text = "a" }, { type = "text", text = "b" } }
    local sent = received("deepseek", { messages = {
      { role = "system", content = parts }, { role = "assistant", tool_calls = { call "x" } },
      { role = "tool", tool_call_id = "x", content = parts },
    } }).messages
    assert.equal("a\nb", sent[1].content)
    assert.equal("a\nb", sent[3].content)
  end))

  it("R12: images of tools come from the user", async(function()
    local picture = { type = "image_url", image_url = { url = "data:image/png;base64,AA==" } }
    local sent = received("openai", { messages = {
      { role = "assistant", tool_calls = { call "x" } },
      { role = "tool", tool_call_id = "x", content = { picture } },
    } }).messages
    assert.equal("string", type(sent[2].content))
    assert.equal("user", sent[3].role)
    assert.same(picture, sent[3].content[2])
  end))

  it("R13, R14: tool ids fit", async(function()
    local id = "call_31875bef-4ed3-44de-8c70-43b9cdec9d73"
    local messages = {
      { role = "assistant", tool_calls = { call(id) } },
      { role = "tool", tool_call_id = id, content = "r" },
    }
    for name, most in pairs({ mistral = 9, openai = 40 }) do
      local sent = received(name, { messages = messages }).messages
      assert.is_true(#sent[2].tool_call_id <= most)
      assert.equal(sent[1].tool_calls[1].id, sent[2].tool_call_id)
    end
  end))

  it("R15: Mistral hears the assistant between tool and user", async(function()
    local sent = received("mistral", { messages = {
      { role = "assistant", tool_calls = { call "x" } },
      { role = "tool", tool_call_id = "x", content = "r" },
      USER,
    } }).messages
    assert.same({ "assistant", "tool", "assistant", "user" },
      { sent[1].role, sent[2].role, sent[3].role, sent[4].role })
  end))

  it("R16: Mistral is sent known members only", async(function()
    local body = received("mistral", {
      stream = true, messages = { { role = "user", content = "x", name = "n" },
        { role = "assistant", content = "y", reasoning_content = "hm" } },
      params = { metadata = {}, store = true, service_tier = "auto", user = "u", logit_bias = {},
        seed = 1, temperature = 0 },
    })
    assert.same({ { role = "user", content = "x" }, { role = "assistant", content = "y" } },
      body.messages)
    assert.same({ random_seed = 1, stream = true, temperature = 0 }, extras(body))
  end))

  it("R17, R18: arguments in history are the text of an object", async(function()
    local messages = {
      { role = "assistant", tool_calls = { call("a", '{"x":'), call("b", { y = 1 }) } } }
    for _, name in ipairs({ "llamacpp", "vllm", "minimax", "ollama" }) do
      local calls = received(name, { messages = messages }).messages[1].tool_calls
      assert.equal("{}", calls[1]["function"].arguments)
      assert.equal('{"y":1}', calls[2]["function"].arguments)
    end
  end))

  it("R19: a forced choice is made milder where it must be", async(function()
    local named = { type = "function", ["function"] = { name = "b" } }
    local request = { tools = { tool "a", tool "b" }, params = { tool_choice = named } }
    local body = received("lmstudio", request)
    assert.equal("required", body.tool_choice)
    assert.equal(1, #body.tools)
    request.model = "deepseek-reasoner"
    assert.equal("auto", received("deepseek", request).tool_choice)
    assert.same(named, received("openai", request).tool_choice)
  end))

  it("R20: LM Studio reads a schema for a JSON object", async(function()
    local params = { response_format = { type = "json_object" } }
    assert.equal("json_schema", received("lmstudio", { params = params }).response_format.type)
    assert.equal("json_object", received("vllm", { params = params }).response_format.type)
  end))

  it("R22: Gemini reads schemas in its own dialect", async(function()
    local strict = tool "a"
    strict["function"].parameters = {
      ["$schema"] = "x", type = "object", additionalProperties = false,
      properties = { a = { type = { "string", "null" }, const = "v" } },
    }
    assert.same(
      { type = "object",
      properties = { a = { type = "string", nullable = true, enum = { "v" } } } },
      received("gemini", { tools = { strict } }).tools[1]["function"].parameters)
  end))

  it("R23: strict is dropped where it is unknown", async(function()
    local strict = tool "a"
    strict["function"].strict = true
    assert.is_nil(received("deepseek", { tools = { strict } }).tools[1]["function"].strict)
    assert.is_true(received("openai", { tools = { strict } }).tools[1]["function"].strict)
  end))

  it("R25, R26: old Azure has api-key, a version and no stream_options", async(function()
    local body, request = received("azure",
      { stream = true, query = { ["api-version"] = "2024-02-01" } })
    assert.is_nil(body.stream_options)
    assert.equal("sk-any", request.headers["api-key"])
    assert.is_nil(request.headers.authorization)
    assert.truthy(
      request.target:find("/openai/deployments/m/chat/completions?api-version=2024-02-01", 1, true))
  end))

  it("R29, R30: empty tables and integers are what they are", async(function()
    local _, request = received("generic", { tools = { tool "a" },
      params = { max_tokens = 100.0, stop = json.array {}, logit_bias = json.object {},
        seed = 2 ^ 53 } })
    for _, text in ipairs({
      '"properties":{}', '"max_tokens":100,', '"stop":[]', '"logit_bias":{}',
      '"seed":9007199254740992',
    }) do
      assert.truthy(request.body:find(text, 1, true), text)
    end
  end))

  it("R31: what is no UTF-8 becomes U+FFFD", async(function()
    local body = received("generic",
      { messages = { { role = "user", content = "a\xed\xa0\x80\xffb" } } })
    assert.is_not_nil(utf8.len(body.messages[1].content))
    assert.truthy(body.messages[1].content:find("\u{FFFD}", 1, true))
  end))

  it("R32: large bodies are sent without Expect", async(function()
    local _, request = received("generic",
      { messages = { { role = "user", content = ("x"):rep(3 << 20) } } })
    assert.is_nil(request.headers.expect)
    assert.is_nil(request.headers["accept-encoding"])
  end))

  it("R33: roles alternate for strict templates", async(function()
    local sent = received("llamacpp", { instructions = "i", messages = {
      { role = "system", content = "s" }, USER, USER, { role = "assistant", content = "a" },
    } }).messages
    assert.equal(3, #sent)
    assert.equal("s\n\nhi\n\nhi", sent[2].content)
  end))

  it("R35: a stream that is not wanted is not mentioned", async(function()
    assert.is_nil(received("generic", { params = { stream = false } }).stream)
    local provider = { name = "p", profile = "generic", flags = { stream_false = true },
      keyless = true }
    assert.is_false(received(provider, {}).stream)
  end))

  it("T20, C3, C4, C6: what must come back comes back, and only there", async(function()
    local signed = call "x"
    signed.extra_content = { google = { thought_signature = "s" } }
    local messages = { {
      role = "assistant", content = "a", tool_calls = { signed }, reasoning_content = "c",
      reasoning = "r",
      reasoning_details = { { type = "reasoning.text" } }, reasoning_opaque = "o",
      reasoning_text = "t",
    } }
    local kept <const> = {
      gemini = {}, openrouter = { "reasoning_details" }, deepseek = { "reasoning_content" },
      copilot = { "reasoning_opaque", "reasoning_text" }, openai = {}, mistral = {}, cerebras = {},
      groq = {},
    }
    for name, members in pairs(kept) do
      local sent = received(name, { messages = messages }).messages[1]
      assert.equal(name == "gemini", sent.tool_calls[1].extra_content ~= nil)
      local found = {}
      for member in pairs(sent) do
        if member:find("reasoning", 1, true) then found[#found + 1] = member end
      end
      table.sort(found)
      assert.same(members, found, name)
    end
  end))
end)
