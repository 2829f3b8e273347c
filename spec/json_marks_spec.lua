--- json_marks_spec.lua -- rille.json.array, object and absent: what a table is, and in which order.
local json = require "rille.json"

local encode, decode = json.encode, json.decode


local function raises(pattern, value)
  local ok, err = pcall(encode, value)
  assert.is_false(ok)
  assert.matches(pattern, err)
end


describe("rille.json.array and object", function()
  it("mark a table and return it", function()
    local t = {}
    assert.equal(t, json.array(t))
    assert.equal("[]", encode(t))
    assert.equal(t, json.object(t))
    assert.equal("{}", encode(t))
    assert.equal("[]", encode(json.array()))
    assert.equal("{}", encode(json.object()))
  end)

  it("write holes of a marked array as null", function()
    assert.equal("[null,null,3]", encode(json.array { nil, nil, 3 }))
    assert.equal("[1,null,3]", encode(decode("[1,null,3]", { nulls = false })))
  end)

  it("keep the order of a list of pairs", function()
    local object = json.object { { "z", 1 }, { "a", json.object { { "y", true }, { "x", json.null } } } }
    assert.equal('{"z":1,"a":{"y":true,"x":null}}', encode(object))
    assert.equal(1, object.z)
  end)

  it("sort members that were added later behind the ordered ones", function()
    local object = json.object { { "z", 1 }, { "m", 2 } }
    object.b, object.a, object.z = 4, 3, nil
    assert.equal('{"m":2,"a":3,"b":4}', encode(object))
  end)

  it("take any __jsonorder, whatever stands in it", function()
    local order = { "b", "missing", 7, "b", "a", {} }
    local t = setmetatable({ a = 1, b = 2, c = 3 }, { __jsonorder = order })
    assert.equal('{"b":2,"a":1,"c":3}', encode(t))
    assert.equal('{"a":1}', encode(setmetatable({ a = 1 }, { __jsonorder = "a" })))
    local many, keys = {}, {}
    for i = 1, 50 do
      keys[i] = "k" .. i * 37 % 50
      many[keys[i]] = i
    end
    local text = encode(setmetatable(many, { __jsonorder = keys }))
    local found = {}
    for key in text:gmatch('"(k%d+)"') do found[#found + 1] = key end
    assert.same(keys, found)
  end)

  it("refuse what is no table, no pair or a duplicate, at the caller", function()
    for pattern, call in pairs {
      ["json_marks_spec.lua:%d+: json.array: table expected, got number"] = function() json.array(1) end,
      ["json_marks_spec.lua:%d+: json.object: table expected, got string"] = function() json.object("x") end,
      ["json_marks_spec.lua:%d+: json.object: entry 2: {key, value}"] = function() json.object { { "a", 1 }, "b" } end,
      ["json_marks_spec.lua:%d+: json.object: entry 1: {key, value}"] = function() json.object { { 1, 1 } } end,
      ["json_marks_spec.lua:%d+: json.object: duplicate key 'a'"] = function() json.object { { "a", 1 }, { "a", 2 } } end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(pattern, err)
    end
  end)
end)


describe("rille.json.absent", function()
  it("is refused by the encoder with the place where it belongs", function()
    raises("json: x: json.absent removes a member in `extra`; it has no JSON", { x = json.absent })
    raises("json.absent", json.absent)
    raises("json.absent", { json.absent })
  end)

  it("is unique, constant and readable", function()
    assert.equal("rille.json.absent", tostring(json.absent))
    assert.has_error(function() json.absent.x = 1 end)
    assert.has_error(function() setmetatable(json.absent, {}) end)
    assert.not_equal(json.null, json.absent)
  end)
end)
