local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local json = require "rille.json"
local log = require "rille.log"
local world = require "spec.support.world"

local DONE <const> = { completion = { id = "c", choices = {} } }
local LOCAL <const> = "http://localhost:9/v1"

describe("chat.start", function()
  local clock, wire, restore, variables

  before_each(function()
    clock = world.clock()
    variables = { OPENAI_API_KEY = "sk-test-key" }
    restore = world.environment(variables)
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function()
    if wire then wire.restore() end
    wire = nil
    restore()
    clock.restore()
    endpoint.reset()
    heal.reset()
  end)

  local function hello()
    return core.transcript { { role = "user", content = "hi" } }
  end

  --- Sends one request and returns what went out.
  local function sent(request)
    wire = fake_wire.install { default = DONE }
    local complete = { model = "m", base_url = LOCAL, messages = hello() }
    for name, value in pairs(request) do complete[name] = value end
    assert(chat.complete(complete))
    local last = wire.sent[#wire.sent]
    wire.restore()
    wire = nil
    return last
  end

  local function tool(name)
    return { type = "function",
      ["function"] = { name = name,
      parameters = { type = "object", properties = json.object {} } } }
  end

  -- ------------------------------------------------------------------ the bytes
  describe("the body", function()
    it("holds model and messages, and nothing else", function()
      assert.equal('{"model":"m","messages":[{"content":"hi","role":"user"}]}', sent({}).text)
    end)

    it("sorts its members, so that the same request gives the same bytes", function()
      local params = { top_p = 1, temperature = 0, max_tokens = 5, stop = { "a" },
        logit_bias = json.object {}, seed = 1 }
      local text = sent({ params = params, tools = { tool "b", tool "a" } }).text
      assert.equal(
        '{"model":"m","messages":[{"content":"hi","role":"user"}],"logit_bias":{},"max_tokens":5,"seed":1,'
        .. '"stop":["a"],"temperature":0,"tools":[{"function":{"name":"b","parameters":{"properties":{},"type":"object"}},'
        .. '"type":"function"},{"function":{"name":"a","parameters":{"properties":{},"type":"object"}},"type":"function"}],'
        .. '"top_p":1}', text)
      for _ = 1, 5 do
        assert.equal(text, sent({ params = params, tools = { tool "b", tool "a" } }).text)
      end
    end)

    it("begins with the same bytes in every turn", function()
      local transcript = hello()
      local first = sent({ messages = transcript, tools = { tool "a" } }).settings
      transcript:append { role = "assistant", content = "hello" }
      local second = sent({ messages = transcript, tools = { tool "a" } }).settings
      assert.equal(first.head, second.head)
      assert.equal(first.tail, second.tail)
      assert.equal(first.key, second.key)
    end)

    it("opens with the instructions, which the transcript does not hold", function()
      local transcript = hello()
      local body = sent({ messages = transcript, instructions = "be brief" }).body
      assert.same({ { role = "system", content = "be brief" }, { role = "user", content = "hi" } },
        { { role = body.messages[1].role, content = body.messages[1].content },
          { role = body.messages[2].role, content = body.messages[2].content } })
      assert.equal(1, #transcript)
      assert.equal("user",
        sent({ provider = "openai", model = "o1-mini",
        instructions = "be brief" }).body.messages[1].role)
      assert.equal(1,
        #sent({ messages = core.transcript {}, instructions = "be brief" }).body.messages)
      assert.equal(1, #sent({ instructions = "" }).body.messages)
    end)

    it("has one system message at most before a strict template (R33)", function()
      local transcript = core.transcript { { role = "system", content = "a" },
        { role = "user", content = "hi" } }
      local messages = sent(
        { provider = "llamacpp", messages = transcript, instructions = "be brief" }).body.messages
      assert.equal(2, #messages)
      assert.equal("system", messages[1].role)
      assert.equal("a\n\nhi", messages[2].content)
      messages = sent({ provider = "llamacpp", messages = transcript }).body.messages
      assert.equal("system", messages[1].role)
      assert.equal("a", messages[1].content)
    end)

    it("asks for usage in streams where that is known", function()
      local body = sent({ stream = true }).body
      assert.is_true(body.stream)
      assert.is_true(body.stream_options.include_usage)
      assert.is_nil(sent({ stream = true, provider = "mistral" }).body.stream_options)
      assert.is_nil(sent({ stream = true, usage = false }).body.stream_options)
      assert.is_false(
        sent({ stream = true,
        params = {
        stream_options = { include_usage = false } } }).body.stream_options.include_usage)
      assert.is_nil(sent({}).body.stream)
    end)

    it("omits tools, tool_choice and parallel_tool_calls together", function()
      local body = sent(
        { tools = {}, params = { tool_choice = "auto", parallel_tool_calls = false } }).body
      assert.is_nil(body.tools)
      assert.is_nil(body.tool_choice)
      assert.is_nil(body.parallel_tool_calls)
    end)

    it("takes tools as they are, or their definitions", function()
      local body = sent({ tools = { { definition = tool "a" }, tool "b" } }).body
      assert.equal("a", body.tools[1]["function"].name)
      assert.equal("b", body.tools[2]["function"].name)
    end)

    it("lets extra win, add and take away", function()
      local body = sent({
        params = { temperature = 0, seed = 1 }, tools = { tool "a" },
        extra = { temperature = 1, seed = json.absent, top_k = 5, model = "other",
          nothing = json.null },
      }).body
      assert.equal(1, body.temperature)
      assert.is_nil(body.seed)
      assert.equal(5, body.top_k)
      assert.equal("other", body.model)
      assert.equal(json.null, body.nothing)
      assert.equal(1, #body.tools)
      assert.is_nil(sent({ tools = { tool "a" }, extra = { tools = json.absent } }).body.tools)
      assert.is_nil(sent({ extra = { model = json.absent } }).body.model)
      assert.equal("x",
        sent({ extra = {
        messages = { { role = "user", content = "x" } } } }).body.messages[1].content)
    end)

    it("keeps integers and their like exact (R29, R30)", function()
      local text = sent(
        { params = { max_tokens = 100.0, seed = 9007199254740993, temperature = 0.1,
        metadata = json.object {} } }).text
      for _, part in ipairs(
        { '"max_tokens":100,', '"seed":9007199254740993,', '"temperature":0.1',
        '"metadata":{}' }) do
        assert.truthy(text:find(part, 1, true), part)
      end
    end)

    it("is rewritten for the provider, and the transcript is not", function()
      local transcript = core.transcript {
        { role = "user", content = "hi", name = "bob" },
        { role = "assistant", content = json.null, tool_calls = {
          { id = "call_1", type = "function", ["function"] = { name = "f", arguments = "{}" } } } },
        { role = "tool", tool_call_id = "call_1", content = "ok" },
        { role = "user", content = "go on" },
      }
      local before = transcript:encode()
      local body = sent(
        { provider = "mistral", messages = transcript, params = { seed = 1, user = "u" } }).body
      assert.equal(5, #body.messages)
      assert.equal(1, body.random_seed)
      assert.is_nil(body.user)
      assert.equal(before, transcript:encode())
      assert.equal(4, #sent({ provider = "openai", messages = transcript }).body.messages)
    end)
  end)

  -- ------------------------------------------------------------------ the rest of the request
  it("goes to the provider's address with the provider's headers", function()
    local settings = sent(
      { provider = "openai", base_url = LOCAL, query = { a = "b" },
      headers = { ["X-A"] = "1" } }).settings
    assert.equal("http://localhost:9/v1/chat/completions?a=b", settings.url)
    assert.equal("POST", settings.method)
    assert.same(
      { "accept: application/json", "authorization: Bearer sk-test-key",
      "content-type: application/json",
      "user-agent: rille/" .. core.version, "x-a: 1" }, settings.headers)
    local lines = table.concat(sent({ stream = true }).settings.headers, "\n")
    assert.truthy(lines:find("accept: text/event-stream", 1, true))
  end)

  it("has the promised time limits", function()
    local settings = sent({}).settings
    assert.same({ 10, 600, 120 }, { settings.connect, settings.first_byte, settings.idle })
    assert.is_nil(settings.total)
    settings = sent({ timeout = { connect = 1, idle = false, total = 9 } }).settings
    assert.same({ 1, 600 }, { settings.connect, settings.first_byte })
    assert.is_nil(settings.idle)
    assert.near(9, settings.total, 1e-6)
    assert.near(3, sent({ timeout = 3 }).settings.total, 1e-6)
  end)

  it("needs a model", function()
    local exchange, trouble = chat.start { messages = hello() }
    assert.is_nil(exchange)
    assert.equal("invalid_request", trouble.code)
    assert.truthy(trouble.message:find("RILLE_MODEL", 1, true))
  end)

  it("says at once what the configuration lacks", function()
    variables.OPENAI_API_KEY = nil
    local exchange, trouble = chat.start { model = "m", messages = hello() }
    assert.is_nil(exchange)
    assert.equal("authentication", trouble.code)
  end)

  -- ------------------------------------------------------------------ failures
  describe("a failure", function()
    local function refused(step, request)
      wire = fake_wire.install { default = step }
      local complete = { model = "m", base_url = LOCAL, messages = hello(), retries = 0 }
      for name, value in pairs(request or {}) do complete[name] = value end
      local completion, trouble, info = chat.complete(complete)
      assert.is_nil(completion)
      assert.is_true(failure.is(trouble))
      wire.restore()
      return trouble, info
    end

    local codes <const> = {
      { "context_length", { status = 400, code = "context_length_exceeded" } },
      { "context_length",
        { status = 400, message = "This model's maximum context length is 8192 tokens." } },
      { "context_length", { status = 500, type = "exceed_context_size_error" } },
      { "context_length",
        { status = 413, message = "prompt is too long: 210000 tokens > 200000 maximum" } },
      { "context_length",
        { kind = "stream_error", status = 200, message = "Context size has been exceeded." } },
      { "content_filter", { status = 400, code = "content_filter" } },
      { "content_filter", { status = 400, code = "ResponsibleAIPolicyViolation" } },
      { "quota", { status = 429, code = "insufficient_quota" } },
      { "quota", { status = 402, message = "Insufficient credits" } },
      { "quota",
        { status = 429, message = "You exceeded your current quota, please check your plan" } },
      { "rate_limit", { status = 429, code = "rate_limit_exceeded" } },
      { "rate_limit", { kind = "stream_error", status = 200, type = "rate_limit_error" } },
      { "server_error", { kind = "stream_error", status = 200, type = "overloaded_error" } },
      { "server_error",
        { kind = "stream_error", status = 200, message = "llama runner has terminated" } },
      { "authentication", { kind = "stream_error", status = 200, code = "401" } },
      { "invalid_request", { kind = "stream_error", status = 200, code = "tool_use_failed" } },
      { "not_found", { status = 404, message = "model 'x' not found, try pulling it first" } },
      { "bad_response", { kind = "bad_chunk", status = 200 } },
      { "bad_response", { kind = "empty_response", status = 200 } },
      { "bad_response", { status = 302 } },
      { "incomplete_stream", { kind = "incomplete_stream", status = 200 } },
      { "connection", { kind = "connection", message = "could not connect" } },
      { "timeout", { kind = "timeout", message = "no byte for 120 s" } },
    }
    for i, case in ipairs(codes) do
      it(("has the code %s (%d)"):format(case[1], i), function()
        assert.equal(case[1], refused(case[2]).code)
      end)
    end

    it("tells status, request, provider and what the server said", function()
      local trouble, info = refused {
        status = 400, code = "bad", type = "invalid_request_error", param = "seed",
        message = "seed is odd",
        headers = { ["x-request-id"] = "req_1" },
      }
      assert.equal("invalid_request: seed is odd (status 400, request req_1)", tostring(trouble))
      assert.equal("generic", trouble.provider)
      assert.same({ "bad", "invalid_request_error", "seed", "http_error", "m" },
        { trouble.detail.code, trouble.detail.type, trouble.detail.param, trouble.detail.kind,
          trouble.detail.model })
      assert.is_false(trouble.retryable)
      assert.equal(400, info.status)
      assert.equal("generic", info.provider)
      assert.equal("m", info.model)
    end)

    it("has a message where the server sent none", function()
      assert.equal("HTTP 503 Service Unavailable; from http://localhost:9/v1", refused({ status = 503 }).message)
      assert.equal("HTTP 418; from http://localhost:9/v1", refused({ status = 418 }).message)
    end)

    it("keeps the part that came", function()
      local partial = { choices = { { message = { content = "Par" } } } }
      assert.equal(partial,
        refused({ kind = "incomplete_stream", status = 200, partial = partial }).partial)
    end)

    it("does not repeat a key that the server echoed", function()
      local trouble = refused(
        { status = 401, message = "Incorrect API key provided: sk-secret-123456." },
        { api_key = "sk-secret-123456" })
      assert.equal("Incorrect API key provided: [secret].", trouble.message)
    end)
  end)

  -- ------------------------------------------------------------------ redirects (reliability row
  -- 7)
  describe("a redirect", function()
    local function answered(status, location, steps)
      wire = fake_wire.install { { status = status, headers = { location = location } },
        table.unpack(steps or {}) }
      return chat.complete { model = "m", base_url = LOCAL, messages = hello(), retries = 0 }
    end

    it("is followed on the same origin", function()
      assert.equal(DONE.completion, (answered(307, "/v2/chat/completions", { DONE })))
      assert.equal("http://localhost:9/v2/chat/completions", wire.sent[2].settings.url)
      wire.restore()
      assert.equal(DONE.completion, (answered(308, "http://localhost:9/x", { DONE })))
      assert.equal(wire.sent[1].text, wire.sent[2].text)
    end)

    it("carries the key nowhere else", function()
      for _, location in ipairs(
        { "http://evil.example/v1", "https://localhost:9/v1", "http://localhost:10/v1",
        "//evil.example/" }) do
        local completion, trouble = answered(307, location)
        assert.is_nil(completion)
        assert.equal("bad_response", trouble.code)
        assert.truthy(trouble.message:find("base_url", 1, true))
        assert.equal(1, #wire.sent)
        wire.restore()
      end
    end)

    it("is not followed when it would change the method, or for ever", function()
      assert.is_nil((answered(302, "/elsewhere")))
      assert.equal(1, #wire.sent)
      wire.restore()
      wire = fake_wire.install {
        default = { status = 307, headers = { location = "/v1/chat/completions" } } }
      chat.complete { model = "m", base_url = LOCAL, messages = hello(), retries = 0 }
      assert.equal(4, #wire.sent)
    end)
  end)

  -- ------------------------------------------------------------------ fallback models
  describe("a list of models", function()
    local function ask(models, more)
      local request = { model = models, base_url = LOCAL, messages = hello(), retries = 1 }
      for name, value in pairs(more or {}) do request[name] = value end
      return assert(chat.start(request))
    end

    local function events_of(exchange)
      local seen = {}
      for kind, event in function()
        return exchange:next() end do seen[#seen + 1] = { kind, event }
      end
      return seen
    end

    it("asks the next one when the first is in lasting trouble", function()
      wire = fake_wire.install { { status = 503 }, { status = 503 }, DONE }
      local exchange = ask { "a", "b" }
      local events = events_of(exchange)
      assert.same({ "retry", "fallback" }, { events[1][1], events[2][1] })
      assert.equal("b", events[2][2].model)
      assert.equal("server_error", events[2][2].failure.code)
      local completion, info = exchange:finish()
      assert.equal(DONE.completion, completion)
      assert.equal("b", info.model)
      assert.equal(3, info.attempts)
      assert.same({ "a", "a", "b" },
        { wire.sent[1].body.model, wire.sent[2].body.model, wire.sent[3].body.model })
    end)

    it("does not for a request that is wrong", function()
      wire = fake_wire.install { default = { status = 400, message = "no" } }
      local _, trouble = ask({ "a", "b" }):finish()
      assert.equal("invalid_request", trouble.code)
      assert.equal(1, #wire.sent)
    end)

    it("does not after a delta was handed out", function()
      wire = fake_wire.install {
        default = { deltas = { "x" }, kind = "incomplete_stream", status = 200 } }
      local _, trouble = ask({ "a", "b" }, { stream = true, want = "deltas" }):finish()
      assert.equal("incomplete_stream", trouble.code)
      assert.equal(1, #wire.sent)
    end)

    it("gives the last one's failure when all have failed", function()
      wire = fake_wire.install { { status = 503 }, { status = 503 }, { status = 429 },
        { status = 429 } }
      local _, trouble = ask({ "a", "b" }):finish()
      assert.equal("rate_limit", trouble.code)
      assert.equal(4, #wire.sent)
    end)

    it("asks another provider without what was meant for the first", function()
      variables.GROQ_API_KEY = "gsk-own-key"
      wire = fake_wire.install { { status = 503 }, DONE }
      local exchange = ask({ "a", "groq:b" },
        { retries = 0, base_url = false, api_key = "sk-first-key", headers = { ["x-team"] = "t" } })
      assert.equal(DONE.completion, (exchange:finish()))
      assert.truthy(wire.sent[2].settings.url:find("https://api.groq.com/", 1, true))
      local lines = table.concat(wire.sent[2].settings.headers, "\n")
      assert.truthy(lines:find("Bearer gsk-own-key", 1, true))
      assert.is_nil(lines:find("x-team", 1, true))
      assert.equal("b", wire.sent[2].body.model)
    end)

    it("passes over a model that cannot be asked", function()
      local level = log.level("off")
      wire = fake_wire.install { { status = 503 }, DONE }
      local exchange = ask({ "a", "groq:b", "ollama:c" }, { retries = 0, base_url = false })
      assert.equal(DONE.completion, (exchange:finish()))
      assert.equal("c", wire.sent[2].body.model)
      log.level(level)
    end)

    it("reads the same transcript in each one's form", function()
      local transcript = core.transcript { { role = "developer", content = "x" } }
      wire = fake_wire.install { { status = 503 }, DONE, DONE }
      local exchange = ask({ "openai:a", "mistral:b" }, { retries = 0, messages = transcript })
      assert(exchange:finish())
      assert.equal("developer", wire.sent[1].body.messages[1].role)
      assert.equal("system", wire.sent[2].body.messages[1].role)
    end)
  end)

  -- ------------------------------------------------------------------ a repeated beginning (R34)
  describe("a given beginning", function()
    local function continued(deltas, content, provider)
      wire = fake_wire.install {
        { deltas = deltas, completion = { choices = { { message = { content = content } } } } } }
      local transcript = core.transcript { { role = "user", content = "Go" },
        { role = "assistant", content = "Once upon", prefix = true } }
      local exchange = assert(chat.start {
        model = "m", provider = provider or "mistral", base_url = LOCAL, messages = transcript,
        stream = true, want = "deltas",
      })
      local seen = {}
      for _, delta in function() return exchange:next() end do seen[#seen + 1] = delta end
      local completion = assert(exchange:finish())
      wire.restore()
      return seen, completion.choices[1].message.content
    end

    it("is taken away where the server repeats it, whatever the cuts", function()
      for _, deltas in ipairs(
        { { "Once upon a time" }, { "On", "ce up", "on", " a", " time" },
        { "Once upon", " a time" } }) do
        local seen, content = continued(deltas, "Once upon a time")
        assert.equal(" a time", table.concat(seen))
        assert.equal(" a time", content)
      end
    end)

    it("leaves an answer that does not begin with it", function()
      local seen, content = continued({ " a", " time" }, " a time")
      assert.same({ " a", " time" }, seen)
      assert.equal(" a time", content)
      assert.same({ "On" }, (continued({ "On" }, "On")))
      assert.same({ "Once more" }, (continued({ "Once", " more" }, "Once more")))
    end)

    it("stays where it is what the caller wants to see", function()
      local seen = continued({ "Once upon a time" }, "Once upon a time", "vllm")
      assert.same({ "Once upon a time" }, seen)
    end)
  end)

  -- ------------------------------------------------------------------ scripted models
  describe("a scripted model", function()
    local function answered(respond)
      return chat.complete { model = { respond = respond }, messages = hello(), retries = 0 }
    end

    it("is given the decoded body, and its bytes are read as a server's", function()
      local seen
      local completion, info = answered(function(_, request)
        seen = request
        return { status = 200, headers = { "Content-Type: application/json", "x-request-id: r1" },
          cuts = { 3, 9 },
          body = '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]}' }
      end)
      assert.equal("script", seen.model)
      assert.equal("hi", seen.messages[1].content)
      assert.equal("hi", completion.choices[1].message.content)
      assert.equal("r1", info.request_id)
      assert.equal("script", info.provider)
    end)

    it("fails when it raises or returns nothing to read", function()
      for _, respond in ipairs(
        { function() error("oops") end, function() end, function() return {} end }) do
        local completion, trouble = answered(respond)
        assert.is_nil(completion)
        assert.equal("internal", trouble.code)
      end
    end)

    it("may wait before it answers", function()
      local completion = answered(function()
        return { body = '{"choices":[{"message":{"content":"x"}}]}', delay = 3 }
      end)
      assert.equal("x", completion.choices[1].message.content)
      assert.same({ 3 }, clock.slept)
    end)

    it("teaches nothing to another one", function()
      local function picky()
        return { status = 400, body = '{"error":{"message":"temperature is not supported"}}' }
      end
      local bodies = {}
      local function easy(_, request)
        bodies[#bodies + 1] = request
        return { body = '{"choices":[{"message":{"content":"x"}}]}' }
      end
      chat.complete { model = { respond = picky }, messages = hello(), params = { temperature = 1 },
        retries = 0 }
      assert(chat.complete { model = { respond = easy }, messages = hello(),
        params = { temperature = 1 } })
      assert.equal(1, bodies[1].temperature)
    end)
  end)

  -- ------------------------------------------------------------------ the end
  it("can be closed at any time, once and again", function()
    wire = fake_wire.install { default = DONE }
    local exchange = assert(chat.start { model = "m", base_url = LOCAL, messages = hello() })
    exchange:close()
    exchange:close()
    assert.is_true(wire.transfers[1].closed)
    local completion, trouble = exchange:finish()
    assert.is_nil(completion)
    assert.equal("cancelled", trouble.code)
    assert.is_nil(exchange:next())
  end)

  it("can be closed by another task while this one waits", async(function()
    local function closed_by_another(step, request)
      wire = fake_wire.install { default = step }
      local complete = { model = "m", base_url = LOCAL, messages = hello() }
      for name, value in pairs(request or {}) do complete[name] = value end
      local exchange = assert(chat.start(complete))
      local waiter = core.spawn(function() return exchange:finish() end)
      core.sleep(0)
      exchange:close()
      local completion, trouble = waiter:join()
      wire.restore()
      assert.is_nil(completion)
      assert.equal("cancelled", trouble.code)
      return #wire.sent
    end
    local function never() return { status = 503 } end
    clock.restore()
    assert.equal(1, closed_by_another(never))
    assert.equal(1, closed_by_another { status = 503, headers = { ["retry-after"] = "0.05" } })
    clock = world.clock()
  end))

  it("is closed when its block is left", function()
    wire = fake_wire.install { default = DONE }
    do
      local exchange <close> = assert(
        chat.start { model = "m", base_url = LOCAL, messages = hello() })
      assert.truthy(exchange)
    end
    assert.is_true(wire.transfers[1].closed)
  end)

  it("may be finished twice", function()
    wire = fake_wire.install { DONE }
    local exchange = assert(chat.start { model = "m", base_url = LOCAL, messages = hello() })
    assert.equal(DONE.completion, (exchange:finish()))
    assert.equal(DONE.completion, (exchange:finish()))
  end)
end)
