local completions = require "rille.completions"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local heal = require "rille.heal"
local json = require "rille.json"
local mock = require "rille.mock"
local raw_server = require "spec.support.raw_server"
local script = require "rille.script"
local tool = require "rille.tool"
local world = require "spec.support.world"

local HELLO <const> = { { role = "user", content = "Hello!" } }

--- An HTTP response with these bytes.
local function response(status, kind, body, headers)
  return ("HTTP/1.1 %d X\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    kind, headers or "", #body, body)
end


--- What a call raises, with the position, which luassert would take away.
local function raised(...)
  local ok, err = pcall(...)
  assert.is_false(ok)
  return tostring(err)
end


describe("rille.chat.completions.create", function()
  local restore

  before_each(function()
    restore = world.environment { OPENAI_API_KEY = "sk-test-key" }
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function()
    restore()
    endpoint.reset()
    heal.reset()
  end)

  --- Asks a server that gives one answer, and returns what came of it and what the server read. A
  --- stream is given to `use` meanwhile.
  local function asked(answer, params, options, use)
    local server <close> = raw_server.start(function(connection) connection:send(answer) end)
    local complete = { model = "m", messages = HELLO }
    for name, value in pairs(params or {}) do complete[name] = value end
    local given = { base_url = server.url .. "/v1", retries = 0 }
    for name, value in pairs(options or {}) do given[name] = value end
    local completion, trouble = completions.create(complete, given)
    if use then use(assert(completion, trouble)) end
    local request = server.requests[1]
    return completion, trouble, request and json.decode(request.body), request
  end

  local function answered(text)
    return response(200, "application/json", json.encode {
      id = "c", object = "chat.completion", created = 1, model = "m",
      choices = {
        { index = 0, finish_reason = "stop", message = { role = "assistant", content = text } } },
    })
  end

  -- ------------------------------------------------------------------ plain
  it("returns the whole response, nulls as nil, and nothing besides", async(function()
    local body =
      [[{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"gpt-5.4","choices":[{"index":0,
      "message":{"role":"assistant","content":"Hello!","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],
      "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}},
      "service_tier":"default","system_fingerprint":null,"x_new":{"a":[1,2.5]}}]]
    local completion, trouble = asked(response(200, "application/json", body))
    assert.is_nil(trouble)
    assert.same({
      id = "chatcmpl-1", object = "chat.completion", created = 1741569952, model = "gpt-5.4",
      choices = {
        { index = 0, finish_reason = "stop",
        message = { role = "assistant", content = "Hello!", annotations = {} } } },
      usage = { prompt_tokens = 19, completion_tokens = 10, total_tokens = 29,
        prompt_tokens_details = { cached_tokens = 0 } },
      service_tier = "default", x_new = { a = { 1, 2.5 } },
    }, completion)
    assert.equal("integer", math.type(completion.created))
  end))

  it("works outside a task, too", function()
    local model = script { "hi" }
    assert.equal("hi",
      assert(completions.create { model = model, messages = HELLO }).choices[1].message.content)
  end)

  it("sends the parameters as they were written", async(function()
    local params = {
      model = "gpt-x", temperature = 0.5, top_p = 1, n = 2, max_tokens = 5,
      max_completion_tokens = 6, stop = { "a", "b" },
      presence_penalty = -1, frequency_penalty = 1, logit_bias = json.object {}, user = "u",
      seed = 7,
      logprobs = true, top_logprobs = 2,
      metadata = { a = "b" }, store = true, reasoning_effort = "low", verbosity = "low",
      service_tier = "auto",
      modalities = { "text", "audio" }, audio = { voice = "alloy", format = "wav" },
      prediction = { type = "content", content = "x" }, web_search_options = json.object {},
      response_format = { type = "json_object" }, parallel_tool_calls = false,
      tool_choice = "required", safety_identifier = "s",
      prompt_cache_key = "k", top_k = 4, thinking = { type = "enabled" }, made_up = json.null,
      tools = { { type = "custom", custom = { name = "sql" } },
        { type = "function", ["function"] = {
        name = "f", strict = true,
        parameters = { type = "object", properties = json.object {} } } } },
      messages = {
        { role = "developer", content = "d" }, { role = "system", content = "s" },
        { role = "user", name = "bob", content = { { type = "text", text = "t" },
          { type = "image_url", image_url = { url = "https://x/y.png", detail = "low" } },
          { type = "input_audio", input_audio = { data = "AA", format = "wav" } },
          { type = "file", file = { file_id = "f1" } } } },
        { role = "assistant", tool_calls = {
          { id = "call_1", type = "function",
            ["function"] = { name = "f", arguments = "{ \"a\" : 1 }" } } } },
        { role = "tool", tool_call_id = "call_1", content = { { type = "text", text = "r" } } },
        { role = "user", content = "again", odd = 1 },
      },
    }
    local _, _, body = asked(answered "x", params)
    assert.same(json.decode(json.encode(params)), body)
  end))

  it("sends the same to OpenAI itself, whatever the model", async(function()
    local params = { model = "o3", max_tokens = 5, temperature = 0,
      messages = { { role = "system", content = "s" } } }
    local _, _, body = asked(answered "x", params, { provider = "openai" })
    assert.same(json.decode(json.encode(params)), body)
  end))

  it("still helps a profile that must be helped", async(function()
    local messages = { { role = "developer", content = "d", name = "n" } }
    local _, _, body = asked(answered "x",
      { max_completion_tokens = 5, seed = 1, messages = messages },
      { provider = "mistral", api_key = "key-of-mistral" })
    assert.same(
      { model = "m", max_tokens = 5, random_seed = 1,
      messages = { { role = "system", content = "d" } } }, body)
  end))

  it("omits what no server takes", async(function()
    local _, _, body = asked(answered "x", {
      tools = {}, tool_choice = "auto", parallel_tool_calls = true, stream = false,
      messages = { { role = "assistant", content = "a", tool_calls = {} },
        { role = "assistant", tool_calls = {
        { id = "x", type = "function", ["function"] = { name = "f", arguments = { a = 1 } } } } } },
    })
    assert.same({ "messages", "model" }, (function()
      local names = {}
      for name in pairs(body) do names[#names + 1] = name end
      table.sort(names)
      return names
    end)())
    assert.is_nil(body.messages[1].tool_calls)
    assert.equal('{"a":1}', body.messages[2].tool_calls[1]["function"].arguments)
  end))

  it("does not touch the caller's tables", async(function()
    local params = { model = "m", tools = {}, tool_choice = "auto",
      messages = { { role = "assistant", content = "a", tool_calls = {} } } }
    local before = json.encode(params)
    asked(answered "x", params, { extra = { a = 1 } })
    assert.equal(before, json.encode(params))
  end))

  it("takes rille tools and a transcript", async(function()
    local f = tool.new { name = "f", description = "d", parameters = {}, run = function() end }
    local _, _, body = asked(answered "x", { tools = { f }, messages = core.transcript(HELLO) })
    assert.equal("f", body.tools[1]["function"].name)
    assert.equal("Hello!", body.messages[1].content)
  end))

  it("merges extra last", async(function()
    local _, _, body = asked(answered "x", { temperature = 0, seed = 1 },
      { extra = { temperature = 1, seed = json.absent, more = { 1 } } })
    assert.equal(1, body.temperature)
    assert.is_nil(body.seed)
    assert.same({ 1 }, body.more)
  end))

  it("sends headers, query and key", async(function()
    local _, _, _, request = asked(answered "x", {},
      { api_key = "sk-own-key", headers = { ["X-Team"] = "a" }, query = { v = 2 } })
    assert.equal("Bearer sk-own-key", request.headers.authorization)
    assert.equal("a", request.headers["x-team"])
    assert.equal("application/json", request.headers["content-type"])
    assert.is_nil(request.headers.expect)
    assert.is_nil(request.headers["accept-encoding"])
    assert.equal("/v1/chat/completions?v=2", request.target or request.path)
  end))

  it("replaces invalid UTF-8 (R31)", async(function()
    local _, _, body = asked(answered "x",
      { messages = { { role = "user", content = "a\xff\xed\xa0\x80b\0c" } } })
    assert.truthy(body.messages[1].content:gsub("\u{FFFD}", "?"):find("^a%?+b\0c$"))
  end))

  it("reads local images", async(function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write("\x89PNG\r\n\x1a\n")
    file:close()
    local content = { { type = "image_url", image_url = { url = "file:" .. path } } }
    local _, _, body = asked(answered "x", { messages = { { role = "user", content = content } } })
    os.remove(path)
    assert.equal("data:image/png;base64,iVBORw0KGgo=", body.messages[1].content[1].image_url.url)
    local completion, trouble = asked(answered "x",
      { messages = { { role = "user", content = content } } })
    assert.is_nil(completion)
    assert.equal("invalid_request", trouble.code)
  end))

  it("returns failures, and raises none", async(function()
    local completion, trouble = asked(
      response(404, "application/json",
      '{"error":{"message":"no such model","code":"model_not_found"}}',
      "x-request-id: req_7\r\n"))
    assert.is_nil(completion)
    assert.is_true(failure.is(trouble))
    assert.equal("not_found: no such model (status 404, request req_7)", tostring(trouble))
    assert.equal("model_not_found", trouble.detail.code)
    completion, trouble = completions.create({ model = "m", messages = HELLO },
      { base_url = "http://127.0.0.1:1/v1", retries = 0 })
    assert.is_nil(completion)
    assert.equal("connection", trouble.code)
    completion, trouble = completions.create({ model = "m", messages = HELLO },
      { provider = "groq" })
    assert.is_nil(completion)
    assert.equal("authentication", trouble.code)
  end))

  it("retries, and tells", async(function()
    local told = 0
    local model = script { script.failure { status = 503 }, script.failure { status = 503 },
      "fine" }
    local completion = assert(
      completions.create({ model = model, messages = HELLO },
      { on_retry = function() told = told + 1 end }))
    assert.equal("fine", completion.choices[1].message.content)
    assert.equal(2, told)
  end))

  it("raises for wrong arguments at the caller's line", function()
    local cases = {
      { "params: table expected", nil },
      { "messages: list expected, got nil", { model = "m" } },
      { "messages[1]: table expected, got string", { model = "m", messages = { "hi" } } },
      { "messages[2].role: string expected", { model = "m", messages = { HELLO[1], {} } } },
      { "tools: list expected", { model = "m", messages = HELLO, tools = 1 } },
      { "unknown option 'retris' (did you mean 'retries'?)", { model = "m", messages = HELLO },
        { retris = 1 } },
      { "unknown option 'conect' (did you mean 'connect'?)", { model = "m", messages = HELLO },
        { timeout = { conect = 1 } } },
      { "unknown option 'base' (did you mean 'base_url'?)", { model = "m", messages = HELLO },
        { provider = { base = "x" } } },
      { "model: name, list of names or scripted model expected, got number", { model = 5, messages = HELLO } },
      { "model: entry 2: name or scripted model expected", { model = { "m", 5 }, messages = HELLO } },
      { "stream: boolean expected, got string", { model = "m", messages = HELLO, stream = "yes" } },
      { "temperature: NaN has no JSON", { model = "m", messages = HELLO, temperature = 0 / 0 } },
      { "metadata: a.b: a function has no JSON", { model = "m", messages = HELLO, metadata = { a = { b = print } } } },
      { "messages[1]: content: a function has no JSON", { model = "m", messages = { { role = "user", content = print } } } },
      { "tools[1]: table expected, got number", { model = "m", messages = HELLO, tools = { 5 } } },
      { "tools[2]: type: a function has no JSON", { model = "m", messages = HELLO, tools = { {}, { type = print } } } },
      { "extra.top_k: infinity has no JSON", { model = "m", messages = HELLO }, { extra = { top_k = math.huge } } },
      { "retries: 0 or more", { model = "m", messages = HELLO }, { retries = -1 } },
      { "timeout: idle is negative", { model = "m", messages = HELLO }, { timeout = { idle = -1 } } },
      { "timeout: total is negative", { model = "m", messages = HELLO }, { timeout = -1 } },
      { "headers: 'X-A': string expected, got function", { model = "m", messages = HELLO }, { headers = { ["X-A"] = print } } },
      { "query: 'a': string expected, got function", { model = "m", messages = HELLO }, { query = { a = print } } },
    }
    for _, case in ipairs(cases) do
      local message = raised(function() completions.create(case[2], case[3]) end)
      assert.truthy(message:find(case[1], 1, true), message)
      assert.truthy(message:find("completions_spec.lua", 1, true), message)
    end
  end)

  -- ------------------------------------------------------------------ streams
  --- The stream of the API reference.
  local function event(delta, finish)
    return ([[data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",]]
      .. [["system_fingerprint":"fp","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}]}]]):format(delta, finish)
  end
  local CUT <const> = event('{"role":"assistant","content":""}', "null") .. "\n\n"
    .. event('{"content":"Hello"}', "null") .. "\n\n"
  local STREAM <const> = CUT .. event("{}", '"stop"') .. "\n\ndata: [DONE]\n\n"
  local EVENTS <const> = response(200, "text/event-stream", STREAM)

  it("streams every chunk as received", async(function()
    asked(EVENTS, { stream = true }, nil, function(stream)
      local chunks = {}
      for chunk in stream do chunks[#chunks + 1] = chunk end
      assert.equal(3, #chunks)
      assert.same(
        { id = "chatcmpl-123", object = "chat.completion.chunk", created = 1694268190,
        model = "gpt-4o-mini",
        system_fingerprint = "fp", choices = { { index = 0, delta = { content = "Hello" } } } },
          chunks[2])
      local completion = assert(stream:completion())
      assert.equal("Hello", completion.choices[1].message.content)
      assert.equal("chat.completion", completion.object)
      assert.is_nil(stream())
    end)
  end))

  it("asks for nothing but the stream", async(function()
    local server <close> = raw_server.start(function(connection) connection:send(EVENTS) end)
    local stream <close> = assert(
      completions.create({ model = "m", messages = HELLO, stream = true },
      { base_url = server.url .. "/v1" }))
    assert(stream:completion())
    assert.same({ model = "m", messages = HELLO, stream = true },
      json.decode(server.requests[1].body))
    assert.equal("text/event-stream", server.requests[1].headers.accept)
  end))

  it("ends its transfer when it is forgotten, and is no longer counted", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" .. CUT)
      connection:hold()
    end)
    local base_url = server.url .. "/v1"
    local state = endpoint.of { base_url = base_url, api_key = "k", model = "m" }
    do
      local stream = assert(completions.create({ model = "m", messages = HELLO, stream = true },
        { base_url = base_url, api_key = "k" }))
      assert.truthy(stream())
      assert.equal(1, state._running)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, state._running)
  end))

  it("gives the completion without the chunks being read", async(function()
    local model = script { "one two three" }
    local stream <close> = assert(
      completions.create { model = model, messages = HELLO, stream = true })
    assert.equal("one two three", assert(stream:completion()).choices[1].message.content)
  end))

  it("ends the transfer when the loop over the call is left", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" .. CUT)
      connection:hold()
    end)
    local seen = 0
    for chunk in completions.create({ model = "m", messages = HELLO, stream = true },
      { base_url = server.url .. "/v1" }) do
      assert.equal("chatcmpl-123", chunk.id)
      seen = seen + 1
      if seen == 2 then break end
    end
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("can be closed, and then fails as cancelled", async(function()
    local model = script { "one two three" }
    local stream = assert(completions.create { model = model, messages = HELLO, stream = true })
    assert.truthy(stream())
    stream:close()
    stream:close()
    assert.is_nil(stream())
    local completion, trouble = stream:completion()
    assert.is_nil(completion)
    assert.equal("cancelled", trouble.code)
  end))

  it("keeps the part that came before a stream broke", async(function()
    asked(response(200, "text/event-stream", CUT), { stream = true }, nil, function(stream)
      local texts = {}
      for chunk in stream do texts[#texts + 1] = chunk.choices[1].delta.content end
      assert.equal("Hello", table.concat(texts))
      local completion, trouble = stream:completion()
      assert.is_nil(completion)
      assert.equal("incomplete_stream", trouble.code)
      assert.equal("Hello", trouble.partial.choices[1].message.content)
    end)
  end))

  it("passes over a retry before the first chunk", async(function()
    local model = script { script.failure { status = 503 }, "fine" }
    local stream <close> = assert(
      completions.create { model = model, messages = HELLO, stream = true })
    local text = {}
    for chunk in stream do text[#text + 1] = chunk.choices[1] and chunk.choices[1].delta.content end
    assert.equal("fine", table.concat(text))
  end))

  it("speaks to a mock server as to a script", async(function()
    local server = assert(mock.serve(script { "plain", "streamed" }))
    local options = { base_url = server.url }
    assert.equal("plain",
      assert(completions.create({ model = "m", messages = HELLO },
      options)).choices[1].message.content)
    local stream <close> = assert(
      completions.create({ model = "m", messages = HELLO, stream = true }, options))
    assert.equal("streamed", assert(stream:completion()).choices[1].message.content)
    server:close()
  end))
end)
