--- base64_spec.lua -- core.base64 and core.base64_decode: RFC 4648, and what servers really send.
local core = require "rille.core"
require "rille.failure"

local encode, decode = core.base64, core.base64_decode


local function refused(text)
  local bytes, failure = decode(text)
  assert.is_nil(bytes)
  assert.equal("bad_response", failure.code)
  assert.equal("not base64", failure.message)
end


describe("rille.core.base64", function()
  it("encodes the vectors of RFC 4648", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    } do
      assert.equal(text, encode(bytes))
      assert.equal(bytes, decode(text))
    end
  end)

  it("encodes every byte", function()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local bytes = table.concat(all)
    local text = encode(bytes)
    assert.equal(344, #text)
    assert.matches("^[A-Za-z0-9+/]+=?=?$", text)
    assert.equal(bytes, decode(text))
    assert.equal("+/+/", encode("\xFB\xFF\xBF"))
  end)

  it("encodes every length", function()
    for n = 0, 200 do
      local bytes = ("\0\xFFx"):rep(n // 3 + 1):sub(1, n)
      local text = encode(bytes)
      assert.equal((n + 2) // 3 * 4, #text)
      assert.equal(bytes, decode(text))
    end
  end)

  it("encodes a picture's worth at once", function()
    local bytes = ("0123456789abcdef"):rep(1 << 16)
    assert.equal(bytes, decode(encode(bytes)))
  end)

  it("raises for what are no bytes", function()
    assert.has_error(function() encode(nil) end)
    assert.has_error(function() encode({}) end)
  end)
end)


describe("rille.core.base64_decode", function()
  it("takes text without padding", function()
    assert.equal("f", decode("Zg"))
    assert.equal("fo", decode("Zm8"))
    assert.equal("foob", decode("Zm9vYg"))
  end)

  it("takes both alphabets", function()
    assert.equal("\xFB\xFF\xBF", decode("-_-_"))
    assert.equal("\xFB\xFF\xBF", decode("+_-/"))
  end)

  it("skips white space anywhere", function()
    assert.equal("foobar", decode(" Zm9v\r\nYm\tFy\n"))
    assert.equal("fo", decode("Z m 8 ="))
  end)

  it("keeps what it has while it joins, whatever else it was given", function()
    local pieces = {}
    for i = 1, 40000 do pieces[i] = 10000000 + i end   -- numbers become text, and so make garbage
    assert.equal(6 * #pieces, #decode(pieces, nil, nil))
  end)

  it("joins pieces that are padded one by one", function()
    assert.equal("foobar", decode { "Zg==", "b28=", "YmFy" })
    assert.equal("foobar", decode "Zg==b28=YmFy")
  end)

  it("joins pieces that are cut anywhere", function()
    local bytes = "any carnal pleasure."
    local text = encode(bytes)
    for i = 0, #text do
      for j = i, #text do
        assert.equal(bytes, decode { text:sub(1, i), text:sub(i + 1, j), text:sub(j + 1) })
      end
    end
  end)

  it("takes no pieces and empty pieces for nothing", function()
    assert.equal("", decode {})
    assert.equal("", decode { "", " ", "" })
    assert.equal("", decode "====")
  end)

  it("refuses other characters and a lone one", function()
    refused("Zm9v!")
    refused("Zm9v\0")
    refused("Zm9\xFF")
    refused("Z")
    refused("Zm9vY")
    refused("Z===")
    refused { "Zm9v", "*" }
    refused { "Zm9v", "Y" }
  end)

  it("raises for a piece that is no text", function()
    assert.has_error(function() decode { "Zm9v", {} } end)
    assert.has_error(function() decode(nil) end)
  end)
end)
