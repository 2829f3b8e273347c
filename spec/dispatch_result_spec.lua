local failure = require "rille.failure"
local json = require "rille.json"
local result = require "rille.dispatch.result"
local rille = require "rille"

--- What a tool that returned these values tells the model.
local function encode(...)
  return result.encode((...), (select(2, ...)), select("#", ...), 65536)
end

describe("rille.dispatch.result", function()
  it("sends strings as they are", function()
    assert.same({ "Cold, 5°", true }, { encode "Cold, 5°" })
    assert.same({ "", true }, { encode "" })
  end)

  it("sends everything else as JSON", function()
    assert.equal('{"a":[1,2]}', (encode { a = { 1, 2 } }))
    assert.equal("3", (encode(3)))
    assert.equal("2.5", (encode(2.5)))
    assert.equal("false", (encode(false)))
    assert.equal("[]", (encode(json.array {})))
  end)

  it("sends null for nothing", function()
    assert.same({ "null", true }, { encode() })
    assert.same({ "null", true }, { encode(nil) })
    assert.same({ "null", true }, { encode(nil, nil) })
  end)

  it("makes an error of nil and a reason", function()
    assert.same({ "Error: no such city", false }, { encode(nil, "no such city") })
    assert.same({ "Error: gone", false }, { encode(nil, failure.new("not_found", "gone")) })
    assert.same({ "Error: 404", false }, { encode(nil, 404) })
  end)

  it("makes an error of what JSON cannot hold", function()
    for _, value in ipairs { print, { f = print }, 0 / 0, { 1, 2, x = 3 } } do
      local content, ok = encode(value)
      assert.is_false(ok)
      assert.matches("^Error: the tool's result cannot be written as JSON", content)
    end
    local loop = {}
    loop.loop = loop
    assert.is_false((select(2, encode(loop))))
  end)

  it("sends content parts as parts", function()
    local parts = rille.parts { "a", { type = "image_url", image_url = { url = "data:," } } }
    local content, ok = encode(parts)
    assert.is_true(ok)
    assert.equal("image_url", content[2].type)
    assert.equal("a", content[1].text)
  end)

  it("makes an error of parts that JSON cannot hold", function()
    local content, ok = encode(rille.parts { { type = "text", text = "a", extra = print } })
    assert.is_false(ok)
    assert.matches("^Error: ", content)
  end)

  it("sends a list that only looks like parts as JSON", function()
    assert.equal('[{"text":"a","type":"text"}]', (encode { { type = "text", text = "a" } }))
  end)

  describe("cap", function()
    it("leaves alone what is short enough", function()
      assert.equal("12345", result.cap("12345", 5))
    end)

    it("keeps head and tail and says what is missing", function()
      local text = ("a"):rep(100) .. ("b"):rep(100)
      local cut = result.cap(text, 40)
      assert.equal(("a"):rep(20) .. "\n[… 160 of 200 bytes are not shown …]\n" .. ("b"):rep(20), cut)
    end)

    it("is within its limit, note and all, where that leaves something", function()
      local text = ("a"):rep(5000) .. ("b"):rep(5000)
      for most = 70, 400, 7 do
        local cut = result.cap(text, most)
        assert.is_true(#cut <= most, most)
        assert.matches("^a+\n%[… %d+ of 10000 bytes are not shown …%]\nb+$", cut)
      end
      for most = 0, 60, 5 do assert.matches("are not shown", result.cap(text, most)) end
    end)

    it("never cuts inside a character", function()
      local text = ("€"):rep(1000)
      for most = 10, 30 do
        local cut = result.cap(text, most)
        assert.is_truthy(utf8.len(cut), "cut at " .. most)
      end
    end)

    it("survives bytes that are no UTF-8", function()
      local cut = result.cap(("\x80"):rep(1000), 10)
      assert.is_true(#cut < 100)
    end)

    it("applies to strings, JSON, errors and the texts of parts", function()
      local long = ("x"):rep(1000)
      local limit = 100
      for _, value in ipairs { long, { long }, rille.parts { long } } do
        local content = result.encode(value, nil, 1, limit)
        if type(content) == "table" then content = content[1].text end
        assert.is_true(#content < 200)
      end
      assert.is_true(#result.encode(nil, long, 2, limit) < 200)
    end)
  end)

  describe("crash", function()
    it("leaves out where it happened", function()
      assert.equal("Error: boom", result.crash(failure.new("internal", "tools/x.lua:3: boom")))
    end)

    it("keeps messages that only look like that when they are failures of their own", function()
      assert.equal("Error: a:1: b", result.crash(failure.new("connection", "a:1: b")))
    end)
  end)
end)
