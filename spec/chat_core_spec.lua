--- chat_core_spec.lua -- core.chat: one completion request against real sockets and canned bytes.
local core = require "rille.core"
local json = require "rille.json"
local raw_server = require "spec.support.raw_server"

local response, chunks, stream_head = raw_server.response, raw_server.chunks, raw_server.stream_head
local patience <const> = os.getenv "RILLE_GC" and 20 or 1 -- an aggressive collector makes all of us slow
local step <const> = os.getenv "RILLE_GC" and 11 or 1      -- of loops over offsets


--- One event with a delta of choice 0, or of another one.
local function delta(fields, finish, choice)
  return "data: " .. json.encode {
    id = "c1", object = "chat.completion.chunk", created = 1, model = "m",
    choices = { { index = choice or 0, delta = fields, finish_reason = finish } },
  } .. "\n\n"
end

local function text(piece, choice) return delta({ content = piece }, nil, choice) end

local done <const> = "data: [DONE]\n\n"
local hello <const> = delta { role = "assistant", content = "" } .. text "Hel" .. text "lo, " .. text "wörld"
  .. delta({}, "stop") .. done


--- A server that answers every request with these bytes of an event stream, chunked.
local function streams(body, options)
  options = options or {}
  return raw_server.start(function(connection)
    connection:send_cut(stream_head .. chunks(body, options.size or 1 << 20, options.open), options.cuts or {})
    if options.after then options.after(connection) end
  end)
end


local function chat(options)
  options.stream = options.stream ~= false
  return core.chat(options)
end


