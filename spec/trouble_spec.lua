--- trouble_spec.lua -- every error body that we know, from its bytes to a failure.
local chat = require "rille.chat"
local core = require "rille.core"
local failure = require "rille.failure"
local json = require "rille.json"
local log = require "rille.log"
local trouble = require "rille.chat.trouble"

--- fixture → code of the failure, may it be tried again?
local EXPECTED <const> = {
  body_empty_200 = { "bad_response", true },
  body_errors_object_200 = { "server_error", true },
  body_html_200 = { "bad_response", false },
  body_llamacpp_exceed_context_200 = { "context_length", false },
  body_minimax_base_resp = { "quota", false },
  body_minimax_base_resp_text = { "rate_limit", true },
  body_minimax_type_error = { "invalid_request", false },
  body_no_choices = { "bad_response", true },
  body_openrouter_choice_error = { "rate_limit", true },
  body_openrouter_error_200 = { "server_error", true },
  body_text_200 = { "bad_response", true },
  body_truncated_json = { "bad_response", true },
  error_429_should_retry = { "quota", true },
  error_azure_404_deployment = { "not_found", false },
  error_azure_content_filter = { "content_filter", false },
  error_cloudflare_errors = { "not_found", false },
  error_empty_503 = { "server_error", true },
  error_event_named_http = { "rate_limit", true },
  error_fastapi_detail_string = { "authentication", false },
  error_gemini_array = { "authentication", false },
  error_groq_498 = { "rate_limit", true },
  error_html_502 = { "server_error", true },
  error_html_no_title = { "server_error", true },
  error_litellm_proxy = { "invalid_request", false },
  error_llamacpp_500_history = { "server_error", true },
  error_lmstudio_string = { "invalid_request", false },
  error_message_in_stream = { "context_length", false },
  error_mistral_422_detail = { "invalid_request", false },
  error_mistral_json_in_message = { "invalid_request", false },
  error_mistral_message_array = { "invalid_request", false },
  error_mistral_nested_detail = { "invalid_request", false },
  error_mistral_object_error = { "invalid_request", false },
  error_mistral_unauthorized = { "authentication", false },
  error_object_flag_in_stream = { "invalid_request", false },
  error_openai_quota = { "quota", false },
  error_openai_rate_limit = { "rate_limit", true },
  error_overloaded_529 = { "server_error", true },
  error_sse_wrapped = { "rate_limit", true },
  error_string_in_stream = { "server_error", true },
  error_text_400 = { "invalid_request", false },
  error_x_should_retry_false = { "server_error", false },
  error_xai = { "invalid_request", false },
  event_error_named = { "context_length", false },
  event_error_text = { "server_error", true },
  groq_tool_use_failed_200 = { "invalid_request", false },
  groq_x_groq_error = { "server_error", true },
  llamacpp_old_error_line = { "context_length", false },
  malformed_json = { "bad_response", true },
  malformed_json_at_end = { "bad_response", true },
  openrouter_midstream_error = { "server_error", true },
  truncated_inside_event = { "incomplete_stream", true },
  truncated_no_done = { "incomplete_stream", true },
  truncated_one_of_two = { "incomplete_stream", true },
  truncated_tool_then_done = { "incomplete_stream", true },
}


