local chat = require "rille.chat"
local core = require "rille.core"
local config = require "rille.config"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local retry = require "rille.retry"
local world = require "spec.support.world"

local DONE <const> = { completion = { id = "c", choices = {} } }


describe("rille.retry", function()
  local clock

  before_each(function() clock = world.clock() end)
  after_each(function() clock.restore() end)

  describe("duration", function()
    for text, seconds in pairs({
      ["6s"] = 6, ["800ms"] = 0.8, ["6m0s"] = 360, ["1.57s"] = 1.57, ["1h2m3s"] = 3723, ["12"] = 12,
      ["0"] = 0, ["2m59.56s"] = 179.56,
    }) do
      it("reads " .. text, function() assert.near(seconds, retry.duration(text), 1e-9) end)
    end

    it("reads nothing else", function()
      for _, text in ipairs({ "", "s", "5x", "soon", "-5s", "1s2" }) do
        assert.is_nil(retry.duration(text), text)
      end
      assert.is_nil(retry.duration(nil))
    end)
  end)

  describe("after", function()
    local now <const> = "Tue, 14 Nov 2023 22:13:20 GMT"   -- 1700000000
    local cases <const> = {
      { "milliseconds", { ["retry-after-ms"] = "1500" }, 1.5 },
      { "milliseconds before seconds", { ["retry-after-ms"] = "800", ["retry-after"] = "1" }, 0.8 },
      { "fractions of milliseconds", { ["retry-after-ms"] = "0.5" }, 0.0005 },
      { "seconds", { ["retry-after"] = "7" }, 7 },
      { "fractions of seconds", { ["retry-after"] = "0.25" }, 0.25 },
      { "a date", { ["retry-after"] = "Tue, 14 Nov 2023 22:13:30 GMT" }, 10 },
      { "a date by the server's own clock",
        { ["retry-after"] = "Tue, 14 Nov 2023 23:00:05 GMT",
          date = "Tue, 14 Nov 2023 23:00:00 GMT" }, 5 },
      { "a date that is now", { ["retry-after"] = now }, 0 },
      { "a date in the past", { ["retry-after"] = "Tue, 14 Nov 2023 22:13:10 GMT" }, nil },
      { "a huge number", { ["retry-after"] = "86400" }, 86400 },
      { "a negative number", { ["retry-after"] = "-5" }, nil },
      { "a word", { ["retry-after"] = "soon" }, nil },
      { "nothing", { ["retry-after"] = "" }, nil },
      { "no header", {}, nil },
      { "bad milliseconds and good seconds", { ["retry-after-ms"] = "x", ["retry-after"] = "2" },
        2 },
    }
    for _, case in ipairs(cases) do
      it("reads " .. case[1], function()
        local seconds = retry.after(case[2])
        if case[3] == nil then assert.is_nil(seconds) else assert.near(case[3], seconds, 1e-9) end
      end)
    end
  end)

  it("backs off from half a second, doubling, to eight at most, minus up to a quarter", function()
    local expected <const> = { 0.5, 1, 2, 4, 8, 8, 8 }
    for n, seconds in ipairs(expected) do
      clock.random = 0
      assert.near(seconds, retry.backoff(n), 1e-9)
      clock.random = 0.999999
      assert.near(seconds * 0.75, retry.backoff(n), 1e-4)
    end
  end)
end)