--- Everything next() yields, as lists.
local function all_parts(handle)
  local parts = {}
  while true do
    local kind, value, choice = handle:next()
    if not kind then return parts end
    parts[#parts + 1] = { kind, value, choice }
  end
end


local function joined(parts)
  local pieces = {}
  for i, part in ipairs(parts) do pieces[i] = part[2] end
  return table.concat(pieces)
end


local function content(completion, i)
  return completion.choices[i or 1].message.content
end


local function timed(fn, ...)
  local before = core.now()
  local results = table.pack(fn(...))
  return core.now() - before, table.unpack(results, 1, results.n)
end


describe("core.chat", function()
  it("posts the body it was given, with the headers it was given", async(function()
    local server <close> = streams(hello)
    local handle <close> = chat {
      url = server.url .. "/v1/chat/completions", headers = { "Content-Type: application/json", "Authorization: Bearer k" },
      body = '{"model":"m"}',
    }
    assert(handle:finish())
    local request = server.requests[1]
    assert.equal("POST", request.method)
    assert.equal("/v1/chat/completions", request.target)
    assert.equal('{"model":"m"}', request.body)
    assert.equal("Bearer k", request.headers.authorization)
    assert.is_nil(request.headers.expect)
    assert.is_nil(request.headers["accept-encoding"])
  end))

  it("joins head, messages and tail", async(function()
    local server <close> = streams(hello)
    local transcript = core.transcript { { role = "user", content = "hi" } }
    local handle <close> = chat {
      url = server.url, head = '{"model":"m","messages":', messages = transcript, tail = ',"stream":true}',
    }
    transcript:append { role = "user", content = "too late for this request" }
    assert(handle:finish())
    assert.same({ model = "m", messages = { { role = "user", content = "hi" } }, stream = true },
      json.decode(server.requests[1].body))
  end))

  it("sends the wire forms of a profile where there are some", async(function()
    local server <close> = streams(hello)
    local transcript = core.transcript { { role = "user", content = "hi" }, { role = "user", content = "there" } }
    transcript:set_wire(1, "p", '{"role":"user","content":"HI"}')
    transcript:set_wire(2, "p", nil)
    local handle <close> = chat { url = server.url, head = '{"messages":', messages = transcript, tail = "}", key = "p" }
    assert(handle:finish())
    assert.equal('{"messages":[{"role":"user","content":"HI"},{"content":"there","role":"user"}]}',
      (server.requests[1].body:gsub('"role":"user","content":"there"', '"content":"there","role":"user"')))
  end))

  it("asks for the forms that messages lack, and sends nothing before", async(function()
    local server <close> = streams(hello)
    local transcript = core.transcript { { role = "user", content = "hi" }, { role = "user", content = { "part" } } }
    local options = { url = server.url, head = '{"messages":', messages = transcript, tail = "}", key = "p" }
    assert.is_nil(core.chat(options))
    transcript:set_wire(1, "p", nil)
    assert.is_nil(core.chat(options))
    transcript:set_wire(2, "other", nil)
    assert.is_nil(core.chat(options))
    local plan = core.chat_plan { url = server.url, head = '{"messages":', tail = "}", key = "p", plain_serves = true }
    assert.is_nil(core.chat(plan, transcript))
    transcript:truncate(1)
    local plain <close> = core.chat(plan, transcript)
    assert(plain:finish())
    assert.equal('{"messages":' .. transcript:encode() .. "}", server.requests[1].body)
    assert.equal(1, #server.requests)
  end))

  it("sends an empty transcript as an empty list", async(function()
    local server <close> = streams(hello)
    local handle <close> = chat { url = server.url, head = '{"messages":', messages = core.transcript(), tail = "}" }
    assert(handle:finish())
    assert.equal('{"messages":[]}', server.requests[1].body)
  end))

  it("joins a long body again when the connection had died meanwhile", async(function()
    local server <close> = raw_server.start(function(connection, _, number)
      if number == 2 then
        core.sleep(0.05) -- long enough for the sent bytes to be freed
        connection:close()
        return
      end
      connection:send(stream_head .. chunks(hello))
    end)
    local transcript = core.transcript { { role = "user", content = ("long "):rep(20000) } }
    for _ = 1, 2 do
      local handle <close> = chat { url = server.url, head = '{"messages":', messages = transcript, tail = ',"a":1}' }
      core.sleep(0.02)
      transcript:append { role = "user", content = "later" }
      transcript:set_wire(1, "other", "{}")
      assert(handle:finish())
      transcript:truncate(1)
    end
    assert.equal(3, #server.requests)
    assert.equal(2, server.accepted)
    assert.equal(server.requests[1].body, server.requests[2].body)
    assert.equal(server.requests[1].body, server.requests[3].body)
    assert.equal(100000, #json.decode(server.requests[3].body).messages[1].content)
  end))

  it("sends the same bytes whether it joins a body or reads it as it is sent", async(function()
    local server <close> = streams(hello)
    local frame = #'{"messages":[{"a":1},]}'
    for _, size in ipairs { 100, 65535, 65536, 65537, 65536 * 2 + 1, 300000 } do
      for _, opening in ipairs { '{"a":1}', "" } do
        local transcript = core.transcript { { role = "user" }, { role = "a" }, { role = "b" }, { role = "c" } }
        local first = ("1"):rep((size - frame - 30) // 2)
        local last = ("2"):rep(size - frame - #first - 5)
        for i, form in ipairs { "", first, "", last .. ",3" } do transcript:set_wire(i, "p", form) end
        local handle <close> = core.chat({ url = server.url, head = '{"messages":', opening = opening, tail = "}",
          messages = transcript, key = "p", stream = true })
        assert(handle:finish())
        local sent = table.remove(server.requests).body
        local expected = '{"messages":[' .. opening .. (opening ~= "" and "," or "") .. first .. "," .. last .. ",3]}"
        assert.is_true(sent == expected, ("%d: %d bytes, %d expected"):format(size, #sent, #expected))
      end
    end
  end))

  it("may be told to send much of nothing", async(function()
    local server <close> = streams(hello)
    local transcript = core.transcript { { role = "user" }, { role = "user" } }
    for i = 1, 2 do transcript:set_wire(i, "p", "") end
    for _, tail in ipairs { "}", ',"t":"' .. ("x"):rep(70000) .. '"}' } do
      local handle <close> = chat { url = server.url, head = '{"messages":', tail = tail, messages = transcript, key = "p" }
      assert(handle:finish())
      assert.equal('{"messages":[]' .. tail, table.remove(server.requests).body)
    end
  end))

  it("gives the whole completion and what there is to know about it", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response(hello, 200, { "Content-Type: text/event-stream", "X-Request-Id: req_1", "X-A: 1", "x-a: 2" }))
    end)
    local handle <close> = chat { url = server.url, body = "{}" }
    local completion, info, trouble = handle:finish()
    assert.is_nil(trouble)
    assert.equal("Hello, wörld", content(completion))
    assert.equal("chat.completion", completion.object)
    assert.equal("stop", completion.choices[1].finish_reason)
    assert.equal(200, info.status)
    assert.equal("req_1", info.request_id)
    assert.equal("1, 2", info.headers["x-a"])
    assert.same({ true, true, false }, { info.done, info.complete, info.delivered })
    assert.equal(#hello, info.bytes)
    assert.same({ "stop" }, info.effective)
    assert.same({ "" }, info.reasoning)
  end))

  it("gives a turn what it keeps of a reply, and nothing else", async(function()
    local body = json.encode {
      id = "c1", object = "chat.completion", created = 1, model = "m-1", usage = { total_tokens = 3, more = json.array { 1 } },
      service_tier = "default", choices = {
        { index = 0, finish_reason = "end_turn", message = { role = "assistant", content = "Hi", reasoning = "hm" } },
        { index = 1, finish_reason = "length", message = { role = "assistant", content = "Ho" } },
      },
    }
    local turn = { number = 1 }
    local handle <close> = chat { canned = { body = body, headers = { "X-Request-Id: r", "X-RateLimit-Limit-Tokens: 9" } } }
    local answered, info, trouble = handle:finish(turn)
    assert.is_true(rawequal(turn, answered))
    assert.same({
      number = 1, id = "c1", model = "m-1", finish_reason = "stop", reasoning = "hm", usage = { total_tokens = 3, more = { 1 } },
      message = { role = "assistant", content = "Hi", reasoning = "hm" },
    }, turn)
    assert.same({ headers = { ["x-ratelimit-limit-tokens"] = "9" } }, info)
    assert.is_nil(trouble)
  end))

  it("gives a turn nothing but what came", async(function()
    local handle <close> = chat { canned = { body = delta { content = "a" } .. delta({}, "stop") .. done } }
    local turn = {}
    assert.equal(2, select("#", handle:finish(turn)))
    assert.is_nil((select(2, handle:finish(turn))))
    assert.same({ id = "c1", model = "m", finish_reason = "stop", message = { role = "assistant", content = "a" } }, turn)
  end))

  it("leaves a turn alone when the reply is broken", async(function()
    local handle <close> = chat { canned = { body = delta { content = "a" } } }
    local turn = {}
    local answered, info, trouble = handle:finish(turn)
    assert.is_nil(answered)
    assert.equal("incomplete_stream", trouble.kind)
    assert.equal("a", content(trouble.partial))
    assert.is_false(info.complete)
    assert.same({}, turn)
  end))

  it("gives the end again and again", async(function()
    local handle <close> = chat { canned = { body = hello } }
    assert.equal("Hello, wörld", content((handle:finish())))
    assert.equal("Hello, wörld", content((handle:finish())))
    assert.is_nil(handle:next())
  end))

  it("works outside a task, turning the loop", function()
    local server = streams(hello)
    local handle = chat { url = server.url, body = "{}", want = "deltas" }
    assert.equal("Hello, wörld", joined(all_parts(handle)))
    assert.equal("Hello, wörld", content((handle:finish())))
    handle:close()
    server:close()
  end)

  it("raises for options that make no request", function()
    for _, options in ipairs {
      {}, { url = 1 }, { url = "http://x", want = "tokens" }, { url = "http://x", headers = { "A: b\r\nC: d" } },
      { url = "http://x", messages = {} }, { url = "http://x", nonsense = 1 }, { canned = "bytes" },
      { canned = { body = "x", headers = { "no colon" } } }, { canned = { body = "x", cuts = { "a" } } },
      { canned = { body = {} } }, { url = "http://x", idle = -1 }, { url = "http://x", n = 1.5 },
    } do
      assert.has_error(function() core.chat(options) end)
    end
  end)
end)


describe("chat:next", function()
  it("yields deltas of every kind, with their choice", async(function()
    local body = delta { reasoning_content = "hm" } .. text "a" .. text("b", 1) .. delta { refusal = "no" }
      .. delta({}, "stop") .. delta({}, "stop", 1) .. done
    local handle <close> = chat { canned = { body = body }, want = "deltas", n = 2 }
    assert.same({ { "reasoning", "hm", 0 }, { "text", "a", 0 }, { "text", "b", 1 }, { "refusal", "no", 0 } },
      all_parts(handle))
    local completion, info = handle:finish()
    assert.equal(2, #completion.choices)
    assert.same({ "hm", "" }, info.reasoning)
    assert.is_true(info.delivered)
  end))

  it("joins neighbours that waited together", async(function()
    local handle <close> = chat { canned = { body = hello }, want = "deltas" }
    core.sleep(0.01)
    assert.same({ { "text", "Hello, wörld", 0 } }, all_parts(handle))
  end))

  it("yields each as it comes when the reader is quick", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head)
      for _, piece in ipairs { "one ", "two ", "three" } do
        connection:send(chunks(text(piece), 1000, true))
        core.sleep(0.02)
      end
      connection:send(chunks(delta({}, "stop") .. done))
    end)
    local handle <close> = chat { url = server.url, body = "{}", want = "deltas" }
    assert.same({ { "text", "one ", 0 }, { "text", "two ", 0 }, { "text", "three", 0 } }, all_parts(handle))
  end))

  it("yields chunks as received, nulls as nil", async(function()
    local handle <close> = chat { canned = { body = hello }, want = "chunks" }
    local parts = all_parts(handle)
    assert.equal(5, #parts)
    assert.equal("chunk", parts[2][1])
    assert.same({ id = "c1", object = "chat.completion.chunk", created = 1, model = "m",
      choices = { { index = 0, delta = { content = "Hel" } } } }, parts[2][2])
    assert.equal("Hello, wörld", content((handle:finish())))
  end))

  it("yields nothing when nothing is wanted", async(function()
    local handle <close> = chat { canned = { body = hello } }
    assert.is_nil(handle:next())
    local _, info = handle:finish()
    assert.is_false(info.delivered)
  end))

  it("yields a body that was no stream as if it had been one", async(function()
    local body = json.encode { id = "x", object = "chat.completion", created = 1, model = "m",
      choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "whole" } } } }
    local handle <close> = chat { canned = { body = body }, want = "deltas" }
    assert.same({ { "text", "whole", 0 } }, all_parts(handle))
    assert.equal("whole", content((handle:finish())))
  end))

  it("keeps bytes that JSON carries specially", async(function()
    local piece = "nul \0, 🎉, \u{FFFD}"
    local handle <close> = chat { canned = { body = text(piece) .. delta({}, "stop") .. done }, want = "deltas" }
    assert.equal(piece, joined(all_parts(handle)))
    assert.equal(piece, content((handle:finish())))
  end))
end)


describe("the cuts of a response", function()
  it("do not matter when canned, wherever one is", async(function()
    for cut = 1, #hello - 1, step do
      local handle <close> = chat { canned = { body = hello, cuts = { cut } }, want = "deltas" }
      assert.equal("Hello, wörld", joined(all_parts(handle)))
      local completion, info = handle:finish()
      assert.equal("Hello, wörld", content(completion))
      assert.is_true(info.complete)
    end
  end))

  it("do not matter when canned byte by byte", async(function()
    local cuts = {}
    for i = 1, #hello do cuts[i] = i end
    local handle <close> = chat { canned = { body = hello, cuts = cuts } }
    assert.equal("Hello, wörld", content((handle:finish())))
  end))

  it("do not matter on the wire", async(function()
    for size = 1, 60, 3 do
      local server <close> = streams(hello, { size = size, cuts = size + 2 })
      local handle <close> = chat { url = server.url, body = "{}" }
      assert.equal("Hello, wörld", content((handle:finish())))
    end
  end))

  it("do not matter, however the body is framed", async(function()
    for _, bytes in ipairs {
      response(hello), stream_head .. chunks(hello, 11), raw_server.head(200) .. hello,
    } do
      local server <close> = raw_server.start(function(connection)
        connection:send_cut(bytes, 40)
        connection:close()
      end)
      local handle <close> = chat { url = server.url, body = "{}" }
      local completion, info = handle:finish()
      assert.equal("Hello, wörld", content(completion))
      assert.is_true(info.complete)
    end
  end))
end)


describe("[DONE]", function()
  it("ends the reply though the server holds the connection open", async(function()
    local server <close> = streams(hello, { open = true, after = function(connection) connection:hold() end })
    local handle <close> = chat { url = server.url, body = "{}", idle = 5 }
    local seconds, completion, info = timed(handle.finish, handle)
    assert.equal("Hello, wörld", content(completion))
    assert.is_true(info.done)
    assert.is_true(seconds < 0.5 * patience)
    core.sleep(0.15)
    assert.equal(0, server.open)
  end))

  it("keeps the connection when the server ends the response properly", async(function()
    local server <close> = streams(hello)
    for _ = 1, 4 do
      local handle <close> = chat { url = server.url, body = "{}" }
      assert(handle:finish())
    end
    assert.equal(1, server.accepted)
  end))

  it("keeps the connection also when the end comes a little later", async(function()
    local server <close> = streams(hello, { open = true, after = function(connection)
      core.sleep(0.005)
      connection:send("0\r\n\r\n")
    end })
    for _ = 1, 4 do
      local handle <close> = chat { url = server.url, body = "{}" }
      assert(handle:finish())
      core.sleep(0.02)
    end
    assert.equal(1, server.accepted)
  end))

  it("hides what comes after it", async(function()
    local server <close> = streams(hello .. text " and more" .. "garbage {{{\n\n")
    local handle <close> = chat { url = server.url, body = "{}" }
    assert.equal("Hello, wörld", content((handle:finish())))
  end))

  it("hides a break after it", async(function()
    local server <close> = streams(hello, { open = true, after = function(connection) connection:reset() end })
    local handle <close> = chat { url = server.url, body = "{}" }
    local completion, info, trouble = handle:finish()
    assert.is_nil(trouble)
    assert.equal("Hello, wörld", content(completion))
    assert.is_true(info.complete)
  end))

  it("ends a reply that endless bytes follow", async(function()
    local server <close> = streams(hello, { open = true, after = function(connection)
      while connection:send(chunks(("x"):rep(10000), 10000, true)) do core.sleep(0) end
    end })
    local handle <close> = chat { url = server.url, body = "{}" }
    assert.equal("Hello, wörld", content((handle:finish())))
    core.sleep(0.15)
    assert.equal(0, server.open)
  end))
end)


describe("an error of the server", function()
  it("has its status, message and request id", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response('{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}', 429,
        { "x-request-id: req_9", "Retry-After: 3" }))
    end)
    local handle <close> = chat { url = server.url, body = "{}", want = "deltas" }
    assert.is_nil(handle:next())
    local completion, info, trouble = handle:finish()
    assert.is_nil(completion)
    assert.equal("http_error", trouble.kind)
    assert.equal(429, trouble.status)
    assert.equal("slow down", trouble.message)
    assert.equal("rate_limit_exceeded", trouble.code)
    assert.is_true(trouble.retryable)
    assert.equal("req_9", info.request_id)
    assert.equal("3", info.headers["retry-after"])
    assert.is_false(info.complete)
  end))

  it("tells all header fields of an error, and of a success those that are asked for", async(function()
    local lines = { "Content-Type: application/json", "X-RateLimit-Remaining-Requests: 3", "x-ratelimit-limit-tokens: 4",
      "x-ratelimited: no", "Retry-After: 5" }
    local good = '{"choices":[{"message":{"content":"x"}}]}'
    local function headers_of(status, body, few, more)
      local handle <close> = chat { canned = { status = status, body = body, headers = more or lines } }
      local _, info = handle:finish(few)
      assert.equal(status == 200 and few == true, info.bytes == nil and info.complete == nil)
      assert.equal(status, info.status)
      return info.headers
    end
    local announced = { ["x-ratelimit-remaining-requests"] = "3", ["x-ratelimit-limit-tokens"] = "4" }
    assert.same(announced, headers_of(200, good, true))
    assert.is_nil(headers_of(200, good, true, { "Content-Type: application/json", "x-ratelimi: 1" }))
    assert.same({}, headers_of(200, good, false, {}))
    announced["content-type"], announced["x-ratelimited"], announced["retry-after"] = "application/json", "no", "5"
    assert.same(announced, headers_of(200, good))
    assert.same(announced, headers_of(429, "{}", true))
  end))

  it("stands though its body broke off", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response('{"error":{"message":"no such model"}}', 404):sub(1, -4))
      connection:close()
    end)
    local handle <close> = chat { url = server.url, body = "{}" }
    local _, info, trouble = handle:finish()
    assert.equal("http_error", trouble.kind)
    assert.equal(404, info.status)
  end))

  it("inside a stream keeps what came before", async(function()
    local handle <close> = chat { canned = { body = text "half " .. 'data: {"error":{"message":"overloaded"}}\n\n' .. text "x" } }
    local completion, _, trouble = handle:finish()
    assert.is_nil(completion)
    assert.equal("stream_error", trouble.kind)
    assert.equal("overloaded", trouble.message)
    assert.equal("half ", content(trouble.partial))
  end))

  it("tells what had come when it is aborted, and the transfer ends", async(function()
    local ended = false
    local server <close> = streams(text "half ", { open = true, after = function(connection)
      connection:hold()
      ended = true
    end })
    for _, want in ipairs { "deltas", false } do
      local handle <close> = chat { url = server.url, body = "{}", want = want or nil }
      if want then handle:next() else core.sleep(0.05 * patience) end
      assert.equal("half ", content(handle:abort()))
      assert.is_nil((handle:finish()))
    end
    core.sleep(0.05 * patience)
    assert.is_true(ended)
  end))

  it("tells nothing when it is aborted before anything came, and the whole after the end", async(function()
    local server <close> = raw_server.start(function(connection) connection:hold() end)
    local handle <close> = chat { url = server.url, body = "{}" }
    assert.is_nil(handle:abort())
    local whole <close> = chat { canned = { body = hello } }
    whole:finish()
    assert.equal("Hello, wörld", content(whole:abort()))
    whole:close()
    assert.has_error(function() whole:abort() end)
  end))

  it("in a canned response is one, too", async(function()
    local handle <close> = chat { canned = { status = 401, body = '{"error":"bad key"}', headers = { "X-Request-Id: r" } } }
    local completion, info, trouble = handle:finish()
    assert.is_nil(completion)
    assert.same({ "http_error", 401, "bad key" }, { trouble.kind, trouble.status, trouble.message })
    assert.equal("r", info.request_id)
  end))
