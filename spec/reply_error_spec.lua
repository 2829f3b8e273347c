--- reply_error_spec.lua -- what servers say went wrong: bodies, events, statuses, headers.
local core = require "rille.core"
local wire = require "spec.support.wire"

local null, list, chunk = core.null, wire.list, wire.chunk


--- The error of a body with a status.
local function failed(body, status, headers)
  local text = type(body) == "table" and core.json_encode(body) or body
  return core.decode(text, { status = status or 400, headers = headers }).error
end


--- The same as {message, type, code, param}, with "-" for null.
local function parts(err)
  local out = {}
  for i, name in ipairs { "message", "type", "code", "param" } do
    out[i] = err[name] == null and "-" or err[name]
  end
  return out
end


--- The error of an event in the middle of a stream.
local function streamed(event)
  return wire.decode({ chunk { content = "a" }, event, chunk({ content = "b" }, "stop") })
end


describe("an error body", function()
  it("of OpenAI has all four members", function()
    local err = failed { error = { message = "No such model", type = "invalid_request_error", param = "model", code = "model_not_found" } }
    assert.same({ kind = "http_error", status = 400, message = "No such model", type = "invalid_request_error", param = "model",
      code = "model_not_found", retryable = false }, err)
  end)

  it("may lack any of them", function()
    assert.same({ "x", "-", "-", "-" }, parts(failed { error = { message = "x" } }))
    assert.same({ "-", "t", "-", "-" }, parts(failed { error = { type = "t" } }))
    assert.same({ "x", "-", "-", "-" }, parts(failed { error = { message = "x", type = null, code = null, param = null } }))
    assert.same({ "x", "-", "-", "-" }, parts(failed { error = { message = "x", type = 1, param = list {}, code = false } }))
  end)

  it("has its code as text", function()
    assert.same("400", failed({ error = { message = "x", code = 400 } }).code)
    assert.same("400", failed({ error = { message = "x", code = 400.0 } }).code)
    assert.same("9223372036854775807", failed({ error = { message = "x", code = math.maxinteger } }).code)
    assert.same("-1.5", failed({ error = { message = "x", code = -1.5 } }).code)
    assert.same("a_b", failed({ error = { message = "x", code = "a_b" } }).code)
  end)

  it("takes a status in words for the type when there is none", function()
    assert.equal("NOT_FOUND", failed({ error = { message = "x", status = "NOT_FOUND" } }).type)
    assert.equal("t", failed({ error = { message = "x", type = "t", status = "NOT_FOUND" } }).type)
    assert.equal(null, failed({ error = { message = "x", status = 400 } }).type)
  end)

  it("may be a string, with code and type beside it", function()
    assert.same({ "gone", "-", "-", "-" }, parts(failed { error = "gone" }))
    assert.same({ "gone", "t", "c", "p" }, parts(failed { error = "gone", type = "t", code = "c", param = "p" }))
  end)

  it("may be flat", function()
    assert.same({ "x", "t", "3230", "p" }, parts(failed { object = "error", message = "x", type = "t", code = 3230, param = "p" }))
    assert.same({ "x", "-", "-", "-" }, parts(failed { message = "x" }))
    assert.same({ "x", "t", "-", "-" }, parts(failed { error_message = "x", error_type = "t" }))
    assert.same({ "x", "-", "-", "-" }, parts(failed { detail = "x" }))
    assert.same({ "x", "-", "1", "-" }, parts(failed { errors = list { { code = 1, message = "x" }, { message = "y" } } }))
    assert.same({ "x", "-", "-", "-" }, parts(failed { errors = list { "x", "y" } }))
    assert.same({ "x", "-", "1008", "-" }, parts(failed { base_resp = { status_code = 1008, status_msg = "x" } }))
  end)

  it("may list what is wrong with each field", function()
    assert.equal("The data was invalid.", failed({ message = "The data was invalid.", errors = { model = list { "required" } } }).message)
    assert.equal('{"model":["required"]}', failed({ errors = { model = list { "required" } } }).message)
  end)

  it("may stand in a list", function()
    assert.same({ "x", "S", "400", "-" }, parts(failed(list { { error = { message = "x", code = 400, status = "S" } } })))
    assert.same({ "x", "-", "-", "-" }, parts(failed(list { null, 1, { message = "x" } })))
  end)

  describe("with FastAPI details", function()
    local details = list { { loc = list { "body", "messages", 0, "content" }, msg = "wrong", type = "t" } }

    it("says the path and what is wrong", function()
      local expected = "body.messages.0.content: wrong"
      assert.equal(expected, failed({ detail = details }, 422).message)
      assert.equal(expected, failed({ message = { detail = details } }, 422).message)
      assert.equal(expected, failed({ message = details }, 422).message)
      assert.equal(expected, failed({ message = core.json_encode { detail = details } }, 422).message)
      assert.equal(expected, failed({ message = core.json_encode(details) }, 422).message)
      assert.equal(expected, failed({ error = { message = { detail = details } } }, 422).message)
      assert.equal(expected, failed({ error = { message = core.json_encode { detail = details } } }, 422).message)
    end)

    it("joins several", function()
      assert.equal("a: x; b.c: y; z", failed({ detail = list {
        { loc = list { "a" }, msg = "x" }, { loc = list { "b", "c" }, msg = "y" }, { msg = "z" },
      } }, 422).message)
    end)

    it("copes with other shapes", function()
      assert.equal("x", failed({ detail = { msg = "x" } }).message)
      assert.equal("x", failed({ detail = { message = "x" } }).message)
      assert.equal("x; y", failed({ detail = list { "x", "y" } }).message)
      assert.equal('{"a":1}', failed({ detail = { a = 1 } }).message)
      assert.equal('{"a":1}', failed({ message = { a = 1 } }).message)
      assert.equal("{not json", failed({ message = "{not json" }).message)
      assert.equal('{"a":1}', failed({ message = '{"a":1}' }).message)
    end)
  end)

  it("of OpenRouter carries what the upstream said", function()
    local function raw(value) return failed({ error = { code = 400, message = "m", metadata = { raw = value } } }).message end
    assert.equal("m: upstream", raw "upstream")
    assert.equal('m: {"a":1}', raw { a = 1 })
    assert.equal("m", raw(null))
    assert.equal("m", raw "")
    assert.equal("upstream", failed({ error = { metadata = { raw = "upstream" } } }).message)
  end)

  it("that is a page says its title, or its text", function()
    assert.equal("502 Bad Gateway", failed("<html><head><title>502 Bad Gateway</title>", 502).message)
    assert.equal("a | b: 524", failed("\n<!doctype html><TITLE >a |\n  b: 524</TITLE>", 524).message)
    assert.equal("<h1>No</h1>", failed("<h1>No</h1>", 500).message)
    assert.equal("<title>No end", failed("<title>No end", 500).message)
    assert.equal("<title></title>", failed("<title></title>", 500).message)
  end)

  it("that is text says it, up to 500 characters", function()
    assert.equal("no", failed(" no\n").message)
    assert.equal(("é"):rep(500), failed(("é"):rep(600)).message)
    assert.equal("a\u{FFFD}b", failed("a\xFFb").message)
    assert.equal("a\0b", failed("a\0b").message)
  end)

  it("that is a JSON string says it", function() assert.equal("no", failed('"no"').message) end)

  it("that is nothing says nothing", function()
    for _, body in ipairs { "", " ", "\n\n", "\xEF\xBB\xBF" } do
      assert.same({ "-", "-", "-", "-" }, parts(failed(body, 503)))
    end
  end)

  it("that says nothing we know is shown as it came", function()
    for _, body in ipairs { "{}", '{"foo":"bar"}', "[]", "null", "7", '{"error":null}', '{"error":""}' } do
      assert.equal(body, failed(body).message)
    end
  end)

  it("may be cut", function()
    assert.equal('{"error":{"message":"x', failed('{"error":{"message":"x').message)
  end)

  it("may be followed by something else", function()
    assert.equal("x", failed('{"error":{"message":"x"}}\n<html>').message)
  end)

  it("may be sent as events", function()
    for _, text in ipairs {
      'data: {"error":{"message":"x"}}', 'event: error\ndata: {"error":{"message":"x"}}\n\n', 'error: {"message":"x"}\n\n',
      ': comment\n\ndata: {"error":{"message":"x"}}\n\ndata: [DONE]\n\n',
      'data: {"choices":[]}\n\ndata: {"detail":"x"}\n\n', 'data: nonsense\n\ndata: {"error":{"message":"x"}}\n\n',
      "data:{\"error\":\ndata:{\"message\":\"x\"}}\r\n\r\n",
    } do
      assert.equal("x", failed(text, 429).message, text)
    end
  end)

  it("is the same in any cuts", function()
    local body = '{"error":{"message":"x é","type":"t"}}'
    assert.same(failed(body), core.decode(body, { status = 400, cuts = wire.every_byte(body) }).error)
  end)

  it("is not read beyond a megabyte", function()
    local err = failed('{"error":{"message":"' .. ("x"):rep(3 << 20) .. '"}}', 500)
    assert.equal(500, #err.message)
  end)

  it("hides no choices", function()
    local got = core.decode(wire.body({ content = "x" }, "stop"), { status = 500 })
    assert.same({}, got.choices)
    assert.equal(null, got.id)
    assert.equal("http_error", got.error.kind)
  end)

  it("stands for every status of 300 and more", function()
    for status, is_error in pairs { [200] = false, [201] = false, [299] = false, [302] = true, [307] = true, [400] = true, [599] = true } do
      local err = failed(wire.body({ content = "x" }, "stop"), status)
      assert.equal(is_error, err ~= null, status)
    end
  end)
end)


describe("retryable", function()
  it("follows the status", function()
    local again = { 408, 409, 429, 498, 500, 501, 502, 503, 504, 520, 524, 529, 599 }
    local never = { 300, 307, 400, 401, 402, 403, 404, 405, 413, 418, 422, 425, 499 }
    for _, status in ipairs(again) do assert.is_true(failed("", status).retryable, status) end
    for _, status in ipairs(never) do assert.is_false(failed("", status).retryable, status) end
  end)

  it("is no for a 429 that its owner must cure", function()
    for _, word in ipairs { "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active" } do
      assert.is_false(failed({ error = { message = "x", code = word } }, 429).retryable, word)
      assert.is_false(failed({ error = { message = "x", type = word } }, 429).retryable, word)
    end
    assert.is_true(failed({ error = { message = "x", code = "rate_limit_exceeded", type = "tokens" } }, 429).retryable)
  end)

  it("is what x-should-retry says, whatever the rest", function()
    assert.is_false(failed("", 500, { "x-should-retry: false" }).retryable)
    assert.is_true(failed("", 400, { "X-Should-Retry: TRUE" }).retryable)
    assert.is_true(failed({ error = { code = "insufficient_quota" } }, 429, { "x-should-retry:true" }).retryable)
    assert.is_true(failed("", 500, { "x-should-retry: maybe" }).retryable)
    assert.is_true(failed("", 500, { "x-should-retry: " .. ("false"):rep(100) }).retryable)
  end)

  it("is a matter of HTTP errors only", function()
    assert.is_nil(streamed({ error = { message = "x" } }).error.retryable)
    assert.is_nil(streamed({ error = { message = "x" } }).error.status)
  end)
end)


describe("an error inside a reply", function()
  local ERRORS <const> = {
    { '{"error":{"message":"x","type":"t","code":502,"param":"p"}}', { "x", "t", "502", "p" } },
    { '{"error":"x"}', { "x", "-", "-", "-" } },
    { '{"error":{}}', { "-", "-", "-", "-" } },
    { '{"code":"c","error":"x"}', { "x", "-", "c", "-" } },
    { '{"object":"error","message":"x","code":400}', { "x", "-", "400", "-" } },
    { '{"object":"Error","message":"x"}', { "x", "-", "-", "-" } },
    { '{"error_message":"x","error_type":"t"}', { "x", "t", "-", "-" } },
    { '{"errors":[{"message":"x","code":7}]}', { "x", "-", "7", "-" } },
    { '{"errors":{"message":"x","code":"c"}}', { "x", "-", "c", "-" } },
    { '{"errors":"x"}', { "x", "-", "-", "-" } },
    { '{"error":["x","y"],"error_type":"validation"}', { "x; y", "-", "-", "-" } },
    { '{"error":{"code":"c"},"message":"x"}', { "x", "-", "c", "-" } },
    { '{"base_resp":{"status_code":"1004","status_msg":"x"},"choices":null}', { "x", "-", "1004", "-" } },
    { '{"base_resp":{"status_code":1004,"status_msg":"x"},"choices":null}', { "x", "-", "1004", "-" } },
    { '{"type":"error","error":{"type":"overloaded_error","message":"x"}}', { "x", "overloaded_error", "-", "-" } },
    { '{"choices":[{"index":0,"delta":{},"error":{"message":"x","code":1}}]}', { "x", "-", "1", "-" } },
    { '{"choices":[{"index":0,"delta":{},"error":"x"}]}', { "x", "-", "-", "-" } },
    { '{"choices":[{"index":0,"delta":{},"finish_reason":null},{"index":1,"finish_reason":"error"}]}', { "-", "-", "-", "-" } },
    { '{"choices":[],"x_groq":{"error":"x"}}', { "x", "-", "-", "-" } },
    { '[{"error":{"message":"x"}}]', { "x", "-", "-", "-" } },
  }

  it("ends a stream and keeps what came", function()
    for _, case in ipairs(ERRORS) do
      local got = streamed(case[1])
      assert.equal("stream_error", got.error.kind, case[1])
      assert.same(case[2], parts(got.error), case[1])
      assert.equal("a", got.choices[1].message.content)
      assert.equal(null, got.choices[1].finish_reason)
      assert.is_false(got.complete)
      assert.is_false(got.done)
    end
  end)

  it("makes a body with status 200 a failure", function()
    for _, case in ipairs(ERRORS) do
      local got = core.decode(case[1])
      assert.equal("stream_error", got.error.kind, case[1])
      assert.same(case[2], parts(got.error), case[1])
      assert.same({}, got.choices)
    end
  end)

  it("is what an event named error says, whatever it is", function()
    local function named(data)
      return core.decode(wire.stream({ chunk { content = "a" } }, { done = false }) .. "event: error\ndata: " .. data .. "\n\n").error
    end
    assert.same({ "x", "-", "-", "-" }, parts(named '{"error":{"message":"x"},"message":"y"}'))
    assert.same({ "x", "t", "500", "-" }, parts(named '{"message":"x","type":"t","code":500}'))
    assert.same({ "upstream gone", "-", "-", "-" }, parts(named "upstream gone"))
    assert.same({ "x", "-", "-", "-" }, parts(named '"x"'))
    assert.same({ "-", "-", "-", "-" }, parts(named "{}"))
  end)

  it("comes after a finish_reason, too", function()
    local got = wire.decode { chunk({ content = "a" }, "stop"), '{"error":"late"}' }
    assert.equal("late", got.error.message)
    assert.equal("stop", got.choices[1].finish_reason)
    assert.is_false(got.complete)
  end)

  it("is not what is null, empty or zero", function()
    for _, event in ipairs {
      '{"error":null,"choices":[{"delta":{"content":"x"}}]}', '{"base_resp":{"status_code":0,"status_msg":"success"}}',
      '{"base_resp":{"status_code":"0","status_msg":""}}', '{"errors":[],"choices":[]}', '{"errors":{}}',
      '{"error":[]}', '{"error":false}', '{"errors":""}',
      '{"choices":[{"delta":{},"error":null}]}' } do
      assert.equal(null, streamed(event).error, event)
    end
  end)

  it("may speak any language", function()
    assert.equal("Zu lang: \u{1F642}\0", streamed('{"error":{"message":"Zu lang: \\ud83d\\ude42\\u0000"}}').error.message)
  end)
end)


describe("core.retry_after", function()
  local NOW <const> = 784111777 -- Sun, 06 Nov 1994 08:49:37 GMT

  local function after(headers) return core.retry_after(headers, NOW) end

  it("reads seconds, also fractions", function()
    assert.equal(1, after { ["retry-after"] = "1" })
    assert.equal(0.25, after { ["retry-after"] = "0.25" })
    assert.equal(3600, after { ["retry-after"] = " 3600 " })
    assert.equal(0, after { ["retry-after"] = "0" })
    assert.equal(0.5, after { ["retry-after"] = ".5" })
  end)

  it("reads milliseconds first", function()
    assert.equal(0.8, after { ["retry-after-ms"] = "800", ["retry-after"] = "1" })
    assert.equal(0.0015, after { ["retry-after-ms"] = "1.5" })
    assert.equal(1, after { ["retry-after-ms"] = "soon", ["retry-after"] = "1" })
  end)

  it("reads the three forms of a date", function()
    for _, date in ipairs { "Sun, 06 Nov 1994 08:49:47 GMT", "Sunday, 06-Nov-94 08:49:47 GMT", "Sun Nov  6 08:49:47 1994" } do
      assert.equal(10, after { ["retry-after"] = date }, date)
    end
    assert.equal(0, after { ["retry-after"] = "Sun, 06 Nov 1994 08:49:37 GMT" })
    assert.equal(86400 * 5, after { ["retry-after"] = "Fri, 11 Nov 1994 08:49:37 GMT" })
  end)

  it("knows the calendar", function()
    local function at(date) return core.retry_after({ ["retry-after"] = date }, 0) end
    assert.equal(0, at "Thu, 01 Jan 1970 00:00:00 GMT")
    assert.equal(951782400, at "Tue, 29 Feb 2000 00:00:00 GMT")
    assert.equal(1709164800, at "Thu, 29 Feb 2024 00:00:00 GMT")
    assert.equal(4107542400, at "Mon, 01 Mar 2100 00:00:00 GMT")
    assert.equal(3023249280, at "Wed, 20 Oct 2065 07:28:00 GMT")
  end)

  it("reads a date by the clock of the server that wrote it", function()
    assert.equal(5, after { date = "Wed, 21 Oct 2015 07:28:00 GMT", ["retry-after"] = "Wed, 21 Oct 2015 07:28:05 GMT" })
  end)

  it("takes header lines as well", function()
    assert.equal(7, after { "Content-Type: x", "Retry-After: 7" })
    assert.equal(0.007, after { "retry-after-ms:7", "retry-after: 9" })
  end)

  it("has no use for anything else", function()
    for _, text in ipairs {
      "", " ", "soon", "-5", "+5", "1e3", "0x10", "nan", "inf", "5 seconds", "1,5", "1.2.3", ".", ("9"):rep(100),
      "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 PST", "Sun Nov", "06 Nov", "Sun, 06-Nov",
    } do
      assert.is_nil(after { ["retry-after"] = text }, text)
      assert.is_nil(after { ["retry-after-ms"] = text }, text)
    end
    assert.is_nil(after {})
  end)

  it("wants a table and a clock", function()
    assert.error(function() core.retry_after("1", 0) end)
    assert.error(function() core.retry_after({}) end)
  end)
end)
