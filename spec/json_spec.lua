--- json_spec.lua -- rille.json: encoding, and what is refused. Its neighbours: json_decode_spec,
--- json_marks_spec, json_property_spec (a second opinion), json_contract_spec (C, locales, the public suite).
local core = require "rille.core"
local json = require "rille.json"

local encode, decode = json.encode, json.decode

local REPLACEMENT <const> = "\u{FFFD}"


local function raises(pattern, value)
  local ok, err = pcall(encode, value)
  assert.is_false(ok)
  assert.matches(pattern, err)
end


describe("rille.json.encode", function()
  it("writes scalars", function()
    assert.equal("null", encode(nil))
    assert.equal("null", encode(json.null))
    assert.equal("true", encode(true))
    assert.equal("false", encode(false))
    assert.equal('"x"', encode("x"))
    assert.equal("1", encode(1))
  end)

  it("writes integers exactly over the whole range", function()
    for text, value in pairs {
      ["0"] = 0, ["-1"] = -1, ["9007199254740991"] = (1 << 53) - 1, ["9007199254740992"] = 1 << 53,
      ["9007199254740993"] = (1 << 53) + 1, ["-9007199254740993"] = -(1 << 53) - 1,
      ["9223372036854775807"] = math.maxinteger, ["-9223372036854775808"] = math.mininteger,
    } do
      assert.equal(text, encode(value))
    end
  end)

  it("writes integral floats without a point up to 2^53", function()
    assert.equal("100", encode(100.0))
    assert.equal("-3", encode(-3.0))
    assert.equal("9007199254740992", encode(2.0 ^ 53))
    assert.equal("-9007199254740992", encode(-2.0 ^ 53))
    assert.equal("0", encode(0.0))
  end)

  it("writes other floats as the shortest text that reads back", function()
    for text, value in pairs {
      ["0.1"] = 0.1, ["0.30000000000000004"] = 0.1 + 0.2, ["1e+17"] = 1e17, ["1e-07"] = 1e-7,
      ["1.7976931348623157e+308"] = 1.7976931348623157e308, ["5e-324"] = 5e-324,
      ["2.2250738585072014e-308"] = 2.2250738585072014e-308, ["-9999.5"] = -9999.5,
      ["-3.7697225e-06"] = -3.7697225e-6, ["3.141592653589793"] = math.pi,
    } do
      assert.equal(text, encode(value))
    end
  end)

  it("keeps negative zero", function()
    assert.equal("-0.0", encode(-0.0))
    assert.equal(-math.huge, 1 / decode("-0.0"))
    assert.equal(-math.huge, 1 / decode("-0"))
    assert.equal(-math.huge, 1 / decode("-0e9"))
  end)

  it("escapes what must be escaped and nothing else", function()
    assert.equal([["\"\\/\b\f\n\r\t"]], encode('"\\/\b\f\n\r\t'))
    assert.equal([["\u0000\u0001\u001f]] .. "\127\"", encode("\0\1\31\127"))
    assert.equal('"é日🙂\u{2028}"', encode("é日🙂\u{2028}"))
    for byte = 0, 31 do assert.equal(string.char(byte), decode(encode(string.char(byte)))) end
  end)

  it("survives a NUL in values and keys", function()
    assert.equal([[{"a\u0000b":"\u0000"}]], encode { ["a\0b"] = "\0" })
    local value = decode(encode { ["a\0b"] = "x\0\0y" })
    assert.equal("x\0\0y", value["a\0b"])
  end)

  it("replaces every class of invalid UTF-8, one mark for each maximal part", function()
    for bytes, marks in pairs {
      ["\x80"] = 1,                  -- continuation alone
      ["\xBF\xBF"] = 2,
      ["\xC0\x80"] = 2,              -- overlong NUL
      ["\xC1\xBF"] = 2,              -- overlong
      ["\xC2"] = 1,                  -- cut after one byte
      ["\xE0\x80\x80"] = 3,          -- overlong in three bytes
      ["\xE2\x82"] = 1,              -- cut after two
      ["\xED\xA0\x80"] = 3,          -- surrogate half
      ["\xED\xBF\xBF"] = 3,
      ["\xF0\x80\x80\x80"] = 4,      -- overlong in four bytes
      ["\xF0\x9F\x99"] = 1,          -- cut after three
      ["\xF4\x90\x80\x80"] = 4,      -- beyond 10FFFF
      ["\xF5\x80"] = 2, ["\xFE"] = 1, ["\xFF\xFF"] = 2,
    } do
      local expected = "<" .. REPLACEMENT:rep(marks) .. ">"
      assert.equal('"' .. expected .. '"', encode("<" .. bytes .. ">"))
      assert.equal(expected, decode('"<' .. bytes .. '>"'))
      assert.equal('{"' .. expected .. '":1}', encode { ["<" .. bytes .. ">"] = 1 })
    end
  end)

  it("goes on behind a mistake as if nothing had been", function()
    assert.equal('"' .. REPLACEMENT .. 'é"', encode("\xE2é"))
    assert.equal('"' .. REPLACEMENT .. '\\n"', encode("\xF0\x9F\n"))
    assert.equal('"' .. REPLACEMENT .. '\\""', encode('\xE2\x82"'))
  end)

  it("finds what must be escaped at every offset of a long string", function()
    for offset = 0, 40 do
      for _, odd in ipairs { '"', "\\", "\n", "\0", "\31", "\xFF", "é" } do
        local text = ("x"):rep(offset) .. odd .. ("y"):rep(40 - offset)
        local expected = odd == "\xFF" and text:gsub("\xFF", REPLACEMENT) or text
        assert.equal(expected, decode(encode(text)))
      end
    end
  end)

  it("takes 1..n for an array and anything else for an object", function()
    assert.equal("[1,2,3]", encode { 1, 2, 3 })
    assert.equal("{}", encode {})
    assert.equal('{"a":1}', encode { a = 1 })
    assert.equal("[[],{},[{}]]", encode { json.array {}, {}, { {} } })
    local sparse = {}
    for i = 100, 1, -1 do sparse[i] = i end   -- a sequence that lives in the hash part
    assert.equal(100, #decode(encode(sparse)))
  end)

  it("counts json.null as an element", function()
    assert.equal("[null,1,null]", encode { json.null, 1, json.null })
    assert.equal('{"a":null}', encode { a = json.null })
  end)

  it("sorts keys by their bytes", function()
    local keys = { "b", "a", "aa", "B", "é", "", "a\0", "_", "10", "9" }
    local t = {}
    for i, key in ipairs(keys) do t[key] = i end
    assert.equal('{"":6,"10":9,"9":10,"B":4,"_":8,"a":2,"a\\u0000":7,"aa":3,"b":1,"é":5}', encode(t))
  end)

  it("sorts many keys like few", function()
    local t, keys = {}, {}
    for i = 1, 500 do keys[i] = ("%x"):format(i * 2654435761 % 4294967296) end
    for _, key in ipairs(keys) do t[key] = true end
    table.sort(keys)
    assert.equal('{"' .. table.concat(keys, '":true,"') .. '":true}', encode(t))
  end)

  it("keeps the order of nested objects apart", function()
    local inner = {}
    for i = 1, 200 do inner["k" .. i] = { a = i, b = { c = i } } end
    assert.same(inner, decode(encode { x = inner, y = 1, a = inner }).x)
    assert.same(inner, decode(encode { x = inner, y = 1, a = inner }).a)
  end)

  it("calls no metamethods", function()
    local function never() error("called") end
    local metatable = { __index = never, __len = never, __pairs = never, __tostring = never, __name = "x" }
    assert.equal('{"a":[]}', encode { a = json.array(setmetatable({}, nil)) })
    assert.equal('{"a":1}', encode(setmetatable({ a = 1 }, metatable)))
    assert.equal("[1,2]", encode(setmetatable({ 1, 2 }, metatable)))
  end)

  it("leaves nothing on the stack and can be called again after trouble", function()
    for _ = 1, 300 do
      pcall(encode, { a = { b = { c = print } } })
      pcall(encode, { { { 1, 2, [5] = 5 } } })
    end
    assert.equal('{"a":{"b":1}}', encode { a = { b = 1 } })
  end)
end)


describe("rille.json.encode, refusing", function()
  it("names the path to what JSON cannot hold", function()
    raises("json: a function has no JSON$", print)
    raises("json: a: a function has no JSON$", { a = print })
    raises("json: %[2%]: a thread has no JSON$", { 1, coroutine.create(print) })
    raises("json: list%[3%]%.name: a userdata has no JSON$", { list = { 1, 2, { name = io.stdout } } })
    raises('json: a%["odd key"%]%[1%]: infinity has no JSON$', { a = { ["odd key"] = { math.huge } } })
  end)

  it("blames the caller's line", function()
    local ok, err = pcall(function()
      local text = encode(0 / 0)
      return text
    end)
    assert.is_false(ok)
    assert.matches("^spec/json_spec.lua:%d+: json: NaN has no JSON$", err)
  end)

  it("refuses NaN and both infinities", function()
    raises("NaN", 0 / 0)
    raises("infinity", math.huge)
    raises("infinity", -math.huge)
  end)

  it("refuses lists with holes and mixed keys", function()
    raises("json: a: a list must have the keys 1..n without holes$", { a = { [2] = 1 } })
    raises("without holes", { 1, 2, nil, 4 })
    raises("without holes", { [0] = 1 })
    raises("without holes", { [-1] = 1 })
    raises("without holes", { [math.maxinteger] = 1 })
    raises("a table mixes string keys with integer keys", { 1, x = 2 })
    raises("a key is neither a string nor an integer", { [1.5] = 1 })
    raises("a key is neither a string nor an integer", { [true] = 1 })
    raises("a key is neither a string nor an integer", { [{}] = 1 })
  end)

  it("refuses what contradicts its mark", function()
    raises("json: x: an object must not have integer keys$", { x = setmetatable({ 1 }, core.object_metatable) })
    raises("an array must have the keys 1..n only", json.array { a = 1 })
    raises("an array must have the keys 1..n only", json.array { [0] = 1 })
    raises("an array has too many holes", json.array { [1000] = 1 })
  end)

  it("ends cycles and deep nesting at 128 levels", function()
    local cycle = {}
    cycle.self = { cycle }
    raises("json: self%[1%]%.self%[1%].*: nested more than 128 deep %(a cycle%?%)$", cycle)
    local deep = {}
    for _ = 1, 127 do deep = { deep } end
    assert.equal(("["):rep(127) .. "{}" .. ("]"):rep(127), encode(deep))
    raises("nested more than 128 deep", { deep })
  end)

  it("keeps long paths and long keys readable", function()
    local t = { print }
    for i = 1, 100 do t = { ["key number " .. i] = t } end
    local ok, err = pcall(encode, t)
    assert.is_false(ok)
    assert.is_true(#err < 500)
    raises('^.-json: %["x+"%]: a function', { [("x"):rep(1000)] = print })
  end)
end)


--- What encoding and decoding work in is kept from one call to the next.
describe("what rille.json works in", function()
  local function check(i)
    local text = ('{"a":[%d,"é\\u0000"],"b":"%s"}'):format(i, ("x"):rep(i % 50))
    assert.equal(text, encode(assert(decode(text))))
  end

  it("is not mixed up by finalisers that encode and decode in the middle", function()
    local finalised = 0
    local guarded = { __gc = function()
      finalised = finalised + 1
      check(finalised)
    end }
    local mode = collectgarbage("generational")
    for i = 1, 2000 do
      setmetatable({}, guarded)
      check(i)
    end
    collectgarbage(mode)
    collectgarbage()
    assert.equal(2000, finalised)
  end)

  it("is there again after errors", function()
    for i = 1, 50 do
      raises("a function", { a = { "long enough to be written first", print } })
      assert.is_nil((decode '{"a":'))
      check(i)
    end
  end)

  it("takes values of all sizes in turn", function()
    for _, size in ipairs { 0, 1000000, 1, 70000, 60000, 2 } do
      local text = ("y"):rep(size)
      assert.equal('"' .. text .. '"', encode(text))
      assert.equal(text, decode('"' .. text .. '"'))
    end
  end)

  it("holds objects with more keys than there is room at hand", function()
    for _, count in ipairs { 31, 32, 33, 64, 65, 1000 } do
      local members, lines = {}, {}
      for i = 1, count do
        members[("k%04d"):format(i)] = { z = i, y = {} }
        lines[i] = ('"k%04d":{"y":{},"z":%d}'):format(i, i)
      end
      assert.equal("{" .. table.concat(lines, ",") .. "}", encode(members))
    end
  end)
end)
