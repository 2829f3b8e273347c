--- sse_spec.lua -- bytes to events: the standard, the two tolerances, and time that grows with the bytes only.
local core = require "rille.core"
local effort = require "spec.support.effort"

local LINES <const> = effort.some(60000)


--- All events of these slices, as "type|data" texts.
local function events(slices, max_bytes)
  local sse, out = core.sse(max_bytes), {}
  local function take(list)
    for _, event in ipairs(assert(list)) do out[#out + 1] = event.type .. "|" .. event.data end
  end
  for _, slice in ipairs(slices) do take(sse:feed(slice)) end
  take(sse:finish())
  return out
end


--- The events of a text, the same in every split into two and byte by byte.
local function events_of(text)
  local whole, bytes = events { text }, {}
  for i = 1, #text do bytes[i] = text:sub(i, i) end
  assert.same(whole, events(bytes))
  for at = 0, #text do assert.same(whole, events { text:sub(1, at), text:sub(at + 1) }) end
  return whole
end


describe("core.sse", function()
  describe("lines", function()
    it("end at LF, CR or CRLF", function()
      for _, stop in ipairs { "\n", "\r", "\r\n" } do
        assert.same({ "message|a", "message|b" }, events_of(("data: a!!data: b!!"):gsub("!", stop)))
      end
    end)

    it("end in any mixture of the three", function()
      assert.same({ "message|a", "message|b\nc" }, events_of "data: a\r\n\rdata: b\rdata: c\n\r\n")
    end)

    it("take a CR at the end of one slice and a LF at the start of the next as one end", function()
      assert.same({ "message|a\nb" }, events { "data: a\r", "\ndata: b\r", "\n\r", "\n" })
      assert.same({ "message|a", "message|b" }, events { "data: a\r", "\n\r", "\ndata: b" })
    end)

    it("may be empty slices", function()
      assert.same({ "message|a" }, events { "", "data: a", "", "\n", "", "\n", "" })
    end)

    it("keep two CRs apart", function()
      assert.same({ "message|a", "message|b" }, events { "data: a\r", "\rdata: b" })
    end)
  end)

  describe("a byte order mark", function()
    it("is dropped at offset 0, whatever the cuts", function()
      assert.same({ "message|a" }, events_of "\xEF\xBB\xBFdata: a\n\n")
    end)

    it("is dropped once", function()
      assert.same({}, events_of "\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\n")
    end)

    it("is kept elsewhere", function()
      assert.same({ "message|\xEF\xBB\xBFa" }, events_of "data: \xEF\xBB\xBFa\n\n")
    end)

    it("that is none is given back", function()
      assert.same({ "message|b" }, events_of "\xEF\xBBdata: a\ndata: b\n\n")
      assert.same({ "message|b" }, events_of "\xEFdata: a\ndata: b\n\n")
      assert.same({}, events_of "\xEF\xBB")
    end)
  end)

  describe("fields", function()
    it("lose one blank after the colon", function()
      assert.same({ "message|a" }, events_of "data: a\n\n")
      assert.same({ "message|a" }, events_of "data:a\n\n")
      assert.same({ "message| a" }, events_of "data:  a\n\n")
      assert.same({ "message|\ta" }, events_of "data:\ta\n\n")
    end)

    it("keep further colons", function()
      assert.same({ "message|a: b:c" }, events_of "data: a: b:c\n\n")
    end)

    it("without a colon have an empty value", function()
      assert.same({ "message|" }, events_of "data\n\n")
      assert.same({ "message|\n" }, events_of "data\ndata\n\n")
    end)

    it("other than data and event are ignored", function()
      assert.same({ "message|a" }, events_of "id: 7\nretry: 100\nfoo: bar\n:comment\ndata: a\nbaz\n\n")
    end)

    it("are named exactly", function()
      assert.same({}, events_of "Data: a\n data: b\ndata : c\ndataa: d\n\n")
    end)

    it("join data with LF", function()
      assert.same({ "message|a\n\nb" }, events_of "data: a\ndata:\ndata: b\n\n")
    end)

    it("carry any byte", function()
      assert.same({ "message|\0\1\xFF\xC3" }, events_of "data: \0\1\xFF\xC3\n\n")
    end)
  end)

  describe("a blank line", function()
    it("without data dispatches nothing and forgets the name", function()
      assert.same({ "message|a" }, events_of "event: x\n\ndata: a\n\n")
      assert.same({}, events_of "\n\n\n:c\n\nid: 1\n\n")
    end)

    it("dispatches empty data", function()
      assert.same({ "message|" }, events_of "data:\n\n")
    end)

    it("gives the event its name, wherever it stood", function()
      assert.same({ "x|a" }, events_of "event: x\ndata: a\n\n")
      assert.same({ "x|a" }, events_of "data: a\nevent: x\n\n")
      assert.same({ "y|a" }, events_of "event: x\nevent: y\ndata: a\n\n")
      assert.same({ "y|a" }, events_of "event: x\ndata: a\nevent: y\n\n")
      assert.same({ "message|a" }, events_of "event:\ndata: a\n\n")
    end)

    it("ends the name's reach", function()
      assert.same({ "x|a", "message|b" }, events_of "event: x\ndata: a\n\ndata: b\n\n")
    end)
  end)

  describe("the end of the stream", function()
    it("finishes a line and dispatches what is pending", function()
      assert.same({ "message|a" }, events_of "data: a")
      assert.same({ "message|a" }, events_of "data: a\n")
      assert.same({ "message|a", "message|b" }, events_of "data: a\n\ndata: b")
    end)

    it("dispatches nothing where nothing is pending", function()
      assert.same({ "message|a" }, events_of "data: a\n\n")
      assert.same({}, events_of "")
      assert.same({}, events_of "event: x")
    end)
  end)

  describe("an error line of old llama.cpp", function()
    it("is an event named error", function()
      assert.same({ 'error|{"code":500}' }, events_of 'error: {"code":500}\n\n')
      assert.same({ 'error|{"code":500}' }, events_of 'error: {"code":500}')
      assert.same({ "message|a", "error|x" }, events_of "data: a\n\nerror: x\n\n")
    end)

    it("does not name the event before it", function()
      assert.same({ 'message|{"a":1}', 'error|{"b":2}' }, events_of 'data: {"a":1}\nerror: {"b":2}\n\n')
    end)

    it("does not name the event after it", function()
      assert.same({ 'error|{"b":2}', "message|a" }, events_of 'error: {"b":2}\n\ndata: a\n\n')
    end)
  end)

  describe("events without a blank line between them", function()
    it("are told apart where a new document begins", function()
      assert.same({ 'message|{"a":1}', 'message|{"b":2}', "message|[DONE]" },
        events_of 'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n')
    end)

    it("are told apart by parsing, not by the last character", function()
      assert.same({ 'message|{"a":\n{"b":1}}' }, events_of 'data: {"a":\ndata: {"b":1}}\n\n')
      assert.same({ 'message|[{"a":1},\n{"b":"}"}\n]' }, events_of 'data: [{"a":1},\ndata: {"b":"}"}\ndata: ]\n\n')
      assert.same({ 'message|{"a":"}"}', 'message|{"b":2}' }, events_of 'data: {"a":"}"}\ndata: {"b":2}\n\n')
    end)

    it("may be comments in data, or empty", function()
      assert.same({ "message|: keep-alive", 'message|{"a":1}', "message|: x", "message|[DONE]" },
        events_of 'data: : keep-alive\ndata: {"a":1}\ndata: : x\ndata: [DONE]\n')
      assert.same({ "message|", 'message|{"a":1}' }, events_of 'data:\ndata: {"a":1}\n\n')
      assert.same({ "message|null", 'message|{"a":1}' }, events_of 'data: null\ndata: {"a":1}\n\n')
      assert.same({ 'message|{"a":1}', "message|null", 'message|{"b":2}' }, events_of 'data: {"a":1}\ndata: null\ndata: {"b":2}\n')
    end)

    it("may stand behind more than one blank, and the mark in quotes", function()
      assert.same({ 'message| {"a":1}', 'message|\t{"b":2}', "message| [DONE]" },
        events_of 'data:  {"a":1}\ndata: \t{"b":2}\ndata:  [DONE]\n')
      assert.same({ 'message|{"a":1}', 'message|"[DONE]"', 'message|{"b":2}' },
        events_of 'data: {"a":1}\ndata: "[DONE]"\ndata: {"b":2}\n')
      assert.same({ "message| [DONE]", 'message|{"garbage' }, events_of 'data:  [DONE]\ndata: {"garbage\n')
    end)

    it("have each their own name", function()
      assert.same({ 'x|{"a":1}', 'error|{"b":2}', 'message|{"c":3}' },
        events_of 'event: x\ndata: {"a":1}\nevent: error\ndata: {"b":2}\ndata: {"c":3}\n')
    end)

    it("do not break a document into pieces that has one data line for each of its own", function()
      local pretty = '{\n  "a": [\n{\n"b": 1\n},\n{\n"c": [DONE_1]\n}\n]\n}'
      assert.same({ "message|" .. pretty }, events_of("data: " .. pretty:gsub("\n", "\ndata: ") .. "\n\n"))
    end)

    it("leave broken data as it is", function()
      assert.same({ 'message|{"a":\n{"b":1}\n{"c":2}' }, events_of 'data: {"a":\ndata: {"b":1}\ndata: {"c":2}\n\n')
      assert.same({ 'message|{}}\n{"b":1}' }, events_of 'data: {}}\ndata: {"b":1}\n\n')
    end)

    it("dispatch what the end of the stream left of [DONE] on its own", function()
      for cut = 1, 5 do
        local mark = ("[DONE]"):sub(1, cut)
        assert.same({ 'message|{"a":1}', "message|" .. mark }, events_of('data: {"a":1}\ndata: ' .. mark))
      end
    end)

    it("dispatch [DONE] on its own", function()
      assert.same({ "message|[DONE]", 'message|{"garbage' }, events_of 'data: [DONE]\ndata: {"garbage\n')
      assert.same({ 'message|{"a":1}', "message|[DONE] " }, events_of 'data: {"a":1}\ndata: [DONE] \n\n')
    end)
  end)

  describe("the ceiling", function()
    it("holds for a line", function()
      local sse = core.sse(100)
      local list, failure = sse:feed("data: " .. ("x"):rep(200))
      assert.is_nil(list)
      assert.equal("bad_response", failure.code)
    end)

    it("holds for an event of many lines", function()
      local sse = core.sse(100)
      local failed
      for _ = 1, 50 do
        local list, failure = sse:feed "data: 12345\n"
        failed = failed or (not list and failure)
      end
      assert.equal("bad_response", failed.code)
    end)

    it("holds for a name", function()
      local list = core.sse(10):feed("event: " .. ("x"):rep(20) .. "\n")
      assert.is_nil(list)
    end)

    it("does not count what was dispatched", function()
      local sse, count = core.sse(100), 0
      for _ = 1, 1000 do count = count + #assert(sse:feed "data: 0123456789\n\n") end
      assert.equal(1000, count)
    end)

    it("lets through events of many megabytes", function()
      local big = ("x"):rep(5 << 20)
      assert.same({ "message|" .. big }, events { "data: " .. big .. "\n\n" })
    end)

    it("is a number of bytes", function()
      assert.error_matches(function() core.sse(0) end, "more than 0")
    end)
  end)

  describe("time", function()
    --- Processor seconds of feeding a text in slices of a size.
    local function seconds(text, size)
      local sse, start = core.sse(), os.clock()
      for at = 1, #text, size do sse:feed(text:sub(at, at + size - 1)) end
      sse:finish()
      return os.clock() - start
    end

    local function expect_linear(make, size)
      effort.expect_linear(function(times) return seconds(make(times), size) end)
    end

    it("is linear for lines that end with CR", function()
      expect_linear(function(n) return ("data: x\r"):rep(LINES * n) end, 1 << 30)
    end)

    it("is linear for LF lines in one slice", function()
      expect_linear(function(n) return ("data: x\n\n"):rep(LINES * n) end, 1 << 30)
    end)

    it("is linear byte by byte", function()
      expect_linear(function(n) return "data: " .. ("x"):rep(LINES * n) .. "\n\n" end, 1)
    end)

    it("is linear where every line might begin a document", function()
      expect_linear(function(n) return "data: [\n" .. ("data: {},\n"):rep(LINES // 3 * n) end, 1 << 30)
      expect_linear(function(n) return "data: [{}\n" .. ("data: {}\n"):rep(LINES // 3 * n) end, 1 << 30)
      expect_linear(function(n) return "data: " .. ("["):rep(LINES * n) .. "]\n" .. ("data: {}\n"):rep(LINES // 3 * n) end, 1 << 30)
      expect_linear(function(n) return "data: x" .. ("y"):rep(100) .. "\n" .. ("data: :\n"):rep(LINES // 3 * n) end, 1 << 30)
    end)
  end)

  it("can be collected in the middle of an event", function()
    for _ = 1, 100 do core.sse():feed "event: x\ndata: half" end
    collectgarbage()
  end)

  it("refuses what is no parser", function()
    local sse = core.sse()
    assert.error(function() sse.feed({}, "x") end)
    assert.error(function() sse:feed() end)
  end)
end)
