--- message_spec.lua -- deltas and bodies become one message: text, reasoning, unknown members, usage, endings.
local core = require "rille.core"
local wire = require "spec.support.wire"

local null, list, chunk = core.null, wire.list, wire.chunk

local STOP <const> = chunk(nil, "stop")


--- The message of deltas, all of choice 0.
local function message(...)
  local chunks = {}
  for i, delta in ipairs { ... } do chunks[i] = chunk(delta) end
  chunks[#chunks + 1] = STOP
  return wire.message(chunks)
end


--- The first choice of chunks.
local function choice(...)
  return wire.decode({ ... }).choices[1]
end


describe("content", function()
  it("is joined verbatim", function()
    assert.equal(" a\n\n\tb ", message({ content = " a\n" }, { content = "\n\t" }, { content = "b " }).content)
  end)

  it("is not de-duplicated", function()
    assert.equal("aaab", message({ content = "a" }, { content = "a" }, { content = "a" }, { content = "b" }).content)
  end)

  it('is "" when nothing came', function()
    assert.equal("", message({}).content)
    assert.equal("", message({ content = null }).content)
  end)

  it("is null beside calls, refusal, audio or a function call when there is no text", function()
    for _, delta in ipairs {
      { tool_calls = list { { index = 0, id = "a", ["function"] = { name = "f" } } } },
      { refusal = "no" }, { audio = { id = "a" } }, { function_call = { name = "f" } },
    } do
      assert.equal(null, message({ content = "" }, delta).content)
      assert.equal("t", message({ content = "t" }, delta).content)
    end
  end)

  it("of other types is ignored", function()
    for _, value in ipairs { false, true, 7, 0.5, list {}, {}, list { null, 1, false } } do
      assert.equal("ab", message({ content = "a" }, { content = value }, { content = "b" }).content)
    end
  end)

  it("as parts gives its text, and its thinking to the reasoning", function()
    local got = choice(chunk { content = list {
      { type = "thinking", thinking = list { { type = "text", text = "T1 " }, "T2 " } },
      { type = "text", text = "a" }, { type = "reference", reference_ids = list { 1 } },
      { type = "thinking", thinking = "T3" }, { type = "output_text", text = "b" }, { text = "c" }, "d",
      { type = "image_url", image_url = { url = "x" } },
    } }, STOP)
    assert.equal("abcd", got.message.content)
    assert.equal("T1 T2 T3", got.reasoning_text)
  end)

  it("as one part is a list of one", function()
    assert.equal("a", message({ content = { type = "text", text = "a" } }).content)
  end)

  it("as a refusal part is a refusal", function()
    local got = message({ content = list { { type = "refusal", refusal = "no" } } })
    assert.equal("no", got.refusal)
    assert.equal(null, got.content)
  end)

  describe("as JSON escapes", function()
    local function text(...)
      local events = {}
      for i, escape in ipairs { ... } do events[i] = ('{"choices":[{"index":0,"delta":{"content":"%s"}}]}'):format(escape) end
      return wire.message(events)
    end

    it("joins the halves of an emoji that came apart", function()
      assert.equal("a\u{1F642}b", text("a\\ud83d", "\\ude42b").content)
      assert.equal("\u{1F642}\u{1F642}", text("\\ud83d", "\\ude42\\ud83d", "\\ude42").content)
      assert.equal("\u{1F642}", text("\\ud83d", "", "\\ude42").content)
    end)

    it("replaces a half without its other half", function()
      assert.equal("\u{FFFD}", text("\\ud83d").content)
      assert.equal("\u{FFFD}x", text("\\ud83d", "x").content)
      assert.equal("\u{FFFD}x", text("\\ude42", "x").content)
      assert.equal("\u{FFFD}\u{FFFD}", text("\\ude42", "\\ud83d").content)
      assert.equal("\u{FFFD}\u{1F642}", text("\\ud83d", "\\ud83d\\ude42").content)
    end)

    it("keeps NUL and control characters", function()
      assert.equal("a\0\1\31\127b", text("a\\u0000", "\\u0001\\u001f\127b").content)
    end)

    it("replaces invalid UTF-8 byte by byte", function()
      assert.equal("a\u{FFFD}b\u{FFFD}", text("a\xFF", "b\xC3").content)
      assert.equal("\u{FFFD}\u{FFFD}x", text("\xC0\x80", "x").content)
    end)

    it("keeps every character of every plane", function()
      for _, code in ipairs { 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF } do
        assert.equal(utf8.char(code), text(utf8.char(code)).content)
      end
    end)

    it("joins halves in every other text, too", function()
      local got = wire.decode {
        '{"choices":[{"index":0,"delta":{"reasoning":"\\ud83d","refusal":"\\ud83d","my_text":"\\ud83d"}}]}',
        '{"choices":[{"index":0,"delta":{"reasoning":"\\ude42","refusal":"\\ude42","my_text":"\\ude42"}}]}',
      }.choices[1]
      assert.equal("\u{1F642}", got.reasoning_text)
      assert.equal("\u{1F642}", got.message.refusal)
      assert.equal("\u{1F642}", got.message.my_text)
    end)
  end)
end)


describe("refusal", function()
  it("is joined", function() assert.equal("I cannot.", message({ refusal = "I " }, { refusal = "cannot." }).refusal) end)

  it("counts as text only", function()
    for _, value in ipairs { null, false, true, 0, "", list {} } do
      local got = message({ content = "k", refusal = value })
      assert.is_nil(got.refusal)
      assert.equal("k", got.content)
    end
  end)
end)


describe("role", function()
  it("is the last that is not empty, or assistant", function()
    assert.equal("assistant", message({ content = "a" }).role)
    assert.equal("assistant", message({ role = "" }, { role = null }).role)
    assert.equal("assistant", message({ role = "assistant" }, { role = "" }).role)
    assert.equal("model", message({ role = "assistant" }, { role = "model" }).role)
  end)
end)


describe("reasoning", function()
  it("is joined under its own name", function()
    for _, name in ipairs { "reasoning_content", "reasoning", "reasoning_text", "thinking" } do
      local got = choice(chunk { [name] = "a " }, chunk { [name] = "b" }, chunk { [name] = null }, STOP)
      assert.equal("a b", got.message[name])
      assert.equal("a b", got.reasoning_text)
    end
  end)

  it("under two names is not doubled", function()
    local got = choice(chunk { reasoning = "a", reasoning_content = "a" }, chunk { reasoning = "b", reasoning_content = "b" }, STOP)
    assert.equal("ab", got.reasoning_text)
    assert.equal("ab", got.message.reasoning)
  end)

  it("prefers reasoning_content, then reasoning, then reasoning_text, then parts, then details", function()
    local sources = {
      { "reasoning_content", "1" }, { "reasoning", "2" }, { "reasoning_text", "3" },
      { "content", list { { type = "thinking", thinking = "4" } } }, { "reasoning_details", list { { text = "5" } } },
    }
    for first = 1, #sources do
      local delta = {}
      for i = first, #sources do delta[sources[i][1]] = sources[i][2] end
      assert.equal(tostring(first), choice(chunk(delta), STOP).reasoning_text)
    end
  end)

  it("that is empty gives way to what says something", function()
    assert.equal("b", choice(chunk { reasoning_content = "", reasoning = "b" }, STOP).reasoning_text)
    assert.is_nil(choice(chunk { reasoning_content = "" }, STOP).reasoning_text)
  end)

  it("of other types is kept but is no text", function()
    local got = choice(chunk { reasoning = { effort = "low" } }, STOP)
    assert.same({ effort = "low" }, got.message.reasoning)
    assert.is_nil(got.reasoning_text)
  end)

  it("stays in the content where the model writes tags", function()
    assert.equal("<think>a</think>b", message({ content = "<thi" }, { content = "nk>a</think>b" }).content)
  end)

  it("details are merged by index, type and id", function()
    local got = message(
      { reasoning_details = list { { type = "reasoning.text", text = "a", index = 0, format = "f" } } },
      { reasoning_details = list {
        { type = "reasoning.text", text = "b", index = 0 }, { type = "reasoning.summary", summary = "s", index = 1 },
      } },
      { reasoning_details = list { { type = "reasoning.text", signature = "S", text = null, index = 0 } } },
      { reasoning_details = list { { type = "reasoning.encrypted", data = "D", id = "x", index = 0 } } },
      { reasoning_details = list { { type = "reasoning.encrypted", data = "E", id = "y", index = 0 } } },
      { reasoning_details = list { { type = "reasoning.encrypted", data = "F", id = "x", index = 0 } } },
      { reasoning_details = list { { type = "reasoning.summary", summary = "t", index = 1 } } })
    assert.same({
      { type = "reasoning.text", text = "ab", index = 0, format = "f", signature = "S" },
      { type = "reasoning.summary", summary = "st", index = 1 },
      { type = "reasoning.encrypted", data = "DF", id = "x", index = 0 },
      { type = "reasoning.encrypted", data = "E", id = "y", index = 0 },
    }, got.reasoning_details)
  end)

  it("details within one delta are merged, too", function()
    local got = message({ reasoning_details = list { { text = "a", index = 0 }, { text = "b", index = 0 } } })
    assert.same({ { text = "ab", index = 0 } }, got.reasoning_details)
  end)

  it("details say item by item what they say, however their pieces alternate", function()
    local function piece(index, text)
      return chunk { reasoning_details = list { { type = "reasoning.text", index = index, text = text } } }
    end
    local got = wire.decode { piece(0, "a"), piece(1, "x"), piece(0, "b"), piece(1, "y"), chunk({}, "stop") }
    assert.equal("abxy", got.choices[1].reasoning_text)
  end)

  it("details without an index are appended", function()
    local got = message({ reasoning_details = list { { text = "a" } } }, { reasoning_details = list { { text = "b" } } })
    assert.same({ { text = "a" }, { text = "b" } }, got.reasoning_details)
  end)
end)


describe("unknown members of a delta", function()
  it("are joined when their name speaks of text", function()
    local got = message({ my_text = "a", summary_x = "b", think = "c" }, { my_text = "d", summary_x = "e", think = "f" })
    assert.equal("ad", got.my_text)
    assert.equal("be", got.summary_x)
    assert.equal("cf", got.think)
  end)

  it("are replaced otherwise", function()
    local got = message({ phase = "a", score = 1, flag = false }, { phase = "b", score = 2, flag = true })
    assert.equal("b", got.phase)
    assert.equal(2, got.score)
    assert.is_true(got.flag)
  end)

  it("are not undone by null", function()
    assert.equal("a", message({ phase = "a" }, { phase = null }).phase)
  end)

  it("are merged when they are objects, to any depth", function()
    local got = message({ x = { a = 1, deep = { text = "p", n = 1 } } }, { x = { b = 2, deep = { text = "q", n = 2 } } })
    assert.same({ a = 1, b = 2, deep = { text = "pq", n = 2 } }, got.x)
  end)

  it("are appended when they are arrays", function()
    local got = message({ images = list { 1 } }, { images = list { 2, { a = 1 } } }, { images = list {} })
    assert.same({ 1, 2, { a = 1 } }, got.images)
  end)

  it("may change their type", function()
    assert.equal("s", message({ x = { a = 1 } }, { x = "s" }).x)
    assert.same({ a = 1 }, message({ x = "s" }, { x = { a = 1 } }).x)
    assert.same({ 1 }, message({ x = "s" }, { x = list { 1 } }).x)
    assert.equal(1, message({ my_text = "s" }, { my_text = 1 }).my_text)
  end)

  it("keep numbers exact", function()
    local events = { '{"choices":[{"index":0,"delta":{"n":9007199254740993,"m":-9223372036854775808,"x":1.5,"y":1e2}}]}' }
    local got = wire.message(events)
    assert.equal(9007199254740993, got.n)
    assert.equal(math.mininteger, got.m)
    assert.equal(1.5, got.x)
    assert.equal("integer", math.type(got.y))
  end)

  it("with empty or odd names are kept", function()
    local got = message({ [""] = "a", ["a.b c"] = 1 })
    assert.equal("a", got[""])
    assert.equal(1, got["a.b c"])
  end)

  it("that are annotations are appended", function()
    local got = message({ annotations = list { { type = "url_citation" } } }, { annotations = list { { type = "file" } } })
    assert.equal(2, #got.annotations)
  end)
end)


describe("audio", function()
  local function audio(...)
    local chunks = {}
    for i, part in ipairs { ... } do chunks[i] = chunk { audio = part } end
    return wire.message(chunks).audio
  end

  it("is decoded, joined and encoded once", function()
    assert.equal("AQIDBAUGBw==", audio({ data = "AQIDBA==" }, { data = "BQYH" }).data)
    assert.equal("AQIDBAUGBw==", audio({ data = "AQID" }, { data = "BA==" }, { data = "BQ==" }, { data = "Bgc=" }).data)
  end)

  it("may be cut inside a group", function()
    assert.equal("AQIDBAUGBw==", audio({ data = "AQI" }, { data = "DBA" }, { data = "UGBw==" }).data)
  end)

  it("joins the transcript, sets the rest", function()
    assert.same({ id = "a", expires_at = 7, transcript = "Hi you" },
      audio({ id = "a", transcript = "Hi " }, { transcript = "you", expires_at = 6 }, { expires_at = 7 }))
  end)

  it("leaves out what is no base64", function()
    assert.same({ id = "a", data = "AQID" }, audio({ id = "a", data = "AQID" }, { data = "!!" }))
  end)

  it("that is null is none", function() assert.is_nil(audio(null, false, "x")) end)

  it("that is empty is none", function()
    local stream = 'data: {"choices":[{"index":0,"delta":{"content":"","audio":{}},"finish_reason":"stop"}]}\n\n'
    assert.same({ role = "assistant", content = "" }, core.decode(stream).choices[1].message)
    local body = '{"choices":[{"index":0,"message":{"content":"","audio":{}},"finish_reason":"stop"}]}'
    assert.equal("", core.decode(body).choices[1].message.content)
  end)

  it("of a body stands as sent", function()
    local sent = { id = "a", data = "AQI", expires_at = 1, transcript = "t" }
    local got = core.decode(wire.body({ role = "assistant", content = null, audio = sent }, "stop")).choices[1].message
    assert.same(sent, got.audio)
    assert.equal(null, got.content)
  end)
end)


describe("logprobs", function()
  local function logprobs(...)
    local chunks = {}
    for i, value in ipairs { ... } do chunks[i] = chunk({ content = "x" }, nil, { choice = { logprobs = value } }) end
    chunks[#chunks + 1] = STOP
    return wire.decode(chunks).choices[1].logprobs
  end

  it("are appended", function()
    assert.same({ content = { { token = "a" }, { token = "b" } }, refusal = null },
      logprobs({ content = list { { token = "a" } }, refusal = null }, null, { content = list { { token = "b" } }, refusal = null }))
    assert.same({ content = null, refusal = { 1, 2 } },
      logprobs({ content = null, refusal = list { 1 } }, { content = null, refusal = list { 2 } }))
  end)

  it("are absent when they are null", function() assert.is_nil(logprobs(null, null)) end)

  it("of a body stand as sent", function()
    local body = wire.body({ content = "x" }, "stop")
    body = body:gsub('"index":0', '"index":0,"logprobs":{"content":[{"token":"x","logprob":-1e-6,"bytes":null}],"refusal":null}')
    assert.same({ content = { { token = "x", logprob = -1e-6, bytes = null } }, refusal = null },
      core.decode(body).choices[1].logprobs)
  end)
end)


describe("usage", function()
  local function usage(...)
    local chunks = {}
    for i, more in ipairs { ... } do chunks[i] = chunk({ content = "x" }, nil, more) end
    chunks[#chunks + 1] = STOP
    return wire.decode(chunks).usage
  end

  it("is the last, never a sum", function()
    assert.same({ total_tokens = 7 }, usage({ usage = { total_tokens = 5 } }, { usage = { total_tokens = 7 } }, { usage = null }))
  end)

  it("is found in x_groq and in a choice", function()
    assert.same({ a = 1 }, usage { x_groq = { id = "r", usage = { a = 1 } } })
    assert.same({ b = 1 }, usage { choice = { usage = { b = 1 } } })
    assert.same({ c = 1 }, usage { usage = { c = 1 }, x_groq = { usage = { a = 1 } }, choice = { usage = { b = 1 } } })
  end)

  it("is found in a chunk without choices", function()
    assert.same({ t = 1 }, usage { choices = null, usage = { t = 1 } })
    assert.same({ t = 1 }, usage { choices = list {}, usage = { t = 1 } })
    assert.same({ t = 1 }, wire.decode({ STOP, '{"x_groq":{"id":"r","usage":{"t":1}}}' }).usage)
  end)

  it("keeps what it says: nulls, fractions, big numbers", function()
    local sent = { cost = 0.25, total = 9007199254740993, details = { cached = null } }
    assert.same(sent, usage { usage = sent })
  end)

  it("of other types is none", function()
    for _, value in ipairs { null, 1, "x", list { 1 }, false } do assert.equal(null, usage { usage = value }) end
  end)
end)


describe("id, model, created", function()
  it("are the first id, the last model and the first time that say something", function()
    local got = wire.decode {
      chunk({ content = "a" }, nil, { id = "", model = "", created = 0 }),
      chunk({ content = "a" }, nil, { id = "one", model = "m1", created = 5 }),
      chunk({ content = "a" }, "stop", { id = "two", model = "m2", created = 6 }),
      chunk(nil, nil, { id = "", model = "", created = 0, choices = list {} }),
    }
    assert.equal("one", got.id)
    assert.equal("m2", got.model)
    assert.equal(5, got.created)
  end)

  it("are null when nobody said them", function()
    local got = wire.decode { '{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}' }
    assert.equal(null, got.id)
    assert.equal(null, got.model)
    assert.equal(null, got.created)
    assert.equal("a", got.choices[1].message.content)
  end)

  it("are not taken from pings", function()
    local got = wire.decode { '{"type":"ping","id":"evt_1","model":"x"}', chunk({ content = "a" }, "stop") }
    assert.equal("c1", got.id)
  end)
end)


describe("choices", function()
  it("have a slot for each index", function()
    local got = wire.decode({
      chunk({ content = "B" }, nil, { index = 7 }), chunk({ content = "A" }, nil, { index = 2 }),
      chunk({ content = "b" }, "stop", { index = 7 }), chunk({ content = "a" }, "length", { index = 2 }),
    }, { n = 2 })
    assert.same({ 2, 7 }, { got.choices[1].index, got.choices[2].index })
    assert.same({ "Aa", "Bb" }, { got.choices[1].message.content, got.choices[2].message.content })
    assert.is_true(got.complete)
  end)

  it("without an index are choice 0 of a stream", function()
    local got = wire.decode { '{"choices":[{"delta":{"content":"a"}}]}', '{"choices":[{"index":null,"delta":{"content":"b"}}]}' }
    assert.equal(1, #got.choices)
    assert.equal("ab", got.choices[1].message.content)
  end)

  it("may have their index as text", function()
    local got = wire.decode({ '{"choices":[{"index":"1","delta":{"content":"b"}},{"index":"0","delta":{"content":"a"}}]}' }, { n = 2 })
    assert.same({ "a", "b" }, { got.choices[1].message.content, got.choices[2].message.content })
  end)

  it("that are no objects are skipped", function()
    local got = wire.decode { '{"choices":[null,1,"x",[],{"delta":{"content":"a"},"finish_reason":"stop"}]}' }
    assert.equal(1, #got.choices)
  end)

  it("may have any integer as index", function()
    local got = wire.decode({
      chunk({ content = "a" }, "stop", { index = math.maxinteger }), chunk({ content = "b" }, "stop", { index = -1 }),
    }, { n = 2 })
    assert.equal(-1, got.choices[1].index)
    assert.equal(math.maxinteger, got.choices[2].index)
  end)

  it("are at most 128", function()
    local chunks = {}
    for i = 1, 129 do chunks[i] = chunk({ content = "x" }, "stop", { index = i }) end
    local got = wire.decode(chunks, { n = 128 })
    assert.equal("bad_chunk", got.error.kind)
    assert.equal(128, #got.choices)
  end)

  it("may carry a message in place of the first delta", function()
    local got = wire.decode { '{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}' }
    assert.equal("a", got.choices[1].message.content)
  end)

  it("take no message after anything else came", function()
    local whole = wire.body({ content = "again", tool_calls = list { { id = "a", ["function"] = { name = "f" } } } }, "stop")
    assert.equal("a", wire.message({ chunk { content = "a" }, whole }).content)
    assert.equal("", wire.message({ chunk { reasoning = "a" }, whole }).content)
    assert.is_nil(wire.message({ chunk { reasoning = "a" }, whole }).tool_calls)
    assert.equal("again", wire.message({ chunk { role = "assistant", content = "" }, whole }).content)
  end)

  it("read the delta before finish_reason", function()
    local got = choice(chunk({ content = "a" }, "length"), chunk { content = "b" })
    assert.equal("ab", got.message.content)
    assert.equal("length", got.finish_reason)
  end)
end)


describe("finish_reason", function()
  local EFFECTIVE <const> = {
    stop = "stop", eos = "stop", eos_token = "stop", end_turn = "stop", stop_sequence = "stop", [""] = "stop",
    length = "length", max_tokens = "length", model_length = "length",
    content_filter = "content_filter", safety = "content_filter",
    insufficient_system_resource = "error", abort = "error",
    tool_calls = "stop", tool_use = "stop", function_call = "stop", something = "unknown",
    STOP = "stop", MAX_TOKENS = "length",
  }

  it("is mapped, and stays visible", function()
    for raw, effective in pairs(EFFECTIVE) do
      local got = choice(chunk({ content = "a" }, raw))
      assert.equal(raw, got.finish_reason)
      assert.equal(effective, got.effective_finish_reason, raw)
    end
  end)

  it("that stops, or says nothing known, means tool_calls where there are calls", function()
    local calls = { tool_calls = list { { index = 0, id = "a", ["function"] = { name = "f" } } } }
    for raw, effective in pairs(EFFECTIVE) do
      local expected = (effective == "stop" or effective == "unknown") and "tool_calls" or effective
      assert.equal(expected, choice(chunk(calls, raw)).effective_finish_reason, raw)
    end
    assert.equal("tool_calls", choice(chunk(calls)).effective_finish_reason)
  end)

  it("is the last one said", function()
    assert.equal("length", choice(chunk({}, "stop"), chunk({}, "length"), chunk {}).finish_reason)
  end)

  it('is not undone by ""', function()
    assert.equal("length", choice(chunk({ content = "a" }, "length"), chunk({}, "")).finish_reason)
  end)

  it("of other types is none", function()
    local got = choice(chunk({ content = "a" }, nil, { choice = { finish_reason = 3 } }))
    assert.equal(null, got.finish_reason)
  end)
end)


describe("completeness", function()
  local function decode(chunks, done) return wire.decode(chunks, { done = done or false }) end

  it("is finish_reason on every choice, or [DONE]", function()
    assert.is_true(decode({ chunk({ content = "a" }, "stop") }).complete)
    assert.is_true(decode({ chunk { content = "a" } }, true).complete)
    assert.equal("incomplete_stream", decode({ chunk { content = "a" } }).error.kind)
    assert.equal("incomplete_stream", decode({ chunk({ content = "a" }, "stop"), chunk({ content = "b" }, nil, { index = 1 }) }).error.kind)
  end)

  it('is not "" in every chunk', function()
    assert.equal("incomplete_stream", decode({ chunk({ content = "a" }, ""), chunk({ content = "b" }, "") }).error.kind)
    assert.is_true(decode({ chunk({ content = "a" }, ""), chunk({ content = "b" }, "stop") }).complete)
    assert.is_true(decode({ chunk { content = "a" }, chunk({}, "") }).complete)
  end)

  it("is not [DONE] in the middle of arguments", function()
    local cut = chunk { tool_calls = list { { index = 0, id = "a", ["function"] = { name = "f", arguments = '{"x' } } } }
    local got = decode({ cut }, true)
    assert.equal("incomplete_stream", got.error.kind)
    assert.is_true(got.done)
    assert.is_false(got.complete)
    assert.equal('{"x', got.choices[1].message.tool_calls[1]["function"].arguments)
    assert.is_true(decode({ cut, chunk(nil, "length") }, true).complete)
  end)

  it("needs a choice", function()
    for _, chunks in ipairs { {}, { "null" }, { ": x" }, { chunk(nil, nil, { choices = list {} }) }, { '{"type":"ping"}' } } do
      assert.equal("empty_response", decode(chunks, true).error.kind)
      assert.equal("empty_response", decode(chunks).error.kind)
    end
  end)

  it("ends at [DONE]: what follows is not read", function()
    local bytes = wire.stream { chunk({ content = "a" }, "stop") } .. wire.stream { chunk { content = "b" }, "{garbage" }
    local got = core.decode(bytes)
    assert.equal("a", got.choices[1].message.content)
    assert.equal(null, got.error)
  end)

  it("takes [DONE] with blanks and in quotes", function()
    for _, done in ipairs { "[DONE]", " [DONE] \t", '"[DONE]"' } do
      local got = wire.decode({ chunk { content = "a" }, done }, { done = false })
      assert.is_true(got.done)
      assert.is_true(got.complete)
    end
  end)
end)


describe("events that are no chunks", function()
  it("are ignored", function()
    local noise = { "", " ", "null", ": x", ":", '{"type":"ping"}', "1", '"x"', "true", "[]", "[1,null]", "{}", '{"choices":null}',
      '{"choices":{}}', '{"error":null,"choices":[]}', '{"error":""}', '{"errors":[]}', '{"error_message":null}',
      '{"base_resp":{"status_code":0}}' }
    for _, event in ipairs(noise) do
      local got = wire.decode { event, chunk { content = "a" }, event, chunk({ content = "b" }, "stop"), event }
      assert.equal(null, got.error, event)
      assert.equal("ab", got.choices[1].message.content, event)
    end
  end)

  it("that are broken end the stream", function()
    for _, event in ipairs { "{", '{"a":}', "x", "{'a':1}", '{"a":1}}', "nul", "[DONE", '{"choices":[{"delta":{"content":"\1"}}]}' } do
      local got = wire.decode { chunk { content = "a" }, event, chunk({ content = "b" }, "stop") }
      assert.equal("bad_chunk", got.error.kind, event)
      assert.equal("malformed JSON in stream: " .. event, got.error.message)
      assert.equal("a", got.choices[1].message.content)
      assert.is_false(got.done)
    end
  end)

  it("that are broken are shown up to 500 characters", function()
    local got = wire.decode { "x" .. ("é"):rep(2000) }
    assert.equal(500, utf8.len(got.error.message))
  end)

  it("that name a member twice mean the last one", function()
    local got = wire.decode {
      '{"choices":[{"delta":{"content":"x","role":"user","content":"a","reasoning":"y","role":"assistant","reasoning":"r"}}]}',
      '{"choices":[],"choices":[{"delta":{"content":"x"},"delta":{"content":"b","content":null},'
        .. '"finish_reason":null,"finish_reason":"stop"}]}' }
    assert.same({ index = 0, finish_reason = "stop", effective_finish_reason = "stop", reasoning_text = "r",
      message = { role = "assistant", content = "a", reasoning = "r" } }, got.choices[1])
    got = core.decode('{"choices":[{"index":0,"message":{"content":"x","content":"a","tool_calls":[],"tool_calls":null},'
      .. '"finish_reason":"stop"}]}')
    assert.equal("a", got.choices[1].message.content)
  end)

  it("may be lists of chunks", function()
    local both = core.json_encode(list { chunk { content = "a" }, chunk({ content = "b" }, "stop") })
    local got = wire.decode { both }
    assert.equal("ab", got.choices[1].message.content)
  end)
end)


describe("a plain body", function()
  it("is taken like a stream", function()
    local got = core.decode(wire.body({ role = "assistant", content = "Hi" }, "stop", { usage = { t = 1 } }))
    assert.same({ index = 0, finish_reason = "stop", effective_finish_reason = "stop",
      message = { role = "assistant", content = "Hi" } }, got.choices[1])
    assert.same({ t = 1 }, got.usage)
    assert.is_true(got.complete)
    assert.is_false(got.done)
  end)

  it("is whole without a finish_reason", function()
    assert.is_true(core.decode(wire.body({ content = "Hi" })).complete)
  end)

  it("with cut arguments and no finish_reason is not", function()
    local got = core.decode(wire.body { tool_calls = list { { id = "a", ["function"] = { name = "f", arguments = "{" } } } })
    assert.equal("incomplete_stream", got.error.kind)
  end)

  it("may stand between white space, after a byte order mark", function()
    local body = wire.body({ content = "Hi" }, "stop")
    for _, text in ipairs { "\n\n" .. body, body .. "\r\n \t", "\xEF\xBB\xBF" .. body, "\xEF\xBB\xBF\n" .. body } do
      assert.equal("Hi", core.decode(text).choices[1].message.content)
      assert.equal("Hi", core.decode(text, { cuts = wire.every_byte(text) }).choices[1].message.content)
    end
  end)

  it("may stand behind comments that keep the connection alive", function()
    local body = wire.body({ content = "Hi" }, "stop")
    for _, text in ipairs { ": PROCESSING\n\n: x\n\n" .. body, "\n:\r\n" .. body } do
      assert.equal("Hi", core.decode(text).choices[1].message.content)
      assert.equal("Hi", core.decode(text, { cuts = wire.every_byte(text) }).choices[1].message.content)
    end
    assert.equal("empty_response", core.decode(": PROCESSING\n\n").error.kind)
  end)

  it("may be followed by [DONE] or events", function()
    local body = wire.body({ content = "Hi" })
    assert.is_true(core.decode(body .. "\n\ndata: [DONE]\n\n").done)
    assert.is_true(core.decode(body .. "[DONE]").done)
    assert.is_false(core.decode(body .. "\n: bye\n\n").done)
    local got = core.decode(body .. '\ndata: {"choices":[],"usage":{"t":1}}\n\ndata: [DONE]\n')
    assert.same({ t = 1 }, got.usage)
    assert.equal("Hi", got.choices[1].message.content)
  end)

  it("followed by anything else is bad", function()
    local got = core.decode(wire.body({ content = "Hi" }, "stop") .. "<html>")
    assert.equal("bad_body", got.error.kind)
    assert.equal("Hi", got.choices[1].message.content)
  end)

  it("may be a list around one, or chunks line by line", function()
    assert.equal("Hi", core.decode("[" .. wire.body({ content = "Hi" }, "stop") .. "]").choices[1].message.content)
    local lines = core.json_encode(chunk { content = "a" }) .. "\n" .. core.json_encode(chunk({ content = "b" }, "stop")) .. "\n"
    assert.equal("ab", core.decode(lines).choices[1].message.content)
    assert.equal("incomplete_stream", core.decode(core.json_encode(chunk { content = "a" }) .. "\n").error.kind)
  end)

  it("line by line says who answers where it first does", function()
    local first = '{"id":"","model":"","created":0,"choices":[],"prompt_filter_results":[]}'
    local second, third = core.json_encode(chunk { content = "a" }), core.json_encode(chunk({ content = "b" }, "stop", { id = "c2" }))
    for _, text in ipairs { table.concat({ first, second, third }, "\n"), ("[%s,%s,%s]"):format(first, second, third) } do
      local got = core.decode(text)
      assert.same({ "c1", "m", 1764000000 }, { got.id, got.model, got.created })
    end
  end)

  it("may use delta for message", function()
    local got = core.decode(core.json_encode(chunk({ content = "a" }, "stop")))
    assert.equal("a", got.choices[1].message.content)
  end)

  it("drops from the canonical message what stands for absence", function()
    local got = core.decode(wire.body({ role = "assistant", content = "Hi", refusal = null, annotations = list {}, audio = null,
      tool_calls = list {}, function_call = null, extra = 1 }, "stop"))
    assert.same({ role = "assistant", content = "Hi", extra = 1 }, got.choices[1].message)
    got = core.decode(wire.body({ content = "Hi", refusal = false, tool_calls = false, function_call = false, audio = false }, "stop"))
    assert.same({ role = "assistant", content = "Hi" }, got.choices[1].message)
  end)

  it("counts positions where the index is missing", function()
    local got = core.decode('{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},'
      .. '{"message":{"content":"b"},"finish_reason":"stop"}]}', { n = 2 })
    assert.same({ 0, 1 }, { got.choices[1].index, got.choices[2].index })
  end)

  describe("that spreads one turn over several choices", function()
    local function spread(choices, n)
      return core.decode(core.json_encode { choices = list(choices) }, { n = n })
    end
    local text = { message = { role = "assistant", content = "Looking." }, finish_reason = "tool_calls" }
    local function caller(id, index)
      local call = { id = id, type = "function", ["function"] = { name = "f", arguments = "{}" } }
      return { index = index, finish_reason = "tool_calls", message = { content = null, tool_calls = list { call } } }
    end

    it("becomes one message", function()
      for _, choices in ipairs { { text, caller "a", caller "b" }, { caller "a", text, caller "b" }, { caller "a", caller "b", text } } do
        local got = spread(choices)
        assert.equal(1, #got.choices)
        assert.equal("Looking.", got.choices[1].message.content)
        assert.same({ { "a", "f", "{}" }, { "b", "f", "{}" } }, wire.shapes(got.choices[1].message.tool_calls))
        assert.equal("tool_calls", got.choices[1].effective_finish_reason)
      end
    end)

    it("becomes one message with indexes, too, when only one has text", function()
      local got = spread { { index = 0, message = text.message, finish_reason = "stop" }, caller("a", 1) }
      assert.equal(1, #got.choices)
      assert.equal(1, #got.choices[1].message.tool_calls)
    end)

    it("stays apart when several were asked for", function()
      assert.equal(2, #spread({ text, caller "a" }, 2).choices)
    end)

    it("stays apart when two alternatives came with indexes", function()
      local got = spread {
        { index = 0, message = { content = "a" }, finish_reason = "stop" },
        { index = 1, message = { content = "b" }, finish_reason = "stop" },
      }
      assert.equal(2, #got.choices)
    end)
  end)

  it("that is a page says its title", function()
    local got = core.decode "<!DOCTYPE html>\n<HTML><Head><TITLE lang='en'>\n Not &amp; found\t&lt;x&gt; </TITLE>"
    assert.equal("bad_body", got.error.kind)
    assert.equal("Not & found <x>", got.error.message)
  end)

  it("that is nothing we know is bad", function()
    assert.equal("upstream", core.decode("upstream").error.message)
    assert.equal("bad_body", core.decode("upstream").error.kind)
    assert.equal("bad_body", core.decode('{"choices":[').error.kind)
    assert.equal("empty_response", core.decode("{}").error.kind)
    assert.equal("empty_response", core.decode("[]").error.kind)
    assert.equal("empty_response", core.decode("").error.kind)
    assert.equal("empty_response", core.decode(" \r\n\n").error.kind)
  end)
end)
