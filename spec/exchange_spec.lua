--- exchange_spec.lua -- random trouble: whatever the wire does, one call is one reply or one
--- failure.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local world = require "spec.support.world"

local RUNS <const> = tonumber(os.getenv "RILLE_EXCHANGES") or os.getenv "RILLE_GC" and 8 or 500
local ALPHABET <const> = { "a", "b", "c", "d", "e" }

--- A generator of its own: a failing run can be repeated by its seed.
local function dice(seed)
  local state = seed * 2654435761 % 4294967296
  return function(n)
    state = (state * 1664525 + 1013904223) % 4294967296
    return state * n // 4294967296 + 1
  end
end


--- Some text, in pieces.
local function pieces(roll)
  local list = {}
  for i = 1, roll(4) - 1 do list[i] = ALPHABET[roll(#ALPHABET)] end
  return list
end


local function completion_of(list)
  return { id = "c",
    choices = { { message = { role = "assistant", content = table.concat(list) } } } }
end


local HEADERS <const> = {
  {}, { ["retry-after"] = "2" }, { ["retry-after-ms"] = "30" }, { ["retry-after"] = "500" },
  { ["retry-after"] = "soon" }, { ["x-should-retry"] = "true" }, { ["x-should-retry"] = "false" },
  { ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "3s" },
  { location = "/v1/elsewhere" }, { location = "http://evil.example/v1" },
}
local STATUSES <const> = { 307, 400, 401, 404, 408, 422, 429, 500, 502, 503, 529 }
local MESSAGES <const> = {
  "no", "temperature is not supported", "Use 'max_completion_tokens' instead",
  "Unexpected role: developer", "maximum context length", "unknown field stream_options",
}
local KINDS <const> = {
  "connection", "timeout", "incomplete_stream", "bad_chunk", "empty_response", "stream_error",
}


--- What the wire does next.
local function step_of(roll)
  local kind = roll(4)
  if kind == 1 then
    local deltas = pieces(roll)
    return { deltas = deltas, completion = completion_of(deltas) }
  elseif kind == 2 then
    return { deltas = pieces(roll), status = 200, kind = KINDS[roll(#KINDS)], code = "502" }
  end
  return { status = STATUSES[roll(#STATUSES)], message = MESSAGES[roll(#MESSAGES)],
    headers = HEADERS[roll(#HEADERS)] }
end


describe("an exchange in random trouble", function()
  local clock, restore

  before_each(function()
    clock = world.clock()
    restore = world.environment {}
    config.reset()
  end)

  after_each(function()
    restore()
    clock.restore()
    endpoint.reset()
    heal.reset()
  end)

  --- Runs one and returns what could be seen of it.
  local function run(seed)
    local roll = dice(seed)
    endpoint.reset()
    heal.reset()
    local models = {}
    for i = 1, roll(3) do models[i] = "m" .. i end
    local request = {
      model = models, base_url = "http://localhost:9/v1", retries = roll(4) - 1,
      resets = roll(3) == 1,
      stream = true, want = roll(4) > 1 and "deltas" or nil, timeout = roll(3) == 1
        and { total = 5 } or nil,
      messages = core.transcript { { role = "developer", content = "x" } },
      params = { temperature = 0, max_tokens = 5 },
    }
    local started = clock.now
    local wire = fake_wire.install(setmetatable({}, { __index = function(_, key)
      return type(key) == "number" and step_of(roll) or nil
    end }))
    local seen = { text = {}, retries = 0, fallbacks = 0, resets = 0, wire = wire,
      request = request }
    local exchange = assert(chat.start(request))
    for kind, value in function() return exchange:next() end do
      if kind == "text" then
        seen.text[#seen.text + 1] = value
      elseif kind == "retry" then
        seen.retries = seen.retries + 1
        if value.reset then
          seen.resets = seen.resets + 1
          seen.text = {}
        end
      elseif kind == "fallback" then
        seen.fallbacks = seen.fallbacks + 1
        assert.equal(0, #seen.text)
      end
    end
    seen.completion, seen.trouble, seen.info = exchange:finish()
    seen.again = table.pack(exchange:finish())
    seen.seconds = clock.now - started
    exchange:close()
    wire.restore()
    return seen
  end

  local function each(check)
    for seed = 1, RUNS do
      local seen = run(seed)
      local ok, complaint = pcall(check, seen)
      if not ok then error(("seed %d: %s"):format(seed, tostring(complaint)), 0) end
    end
  end

  it("is met in every way", function()
    local met = { replies = 0, failures = 0, retries = 0, fallbacks = 0, resets = 0 }
    each(function(seen)
      local name = seen.completion and "replies" or "failures"
      met[name] = met[name] + 1
      for _, count in ipairs({ "retries", "fallbacks", "resets" }) do
        met[count] = met[count] + seen[count]
      end
    end)
    if RUNS < 100 then return end
    for name, count in pairs(met) do assert.is_true(count > 0, name) end
  end)

  it("ends once, with a reply or a failure", function()
    each(function(seen)
      if seen.completion then
        assert(type(seen.trouble) == "table" and not failure.is(seen.trouble), "info expected")
        assert(seen.again[1] == seen.completion)
      else
        assert(failure.is(seen.trouble), "failure expected")
        assert(seen.again[2] == seen.trouble)
        assert(seen.trouble.retryable ~= nil)
      end
    end)
  end)

  it("shows the text of the reply and no other", function()
    each(function(seen)
      if not seen.completion or not seen.request.want then return end
      assert(table.concat(seen.text) == seen.completion.choices[1].message.content)
    end)
  end)

  it("makes no more requests than it may", function()
    each(function(seen)
      local per_model = 1 + seen.request.retries + 3 + 3
      assert(#seen.wire.sent <= #seen.request.model * per_model, #seen.wire.sent)
      assert(seen.retries <= #seen.request.model * seen.request.retries)
      assert(seen.fallbacks < #seen.request.model)
    end)
  end)

  it("starts a shown text again only for who can, and twice at most", function()
    each(function(seen)
      assert(seen.resets <= (seen.request.resets and 2 or 0))
    end)
  end)

  it("keeps to the caller's total time", function()
    each(function(seen)
      if not seen.request.timeout then return end
      assert(seen.seconds <= 5, seen.seconds)
    end)
  end)

  it("takes each model in its turn", function()
    each(function(seen)
      local at = 1
      for _, sent in ipairs(seen.wire.sent) do
        local number = tonumber(sent.body.model:match("%d+"))
        assert(number == at or number == at + 1, "out of turn")
        at = number
      end
    end)
  end)

  it("leaves the server's state as if nobody were there", function()
    each(function(seen)
      for _, model in ipairs(seen.request.model) do
        local state = endpoint.of { base_url = "http://localhost:9/v1", model = model }
        assert(state._running == 0, state._running)
      end
    end)
  end)

  it("carries nothing to another origin", function()
    each(function(seen)
      for _, sent in ipairs(seen.wire.sent) do
        assert(sent.settings.url:find("http://localhost:9/", 1, true) == 1, sent.settings.url)
      end
    end)
  end)

  it("sends valid bodies", function()
    each(function(seen)
      for _, sent in ipairs(seen.wire.sent) do
        assert(#sent.body.messages == 1 and sent.body.stream == true)
        assert((sent.body.max_tokens or sent.body.max_completion_tokens) == 5)
        assert(not (sent.body.max_tokens and sent.body.max_completion_tokens))
      end
    end)
  end)
end)