describe("chat.start", function()
  local clock, wire, restore

  before_each(function()
    clock = world.clock()
    restore = world.environment { OPENAI_API_KEY = "sk-test-key" }
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

  local function ask(request)
    local complete = { model = "m",
      messages = core.transcript { { role = "user", content = "hi" } } }
    for name, value in pairs(request or {}) do complete[name] = value end
    return chat.complete(complete)
  end

  local function after(times, step)
    local steps = {}
    for i = 1, times do steps[i] = step end
    steps[times + 1] = DONE
    return steps
  end

  -- ------------------------------------------------------------------ the matrix (G14)
  local troubles <const> = {
    ["status 408"] = { { status = 408 }, true, "timeout" },
    ["status 409"] = { { status = 409 }, true, "server_error" },
    ["status 429"] = { { status = 429 }, true, "rate_limit" },
    ["status 498"] = { { status = 498 }, true, "rate_limit" },
    ["status 500"] = { { status = 500 }, true, "server_error" },
    ["status 502"] = { { status = 502 }, true, "server_error" },
    ["status 503"] = { { status = 503 }, true, "server_error" },
    ["status 504"] = { { status = 504 }, true, "server_error" },
    ["status 520"] = { { status = 520 }, true, "server_error" },
    ["status 524"] = { { status = 524 }, true, "server_error" },
    ["status 529"] = { { status = 529 }, true, "server_error" },
    ["status 400"] = { { status = 400 }, false, "invalid_request" },
    ["status 401"] = { { status = 401 }, false, "authentication" },
    ["status 402"] = { { status = 402 }, false, "quota" },
    ["status 403"] = { { status = 403 }, false, "permission" },
    ["status 404"] = { { status = 404 }, false, "not_found" },
    ["status 413"] = { { status = 413 }, false, "invalid_request" },
    ["status 422"] = { { status = 422 }, false, "invalid_request" },
    ["status 425"] = { { status = 425 }, false, "server_error" },
    ["a 429 of the quota"] = { { status = 429, code = "insufficient_quota" }, false, "quota" },
    ["a 429 of the bill"] = { { status = 429, type = "billing_hard_limit_reached" }, false,
      "quota" },
    ["a 400 that should be retried"] = {
      { status = 400, headers = { ["x-should-retry"] = "true" } }, true, "invalid_request" },
    ["a 500 that should not"] = { { status = 500, headers = { ["x-should-retry"] = "false" } },
      false, "server_error" },
    ["a 429 that should not"] = { { status = 429, headers = { ["x-should-retry"] = "false" } },
      false, "rate_limit" },
    ["a refused connection"] = { { kind = "connection" }, true, "connection" },
    ["a timeout"] = { { kind = "timeout" }, true, "timeout" },
    ["a stream that was cut"] = { { kind = "incomplete_stream", status = 200 }, true,
      "incomplete_stream" },
    ["an error inside a 200"] = { { kind = "stream_error", status = 200, code = "502" }, false,
      "server_error" },
    ["a rate limit inside a 200"] = { { kind = "stream_error", status = 200, code = "429" }, false,
      "rate_limit" },
  }

  for name, row in pairs(troubles) do
    local step, is_retried, code = row[1], row[2], row[3]

    it("answers " .. name .. ", once and twice", function()
      for times = 1, 2 do
        endpoint.reset()
        wire = fake_wire.install(after(times, step))
        local completion, trouble = ask()
        assert.equal(is_retried and times + 1 or 1, #wire.sent)
        if is_retried then
          assert.equal(DONE.completion, completion)
        else
          assert.is_nil(completion)
          assert.equal(code, trouble.code)
        end
        wire.restore()
      end
    end)

    it("gives " .. name .. " to the caller in the end", function()
      wire = fake_wire.install { default = step }
      local completion, trouble, info = ask()
      assert.is_nil(completion)
      assert.is_true(failure.is(trouble))
      assert.equal(code, trouble.code)
      assert.equal(is_retried and 3 or 1, #wire.sent)
      assert.equal(#wire.sent, info.attempts)
      assert.equal("openai", trouble.provider)
    end)
  end

  it("repeats bytes that cannot be read once only", function()
    for _, kind in ipairs({ "bad_chunk", "bad_body", "empty_response" }) do
      endpoint.reset()
      wire = fake_wire.install { default = { kind = kind, status = 200 } }
      local _, trouble = ask()
      assert.equal("bad_response", trouble.code)
      assert.equal(2, #wire.sent)
      wire.restore()
    end
  end)

  it("does not repeat a web page, and says what is wrong", function()
    wire = fake_wire.install {
      default = { kind = "bad_body", status = 200, message = "LM Studio", hint = "a page: /v1?" } }
    local _, trouble = ask()
    assert.equal(1, #wire.sent)
    assert.truthy(trouble.message:find("/v1", 1, true))
  end)

  for retries, requests in pairs({ [0] = 1, [1] = 2, [2] = 3, [4] = 5 }) do
    it(("makes %d requests with retries = %d"):format(requests, retries), function()
      wire = fake_wire.install { default = { status = 503 } }
      ask { retries = retries }
      assert.equal(requests, #wire.sent)
    end)
  end

  it("waits longer each time, and tells", function()
    wire = fake_wire.install(after(2, { status = 503 }))
    local told = {}
    ask { on_retry = function(event) told[#told + 1] = event end }
    assert.same({ 0.5, 1 }, clock.slept)
    assert.equal(2, told[1].attempt)
    assert.equal(0.5, told[1].delay)
    assert.equal("server_error", told[1].failure.code)
    assert.equal(3, told[2].attempt)
  end)

  local waits <const> = {
    { "seconds", { ["retry-after"] = "7" }, 7 },
    { "milliseconds", { ["retry-after-ms"] = "250" }, 0.25 },
    { "a date", { ["retry-after"] = "Tue, 14 Nov 2023 22:13:32 GMT" }, 12 },
    { "a whole minute", { ["retry-after"] = "60" }, 60 },
    { "zero", { ["retry-after"] = "0" }, nil },
    { "a word", { ["retry-after"] = "soon" }, 0.5 },
    { "a negative number", { ["retry-after"] = "-5" }, 0.5 },
  }
  for _, case in ipairs(waits) do
    it("honours Retry-After: " .. case[1], function()
      wire = fake_wire.install(after(1, { status = 429, headers = case[2] }))
      assert.equal(DONE.completion, (ask()))
      assert.equal(case[3], clock.slept[1])
    end)
  end

  for _, text in ipairs({ "61", "3600", "Wed, 21 Oct 2065 07:28:00 GMT" }) do
    it("gives a wait of " .. text .. " to the caller", function()
      wire = fake_wire.install { default = { status = 429, headers = { ["retry-after"] = text } } }
      local _, trouble = ask()
      assert.equal(1, #wire.sent)
      assert.equal("rate_limit", trouble.code)
      assert.is_true(trouble.detail.retry_after > 60)
      assert.is_true(trouble.retryable)
      assert.same({}, clock.slept)
    end)
  end

  it("keeps the caller's total time over all attempts", function()
    wire = fake_wire.install { default = { status = 503 } }
    local _, trouble = ask { retries = 9, timeout = { total = 4 } }
    assert.equal("server_error", trouble.code)
    assert.same({ 0.5, 1, 2 }, clock.slept)
    assert.near(4, wire.sent[1].settings.total, 1e-6)
    assert.near(2.5, wire.sent[3].settings.total, 1e-6)
  end)

  -- ------------------------------------------------------------------ deltas
  it("repeats nothing after a delta was handed out", function()
    wire = fake_wire.install { { deltas = { "a" }, kind = "incomplete_stream", status = 200 } }
    local started = assert(
      chat.start { model = "m", stream = true, want = "deltas", messages = core.transcript {} })
    assert.same({ "text", "a", 0 }, { started:next() })
    assert.is_nil(started:next())
    local completion, trouble = started:finish()
    assert.is_nil(completion)
    assert.equal("incomplete_stream", trouble.code)
    assert.equal(1, #wire.sent)
  end)

  it("starts again where the consumer says that it can", function()
    local cut = { deltas = { "a" }, kind = "incomplete_stream", status = 200 }
    wire = fake_wire.install { cut, { deltas = { "a", "b" }, completion = DONE.completion } }
    local started = assert(
      chat.start { model = "m", stream = true, want = "deltas", resets = true,
      messages = core.transcript {} })
    local seen = {}
    for kind, value in function() return started:next() end do
      seen[#seen + 1] = kind == "retry" and (value.reset and "reset" or "retry") or value
    end
    assert.same({ "a", "reset", "a", "b" }, seen)
    assert.equal(DONE.completion, (started:finish()))
  end)

  it("starts again twice at most", function()
    wire = fake_wire.install {
      default = { deltas = { "a" }, kind = "incomplete_stream", status = 200 } }
    local started = assert(chat.start {
      model = "m", stream = true, want = "deltas", resets = true, retries = 9,
      messages = core.transcript {},
    })
    local _, trouble = started:finish()
    assert.equal("incomplete_stream", trouble.code)
    assert.equal(3, #wire.sent)
  end)

  it("repeats a stream of which nothing was handed out", function()
    wire = fake_wire.install { { kind = "incomplete_stream", status = 200 },
      { deltas = { "b" }, completion = DONE.completion } }
    local started = assert(
      chat.start { model = "m", stream = true, want = "deltas", messages = core.transcript {} })
    local kind, event = started:next()
    assert.equal("retry", kind)
    assert.is_nil(event.reset)
    assert.same({ "text", "b", 0 }, { started:next() })
    assert.equal(DONE.completion, (started:finish()))
  end)

  -- ------------------------------------------------------------------ what all agents share
  it("lets a whole outage through with few retries", function()
    wire = fake_wire.install { default = { status = 503 } }
    local held = {}
    for i = 1, 40 do held[i] = assert(chat.start { model = "m", messages = core.transcript {} }) end
    for i = 1, 40 do
      local _, trouble = held[i]:finish()
      assert.equal("server_error", trouble.code)
    end
    assert.is_true(#wire.sent <= 40 + 3 + 4 + 3, #wire.sent)
    assert.is_true(#wire.sent > 40)
  end)

  it("holds back nobody who is alone", function()
    for _ = 1, 10 do
      wire = fake_wire.install(after(2, { status = 503 }))
      assert.equal(DONE.completion, (ask()))
      wire.restore()
    end
  end)

  it("makes everybody wait for a limit that one of us has met", function()
    wire = fake_wire.install { { status = 429, headers = { ["retry-after"] = "20" } }, DONE, DONE }
    ask { retries = 0 }
    assert.same({}, clock.slept)
    ask()
    assert.same({ 20 }, clock.slept)
  end)

  it("waits when the announced requests are used up, and not before", function()
    local headers = {
      ["x-ratelimit-limit-requests"] = "3", ["x-ratelimit-remaining-requests"] = "2",
      ["x-ratelimit-reset-requests"] = "10s",
    }
    wire = fake_wire.install { default = { completion = DONE.completion, headers = headers } }
    ask()
    headers["x-ratelimit-remaining-requests"] = nil
    ask()
    ask()
    assert.same({}, clock.slept)
    ask()
    assert.same({ 10 }, clock.slept)
  end)

  it("waits when the announced tokens are used up", function()
    local headers = { ["x-ratelimit-remaining-tokens"] = "0",
      ["x-ratelimit-reset-tokens"] = "800ms" }
    wire = fake_wire.install { { completion = DONE.completion, headers = headers }, DONE }
    ask()
    ask()
    assert.near(0.8, clock.slept[1], 1e-6)
  end)

  it("asks again rather than wait for hours", function()
    local headers = { ["x-ratelimit-remaining-requests"] = "0",
      ["x-ratelimit-reset-requests"] = "6h" }
    wire = fake_wire.install { { completion = DONE.completion, headers = headers }, DONE }
    ask()
    ask()
    assert.same({}, clock.slept)
  end)

  it("keeps limits of one model or key from another", function()
    wire = fake_wire.install { { status = 429, headers = { ["retry-after"] = "20" } }, DONE, DONE }
    ask { retries = 0 }
    ask { model = "other" }
    ask { api_key = "another-key" }
    assert.same({}, clock.slept)
  end)

  it("fails when the limit lasts longer than the caller's time", function()
    wire = fake_wire.install { { status = 429, headers = { ["retry-after"] = "20" } } }
    ask { retries = 0 }
    local _, trouble = ask { timeout = { total = 5 } }
    assert.equal("timeout", trouble.code)
    assert.near(20, trouble.detail.retry_after, 1e-6)
  end)
end)
