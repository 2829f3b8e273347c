--- retry_matrix_spec.lua -- G14 in full: failures 0, 2 and 4 in a row, of every kind, with every Retry-After, in virtual
--- time: how often is the server asked, how long is waited, and what comes out.
---
--- The expectation is written down from reliability §4.2 and wire contract §3.2, not taken from rille.retry.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local world = require "spec.support.world"

local NEVER <const>, ONCE <const>, ALWAYS <const> = 0, 1, math.huge
local DONE <const> = { completion = { id = "c", choices = {} } }

--- A failure → how often it may be repeated, and its code.
local failures <const> = {
  { { status = 400 }, NEVER, "invalid_request" }, { { status = 401 }, NEVER, "authentication" },
  { { status = 402 }, NEVER, "quota" }, { { status = 403 }, NEVER, "permission" }, { { status = 404 }, NEVER, "not_found" },
  { { status = 408 }, ALWAYS, "timeout" }, { { status = 409 }, ALWAYS, "server_error" },
  { { status = 413 }, NEVER, "invalid_request" }, { { status = 422 }, NEVER, "invalid_request" },
  { { status = 425 }, NEVER, "server_error" }, { { status = 429 }, ALWAYS, "rate_limit" },
  { { status = 429, code = "insufficient_quota" }, NEVER, "quota" },
  { { status = 429, type = "billing_not_active" }, NEVER, "quota" },
  { { status = 429, code = "credit_balance_exhausted" }, NEVER, "quota" },
  { { status = 498 }, ALWAYS, "rate_limit" }, { { status = 499 }, NEVER, "connection" },
  { { status = 500 }, ALWAYS, "server_error" }, { { status = 502 }, ALWAYS, "server_error" },
  { { status = 503 }, ALWAYS, "server_error" }, { { status = 504 }, ALWAYS, "server_error" },
  { { status = 520 }, ALWAYS, "server_error" }, { { status = 524 }, ALWAYS, "server_error" },
  { { status = 529 }, ALWAYS, "server_error" },
  { { kind = "connection", status = 0 }, ALWAYS, "connection" }, { { kind = "timeout", status = 0 }, ALWAYS, "timeout" },
  { { kind = "incomplete_stream" }, ALWAYS, "incomplete_stream" },
  { { kind = "bad_chunk" }, ONCE, "bad_response" }, { { kind = "bad_body" }, ONCE, "bad_response" },
  { { kind = "empty_response" }, ONCE, "bad_response" }, { { kind = "stream_error", code = "500" }, NEVER, "server_error" },
}

--- Headers → the wait that they ask for: seconds, false: as if they were not there, "give up".
local headers <const> = {
  { {}, false }, { { ["retry-after"] = "2" }, 2 }, { { ["retry-after"] = "0.5" }, 0.5 }, { { ["retry-after"] = "60" }, 60 },
  { { ["retry-after"] = "0" }, 0 }, { { ["retry-after"] = "61" }, "give up" }, { { ["retry-after"] = "99999999999" }, "give up" },
  { { ["retry-after"] = "soon" }, false }, { { ["retry-after"] = "-5" }, false }, { { ["retry-after"] = "" }, false },
  { { ["retry-after-ms"] = "250" }, 0.25 }, { { ["retry-after-ms"] = "x", ["retry-after"] = "3" }, 3 },
  { { ["retry-after"] = "Wed, 21 Oct 2065 07:28:00 GMT" }, "give up" },
  { { ["retry-after"] = "Tue, 14 Nov 2023 22:14:10 GMT", date = "Tue, 14 Nov 2023 22:14:00 GMT" }, 10 },
  { { ["retry-after"] = "Tue, 14 Nov 2023 22:13:00 GMT", date = "Tue, 14 Nov 2023 22:14:00 GMT" }, false },
}

local RETRIES <const> = 4
local REFUSED <const> = { status = 401, message = "expired" }


describe("the retry matrix", function()
  local clock, restore

  before_each(function()
    clock = world.clock()
    restore = world.environment {}
    config.reset()
    heal.reset()
  end)

  after_each(function()
    restore()
    clock.restore()
    endpoint.reset()
  end)

  --- Fails so often, then answers. Returns requests, seconds waited, code.
  local function play(failure, header, times)
    endpoint.reset()
    local step, steps = {}, {}
    for name, value in pairs(failure) do step[name] = value end
    step.headers = header
    for i = 1, times do steps[i] = step end
    steps[times + 1] = DONE
    local wire <const> = fake_wire.install(steps)
    local before = clock.now
    local completion, trouble = chat.complete { model = "m", base_url = "http://localhost:9/v1", retries = RETRIES,
      messages = core.transcript { { role = "user", content = "hi" } } }
    wire.restore()
    return #wire.sent, clock.now - before, completion and "ok" or trouble.code
  end

  --- What must come of it.
  local function expectation(may, code, wait, times)
    if times == 0 then return 1, 0, "ok" end
    local repeats = wait == "give up" and NEVER or may
    local retries = math.min(times, repeats, RETRIES)
    local seconds = 0
    for i = 1, retries do seconds = seconds + (wait or math.min(0.5 * 2 ^ (i - 1), 8)) end
    return retries + 1, seconds, retries == times and "ok" or code
  end

  it("asks once more after a 401, when a function has another key by now", function()
    local function ask(keys, steps)
      local wire <const> = fake_wire.install(steps)
      local completion, trouble = chat.complete { model = "m", retries = RETRIES,
        provider = { name = "p", base_url = "http://localhost:9/v1", api_key = function() return table.remove(keys, 1) end },
        messages = core.transcript { { role = "user", content = "hi" } } }
      wire.restore()
      local sent = {}
      for i, request in ipairs(wire.sent) do
        sent[i] = table.concat(request.settings.headers, "\n"):match "authorization: Bearer ([^\n]*)"
      end
      return table.concat(sent, " "), completion and "ok" or trouble.code
    end
    assert.same({ "key-one key-two", "ok" }, { ask({ "key-one", "key-two" }, { REFUSED, DONE }) })
    assert.same({ "key-one", "authentication" }, { ask({ "key-one", "key-one" }, { REFUSED }) })
    assert.same({ "key-one key-two", "authentication" },
      { ask({ "key-one", "key-two", "key-three" }, { REFUSED, REFUSED }) })
  end)

  for _, times in ipairs(os.getenv "RILLE_GC" and { 2 } or { 0, 2, 4, 5 }) do
    it(("holds for %d failures in a row"):format(times), function()
      for _, failure in ipairs(failures) do
        for _, header in ipairs(headers) do
          local requests, seconds, code = expectation(failure[2], failure[3], header[2], times)
          local got_requests, got_seconds, got_code = play(failure[1], header[1], times)
          local name = ("%s %s after %s: %d requests in %.2f s, %s"):format(failure[1].status or "", failure[1].kind or failure[3],
            next(header[1]) and select(2, next(header[1])) or "nothing", got_requests, got_seconds, got_code)
          assert.equal(requests, got_requests, name)
          assert.equal(code, got_code, name)
          assert.near(seconds, got_seconds, 1e-6, name)
        end
      end
    end)
  end
end)
