--- script_property_spec.lua -- what a script says is what the wire code reads, streamed or not, whatever the cuts.
local core = require "rille.core"
local json = require "rille.json"
local script = require "rille.script"

-- ------------------------------------------------------------------------ random answers

local alphabet <const> = { "a", "B", " ", "\n", "\"", "\\", "ä", "ß", "你", "🌙", "{", "}", "[", "data:", "\t", "é", "\0", "-" }

local function random_text(most)
  local pieces = {}
  for i = 1, math.random(0, most) do pieces[i] = alphabet[math.random(#alphabet)] end
  return table.concat(pieces)
end

local function random_arguments()
  local arguments = json.object {}
  for _ = 1, math.random(0, 3) do
    local value = ({ random_text(5), math.random(-1000, 1000), math.random() < 0.5, json.array { 1, "x" } })[math.random(4)]
    arguments["k" .. math.random(9)] = value
  end
  return arguments
end

local function random_calls()
  local calls = {}
  for i = 1, math.random(1, 3) do calls[i] = { "tool_" .. math.random(5), random_arguments() } end
  return calls
end

--- An answer with a random mixture of everything.
local function random_answer()
  local answer = { delta = math.random(1, 9) }
  if math.random() < 0.7 then answer.text = random_text(20) end
  if math.random() < 0.4 then answer.calls = random_calls() end
  if math.random() < 0.3 then answer.reasoning = random_text(10) end
  if math.random() < 0.1 and not answer.calls then answer.refusal = "no " .. random_text(5) end
  if math.random() < 0.2 then answer.finish_reason = "length" end
  if math.random() < 0.3 then answer.usage = { prompt_tokens = math.random(99), completion_tokens = math.random(99) } end
  return answer
end

--- What a client should make of it.
local function expected(answer)
  local calls
  for i, call in ipairs(answer.calls or {}) do
    calls = calls or {}
    calls[i] = { name = call[1], arguments = json.encode(call[2]) }
  end
  local text = answer.text
  if text == nil and not calls and not answer.refusal then text = "" end
  if text == "" and (calls or answer.refusal) then text = nil end
  return {
    content = text, refusal = answer.refusal, calls = calls, reasoning = answer.reasoning or "",
    finish_reason = answer.finish_reason or (calls and "tool_calls" or "stop"),
  }
end

--- The same shape out of what the wire code decoded.
local function actual(canonical)
  assert.equal(json.null, canonical.error, json.encode(canonical))
  assert.is_true(canonical.complete)
  local choice = canonical.choices[1]
  local message, calls = choice.message, nil
  for i, call in ipairs(message.tool_calls or {}) do
    calls = calls or {}
    calls[i] = { name = call["function"].name, arguments = call["function"].arguments }
  end
  local content = message.content
  if content == json.null or content == "" and (calls or message.refusal) then content = nil end
  local reasoning = choice.reasoning_text
  return { content = content, refusal = message.refusal, calls = calls,
    reasoning = type(reasoning) == "string" and reasoning or "", finish_reason = choice.finish_reason }
end

local function respond(answer, stream)
  local request = { model = "m", stream = stream or nil, messages = {},
    stream_options = stream and { include_usage = true } or nil }
  return script({ answer }):respond(request)
end

local function decode(response, stream)
  return core.decode(response.body, { status = response.status, headers = response.headers, stream = stream })
end


describe("a scripted answer", function()
  it("is read as it was written, as a body and as a stream", function()
    math.randomseed(7)
    for _ = 1, 300 do
      local answer = random_answer()
      local wanted = expected(answer)
      assert.same(wanted, actual(decode(respond(answer, false), false)))
      assert.same(wanted, actual(decode(respond(answer, true), true)))
    end
  end)

  it("tells the same usage both ways", function()
    math.randomseed(8)
    for _ = 1, 50 do
      local answer = random_answer()
      answer.usage = { prompt_tokens = math.random(99), completion_tokens = math.random(99) }
      local total = answer.usage.prompt_tokens + answer.usage.completion_tokens
      assert.equal(total, decode(respond(answer, false), false).usage.total_tokens)
      assert.equal(total, decode(respond(answer, true), true).usage.total_tokens)
    end
  end)

  it("is read the same through core.chat, whatever the cuts", async(function()
    math.randomseed(9)
    for _ = 1, 60 do
      local answer = random_answer()
      local response = respond(answer, true)
      local cuts = {}
      for offset = math.random(1, 40), #response.body - 1, math.random(1, 40) do cuts[#cuts + 1] = offset end
      local chat <close> = core.chat { url = "http://script.invalid/", body = "{}", stream = true,
        canned = { status = 200, headers = response.headers, body = response.body, cuts = cuts } }
      local completion = assert(chat:finish())
      local message, wanted = completion.choices[1].message, expected(answer)
      assert.equal(wanted.content or nil, message.content ~= "" and message.content or wanted.content and "" or nil)
      assert.equal(wanted.finish_reason, completion.choices[1].finish_reason)
      assert.equal(wanted.calls and #wanted.calls or 0, message.tool_calls and #message.tool_calls or 0)
    end
  end))

  it("never has a chunk that is cut inside a character", function()
    math.randomseed(10)
    for _ = 1, 100 do
      for data in respond(random_answer(), true).body:gmatch "data: ({.-})\n\n" do
        assert.truthy(utf8.len(data))
        assert.truthy(json.decode(data))
      end
    end
  end)
end)


describe("a scripted failure", function()
  it("is read as a failure with its message, whatever the status", function()
    for _, status in ipairs { 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503 } do
      local failure = script.failure { status = status, message = "why " .. status, code = "c" }
      local canonical = decode(respond(failure, true), true)
      assert.equal("http_error", canonical.error.kind)
      assert.equal(status, canonical.error.status)
      assert.equal("why " .. status, canonical.error.message)
      assert.equal("c", canonical.error.code)
    end
  end)
end)