end)


describe("a reply that breaks off", function()
  it("before its head is a matter of the connection", async(function()
    local server <close> = raw_server.start(function(connection) connection:reset() end)
    local handle <close> = chat { url = server.url .. "/v1?key=secret", body = "{}" }
    local completion, info, trouble = handle:finish()
    assert.is_nil(completion)
    assert.equal("connection", trouble.kind)
    assert.is_true(trouble.retryable)
    assert.matches(server.url .. "/v1", trouble.message, 1, true)
    assert.not_matches("secret", trouble.message)
    assert.is_nil(info.status)
    assert.same({}, info.headers)
  end))

  it("because nobody listens names the address", async(function()
    local handle <close> = chat { url = "http://127.0.0.1:9/v1/chat/completions", body = "{}" }
    local _, _, trouble = handle:finish()
    assert.equal("connection", trouble.kind)
    assert.equal("could not connect to http://127.0.0.1:9/v1/chat/completions: connection refused; is the server running?",
      trouble.message)
  end))

  it("because the address is none is the caller's mistake", async(function()
    local handle <close> = chat { url = "ftp://x", body = "{}" }
    local _, _, trouble = handle:finish()
    assert.equal("invalid_request", trouble.kind)
    assert.is_false(trouble.retryable)
  end))

  it("with a reset keeps the part that came", async(function()
    local server <close> = streams(text "half", { open = true, after = function(connection)
      core.sleep(0.02)
      connection:reset()
    end })
    local handle <close> = chat { url = server.url, body = "{}", want = "deltas" }
    assert.equal("half", joined(all_parts(handle)))
    local completion, info, trouble = handle:finish()
    assert.is_nil(completion)
    assert.equal("incomplete_stream", trouble.kind)
    assert.equal("half", content(trouble.partial))
    assert.is_true(trouble.retryable)
    assert.equal(200, info.status)
    assert.is_false(info.complete)
  end))

  it("with a proper end but no finish is incomplete", async(function()
    local server <close> = streams(text "half")
    local handle <close> = chat { url = server.url, body = "{}" }
    local _, _, trouble = handle:finish()
    assert.equal("incomplete_stream", trouble.kind)
    assert.equal("half", content(trouble.partial))
  end))

  --- Closes or resets at every offset: nothing is complete that is not, nothing is invented.
  local function break_everywhere(bytes, whole_from, how)
    for offset = 0, #bytes - 1, step do
      local server <close> = raw_server.start(function(connection)
        if offset > 0 then connection:send(bytes:sub(1, offset)) end
        if how == "reset" then core.sleep(0.001) end
        connection[how](connection)
      end)
      local handle <close> = chat { url = server.url, body = "{}" }
      local completion, info, trouble = handle:finish()
      local partial = completion or trouble.partial
      local said = partial and partial.choices[1] and content(partial) or ""
      assert.equal(said, ("Hello"):sub(1, #said))
      if offset < whole_from then
        assert.is_nil(completion, "complete at " .. offset)
        assert.is_false(info.complete)
        assert.is_true(trouble.kind == "connection" or trouble.kind == "incomplete_stream"
          or trouble.kind == "bad_chunk" or trouble.kind == "empty_response" or trouble.kind == "bad_response"
          or trouble.kind == "bad_body", tostring(trouble.kind))
      end
    end
  end

  local small = text "Hel" .. text "lo" .. delta({}, "stop") .. done
  local function finish_at(bytes) return select(2, bytes:find('"finish_reason":"stop"', 1, true)) end

  it("at any offset of a chunked stream, by closing", async(function()
    local bytes = stream_head .. chunks(small, 50)
    local whole = response(small)
    break_everywhere(bytes, finish_at(whole) - #whole + #small + #stream_head, "close")
  end))

  it("at any offset of a stream that ends with the connection, by closing", async(function()
    local bytes = raw_server.head(200) .. small
    break_everywhere(bytes, finish_at(bytes), "close")
  end))

  it("at any offset, by a reset", async(function()
    local bytes = raw_server.head(200) .. small
    break_everywhere(bytes, finish_at(bytes), "reset")
  end))
end)


describe("the timers of a chat", function()
  local function expires(handler, options, kind, message)
    local server <close> = raw_server.start(handler)
    options.url, options.body = server.url, "{}"
    local handle <close> = chat(options)
    local seconds, completion, info, trouble = timed(handle.finish, handle)
    local limit = options.idle or options.first_byte or options.total
    assert.is_nil(completion)
    assert.equal(kind, trouble.kind)
    assert.matches(message, trouble.message)
    assert.is_true(seconds >= limit * 0.95 and seconds < limit * 1.1 + 0.3 * patience, "after " .. seconds)
    return info, trouble
  end

  it("first_byte: no head comes", async(function()
    expires(function(connection) connection:hold() end, { first_byte = 0.15, idle = nil }, "timeout",
      "did not answer within 0.15 s")
  end))

  it("idle: a stream that stops keeps its part", async(function()
    local _, trouble = expires(function(connection)
      connection:send(stream_head .. chunks(text "half", 1000, true))
      connection:hold()
    end, { idle = 0.15 }, "timeout", "sent nothing for 0.15 s")
    assert.equal("half", content(trouble.partial))
    assert.is_true(trouble.retryable)
  end))

  it("idle: the head alone", async(function()
    expires(function(connection)
      connection:send(stream_head)
      connection:hold()
    end, { idle = 0.15 }, "timeout", "sent nothing")
  end))

  it("idle: comments keep the stream open", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head)
      for _ = 1, 12 do
        connection:send(chunks(": keep-alive\n\n", 1000, true))
        core.sleep(0.03)
      end
      connection:send(chunks(hello))
    end)
    local handle <close> = chat { url = server.url, body = "{}", idle = 0.15 }
    local completion, _, trouble = handle:finish()
    assert.is_nil(trouble)
    assert.equal("Hello, wörld", content(completion))
  end))

  it("total: a stream that never ends", async(function()
    expires(function(connection)
      connection:send(stream_head)
      while connection:send(chunks(text "x", 1000, true)) do core.sleep(0.01) end
    end, { total = 0.2 }, "timeout", "longer than 0.2 s")
  end))

  it("do not run while the reader is slow", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head)
      for _ = 1, 400 do
        if not connection:send(chunks(text(("x"):rep(1000)), 2000, true)) then return end
      end
      connection:send(chunks(delta({}, "stop") .. done))
    end)
    local handle <close> = chat { url = server.url, body = "{}", want = "deltas", idle = 0.1 }
    core.sleep(0.3)
    assert.equal(400000, #joined(all_parts(handle)))
    local _, info = handle:finish()
    assert.is_true(info.complete)
  end))