local function read(name)
  local file = assert(io.open("spec/fixtures/wire/" .. name, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end


--- A model that answers with the bytes of a fixture.
local function model_of(fixture)
  local headers = { "Content-Type: " .. tostring(fixture.http.content_type) }
  local more = fixture.http.headers
  for name, value in pairs(type(more) == "table" and more or {}) do
    headers[#headers + 1] = name .. ": " .. value
  end
  local body = read(fixture.file)
  return {
    respond = function() return { status = fixture.http.status, headers = headers, body = body } end,
  }
end


describe("the failure of a reply", function()
  for name, expected in pairs(EXPECTED) do
    it("is " .. expected[1] .. " for " .. name, function()
      local fixture = assert(json.decode(read(name .. ".expected.json")))
      local completion, problem, info = chat.complete {
        model = model_of(fixture), retries = 0, stream = fixture.request.stream,
        messages = core.transcript { { role = "user", content = "hi" } },
      }
      assert.is_nil(completion)
      assert.is_true(failure.is(problem))
      assert.equal(expected[1], problem.code)
      assert.equal(expected[2], problem.retryable)
      assert.equal(fixture.expect.error.kind, problem.detail.kind)
      assert.equal("script", problem.provider)
      assert.equal(fixture.http.status, info.status)
      assert.not_equal("", problem.message)
      assert.is_nil(tostring(problem):find("\n", 1, true))
    end)

    it("tells what came, and what the server said, for " .. name, function()
      local fixture = assert(json.decode(read(name .. ".expected.json")))
      local _, problem = chat.complete {
        model = model_of(fixture), retries = 0, stream = fixture.request.stream,
        messages = core.transcript { { role = "user", content = "hi" } },
      }
      local said = fixture.expect.error
      for _, member in ipairs({ "type", "code", "param" }) do
        local value = said[member]
        if value == json.null then value = nil end
        assert.equal(value, problem.detail[member], member)
      end
      if said.message ~= json.null then
        assert.truthy(problem.message:find(said.message, 1, true), problem.message)
      end
      local partial = problem.partial and problem.partial.choices or {}
      assert.equal(#fixture.expect.choices, #partial)
      for i, choice in ipairs(fixture.expect.choices) do
        local content = choice.message.content
        if content == json.null then content = nil end
        assert.equal(content, partial[i].message.content)
      end
    end)
  end
end)


describe("rille.chat.trouble", function()
  local PROFILE <const> = { name = "p", base_url = "http://h/api", model = "m" }

  local function of(reply, info)
    return trouble.from_reply(reply, info or { headers = {} }, PROFILE)
  end

  it("has a code for every status", function()
    for status = 300, 599 do
      local problem = of { kind = "http_error", status = status }
      local known = false
      for _, code in ipairs(failure.codes) do known = known or code == problem.code end
      assert.is_true(known, status)
      assert.equal(status, problem.status)
    end
  end)

  it("says in words what has none", function()
    assert.equal("the response holds no answer", of({ kind = "empty_response" }).message)
    assert.equal("the answer broke off before its end", of({ kind = "incomplete_stream" }).message)
    assert.equal("HTTP 429 Too Many Requests; from http://h/api", of({ kind = "http_error", status = 429 }).message)
    assert.equal("strange", of({ kind = "strange" }).message)
    assert.equal("the server ended the answer with an error, and says nothing of it", of({ kind = "stream_error" }).message)
  end)

  it("knows a transcript that is too long by what servers say of it", function()
    for _, message in ipairs {
      "This model's maximum context length is 8192 tokens.", "the request exceeds the available context size, try increasing it",
      "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
      "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
      "Input is too long for requested model.", "Invalid request: Your request exceeded model token limit: 8192",
      "Please reduce the length of the messages or completion.", "prompt too long; exceeded max context length by 3 tokens",
      "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with 4096 tokens",
    } do
      assert.equal("context_length", of({ kind = "http_error", status = 400, message = message }).code, message)
      assert.equal("context_length", of({ kind = "stream_error", message = message }).code, message)
    end
    local busy = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."
    assert.equal("rate_limit", of({ kind = "http_error", status = 429, message = busy }).code)
  end)

  it("knows a key that is refused with another status, or with none", function()
    for _, message in ipairs {
      "API key not valid. Please pass a valid API key.", "Incorrect API key provided: xa***Qz.", "invalid api key",
    } do
      assert.equal("authentication", of({ kind = "http_error", status = 400, message = message }).code, message)
    end
    local refused = { kind = "stream_error", type = "invalid_request_error", code = "invalid_api_key", message = "No." }
    assert.equal("authentication", of(refused).code)
    assert.equal("authentication", of({ kind = "stream_error", code = "unauthorized", message = "No." }).code)
  end)

  it("does not take Gemini's limits per minute for a spent quota", function()
    local message = "You exceeded your current quota, please check your plan and billing details. Please retry in 24.5s."
    assert.equal("rate_limit", of({ kind = "http_error", status = 429, type = "RESOURCE_EXHAUSTED", message = message }).code)
    assert.equal("quota", of({ kind = "http_error", status = 429, message = message }).code)
  end)

  it("reads the message where an error inside a reply says nothing else", function()
    for message, code in pairs {
      ["rate limit exceeded(RPM)"] = "rate_limit", ["Too Many Requests"] = "rate_limit", ["invalid api key"] = "authentication",
      ["login fail: Please carry the API secret key"] = "authentication", ["llama runner process has terminated"] = "server_error",
    } do
      assert.equal(code, of({ kind = "stream_error", code = "1002", message = message }).code, message)
    end
    assert.equal("server_error", of({ kind = "stream_error", code = "502", message = "rate limit" }).code)
  end)

  it("names the base URL where a web page answered", function()
    local info = { headers = { ["content-type"] = "text/html; charset=utf-8" } }
    local problem = of({ kind = "http_error", status = 404, message = "Not Found" }, info)
    assert.truthy(problem.message:find("http://h/api", 1, true))
    assert.truthy(problem.message:find("/v1", 1, true))
    assert.is_nil(of({ kind = "http_error", status = 404, message = "x" }).message:find("/v1", 1, true))
  end)

  it("shows what a document says that holds no answer", function()
    local _, problem = chat.complete {
      model = { respond = function() return { status = 200, body = '{"code":500,"msg":"system busy ü","success":false}' } end },
      retries = 0, messages = core.transcript { { role = "user", content = "hi" } },
    }
    assert.equal("bad_response", problem.code)
    assert.is_true(problem.retryable)
    assert.equal('the response holds no answer: {"code":500,"msg":"system busy ü","success":false}', problem.message)
    assert.same({ code = 500, msg = "system busy ü", success = false }, problem.detail.error)
    assert.equal('the response holds no answer: "' .. ("ü"):rep(199),
      of({ kind = "empty_response", detail = ("ü"):rep(900) }).message)
  end)

  it("says who answered where no API did: text, a page or nothing", function()
    local answers = {
      [{ kind = "bad_body", status = 200, message = '{"a":' }] = 'the response is not JSON: {"a":; from http://h/api',
      [{ kind = "bad_body", status = 200 }] = "the response is not JSON; from http://h/api",
      [{ kind = "http_error", status = 501, message = "Not here" }] = "Not here; from http://h/api",
      [{ kind = "http_error", status = 400, message = "no", detail = {} }] = "no",
      [{ kind = "stream_error", message = "no" }] = "no",
    }
    for reply, said in pairs(answers) do assert.equal(said, of(reply).message) end
  end)

  it("keeps the error as it was received", function()
    local received = { message = "m", innererror = { code = "x" } }
    assert.equal(received, of({ kind = "http_error", status = 400, detail = received }).detail.error)
  end)

  it("carries what the server announced of its limits, and no other header", function()
    local said = {
      ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-tokens"] = "6m0s", ["retry-after"] = "2",
      ["anthropic-ratelimit-tokens-limit"] = "9", ["retry-after-ms"] = "2000",
    }
    local headers = { ["set-cookie"] = "a=b", server = "x" }
    for name, value in pairs(said) do headers[name] = value end
    local problem = of({ kind = "http_error", status = 429 }, { headers = headers, status = 429 })
    assert.same(said, problem.detail.headers)
    assert.is_nil(of({ kind = "http_error", status = 429 }, { headers = {}, status = 429 }).detail.headers)
  end)

  it("carries the request id", function()
    local info = { headers = {}, request_id = "req_9", status = 500 }
    assert.equal("req_9", of({ kind = "http_error", status = 500 }, info).request_id)
  end)

  it("lets no secret through", function()
    log.secret("sk-trouble-secret")
    local problem = of { kind = "http_error", status = 401, message = "bad key sk-trouble-secret!" }
    assert.equal("bad key [secret]!; from http://h/api", problem.message)
  end)
end)
