--- hostile_spec.lua -- servers that mean no good, and an agent that gets away from each of them in time.
---
--- Every one ends within its timer and a tenth, with the right code, a transcript that can be sent and no tool run. The
--- clock itself is looked at without waiting in http_contract_spec; here the timers are short and real.
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local json = require "rille.json"
local raw_server = require "spec.support.raw_server"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local chunks, head, response, stream_head = raw_server.chunks, raw_server.head, raw_server.response, raw_server.stream_head
local SLACK <const> = os.getenv "RILLE_GC" and 6 or 0.3    -- seconds that a busy machine may cost us
local LIMIT <const> = 0.15                                 -- seconds
local LONG <const> = 30
local MANY <const> = os.getenv "RILLE_GC" and 2000 or 100000   -- more than may be kept in any case


local function event(delta, finish)
  return "data: " .. json.encode { choices = { { index = 0, delta = delta, finish_reason = finish } } } .. "\n\n"
end

local HALF <const> = event { content = "half" }
local CALL <const> = event { tool_calls = { { index = 0, id = "c", ["function"] = { name = "rm", arguments = '{"path":"/"}' } } } }


--- Says `piece` again and again until the client has had enough.
local function endlessly(first, piece, seconds)
  return function(connection)
    connection:send(first)
    while connection:send(piece) do core.sleep(seconds or 0.01) end
  end
end


local function then_silence(bytes)
  return function(connection)
    if bytes ~= "" then connection:send(bytes) end
    connection:hold()
  end
end


local FIRST_BYTE <const>, IDLE <const>, TOTAL <const> = { first_byte = LIMIT }, { idle = LIMIT }, { total = LIMIT }
local MEGABYTE <const> = ("x"):rep(1 << 20)

--- What the server does, the timer that ends it, the code of the failure, and the text that stays.
local timed <const> = {
  ["says nothing"] = { then_silence "", FIRST_BYTE },
  ["drips a head"] = { endlessly("HTTP/1.1 200 OK\r\n", "X: y\r\n"), FIRST_BYTE },
  ["promises to go on for ever"] = { endlessly("", "HTTP/1.1 100 Continue\r\n\r\n"), FIRST_BYTE },
  ["drips the status line"] = { endlessly("HTTP", "/"), FIRST_BYTE },
  ["says a head and nothing more"] = { then_silence(stream_head), IDLE },
  ["stops in the middle"] = { then_silence(stream_head .. chunks(HALF, 1000, true)), IDLE, text = "half" },
  ["stops inside a chunk size"] = { then_silence(stream_head .. chunks(HALF, 1000, true) .. "1"), IDLE, text = "half" },
  ["stops after a whole call"] = { then_silence(stream_head .. chunks(CALL, 1000, true)), IDLE },
  ["promises more bytes than it sends"] = { then_silence(head(200, { "Content-Length: 1000000" }) .. HALF), IDLE, text = "half" },
  ["comments for ever"] = { endlessly(stream_head, chunks(": busy\n\n", 100, true)), TOTAL },
  ["sends blank lines for ever"] = { endlessly(stream_head, chunks("\n\n\n\n", 100, true)), TOTAL },
  ["never ends a line"] = { endlessly(stream_head .. chunks("data: {", 100, true), chunks("x", 100, true)), TOTAL },
  ["never ends an event"] = { endlessly(stream_head, chunks("data: x\n", 100, true)), TOTAL },
  ["never ends its answer"] = { endlessly(stream_head, chunks(event { content = "x" }, 1000, true)), TOTAL, text = "^x+$" },
  ["never ends a document"] = { endlessly(head(200) .. "[", " 1,"), TOTAL },
  ["never ends an error"] = { endlessly(head(400), "no "), TOTAL, code = "invalid_request" },
  ["never ends a call"] = { endlessly(stream_head .. chunks(CALL, 1000, true), chunks(event { tool_calls = {
    { index = 0, ["function"] = { arguments = "x" } } } }, 1000, true)), TOTAL },
}

