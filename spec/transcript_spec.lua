--- transcript_spec.lua -- rille.transcript: what goes in and what comes out. Wire forms: transcript_wire_spec.
local core = require "rille.core"
local json = require "rille.json"
local transcript = require "rille.transcript"


local function user(text)
  return { role = "user", content = text }
end


--- A transcript of user messages.
local function talk(...)
  local t = transcript.new()
  for _, text in ipairs { ... } do t:append(user(text)) end
  return t
end


local function contents(t)
  local list = {}
  for i = 1, #t do list[i] = t[i].content end
  return list
end


local function raises(pattern, call)
  local ok, err = pcall(call)
  assert.is_false(ok)
  assert.matches(pattern, err)
end


describe("rille.transcript", function()
  it("makes an empty one or begins with messages", function()
    assert.equal(0, #transcript.new())
    assert.equal("[]", transcript.new():encode())
    local t = transcript.new { user "a", user "b" }
    assert.same({ "a", "b" }, contents(t))
    assert.same({ "c" }, contents(transcript { user "c" }))
  end)

  it("knows its own kind", function()
    assert.is_true(transcript.is(transcript.new()))
    assert.is_true(transcript.is(core.transcript()))
    for _, other in ipairs { {}, "x", 1, true, print, io.stdout, core.op() } do
      assert.is_false(transcript.is(other))
    end
    assert.is_false(transcript.is(nil))
  end)

  it("is readable", function()
    assert.equal("rille.Transcript (2 messages)", tostring(talk("a", "b")))
  end)

  it("takes another transcript, and leaves that alone", function()
    local first = talk("a")
    local second = transcript.new(first):append(user "b")
    assert.same({ "a" }, contents(first))
    assert.same({ "a", "b" }, contents(second))
  end)

  it("raises at the caller for what are no messages", function()
    raises("^spec/transcript_spec.lua:%d+: transcript: messages: table expected, got string$", function()
      local t = transcript.new "x"
      return t
    end)
    raises("^spec/transcript_spec.lua:%d+: transcript: messages%[2%]: table expected, got string$", function()
      local t = transcript.new { user "a", "b" }
      return t
    end)
    raises("^spec/transcript_spec.lua:%d+: transcript: messages%[1%]: a role %(string%) expected, got nil$", function()
      local t = transcript { { content = "x" } }
      return t
    end)
    raises("^spec/transcript_spec.lua:%d+: transcript: messages: a list of messages expected, got a table with named", function()
      local t = transcript(user "alone")
      return t
    end)
  end)
end)


describe("rille.Transcript:append", function()
  it("returns the transcript", function()
    local t = transcript.new()
    assert.equal(t, t:append(user "a"))
    assert.equal(2, #t:append(user "b"))
  end)

  it("raises at the caller for what is no message", function()
    local t = talk "a"
    for pattern, message in pairs {
      ["message: table expected, got string$"] = "x",
      ["message: a role %(string%) expected, got nil$"] = { content = "x" },
      ["message: a role %(string%) expected, got number$"] = { role = 1 },
      ["message: a role %(string%) expected, got boolean$"] = { role = true },
      ["json: content%[1%]: a function has no JSON$"] = { role = "user", content = { print } },
      ["json: an array must have the keys 1..n only$"] = json.array { role = "user" },
      ["json: a table mixes string keys with integer keys$"] = { role = "user", "x" },
    } do
      raises("^spec/transcript_spec.lua:%d+: " .. pattern, function() t:append(message) end)
    end
    raises("message: table expected, got no value", function() t:append() end)
    assert.same({ "a" }, contents(t))
  end)

  it("raises for what is no transcript", function()
    local append = transcript.new().append
    for _, other in ipairs { {}, "x", 1, io.stdout, core.op(), json.null } do
      raises("rille.Transcript expected", function() append(other, user "a") end)
    end
    raises("rille.Transcript expected", function() append() end)
  end)

  it("keeps what was said even when the table changes later", function()
    local message = { role = "user", content = "a", parts = { 1 } }
    local t = transcript.new():append(message)
    message.content, message.parts[1] = "b", 2
    assert.equal("a", t[1].content)
    assert.equal(1, t[1].parts[1])
    t[1].content = "c"
    assert.equal("a", t[1].content)
  end)

  it("keeps any role, any member and any bytes", function()
    local message = {
      role = "über\0", content = "a\0b\xFF", big = math.mininteger, empty = json.array {}, none = {},
      tool_calls = { { id = "1", ["function"] = { name = "f", arguments = '{"x":1}' } } },
    }
    local back = transcript.new { message }[1]
    assert.equal("über\0", back.role)
    assert.equal("a\0b\u{FFFD}", back.content)
    assert.equal(math.mininteger, back.big)
    assert.equal('{"big":-9223372036854775808,"content":"a\\u0000b\u{FFFD}","empty":[],"none":{},"role":"über\\u0000",'
      .. '"tool_calls":[{"function":{"arguments":"{\\"x\\":1}","name":"f"},"id":"1"}]}', json.encode(back))
  end)

  it("takes thousands of messages", function()
    local t = transcript.new()
    for i = 1, 3000 do t:append(user(tostring(i))) end
    assert.equal(3000, #t)
    assert.equal("1777", t[1777].content)
    assert.equal(3000, #json.decode(t:encode()))
  end)

  it("takes messages as deep and as large as the encoder does", function()
    local deep = {}
    for _ = 1, 126 do deep = { deep } end
    local t = transcript.new():append { role = "user", deep = deep, content = ("x"):rep(1 << 20) }
    assert.equal(1 << 20, #t[1].content)
    assert.is_table(t[1].deep[1][1])
    raises("nested more than 128 deep", function() t:append { role = "user", deep = { { deep } } } end)
  end)
end)


describe("rille.Transcript:append_all", function()
  local ASKS <const> = { role = "assistant",
    tool_calls = { { id = "1", type = "function", ["function"] = { name = "f", arguments = "{}" } } } }
  local RESULT <const> = { role = "tool", tool_call_id = "1", content = "42" }

  it("appends all messages, a message of a model before them", function()
    local t = talk("a")
    t:append_all { user "b", user "c" }
    assert.same({ "a", "b", "c" }, contents(t))
    t:append_all({ RESULT }, { role = "assistant", content = "d", tool_calls = ASKS.tool_calls })
    assert.same({ "a", "b", "c", "d", "42" }, contents(t))
    t:append_all({}, { role = "assistant", content = "e" })
    t:append_all {}
    assert.equal(6, #t)
  end)

  it("appends none when one cannot be", function()
    local t = talk("a", "b")
    for _, bad in ipairs { { user "c", { role = "user", content = print } }, { user "c", 1 }, { {} } } do
      raises("^%a+: ", function() t:append_all(bad, ASKS) end)
      raises("^%a+: ", function() t:append_all(bad) end)
    end
    raises("^message: a role", function() t:append_all({ user "c" }, {}) end)
    raises("table", function() t:append_all() end)
    raises("table", function() t:append_all({}, 1) end)
    assert.same({ "a", "b" }, contents(t))
  end)

  it("keeps null where a message of a model has no content, without changing it", function()
    for _, more in ipairs { {}, { refusal = "no" }, { x = { 1 }, y = json.null } } do
      local asks = {}
      for _, members in ipairs { ASKS, more } do
        for name, value in pairs(members) do asks[name] = value end
      end
      local t, with_null = transcript.new(), { content = json.null }
      for name, value in pairs(asks) do with_null[name] = value end
      t:append_all({ RESULT }, asks)
      assert.is_nil(asks.content)
      assert.equal(transcript.new({ with_null, RESULT }):encode(), t:encode())
      assert.equal(transcript.new({ with_null, RESULT }):unwired("key", 1, true), t:unwired("key", 1, true))
    end
    assert.equal('[{"role":"assistant"}]', transcript.new({ { role = "assistant" } }):encode())
  end)

  it("leaves what the content says alone", function()
    for _, content in ipairs { "", "a", json.null, { { type = "text", text = "a" } }, false } do
      local t = transcript.new()
      t:append_all({}, { role = "assistant", content = content })
      assert.equal(transcript.new({ { role = "assistant", content = content } }):encode(), t:encode())
    end
  end)
end)


describe("rille.Transcript[i]", function()
  it("counts from both ends", function()
    local t = talk("a", "b", "c")
    assert.equal("a", t[1].content)
    assert.equal("c", t[3].content)
    assert.equal("c", t[-1].content)
    assert.equal("a", t[-3].content)
  end)

  it("is nil where there is no message", function()
    local t = talk "a"
    for _, i in ipairs { 0, 2, -2, math.maxinteger, math.mininteger } do assert.is_nil(t[i]) end
    assert.is_nil(t.nothing)
    assert.is_nil(t[1.5])
    assert.is_nil(t[true])
    assert.is_nil(transcript.new()[-1])
  end)

  it("shows null as nil", function()
    local t = transcript.new { { role = "assistant", content = json.null } }
    assert.is_nil(t[1].content)
    assert.equal('[{"content":null,"role":"assistant"}]', t:encode())
  end)

  it("works with ipairs", function()
    local seen = {}
    for i, message in ipairs(talk("a", "b")) do seen[i] = message.content end
    assert.same({ "a", "b" }, seen)
  end)

  it("cannot be assigned", function()
    assert.has_error(function() talk("a")[1] = user "b" end)
  end)
end)


describe("rille.Transcript:replace", function()
  it("puts another message in its place, from either end", function()
    local t = talk("a", "b", "c")
    assert.equal(t, t:replace(2, user "B"))
    t:replace(-1, user "C")
    assert.same({ "a", "B", "C" }, contents(t))
  end)

  it("raises at the caller for a place that does not exist", function()
    local t = talk "a"
    for _, i in ipairs { 0, 2, -2, math.mininteger } do
      raises("^spec/transcript_spec.lua:%d+: bad argument #1 %(no message %-?%d+ in a transcript of 1%)$",
        function() t:replace(i, user "x") end)
    end
    assert.has_error(function() t:replace("x", user "x") end)
    raises("message: table expected, got nil", function() t:replace(1, nil) end)
    assert.same({ "a" }, contents(t))
  end)
end)


describe("rille.Transcript:truncate", function()
  it("keeps the first n", function()
    local t = talk("a", "b", "c")
    assert.equal(t, t:truncate(5))
    assert.equal(3, #t)
    t:truncate(1):append(user "d")
    assert.same({ "a", "d" }, contents(t))
    assert.equal("[]", t:truncate(0):encode())
  end)

  it("raises for a negative number", function()
    raises("number of messages, 0 or more", function() talk("a"):truncate(-1) end)
  end)
end)


describe("rille.Transcript:clone", function()
  it("is a transcript of its own", function()
    local t = talk("a", "b")
    local clone = t:clone()
    clone:append(user "c"):replace(1, user "A")
    t:append(user "d")
    assert.same({ "A", "b", "c" }, contents(clone))
    assert.same({ "a", "b", "d" }, contents(t))
    t:truncate(0)
    assert.same({ "A", "b", "c" }, contents(clone))
  end)

  it("outlives the one it was made from", function()
    local clone = talk("a", "b"):clone()
    collectgarbage()
    assert.same({ "a", "b" }, contents(clone))
    assert.equal(0, #transcript.new():clone())
  end)

  it("shares the bytes", function()
    local t = transcript.new()
    for _ = 1, 100 do t:append(user(("x"):rep(100000))) end
    local uv = core.uv()
    local before = uv.resident_set_memory()
    local clones = {}
    for i = 1, 100 do clones[i] = t:clone() end
    assert.is_true(uv.resident_set_memory() - before < 50e6)   -- copies would be 1 GB
    assert.equal(100, #clones[100])
  end)
end)


describe("rille.Transcript:messages and encode", function()
  it("gives all messages as a list that encodes as an array", function()
    local list = talk("a", "b"):messages()
    assert.same({ user "a", user "b" }, list)
    assert.equal("[]", json.encode(transcript.new():messages()))
  end)

  it("gives the JSON of the list", function()
    local t = talk("a", "b")
    assert.equal('[{"content":"a","role":"user"},{"content":"b","role":"user"}]', t:encode())
    assert.equal(t:encode(), json.encode(t:messages()))
  end)

  it("begins with the same bytes whatever is appended", function()
    local t = talk("a", "b")
    local before = t:encode():sub(1, -2)
    assert.equal(before, t:append(user "c"):encode():sub(1, #before))
  end)
end)


describe("rille.Transcript, collected", function()
  it("stays whole when a finaliser shortens it in the middle of a call", function()
    local t = transcript.new()
    for _ = 1, 200 do
      t:append(user(("x"):rep(100)))
      for _ = 1, 20 do setmetatable({}, { __gc = function() t:truncate(0) end }) end
      local message = t[-1]
      assert.is_true(message == nil or message.role == "user")
      pcall(t.replace, t, 1, user "y")
      t:messages()
      t:encode()
    end
  end)
end)