end)


describe("a hostile server", function()
  local function refused(handler, options)
    local server <close> = raw_server.start(handler)
    options = options or {}
    options.url, options.body, options.idle = server.url, "{}", 5
    local handle <close> = chat(options)
    local completion, info, trouble = handle:finish()
    assert.is_nil(completion)
    return trouble, info
  end

  it("cannot send more than max_bytes", async(function()
    local sent = 0
    local trouble = refused(function(connection)
      connection:send(stream_head)
      local piece = chunks(text(("x"):rep(5000)), 10000, true)
      while connection:send(piece) do sent = sent + #piece end
    end, { max_bytes = 200000 })
    assert.equal("bad_response", trouble.kind)
    assert.matches("more than 200000 bytes", trouble.message)
    assert.is_true(sent < 20e6)
    assert.equal("x", content(trouble.partial):sub(1, 1))
  end))

  it("cannot send a line without end", async(function()
    local trouble = refused(function(connection)
      connection:send(stream_head .. chunks("data: ", 10, true))
      local piece = chunks(("x"):rep(50000), 50000, true)
      while connection:send(piece) do core.sleep(0) end
    end, { max_bytes = 1 << 20 })
    assert.is_true(trouble.kind == "bad_response" or trouble.kind == "bad_chunk", trouble.kind)
  end))

  it("cannot flood with header fields", async(function()
    local trouble = refused(function(connection)
      connection:send("HTTP/1.1 200 OK\r\n")
      while connection:send(("X: %s\r\n"):format(("y"):rep(2000))) do core.sleep(0) end
    end)
    assert.equal("bad_response", trouble.kind)
    assert.matches("header", trouble.message)
  end))

  it("cannot make a redirect carry the key away", async(function()
    local other <close> = streams(hello)
    local trouble, info = refused(function(connection)
      connection:send(response("", 307, { "Location: " .. other.url }))
    end, { headers = { "Authorization: Bearer k" } })
    assert.equal("http_error", trouble.kind)
    assert.equal(307, info.status)
    assert.equal(0, #other.requests)
  end))

  it("may answer with a page, with nothing, or with what is no HTTP", async(function()
    assert.equal("http_error", refused(function(c) c:send(response("<html><title>Bad gateway</title>", 502)) end).kind)
    assert.equal("empty_response", refused(function(c) c:send(response("")) end).kind)
    assert.equal("bad_response", refused(function(c) c:send("220 mail ready\r\n") c:close() end).kind)
  end))
end)


describe("backpressure", function()
  local function endless(counter)
    return raw_server.start(function(connection)
      connection:send(stream_head)
      local piece = chunks(text(("x"):rep(16000)), 32000, true)
      while counter.sent < 1500 and connection:send(piece) do counter.sent = counter.sent + 1 end
      connection:send(chunks(delta({}, "stop") .. done))
    end)
  end

  for _, want in ipairs { "deltas", "chunks" } do
    it("makes the server wait while nobody takes " .. want, async(function()
      local counter = { sent = 0 }
      local server <close> = endless(counter)
      local handle <close> = chat { url = server.url, body = "{}", want = want }
      local kind = handle:next()
      assert.is_string(kind)
      local before
      repeat
        before = counter.sent
        core.sleep(0.1)
      until counter.sent == before
      assert.is_true(before < 1500)
      all_parts(handle)
      local completion = assert(handle:finish())
      assert.equal(24000000, #content(completion))
    end))
  end

  it("ends when the reader asks for the end", async(function()
    local counter = { sent = 0 }
    local server <close> = endless(counter)
    local handle <close> = chat { url = server.url, body = "{}", want = "deltas" }
    handle:next()
    local completion, info = handle:finish()
    assert.equal(24000000, #content(completion))
    assert.is_true(info.delivered)
    assert.is_nil(handle:next())
  end))

  it("holds a canned response back, too", async(function()
    local pieces, cuts = {}, {}
    for i = 1, 500 do
      pieces[i] = text(("x"):rep(1000))
      cuts[i] = i * #pieces[i]
    end
    local body = table.concat(pieces) .. delta({}, "stop") .. done
    local handle <close> = chat { canned = { body = body, cuts = cuts }, want = "deltas" }
    core.sleep(0.05)
    assert.equal(500000, #joined(all_parts(handle)))
    assert.equal(500000, #content((handle:finish())))
  end))
end)


describe("closing a chat", function()
  local function holding()
    return raw_server.start(function(connection)
      connection:send(stream_head .. chunks(text "half", 1000, true))
      connection:hold()
    end)
  end

  it("ends its transfer", async(function()
    local server <close> = holding()
    local handle = chat { url = server.url, body = "{}", want = "deltas" }
    assert.equal("text", handle:next())
    handle:close()
    handle:close()
    core.sleep(0.02)
    assert.equal(0, server.open)
    assert.has_error(function() handle:next() end)
  end))

  it("happens when its block is left by an error", async(function()
    local server <close> = holding()
    pcall(function()
      local handle <close> = chat { url = server.url, body = "{}", want = "deltas" }
      handle:next()
      error("out")
    end)
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("happens when it is collected", async(function()
    local server <close> = holding()
    do
      local handle = chat { url = server.url, body = "{}", want = "deltas" }
      handle:next()
    end
    collectgarbage()
    collectgarbage()
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("happens when the task that waits for it is cancelled", async(function()
    local server <close> = holding()
    local task = core.spawn(function()
      local handle <close> = chat { url = server.url, body = "{}" }
      return handle:finish()
    end)
    core.sleep(0.02)
    task:cancel("enough")
    local _, failure = task:join()
    assert.equal("cancelled", failure.code)
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("wakes who waits for its end in another task", async(function()
    local server <close> = holding()
    local handle = chat { url = server.url, body = "{}" }
    local task = core.spawn(function() return handle:finish() end)
    core.sleep(0.02)
    handle:close()
    local completion, info, trouble = task:join()
    assert.is_nil(completion)
    assert.is_table(info)
    assert.equal("cancelled", trouble.kind)
  end))

  it("ends a canned response", async(function()
    local handle = chat { canned = { body = hello, cuts = { 10, 20, 30 } }, want = "deltas" }
    handle:close()
    local paused = chat { canned = { body = text(("x"):rep(1 << 20)) .. hello, cuts = { 1 << 20 } }, want = "deltas" }
    core.sleep(0.01)
    paused:close()
  end))
end)


describe("canned responses", function()
  it("are told later, not at once", async(function()
    local handle <close> = chat { canned = { body = hello }, want = "deltas" }
    local other = false
    local task = core.spawn(function() other = true end)
    handle:next()
    assert.is_true(other)
    task:join()
  end))

  it("may be empty, and may have cuts anywhere", async(function()
    local handle <close> = chat { canned = { body = "", cuts = { 0, 5 } } }
    local completion, _, trouble = handle:finish()
    assert.is_nil(completion)
    assert.equal("empty_response", trouble.kind)
    local odd <close> = chat { canned = { body = hello, cuts = { 0, 3, 3, 2, 100000, -5 } } }
    assert.equal("Hello, wörld", content((odd:finish())))
  end))

  it("need no url and open no connection", async(function()
    local handle <close> = chat { canned = { body = hello }, url = "http://127.0.0.1:9/" }
    assert(handle:finish())
  end))
end)


describe("many chats at once", function()
  it("all end well, on a hundred connections", async(function()
    local server <close> = raw_server.start(function(connection, request)
      connection:send_cut(stream_head .. chunks(text(request.body) .. delta({}, "stop") .. done, 60), 50)
    end)
    local tasks = {}
    for i = 1, 100 do
      tasks[i] = core.spawn(function()
        for round = 1, 3 do
          local handle <close> = chat { url = server.url, body = ("%d/%d"):format(i, round), want = "deltas" }
          assert.equal(("%d/%d"):format(i, round), joined(all_parts(handle)))
          assert(handle:finish())
        end
        return true
      end)
    end
    for i = 1, 100 do assert.is_true(tasks[i]:join()) end
    assert.is_true(server.accepted <= 100)
  end))

  it("can all be cancelled at any moment", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send_cut(stream_head .. chunks(hello, 30), 40, 0.001)
    end)
    local tasks = {}
    for i = 1, 60 do
      tasks[i] = core.spawn(function()
        core.sleep(i % 7 * 0.001)
        local handle <close> = chat { url = server.url, body = "{}", want = i % 2 == 0 and "deltas" or nil }
        if i % 2 == 0 then all_parts(handle) end
        return handle:finish()
      end)
    end
    for i = 1, 60 do
      core.sleep(0.0007)
      tasks[i]:cancel()
    end
    for i = 1, 60 do tasks[i]:join() end
  end))
end)


describe("core.chat_plan", function()
  it("is for many requests, each with its messages", async(function()
    local server <close> = streams(hello)
    local options = {
      url = server.url, headers = { "X-A: " .. ("1"):rep(100) }, head = '{"messages":',
      tail = ',"note":"' .. ("t"):rep(60) .. '"}', stream = true,
    }
    local plan = core.chat_plan(options)
    options.url, options.headers[1], options.head, options.tail = "http://127.0.0.1:9/", "X-A: 2", "[", "]"
    collectgarbage()
    for i, role in ipairs { "user", "tool" } do
      local transcript = core.transcript { { role = role } }
      local handle <close> = core.chat(plan, transcript, '{"role":"system"}', i == 2 and "deltas" or nil)
      assert.equal(i == 2 and "Hello, wörld" or "", joined(all_parts(handle)))
      assert(handle:finish())
      assert.equal(('{"messages":[{"role":"system"},{"role":"%s"}],"note":"%s"}'):format(role, ("t"):rep(60)),
        server.requests[i].body)
      assert.equal(("1"):rep(100), server.requests[i].headers["x-a"])
    end
  end))

  it("may bring the whole body", async(function()
    local server <close> = streams(hello)
    local plan = core.chat_plan { url = server.url, body = '{"whole":true}', stream = true }
    for _ = 1, 2 do
      local handle <close> = core.chat(plan)
      assert(handle:finish())
    end
    assert.equal('{"whole":true}', server.requests[2].body)
  end))

  it("is kept by the requests that are under way", async(function()
    local server <close> = streams(hello, { cuts = { 10 } })
    local handle <close> = core.chat(core.chat_plan { url = server.url, body = ("x"):rep(100000), stream = true })
    collectgarbage()
    collectgarbage()
    assert(handle:finish())
    assert.equal(100000, #server.requests[1].body)
  end))

  it("has limits; a request may bring the time that is left to it", async(function()
    local server <close> = raw_server.start(function() core.sleep(5) end)
    local plan = core.chat_plan { url = server.url, body = "{}", total = 5 * patience, stream = true }
    local handle <close> = core.chat(plan, nil, nil, nil, 0.05)
    local seconds, completion, _, trouble = timed(handle.finish, handle)
    assert.is_nil(completion)
    assert.equal("timeout", trouble.kind)
    assert.is_true(seconds < 2 * patience)
  end))

  it("raises for what no request can be made of", function()
    for _, options in ipairs {
      { urll = "x" }, { url = 5 }, { headers = "x" }, { headers = { 5 } }, { headers = { "no colon" } }, { url = "a\0b" },
      { method = "a b" }, { n = -1 }, { connect = -1 }, { head = {} },
    } do
      assert.has_error(function() core.chat_plan(options) end)
    end
    assert.has_error(function() core.chat_plan() end)
    local plan = core.chat_plan {}
    assert.has_error(function() core.chat(plan) end, "option 'url' is missing")
    local good = core.chat_plan { url = "http://127.0.0.1:9/" }
    assert.has_error(function() core.chat(good, {}) end)
    assert.has_error(function() core.chat(good, nil, {}) end)
    assert.has_error(function() core.chat(good, nil, nil, "words") end)
    assert.has_error(function() core.chat(good, nil, nil, nil, "long") end)
    assert.has_error(function() core.chat(good, nil, nil, nil, -1) end)
  end)
end)