--- Those that are stopped at once.
local at_once <const> = {
  ["sends a line without end, fast"] = { endlessly(stream_head, chunks(MEGABYTE, 1 << 20, true), 0), code = "bad_response" },
  ["floods with header fields"] = { endlessly("HTTP/1.1 200 OK\r\n", "X: " .. ("y"):rep(5000) .. "\r\n", 0), code = "bad_response" },
  ["sends one endless header field"] = { endlessly("HTTP/1.1 200 OK\r\nX: ", ("y"):rep(5000), 0), code = "bad_response" },
  ["opens a million brackets"] = { function(c) c:send(response(("["):rep(1000000))) end, code = "bad_response" },
  ["redirects in a circle"] = { function(c) c:send(response("", 307, { "Location: /v1/chat/completions" })) end,
    code = "bad_response" },
  ["asks to wait for ever"] = { function(c) c:send(response("", 429, { "Retry-After: 99999999999999999999" })) end,
    code = "rate_limit" },
  ["asks to come back at once, for ever"] = { function(c) c:send(response("", 503, { "Retry-After: 0" })) end,
    code = "server_error" },
  ["says that it should be asked again, for ever"] = {
    function(c) c:send(response("{}", 400, { "x-should-retry: true", "Retry-After: 0" })) end, code = "invalid_request" },
  ["refuses something else each time"] = {
    function(c, request)
      local body = json.decode(request.body)
      local name = body.temperature and "temperature" or body.top_p and "top_p" or body.seed and "seed" or "user"
      c:send(response(json.encode { error = { message = name .. " is not supported", param = name } }, 400))
    end, code = "invalid_request",
  },
  ["names a tool like a path"] = { function(c)
    c:send(response(event({ tool_calls = { { index = 0, id = "../\0", ["function"] = { name = "../../bin/rm", arguments = "{}" } } } },
      "tool_calls") .. "data: [DONE]\n\n"))
  end, code = "limit_turns" },
  ["calls a hundred thousand tools"] = { function(c)
    local calls = {}
    for i = 1, MANY do calls[i] = ('{"index":%d,"function":{"name":"rm","arguments":"{}"}}'):format(i) end
    c:send(response('data: {"choices":[{"delta":{"tool_calls":[' .. table.concat(calls, ",") .. ']}}]}\n\ndata: [DONE]\n\n'))
  end, code = "bad_response" },
  ["counts tokens that nobody can count"] = { function(c)
    c:send(response('{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"total_tokens":1e308,'
      .. '"prompt_tokens":-5,"completion_tokens":"many"}}'))
  end },
}


describe("a server that", function()
  before_each(endpoint.reset)

  --- Runs an agent against it. Returns seconds, reply, failure.
  local function met(handler, timeout)
    local ran = 0
    local server <close> = raw_server.start(handler)
    local agent = rille.agent {
      model = "m", base_url = server.url .. "/v1", api_key = false, retries = timeout and 0 or 2, timeout = timeout,
      tools = { rille.tool { name = "rm", parameters = { type = "object" }, run = function() ran = ran + 1 end } },
      params = { temperature = 0, top_p = 1, seed = 1, user = "u" }, limits = { turns = 2, seconds = LONG },
    }
    local before = core.now()
    local reply, failure = agent:run "Go."
    local seconds = core.now() - before
    sendable.check((reply or failure.reply).transcript)
    assert.equal(0, ran)
    return seconds, reply, failure
  end

  for what, row in pairs(timed) do
    it(what .. " is left when time is up", async(function()
      local seconds, reply, failure = met(row[1], row[2])
      assert.is_nil(reply)
      assert.equal(row.code or "timeout", failure.code)
      assert.matches(row.text or "^$", failure.reply.text)
      assert.is_true(seconds >= LIMIT * 0.95 and seconds <= LIMIT * 1.1 + SLACK, "after " .. seconds)
    end))
  end

  for what, row in pairs(at_once) do
    it(what .. " is seen through", async(function()
      local seconds, reply, failure = met(row[1])
      if row.code then
        assert.is_nil(reply)
        assert.equal(row.code, failure.code)
      else
        assert.equal("ok", reply.text)
      end
      assert.is_true(seconds < LONG / 3, "after " .. seconds)
    end))
  end

  it("never ends is left by a run with a limit of its own", async(function()
    local server <close> = raw_server.start(timed["comments for ever"][1])
    local agent = rille.agent { model = "m", base_url = server.url .. "/v1", api_key = false, limits = { seconds = LIMIT } }
    local before = core.now()
    local reply, failure = agent:run "Go."
    assert.is_nil(reply)
    assert.equal("limit_seconds", failure.code)
    assert.is_true(core.now() - before <= LIMIT * 1.1 + SLACK)
  end))
end)
