--- again_spec.lua -- chunks that only add text are taken without a tree: nobody can tell the difference.
---
--- Whoever asks for chunks gets trees, so `want = "chunks"` is the long way, and everything must come out
--- of both ways alike.
local core = require "rille.core"
local wire = require "spec.support.wire"

local null, list = core.null, wire.list


--- What a chunk adds to choice 0, when that is a text.
local function content_in(chunk)
  for _, choice in ipairs(chunk.choices) do
    local content = type(choice.delta) == "table" and choice.delta.content
    if (choice.index or 0) == 0 and type(content) == "string" then return content end
  end
  return ""
end


--- A reply as { completion, info, error, texts told }, and the chunks that were seen.
local function decode(body, want, options)
  options = options or {}
  local handle <close> = core.chat {
    canned = { body = body, status = options.status, headers = options.headers, cuts = options.cuts },
    stream = true, n = options.n, want = want,
  }
  local texts, chunks = {}, {}
  for kind, delta, choice in handle.next, handle do
    if kind == "chunk" then
      chunks[#chunks + 1] = content_in(delta)
    else
      local name = kind .. " " .. choice
      texts[name] = (texts[name] or "") .. delta
    end
  end
  local completion, info, failed = handle:finish()
  if type(completion) == "table" then return { completion = completion, info = info, texts = texts }, chunks end
  return { info = info, failed = failed, texts = texts }, chunks
end


--- A random id is made for calls that have none of their own.
local function without_ids(value, body)
  if type(value) ~= "table" then return value end
  local made = {}
  for key, inner in pairs(value) do
    local is_made = key == "id" and type(inner) == "string" and not body:find(inner, 1, true)
    made[key] = is_made and "made" or without_ids(inner, body)
  end
  return made
end


--- Compares the ways; returns the result of the short one.
local function both(body, options)
  local long, short = decode(body, "chunks", options), decode(body, nil, options)
  local told = decode(body, "deltas", options)
  long.info.delivered, short.info.delivered, told.info.delivered = nil, nil, nil
  long.texts = {}
  assert.same(without_ids(long, body), without_ids(short, body))
  local texts = told.texts
  told.texts = {}
  assert.same(without_ids(long, body), without_ids(told, body))
  for _, choice in ipairs(short.completion and short.completion.choices or {}) do
    local content = choice.message.content
    assert.equal(type(content) == "string" and content or "", texts["text " .. choice.index] or "")
  end
  return short
end


local function event(text) return "data: " .. text .. "\n\n" end

local FIRST <const> = event '{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'
local LAST <const> = event '{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
  .. event "[DONE]"


--- What each way had kept of a stream that ends because that is too much.
local function too_much(events)
  local partials = {}
  for i, want in ipairs { "deltas", "chunks" } do
    local handle <close> = core.chat { canned = { body = table.concat(events) }, max_bytes = 50000, stream = true, want = want }
    local completion, _, failed = handle:finish()
    assert.is_nil(completion)
    assert.equal("bad_chunk", failed.kind)
    partials[i] = failed.partial
  end
  return partials
end


--- The content of a stream whose chunks are `form` with each text in the place of %s.
local function content_of(form, texts)
  local events = { FIRST }
  for _, text in ipairs(texts) do events[#events + 1] = event((form:gsub("%%s", function() return text end))) end
  events[#events + 1] = LAST
  local completion = both(table.concat(events)).completion
  return completion and completion.choices[1].message.content
end


local PLAIN <const> = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}'


describe("chunks that repeat the one before them", function()
  it("add their text", async(function()
    assert.equal("abc", content_of(PLAIN, { "a", "b", "c" }))
    assert.equal("ab", content_of(PLAIN, { "a", "", "b", "" }))
    assert.equal(("x"):rep(9000), content_of(PLAIN, { "x", ("x"):rep(8998), "x" }))
  end))

  it("are all seen by whoever wants chunks", async(function()
    local events = { FIRST }
    for i = 1, 9 do events[i + 1] = event((PLAIN:gsub("%%s", i))) end
    local _, chunks = decode(table.concat(events) .. LAST, "chunks")
    assert.equal(",1,2,3,4,5,6,7,8,9,", table.concat(chunks, ","))
  end))

  it("may hold any text", async(function()
    assert.equal("a\"b\\\n\tü😀{}[]:,c", content_of(PLAIN, { "a", '\\"', "b", "\\\\\\n\\t", "ü", "😀{}[]:,", "c" }))
    assert.equal("a\u{FFFD}b", content_of(PLAIN, { "a", "\xFF", "b" }))
    assert.equal("a\u{FFFD}\u{FFFD}b", content_of(PLAIN, { "a", "\xC0\x80", "b" }))
    assert.equal("a😀b", content_of(PLAIN, { "a", "\\ud83d", "\\ude00", "b" }))
    assert.equal("a\u{FFFD}b", content_of(PLAIN, { "a", "\\ud83d", "b" }))
    assert.equal("a\0b", content_of(PLAIN, { "a", "\\u0000", "b" }))
    assert.equal('"content":"x', content_of(PLAIN, { '\\"content\\":\\"', "x" }))
  end))

  it("may be padded, spaced and ordered as they like", async(function()
    for _, form in ipairs {
      '{"choices":[{"delta":{"content":"%s"}}]}',
      '{"choices": [{"delta": {"content": "%s", "role": "assistant"}, "index": 0}], "model": "m", "id": "c"}',
      '{"id":"c","obfuscation":"%s","choices":[{"index":0,"delta":{"content":"%s"}}]}',
      '{"id":"c","choices":[{"index":0,"delta":{"content":"%s"}}],"usage":null,"obfuscation":"%s"}',
      '{"id":"d","object":"chat.completion.chunk","created":7,"choices":[{"index":0,"delta":{"role":"","content":"%s",'
        .. '"refusal":null,"tool_calls":null,"odd":null},"logprobs":null,"finish_reason":null,"native":null}]}',
      '{"choices"\t: [{"delta":{"content"\t:"%s"}}]}',
    } do
      assert.equal("abc d", content_of(form, { "a", "b", "c", " d" }))
    end
  end))

  it("are told from those that do more", async(function()
    for _, form in ipairs {
      '{"n":%s,"choices":[{"index":0,"delta":{"content":"x"}}]}',
      '{"n":{"content":"%s"},"choices":[{"index":0,"delta":{"content":"x"}}]}',
      '{"content":"%s","choices":[{"index":0,"delta":{"cont\\u0065nt":"x"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x","note":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x","reasoning":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x","x\\"content":"%s"}}]}',
      '{"x\\"content":"%s","choices":[{"index":0,"delta":{"content"\t:"x"}}]}',
      '{"choices":[{"index":0,"content":null,"delta":{"content":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":""}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"},"filter":{"content":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"%s"}]}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x","cont\\u0065nt":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x","content":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"}},{"index":1,"delta":{"content":"%s"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"%s"}}],"choices":[{"index":0,"delta":{"content":"x"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"%s"},"message":{"content":"x"}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"total_tokens":%s}}',
      '{"choices":[{"index":0,"delta":{"content":"x","role":"%s"}}]}',
      '{"model":"%s","choices":[{"index":0,"delta":{"content":"x"}}]}',
      '{"choices":[{"index":0,"delta":{"content":["%s"]}}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"%s"}]}',
      '{"choices":[{"index":0,"delta":{"content":"x"}}],"error":"%s"}',
      '[{"choices":[{"index":0,"delta":{"content":"%s"}}]}]',
    } do
      content_of(form, { "1", "1", "1", "2", "3", "3" })
      content_of(form, { "1", "1", "", "4" })
    end
  end))

  it("count for their own choice", async(function()
    local function piece(index, text)
      return event(('{"choices":[{"index":%d,"delta":{"content":"%s"}}]}'):format(index, text))
    end
    local body = FIRST .. piece(0, "a") .. piece(0, "b") .. piece(1, "c") .. piece(1, "d") .. piece(1, "e")
      .. piece(0, "f") .. piece(0, "g") .. LAST
    local choices = both(body, { n = 2 }).completion.choices
    assert.equal("abfg", choices[1].message.content)
    assert.equal("cde", choices[2].message.content)
  end))

  it("are told from those that name a member twice", async(function()
    for _, form in ipairs {
      '{"choices":[{"index":0,"delta":{"content":"%s","content":null}}]}',
      '{"choices":[{"index":0,"delta":{"content":"%s"},"delta":null}]}',
      '{"choices":[{"index":0,"delta":{"content":"%s"}}],"choices":null}',
      '{"choices":[{"index":0,"delta":{"content":"%s"},"delta":[1]}]}',
    } do
      assert.equal("", content_of(form, { "a", "b", "c" }))
    end
  end))

  it("do not come after the end, nor under another name", async(function()
    local piece = event '{"choices":[{"index":0,"delta":{"content":"x"}}]}'
    both(FIRST .. piece .. piece .. LAST .. piece .. piece)
    both(FIRST .. piece .. piece .. "event: error\n" .. piece)
    both(FIRST .. piece .. piece:sub(1, -10))
    both(FIRST .. piece .. event '{"error":{"message":"no"}}' .. piece)
    local over = event '{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'
    both(FIRST .. piece .. piece .. over .. piece .. piece .. LAST)
    over = event '{"choices":[{"index":0,"delta":{},"finish_reason":""}]}'
    both(FIRST .. piece .. piece .. over .. piece .. piece .. piece)
  end))

  it("end where too much is kept", async(function()
    local events = { FIRST }
    for i = 2, 200 do events[i] = event((PLAIN:gsub("%%s", ("x"):rep(1000)))) end
    for _, partial in ipairs(too_much(events)) do assert.equal(99000, #partial.choices[1].message.content) end
  end))
end)


describe("chunks that add to the arguments of a call", function()
  local CALL <const> = event('{"id":"c","choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"id":"call_1",'
    .. '"type":"function","function":{"name":"f","arguments":""}}]}}]}')
  local ANOTHER <const> = CALL:gsub('"index":0,"id":"call_1"', '"index":1,"id":"call_2"')
  local END <const> = event '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}' .. event "[DONE]"

  local function piece(text, number, more)
    return event(('{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":%d%s,"function":{"arguments":"%s"}}]},'
      .. '"finish_reason":null}],"obfuscation":"%s"}'):format(number or 0, more or "", text, ("x"):rep(#text % 3)))
  end

  --- The arguments of the calls.
  local function arguments_of(...)
    local found, completion = {}, both(table.concat { CALL, ANOTHER, ... } .. END).completion
    for i, call in ipairs(completion.choices[1].message.tool_calls) do found[i] = call["function"].arguments end
    return found
  end

  it("are told apart by the call's index", async(function()
    assert.same({ '{"a":12}', '{"b":"3 4"}' }, arguments_of(piece '{\\"a\\":', piece "1", piece "2", piece "}",
      piece('{\\"b\\":', 1), piece('\\"3', 1), piece(" 4", 1), piece('\\"}', 1)))
  end))

  it("may hold any text", async(function()
    assert.same({ '{"a":"\\"\\n\tü😀/"}', "{}" }, arguments_of(piece '{\\"a\\":\\"', piece "\\\\\\\"", piece "\\\\n",
      piece "\\t", piece "ü😀", piece "\\/", piece '\\"}', piece "", piece("{}", 1)))
    assert.same({ '{"a":"A\u{FFFD}😀"}', "{}" }, arguments_of(piece '{\\"a\\":\\"', piece "\\u0041", piece "\xFF",
      piece "\\ud83d\\ude00", piece '\\"}', piece("{}", 1)))
  end))

  it("may name the call once more", async(function()
    for _, more in ipairs { ',"id":"call_1"', ',"id":""', ',"id":null,"type":null', ',"type":"function"', ',"type":"custom"',
      ',"id":"call_2"', ',"id":"call_3"', ',"custom":{}', ',"odd":1', ',"arguments":null', ',"index":1' } do
      both(CALL .. ANOTHER .. piece("[1", 0, more) .. piece(",2", 0, more) .. piece(",3", 0, more) .. piece("]", 0, more) .. END)
    end
  end))

  it("go where the first of them went when two calls share an id", async(function()
    local twin = CALL:gsub('"index":0,"id"', '"index":1,"id"'):gsub('"name":"f"', '"name":"g"')
    local same = ',"id":"call_1"'
    both(CALL .. twin .. piece("[1", 0, same) .. piece(",2", 0, same) .. piece("]", 0, same) .. END)
    both(CALL .. piece("{}") .. twin .. piece("[1", 1, same) .. piece(",2", 1, same) .. piece("]", 0, same) .. END)
  end))

  it("are told from those that say more", async(function()
    for _, form in ipairs {
      '{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}],"content":null}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s","name":"g"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":null,"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s","arguments":"9"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}},{"index":1}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":"0","function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":7,"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":{"index":0,"function":{"arguments":"%s"}}}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"arguments":"%s"}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}],"tool_calls":null}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":null,"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"function_call":{"arguments":"%s"}}}]}',
      '{"arguments":"1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
      '{"arguments":null,"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"arguments":null,"index":0,"delta":{"arguments":null,"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]},"finish_reason":"tool_calls"}]}',
    } do
      local events = { CALL }
      for _, text in ipairs { "[1", ",2", ",3", "", "]" } do events[#events + 1] = event((form:gsub("%%s", text))) end
      both(table.concat(events) .. END)
    end
  end))

  it("end where too much is kept", async(function()
    local events = { CALL }
    for i = 2, 200 do events[i] = piece(("x"):rep(1000)) end
    assert.equal(2, #too_much(events))
  end))
end)


describe("chunks that begin like the one before them", function()
  local HEAD <const> = '{"id":"c","object":"chat.completion.chunk","created":7,"model":"m","tier":"a","choices":'

  --- The reply to a stream whose chunks are these texts.
  local function reply(...)
    local events = {}
    for i, text in ipairs { ... } do events[i] = event(text) end
    return both(table.concat(events) .. event "[DONE]")
  end

  it("may say anything from their choices on", async(function()
    local completion = reply(HEAD .. '[{"index":0,"delta":{"role":"assistant","content":"a"}}]}',
      HEAD .. '[{"index":0,"delta":{"content":"b","note":"n"}}],"more":{"x":[1]}}',
      HEAD .. ' [{"index":0,"delta":{"reasoning":"r"}},{"index":1,"delta":{"content":"c"}}] , "usage":null }',
      HEAD .. '[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"length"}]}',
      HEAD .. '[],"usage":{"total_tokens":3,"odd":{"a":[{}]}},"system_fingerprint":"f"}').completion
    assert.equal("ab", completion.choices[1].message.content)
    assert.equal("c", completion.choices[2].message.content)
    assert.same({ total_tokens = 3, odd = { a = { {} } } }, completion.usage)
    assert.equal("f", completion.system_fingerprint)
    assert.equal(7, completion.created)
  end))

  it("bring the usage, the last of which counts", async(function()
    local one = HEAD .. '[{"index":0,"delta":{"content":"a"}}],"usage":{"total_tokens":%d,"odd":{"note":"%s","list":[1,null]}}}'
    local events = {}
    for i = 1, 5 do events[i] = one:format(i, ("x"):rep(i)) end
    events[6] = HEAD .. '[{"index":0,"delta":{},"finish_reason":"stop","usage":{"total_tokens":6}}]}'
    assert.equal(6, reply(table.unpack(events)).completion.usage.total_tokens)
    events[7] = HEAD .. '[],"us\\u0061ge":{"total_tokens":7}}'
    assert.equal(7, reply(table.unpack(events)).completion.usage.total_tokens)
    events[8] = '{"id":"c","usage":{"total_tokens":8}}'
    assert.equal(8, reply(table.unpack(events)).completion.usage.total_tokens)
    events[9] = HEAD .. '[],"usage":{"total_tokens":8},"usage":{"total_tokens":9}}'
    assert.equal(9, reply(table.unpack(events)).completion.usage.total_tokens)
  end))

  it("keep the usage that was told before there was too much", async(function()
    local events = { event(HEAD .. '[{"index":0,"delta":{"content":"a"}}]}') }
    events[2] = event(HEAD .. '[],"usage":{"total_tokens":1}}')
    events[3] = event(HEAD .. '[],"usage":{"total_tokens":2,"note":"b"}}')
    for i = 4, 5 do events[i] = event(HEAD .. '[{"index":0,"delta":{"content":"' .. ("x"):rep(49700) .. '"}}]}') end
    for _, last in ipairs {
      '[],"usage":{"total_tokens":3,"note":"' .. ("y"):rep(1000) .. '"}}',
      '[{"index":0,"delta":{"content":"' .. ("y"):rep(1000) .. '"}}],"usage":{"total_tokens":3}}',
      '[],"usage":{"total_tokens":3},"more":"' .. ("y"):rep(1000) .. '"}',
    } do
      events[6] = event(HEAD .. last)
      for _, partial in ipairs(too_much(events)) do assert.same({ total_tokens = 2, note = "b" }, partial.usage) end
    end
  end))

  it("count once more when a member of theirs was told anew in between", async(function()
    local one = HEAD .. '[{"index":0,"delta":{"content":"a"}}]}'
    local other = HEAD .. '[{"index":0,"delta":{"content":"a","b":1}}],"model":"n","tier":"b"}'
    local last = HEAD .. '[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    assert.equal("n", reply(one, one, last, other).completion.model)
    assert.equal("m", reply(one, one, other, last).completion.model)
    assert.equal("a", reply(one, last, other, last).completion.tier)
    reply(one, '{"id":"c","tier":"z"}', last, '{"usage":{"total_tokens":1},"tier":"y"}', last)
  end))

  it("are errors with all that they say", async(function()
    local one = HEAD .. '[{"index":0,"delta":{"content":"a"}}]}'
    for _, rest in ipairs {
      '[{"index":0,"delta":{},"finish_reason":"error"}],"error":{"code":502,"message":"gone"}}',
      '[{"index":0,"delta":{},"finish_reason":"stop"}],"object":"error","message":"gone"}',
      'null,"error":"gone"}', '[{"index":0,"error":{"message":"gone"}}]}',
    } do
      local failed = reply(one, one, HEAD .. rest, one).failed
      assert.equal("stream_error", failed.kind)
      assert.equal("c", failed.detail.id)
    end
  end))

  it("are malformed as a whole", async(function()
    local one = HEAD .. '[{"index":0,"delta":{"content":"a"}}]}'
    for _, rest in ipairs { '[{"index":0,"delta":{"content":"b"}}', "[]}}", "", "[],}", '[],"a"}' } do
      local failed = reply(one, one, HEAD .. rest, one).failed
      assert.equal("bad_chunk", failed.kind)
      assert.truthy(failed.message:find('{"id":"c","object":', 1, true), failed.message)
    end
    both(event(one) .. event(one) .. "data: " .. HEAD .. '[{"index":0,"del')
  end))

  it("may be written oddly", async(function()
    for _, head in ipairs {
      '{ "id" : "c" , "choices" : ', '{"id":"c","ch\\u006fices":', '{"id":"\\"choices\\":","choices":', '{"choices":',
      '{"id":"c","choices":[],"choices":', '{"id":"c","choices":null,"choices":', '{"id":"choices","choices":',
      '{"x":{"choices":1},"choices":', '{"id":null,"created":0,"usage":null,"error":null,"choices":',
      '{"id":"c","id":"d","choices":', '{"model":"c","model":"d","choices":', '{"n":1,"choices":', '{"n":true,"choices":',
      '{"id":"\\ud800","choices":', '{"id":"\\u0000\xFF","n":"\xFF","choices":', '{"created":123456789012345678901,"choices":',
      '{"created":"7","model":"","choices":', '{"content":null,"choices":', '{"content":"a","choices":', '[{"id":"c","choices":',
      '{"usage":{"total_tokens":1},"choices":', '{"obfuscation":"a","choices":', '{"object":"error","choices":',
    } do
      local close = head:sub(1, 1) == "[" and "}]" or "}"
      reply(head .. '[{"index":0,"delta":{"content":"a"}}]' .. close, head .. '[{"index":0,"delta":{"content":"b"}}]' .. close,
        head .. '[{"index":0,"delta":{"note":1}}],"model":"e"' .. close,
        head .. '[{"index":0,"delta":{},"finish_reason":"stop"}]' .. close,
        head .. '[],"usage":{"total_tokens":1}' .. close)
    end
  end))

  it("belongs to choices alone", async(function()
    local head = '{"id":"c","object":"chat.completion.chunk",'
    local one = head .. '"choices":[{"index":0,"delta":{"content":"a"}}]}'
    local noted = head .. '"choices":[{"index":0,"delta":{"note":1}}]}'
    assert.equal("bad_chunk", reply(one, one, head .. "}", one).failed.kind)
    assert.equal("bad_chunk", reply(noted, head .. "}", one).failed.kind)
    assert.equal("bad_chunk", reply(noted, head .. '"choices"}', one).failed.kind)
    for _, kept in ipairs { one, noted } do
      local completion = reply(kept, kept, head .. '"model":"other"}', head .. '"created":7}').completion
      assert.same({ "other", 7, "c" }, { completion.model, completion.created, completion.id })
    end
  end))

  it("may be long", async(function()
    local long = ("x"):rep(5000)
    for _, head in ipairs { HEAD, '{"id":"c","long":"' .. long .. '","choices":' } do
      local completion = reply(head .. '[{"index":0,"delta":{"content":"a"}}]}',
        head .. '[{"index":0,"delta":{"content":"' .. long .. '","b":1}}]}',
        head .. '[{"index":0,"delta":{},"finish_reason":"stop"}]}').completion
      assert.equal("a" .. long, completion.choices[1].message.content)
    end
  end))

  it("come after a document, and beside events with a name", async(function()
    local one = HEAD .. '[{"index":0,"delta":{"content":"a"}}]}'
    both('{"id":"c","choices":[{"index":0,"message":{"content":"x"}}]}\n' .. event(one) .. event(one))
    both(event(one) .. "event: error\n" .. event(one) .. event(one))
    both(event(one) .. event(one) .. "event: error\n" .. event(one))
  end))
end)


describe("recorded streams", function()
  for _, fixture in ipairs(wire.fixtures()) do
    it("come out of both ways alike: " .. fixture.name, async(function()
      both(fixture.body, fixture.options)
      local events = {}
      for one in (fixture.body:gsub("\r\n", "\n") .. "\n\n"):gmatch "(.-)\n\n" do
        for _ = 1, 3 do events[#events + 1] = one .. "\n\n" end   -- what came once comes three times
      end
      both(table.concat(events), fixture.options)
    end))
  end
end)


describe("random streams", function()
  local random
  local function one_of(values) return values[random(#values)] end

  local TEXTS <const> = { "a", " b", "", "ü", "😀", '\\"', "\\n", "\\ud83d", "\\ude00", "\xFF", "\\u0000", "{", "]" }

  local function member(name, values) return ('"%s":%s'):format(name, one_of(values)) end

  --- Some members of a few, in any order; each stream has its favourites, so that chunks repeat.
  local function members(fixed, others)
    local made = { table.unpack(fixed) }
    for _, other in ipairs(others) do
      if random(6) == 1 then table.insert(made, random(#made + 1), other) end
    end
    return table.concat(made, ",")
  end

  local ARGUMENTS <const> = { "1", "{", "}", '\\"', "\\\\", "\\n", "", "ü", "\\u0041", "\xFF", "[2]" }

  --- Of a call, mostly one that is there already.
  local function call_chunk()
    local inner = members({ ('"arguments":"%s"'):format(one_of(ARGUMENTS)) }, { member("name", { "null", '""', '"f"', '"g"' }) })
    local element = members({ ('"index":%d'):format(random(6) == 1 and 1 or 0), ('"function":{%s}'):format(inner) }, {
      member("id", { "null", '""', '"call_1"', '"call_2"' }), member("type", { "null", '"function"', '"custom"' }),
      member("odd", { "1", "null" }), member("arguments", { "null" }),
    })
    local delta = members({ ('"tool_calls":[{%s}]'):format(element) }, {
      member("content", { "null", '"c"', '""' }), member("role", { '"assistant"', "null" }),
    })
    return event(("{%s}"):format(members({ ('"choices":[{"index":0,"delta":{%s}}]'):format(delta) }, {
      member("obfuscation", { '"abc"', '"de"' }), member("id", { '"c"' }), member("arguments", { "null", '"1"' }),
    })))
  end

  local function chunk()
    if random(3) == 1 then return call_chunk() end
    local content = ('"content":"%s"'):format(one_of(TEXTS))
    local delta = members({ content }, {
      member("role", { '"assistant"', "null", '""' }), member("refusal", { "null", '"no"' }),
      member("reasoning", { "null", '"r"' }), member("content", { "null", '"c"' }),
    })
    local choice = members({ ('"index":%d,"delta":{%s}'):format(random(8) == 1 and 1 or 0, delta) }, {
      member("finish_reason", { "null", "null", "null", '""', '"stop"' }), member("logprobs", { "null" }),
    })
    return event("{" .. members({ '"id":"c"', ('"choices":[{%s}]'):format(choice) }, {
      member("model", { '"m"', '"n"' }), member("usage", { "null", '{"total_tokens":1}' }),
      member("obfuscation", { '"abc"', '"de"' }), member("created", { "1", "2" }), member("odd", { "1", '"x"', "{}" }),
    }) .. "}")
  end

  for seed = 1, os.getenv "RILLE_SLOW" and 400 or os.getenv "RILLE_GC" and 12 or 60 do
    it("come out of both ways alike, seed " .. seed, async(function()
      local state = seed * 2654435761
      random = function(most)
        state = state * 6364136223846793005 + 1442695040888963407
        return (state >> 33) % most + 1
      end
      local events = { FIRST }
      for _ = 1, 40 do
        local one = chunk()
        for _ = 1, random(4) do
          events[#events + 1] = one
          one = one:gsub('"content":"[^"\\]*"', ('"content":"%s"'):format(one_of(TEXTS)):gsub("%%", "%%%%"), 1)
          one = one:gsub('"arguments":"[^"\\]*"', ('"arguments":"%s"'):format(one_of(ARGUMENTS)):gsub("%%", "%%%%"), 1)
        end
      end
      both(table.concat(events) .. LAST, { n = 2 })
    end))
  end

  it("use null and lists as the wire does", function()
    assert.equal("[null]", core.json_encode(list { null }))
  end)
end)
