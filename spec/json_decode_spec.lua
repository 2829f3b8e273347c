--- json_decode_spec.lua -- rille.json.decode: exactness, what it refuses and how it says so.
local core = require "rille.core"
local json = require "rille.json"
require "rille.failure"

local encode, decode = json.encode, json.decode

--- Under an aggressive collector every allocation costs a walk through the heap: a sample has to do.
local FEWER <const> = os.getenv "RILLE_GC" == "aggressive" and 100 or 1

local REPLACEMENT <const> = "\u{FFFD}"


--- What a failed decode says.
local function complaint(text, options)
  local value, failure = decode(text, options)
  assert.is_nil(value)
  return tostring(failure)
end


describe("rille.json.decode", function()
  it("reads scalars", function()
    assert.equal(json.null, decode("null"))
    assert.is_nil((decode("null", { nulls = false })))
    assert.is_true(decode(" true "))
    assert.is_false(decode("false"))
    assert.equal("x", decode('"x"'))
  end)

  it("reads integers exactly over the whole range", function()
    for _, text in ipairs { "0", "-1", "9007199254740991", "9007199254740992", "9007199254740993",
      "-9007199254740993", "1234567890123456789", "9223372036854775807", "-9223372036854775808" } do
      local value = decode(text)
      assert.equal("integer", math.type(value))
      assert.equal(text, tostring(value))
      assert.equal(text, encode(value))
    end
  end)

  it("reads integers beyond int64 as the nearest float", function()
    assert.equal(2.0 ^ 63, decode("9223372036854775808"))
    assert.equal(-2.0 ^ 64, decode("-18446744073709551616"))
    assert.equal("float", math.type(decode("9223372036854775808")))
    assert.equal(1e100, decode("1" .. ("0"):rep(100)))
  end)

  it("reads integral numbers as integers up to 2^53, whatever they look like", function()
    for _, text in ipairs { "1.0", "1e0", "0.1e1", "10e-1", "1.000000000000000000000000000000000000" } do
      assert.equal("integer", math.type(decode(text)))
      assert.equal(1, decode(text))
    end
    assert.equal("float", math.type(decode("1e17")))
  end)

  it("reads numbers of any length", function()
    assert.equal(1 / 3, decode("0." .. ("3"):rep(200)))
    assert.equal(0, decode("0." .. ("0"):rep(100)))
    assert.equal(1.5, decode("1.5" .. ("0"):rep(100)))
    assert.equal(-1.5e10, decode("-1.5" .. ("0"):rep(100) .. "e10"))
  end)

  it("reads exponents beyond the range of a double", function()
    assert.equal(math.huge, decode("1e400"))
    assert.equal(-math.huge, decode("-1e99999999999999999999"))
    assert.equal(0, decode("1e-400"))
    assert.equal(1e300, decode("1e300"))
    assert.equal(5e-324, decode("4.9e-324"))
  end)

  it("reads back the bits of random doubles", function()
    math.randomseed(20240229)
    local list, count = {}, 20000 // FEWER
    while #list < count do
      local x = string.unpack("d", string.pack("j", math.random(0)))
      if x == x and math.abs(x) ~= math.huge then list[#list + 1] = x end
    end
    local back = decode(encode(list))
    for i, x in ipairs(list) do
      if string.pack("n", x) ~= string.pack("n", back[i]) then
        error(("%a came back as %a"):format(x, back[i]))
      end
    end
  end)

  it("reads back numbers near every power of two and ten", function()
    for exponent = -1074, 1023, FEWER do
      local x = 2.0 ^ exponent
      for _, y in ipairs { x, -x, x * (1 + 2 ^ -52), x * 0.75 } do assert.equal(y, decode(encode(y))) end
    end
    for exponent = -307, 308, FEWER do
      local x = tonumber("1e" .. exponent)
      assert.equal(x, decode(encode(x)))
      assert.is_true(#encode(x) <= 20)
    end
  end)

  it("reads back random values", function()
    math.randomseed(4711)
    local make
    local function text() return ("aé\0\n\"🙂\\"):sub(1, math.random(0, 3)) .. ("x"):rep(math.random(0, 9)) end
    local makers = {
      function() return math.random(0) end,
      function() return math.random() * 10.0 ^ math.random(-300, 300) end,
      function() return utf8.char(math.random(0xE000, 0x10FFFF)) .. text():gsub("[\xC3\xF0].*", "") end,
      function() return math.random() < 0.5 end,
      function() return json.null end,
      function(depth)
        local list = json.array {}
        for i = 1, math.random(0, 4) do list[i] = make(depth - 1) end
        return list
      end,
      function(depth)
        local object = {}
        for _ = 1, math.random(0, 20) do object["k" .. math.random(30)] = make(depth - 1) end
        return object
      end,
    }
    function make(depth) return makers[math.random(depth > 0 and #makers or 5)](depth) end
    for _ = 1, 500 // FEWER do
      local value = make(4)
      local written = encode(value)
      assert.same(value, (decode(written)))
      assert.equal(written, encode((decode(written))))
    end
  end)

  it("joins surrogate pairs and replaces lone halves", function()
    assert.equal("🙂", decode([["\ud83d\ude42"]]))
    assert.equal("🙂", decode([["\uD83D\uDE42"]]))
    assert.equal(REPLACEMENT, decode([["\ud83d"]]))
    assert.equal(REPLACEMENT, decode([["\ude42"]]))
    assert.equal(REPLACEMENT .. "x", decode([["\ud83dx"]]))
    assert.equal(REPLACEMENT .. "\n", decode([["\ud83d\n"]]))
    assert.equal(REPLACEMENT .. "A", decode([["\ud83d\u0041"]]))
    assert.equal(REPLACEMENT .. "🙂", decode([["\ud83d\ud83d\ude42"]]))
    assert.equal(REPLACEMENT .. REPLACEMENT, decode([["\ude42\ud83d"]]))
    assert.equal("\u{FFFF}\u{10000}\u{10FFFF}", decode([["\uffff\ud800\udc00\udbff\udfff"]]))
  end)

  it("reads NUL, Hangul and all escapes", function()
    assert.equal("a\0b\0", decode([["a\u0000b\u0000"]]))
    assert.equal("한글\0힣", decode([["한글\u0000\ud7a3"]]))
    assert.equal('"\\/\b\f\n\r\té', decode([["\"\\\/\b\f\n\r\t\u00e9"]]))
    assert.equal("\0", next(decode([[{"\u0000":1}]])))
  end)

  it("marks arrays, so that empty ones come back as arrays", function()
    local text = '{"a":[],"b":{},"c":[[],{}]}'
    local value = decode(text)
    assert.equal(core.array_metatable, getmetatable(value.a))
    assert.is_nil(getmetatable(value.b))
    assert.equal(text, encode(value))
  end)

  it("keeps nulls as json.null or drops them", function()
    local value = decode('{"a":null,"b":[null,1]}')
    assert.equal(json.null, value.a)
    assert.equal(json.null, value.b[1])
    value = decode('{"a":null,"b":[null,1]}', { nulls = false })
    assert.is_nil(value.a)
    assert.is_nil(value.b[1])
    assert.equal(1, value.b[2])
  end)

  it("skips a byte order mark and white space", function()
    assert.same({ 1 }, decode("\xEF\xBB\xBF [1]\r\n\t "))
    assert.equal(2, decode("\xEF\xBB\xBF2"))
    assert.matches("at byte 1$", complaint("1\xEF\xBB\xBF"))
  end)

  it("lets the last of two equal keys win, or refuses them", function()
    assert.equal(2, decode('{"a":1,"a":2}').a)
    assert.matches('duplicate key "a"$', complaint('{"a":1,"a":2}', { unique_keys = true }))
    assert.matches('duplicate key "a"$', complaint([==[[{"x":[{"a":1,"\u0061":2}]}]]==], { unique_keys = true }))
    assert.same({ a = { a = 1 }, b = { a = 1 } }, decode('{"a":{"a":1},"b":{"a":1}}', { unique_keys = true }))
    assert.matches([[duplicate key "a\u0000]], complaint([[{"a\u0000b":1,"a\u0000b":2}]], { unique_keys = true }), 1, true)
    local long = ("é"):rep(100)
    local message = complaint(('{"%s":1,"%s":2}'):format(long, long), { unique_keys = true })
    assert.is_true(#message < 200 and utf8.len(message) ~= nil)
  end)

  it("takes only text, and only options that exist", function()
    for pattern, call in pairs {
      ["json_decode_spec.lua:%d+: json.decode: text: string expected, got nil"] = function() return #decode(nil) end,
      ["json_decode_spec.lua:%d+: json.decode: text: string expected, got number"] = function() return #decode(12) end,
      ["json_decode_spec.lua:%d+: json.decode: unknown option 'null' %(did you mean 'nulls'%?%)"] = function()
        return #decode("1", { null = true })
      end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(pattern, err)
    end
  end)
end)


describe("rille.json.decode, refusing", function()
  it("says what is wrong and where", function()
    for text, message in pairs {
      [""] = "unexpected end of text at byte 0",
      ["  "] = "unexpected end of text at byte 2",
      ["[1,"] = "unexpected end of text at byte 3",
      ['{"a'] = "unexpected end of text at byte 3",
      ['"\\'] = "unexpected end of text at byte 2",
      ["[1,]"] = "unexpected character at byte 3",
      ["{a:1}"] = "a key in double quotes expected at byte 1",
      ['{"a" 1}'] = "':' expected at byte 5",
      ['{"a":1 "b":2}'] = "',' or '}' expected at byte 7",
      ["[1 2]"] = "',' or ']' expected at byte 3",
      ["[1}"] = "',' or ']' expected at byte 2",
      ["01"] = "a number must not begin with 0 at byte 0",
      ["-"] = "unexpected end of text at byte 1",
      ["-x"] = "digit expected at byte 1",
      ["1.x"] = "digit expected at byte 2",
      ["1ex"] = "digit expected at byte 2",
      ["nul"] = "unexpected end of text at byte 3",
      ["nulx"] = "unexpected character at byte 3",
      ["{}x"] = "nothing may follow the value at byte 2",
      ['"\\x"'] = "no such escape at byte 1",
      ['"\\u12g4"'] = "\\u needs four hexadecimal digits at byte 1",
      ['"a\nb"'] = "control character in a string at byte 2",
      ["'a'"] = "unexpected character at byte 0",
      ["NaN"] = "unexpected character at byte 0",
      ["\0"] = "unexpected character at byte 0",
      ["1\0"] = "nothing may follow the value at byte 1",
    } do
      assert.equal("bad_response: " .. message, complaint(text))
    end
  end)

  it("refuses every proper prefix of a text", function()
    local text = [[{"a":[1,-2.5e+3,true,null,"x\n\u00e9"],"b":{}}]]
    for n = 0, #text - 1 do assert.matches("at byte %d+$", complaint(text:sub(1, n))) end
    assert.equal(-2500, decode(text).a[2])
  end)

  it("bounds depth, values and bytes", function()
    local deep = ("["):rep(128) .. ("]"):rep(128)
    assert.is_table(decode(deep))
    assert.matches("nested too deep at byte 128$", complaint("[" .. deep .. "]"))
    assert.matches("nested too deep", complaint(("["):rep(100000)))
    assert.matches("nested too deep", complaint(('{"a":'):rep(100000)))
    local many = "[" .. ("0,"):rep(999998) .. "0]"
    assert.equal(999999, #decode(many))
    assert.matches("too many values at byte", complaint("[0," .. many:sub(2)))
    assert.matches("too many bytes at byte 67108864$", complaint((" "):rep(64 << 20) .. "1"))
  end)
end)
