--- decode_spec.lua -- core.decode at its seam: options, cuts, observers, limits, and what hostile servers send.
local core = require "rille.core"
local effort = require "spec.support.effort"
local wire = require "spec.support.wire"

local null, list, chunk = core.null, wire.list, wire.chunk

--- A hundredth where the collector is aggressive: each piece of memory then costs a walk through all that is alive.
local function many(count) return os.getenv "RILLE_GC" and count // 100 or count end

--- An array of that many calls; the collector rests while it is made.
local function calls_of(count)
  collectgarbage "stop"
  local calls = {}
  for i = 1, count do calls[i] = ('{"index":%d,"id":"i%d","function":{"name":"f","arguments":"{}"}}'):format(i, i) end
  local text = "[" .. table.concat(calls, ",") .. "]"
  collectgarbage "restart"
  return text
end

local HELLO <const> = wire.stream { chunk { role = "assistant", content = "Hel" }, chunk({ content = "lo" }, "stop") }


describe("core.decode", function()
  it("gives the canonical form and nothing else", function()
    assert.same({
      error = null, complete = true, done = true, id = "c1", model = "m", created = 1764000000, usage = null,
      choices = { { index = 0, finish_reason = "stop", effective_finish_reason = "stop",
        message = { role = "assistant", content = "Hello" } } },
    }, core.decode(HELLO))
  end)

  it("marks its lists as lists", function()
    local got = core.decode ""
    assert.equal("[]", core.json_encode(got.choices))
    assert.equal('{"choices":[],"complete":false,"created":null,"done":false,"error":{"code":null,"kind":"empty_response",'
      .. '"message":null,"param":null,"type":null},"id":null,"model":null,"usage":null}', core.json_encode(got))
  end)

  it("keeps helpful words out of the canonical error", function()
    local got = core.decode "<title>x</title>"
    assert.same({ kind = "bad_body", message = "x", type = null, code = null, param = null }, got.error)
  end)

  describe("options", function()
    it("may be left out", function() assert.is_true(core.decode(HELLO, nil).complete) end)

    it("that are unknown raise", function()
      assert.error_matches(function() core.decode("", { statsu = 1 }) end, "statsu")
    end)

    it("of the wrong type raise", function()
      for _, options in ipairs { { status = "x" }, { n = 0.5 }, { headers = 1 }, { cuts = "x" }, { want = "everything" }, { want = 1 } } do
        assert.error(function() core.decode("", options) end)
      end
      assert.error(function() core.decode() end)
      assert.error(function() core.decode("", 1) end)
    end)

    it("believe the bytes, not stream and not the content type", function()
      for _, stream in ipairs { true, false } do
        for _, kind in ipairs { "text/event-stream", "application/json", "text/html", "application/octet-stream" } do
          assert.is_true(core.decode(HELLO, { stream = stream, headers = { "Content-Type: " .. kind } }).complete)
          local body = wire.body({ content = "x" }, "stop")
          assert.is_true(core.decode(body, { stream = stream, headers = { "Content-Type: " .. kind } }).complete)
        end
      end
    end)

    it("may give headers as lines or by name", function()
      for _, headers in ipairs { { "X-Should-Retry: false" }, { "a: b", "x-should-retry:false" }, { ["x-should-retry"] = "false" } } do
        assert.is_false(core.decode("", { status = 500, headers = headers }).error.retryable)
      end
      assert.is_true(core.decode("", { status = 500, headers = { "x-should-retry-not: false", "", "x", 7 } }).error.retryable)
    end)

    it("may say that every delta tells the whole text so far", function()
      local chunks = { wire.chunk { content = "a" }, wire.chunk { content = "ab" }, wire.chunk { content = "ab" },
        wire.chunk { content = "ab\"c" }, wire.chunk({}, "stop") }
      local got, seen = core.decode(wire.stream(chunks), { cumulative = true, want = "deltas" })
      assert.equal('ab"c', got.choices[1].message.content)
      assert.equal(3, #seen)
      assert.equal('aababab"c', wire.message(chunks).content)
      local other = { wire.chunk { content = "a" }, wire.chunk { content = "b" }, wire.chunk({}, "stop") }
      assert.equal("ab", core.decode(wire.stream(other), { cumulative = true }).choices[1].message.content)
    end)

    it("cut the bytes where they say", function()
      assert.same(core.decode(HELLO), core.decode(HELLO, { cuts = { 0, 1, 1, 7, #HELLO } }))
    end)

    it("cut nowhere else", function()
      assert.same(core.decode(HELLO), core.decode(HELLO, { cuts = { -5, 9, 3, 1 << 40, math.mininteger } }))
      assert.same(core.decode(HELLO), core.decode(HELLO, { cuts = { "x", 5 } }))
      assert.same(core.decode(HELLO), core.decode(HELLO, { cuts = {} }))
    end)
  end)

  describe("watched for deltas", function()
    local function deltas(chunks, options)
      options = options or {}
      options.want = "deltas"
      local bytes = type(chunks) == "string" and chunks or wire.stream(chunks)
      local _, seen = core.decode(bytes, options)
      local out = {}
      for i, delta in ipairs(seen) do out[i] = ("%s %d %s"):format(delta.kind, delta.choice, delta.text) end
      return out
    end

    it("tells text, reasoning and refusal as they come", function()
      assert.same({ "reasoning 0 T", "text 0 a", "text 0 b", "refusal 0 no" },
        deltas { chunk { reasoning = "T" }, chunk { content = "a" }, chunk { content = "" }, chunk { content = "b" },
          chunk { refusal = "no" } })
    end)

    it("tells the choice", function()
      assert.same({ "text 1 b", "text 0 a" }, deltas { chunk({ content = "b" }, nil, { index = 1 }), chunk { content = "a" } })
    end)

    it("tells reasoning under two names once", function()
      assert.same({ "reasoning 0 a", "reasoning 0 b" },
        deltas { chunk { reasoning = "a", reasoning_content = "a" }, chunk { reasoning = "b", reasoning_content = "b" } })
      assert.same({ "reasoning 0 a", "reasoning 0 b" }, deltas {
        chunk { reasoning = "a", reasoning_details = list { { text = "a", index = 0 } } },
        chunk { reasoning = "b", reasoning_details = list { { text = "b", index = 0 } } },
      })
    end)

    it("tells reasoning of parts and of details", function()
      assert.same({ "reasoning 0 a", "text 0 b" },
        deltas { chunk { content = list { { type = "thinking", thinking = "a" }, { type = "text", text = "b" } } } })
      assert.same({ "reasoning 0 a", "reasoning 0 b" },
        deltas { chunk { reasoning_details = list { { text = "a" } } }, chunk { reasoning_details = list { { summary = "b" } } } })
    end)

    it("never splits an emoji", function()
      local function text(escape) return ('{"choices":[{"delta":{"content":"%s"}}]}'):format(escape) end
      assert.same({ "text 0 a", "text 0 \u{1F642}b" }, deltas { text "a\\ud83d", text "\\ude42b" })
      assert.same({ "text 0 a", "text 0 \u{FFFD}" }, deltas { text "a\\ud83d" })
      assert.same({ "text 0 \u{FFFD}x" }, deltas { text "\\ud83d", text "x" })
    end)

    it("tells the text of a plain body", function()
      assert.same({ "reasoning 0 T", "text 0 Hi" }, deltas(wire.body({ content = "Hi", reasoning_content = "T" }, "stop")))
    end)

    it("tells nothing twice", function()
      local whole = '{"choices":[{"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}]}'
      assert.same({ "text 0 a", "text 0 b" }, deltas { chunk { content = "a" }, chunk { content = "b" }, whole })
    end)

    it("tells what came before trouble", function()
      assert.same({ "text 0 a" }, deltas { chunk { content = "a" }, "{broken", chunk { content = "b" } })
      assert.same({ "text 0 a" }, deltas { chunk { content = "a" }, '{"error":"x","choices":[{"delta":{"content":"b"}}]}' })
    end)

    it("tells everything that the message says", function()
      for _, fixture in ipairs(wire.fixtures()) do
        local got, seen = core.decode(fixture.body, { want = "deltas", n = fixture.options.n, status = fixture.options.status })
        local texts = {}
        for _, delta in ipairs(seen) do
          if delta.kind == "text" then texts[delta.choice] = (texts[delta.choice] or "") .. delta.text end
        end
        for _, choice in ipairs(got.choices) do
          local content = choice.message.content
          assert.equal(content == null and "" or content, texts[choice.index] or "", fixture.name)
        end
      end
    end)
  end)

  describe("watched for chunks", function()
    local function chunks(bytes)
      local _, seen = core.decode(bytes, { want = "chunks" })
      return seen
    end

    it("shows them as received", function()
      local sent = chunk({ content = "a" }, nil, { extra = { deep = list { 1, null } }, usage = null })
      assert.same({ sent }, chunks(wire.stream { sent }))
    end)

    it("shows only what has choices", function()
      assert.equal(2, #chunks(wire.stream {
        '{"type":"ping"}', chunk { content = "a" }, '{"usage":{"a":1}}', "1", chunk(nil, nil, { choices = list {} }),
      }))
    end)

    it("shows a plain body as one chunk", function()
      local seen = chunks(wire.body({ role = "assistant", content = "Hi" }, "stop", { usage = { a = 1 } }))
      assert.equal(1, #seen)
      assert.same({ { index = 0, delta = { role = "assistant", content = "Hi" }, finish_reason = "stop" } }, seen[1].choices)
      assert.same({ a = 1 }, seen[1].usage)
    end)

    it("shows no error", function() assert.same({}, chunks(wire.stream { '{"error":"x","choices":[]}' })) end)
  end)

  describe("of hostile bytes", function()
    --- Nothing here may crash, hang or take more than a few times the bytes.
    local function survives(bytes, options)
      local before = os.clock()
      local got = core.decode(bytes, options)
      assert(os.clock() - before < 5, "took too long")
      return got
    end

    it("bounds the depth", function()
      local deep = '{"choices":[{"delta":{"x":' .. ("["):rep(200) .. ("]"):rep(200) .. "}}]}"
      assert.equal("bad_chunk", survives(wire.stream { deep }).error.kind)
      assert.equal("bad_chunk", survives(("["):rep(1 << 20)).error.kind)
      assert.equal("bad_chunk", survives(('{"a":'):rep(1 << 18)).error.kind)
    end)

    it("bounds the number of values", function()
      assert.equal("bad_chunk", survives(wire.stream { "[" .. ("0,"):rep(1100000) .. "0]" }).error.kind)
      assert.equal("bad_chunk", survives("[" .. ("0,"):rep(1100000) .. "0]").error.kind)
    end)

    it("bounds one event, one body and the whole reply", function()
      local text = ("x"):rep(3000)
      assert.equal("bad_chunk", survives(wire.stream { chunk { content = text } }, { max_bytes = 2000 }).error.kind)
      assert.equal("bad_chunk", survives(wire.body { content = text }, { max_bytes = 2000 }).error.kind)
      local chunks = {}
      for i = 1, 100 do chunks[i] = chunk { content = ("x"):rep(100) } end
      local got = survives(wire.stream(chunks), { max_bytes = 1000 })
      assert.equal("bad_chunk", got.error.kind)
      assert.is_true(#got.choices[1].message.content <= 2000)
    end)

    it("bounds the members of an object", function()
      local members = {}
      for i = 1, 3000 do members[i] = ('"k%d":%d'):format(i, i) end
      local delta = "{" .. table.concat(members, ",") .. "}"
      assert.equal("bad_chunk", survives(wire.stream { ('{"choices":[{"delta":%s}]}'):format(delta) }).error.kind)
      local twice = ('{"choices":[{"delta":{"x":%s}},{"delta":{"x":%s}}]}'):format(delta, delta)
      assert.equal("bad_chunk", survives(wire.stream { twice }).error.kind)
      assert.equal("bad_chunk", survives(('{"choices":[{"message":%s}]}'):format(delta)).error.kind)
    end)

    it("takes indexed items by the hundred thousand", function()
      local items = {}
      local count = many(100000)
      for i = 1, count do items[i] = ('{"index":%d,"text":"x"}'):format(i) end
      local event = ('{"choices":[{"delta":{"reasoning_details":[%s]}}]}'):format(table.concat(items, ","))
      assert.equal(count, #survives(wire.stream { event }).choices[1].message.reasoning_details)
    end)

    it("takes a hundred thousand calls for too many", function()
      local text = calls_of(100000)
      assert.equal("bad_chunk", survives(wire.stream { ('{"choices":[{"delta":{"tool_calls":%s}}]}'):format(text) }).error.kind)
      assert.equal("bad_chunk", survives(('{"choices":[{"message":{"tool_calls":%s}}]}'):format(text)).error.kind)
    end)

    it("joins arguments of many fragments in linear time", function()
      local event = '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"%s"}}]}}]}'
      effort.expect_linear(function(times)
        local events = { event:format '{\\"a\\":\\"' }
        for i = 2, many(5000) * times do events[i] = event:format "{}" end
        local bytes, start = wire.stream(events), os.clock()
        core.decode(bytes)
        return os.clock() - start
      end)
    end)

    it("joins text of many fragments in linear time", function()
      for _, name in ipairs { "content", "reasoning_content", "other_text" } do
        local event = ('data: {"choices":[{"delta":{"%s":"0123456789"}}]}\n\n'):format(name)
        effort.expect_linear(function(times)
          local bytes, start = event:rep(10000 * times), os.clock()
          core.decode(bytes)
          return os.clock() - start
        end)
      end
    end)

    it("keeps finite what never ends", function()
      assert.equal("empty_response", survives((": keep-alive\n\n"):rep(200000)).error.kind)
      assert.equal("empty_response", survives(('data: {"type":"ping"}\n\n'):rep(50000)).error.kind)
      assert.equal("empty_response", survives(("\n"):rep(1 << 22)).error.kind)
      assert.equal("empty_response", survives(("event: x\n\n"):rep(100000)).error.kind)
    end)

    it("takes names and values of every kind", function()
      local values = { "null", "true", "false", "0", "-1", "1e308", "1e999", "99999999999999999999", '""', '"x"', "[]", "[null]", "{}",
        '{"index":0}', '"\\ud800"', '"\\u0000"', "[[]]", '[{"index":0,"text":1},{"index":0,"text":"x"}]' }
      local names = { "id", "object", "created", "model", "choices", "usage", "error", "index", "delta", "message", "finish_reason",
        "logprobs", "role", "content", "refusal", "tool_calls", "function_call", "audio", "reasoning", "reasoning_details", "x" }
      for _, name in ipairs(names) do
        for _, value in ipairs(values) do
          for _, shape in ipairs {
            '{"%s":%s,"choices":[{"delta":{"content":"a"}}]}', '{"choices":[{"%s":%s,"delta":{"content":"a"}}]}',
            '{"choices":[{"delta":{"content":"a","%s":%s}}]}', '{"choices":[{"message":{"content":"a","%s":%s}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"%s":%s,"function":{"name":"f"}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","%s":%s}}]}}]}',
            '{"error":{"%s":%s}}',
          } do
            local event = shape:format(name, value)
            local once = core.decode(wire.stream { event, event })
            assert.is_table(once.choices)
            core.decode(event)
            core.decode(event, { status = 400 })
          end
        end
      end
    end)

    it("takes random bytes", function()
      local state = 42
      local function random(most)
        state = state * 6364136223846793005 + 1442695040888963407
        return (state >> 33) % most
      end
      local seeds = { HELLO, wire.body({ content = "x", tool_calls = list { { id = "a" } } }, "stop"), '{"error":{"message":"x"}}' }
      for round = 1, many(3000) do
        local bytes = { seeds[1 + round % #seeds]:byte(1, -1) }
        for _ = 1, 1 + random(8) do bytes[1 + random(#bytes)] = random(256) end
        local text = string.char(table.unpack(bytes))
        local cut = core.decode(text, { cuts = wire.random_cuts(text, round) })
        local whole = core.decode(text)
        assert.equal(core.json_encode(whole.error), core.json_encode(cut.error))
        assert.equal(whole.complete, cut.complete)
      end
    end)
  end)

  it("loses nothing when it raises", function()
    for _ = 1, 50 do pcall(core.decode, HELLO, { want = "nonsense" }) end
    collectgarbage()
  end)
end)
