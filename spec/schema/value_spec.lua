--- rille.schema.value and number: JSON values as Lua holds them.
local json = require "rille.json"
local number = require "rille.schema.number"
local value = require "rille.schema.value"

local null = json.null


describe("rille.schema.value.kind", function()
  local rows = {
    { nil, "null" }, { null, "null" }, { true, "boolean" }, { false, "boolean" }, { 0, "integer" }, { 5.0, "integer" },
    { 0.5, "number" }, { 1 / 0, "number" }, { 0 / 0, "number" }, { "", "string" }, { {}, "object" }, { { 1 }, "array" },
    { { a = 1 }, "object" }, { json.array(), "array" }, { json.object(), "object" }, { print, "function" },
    { setmetatable({}, { __metatable = "locked" }), "object" },
  }
  it("names the JSON type", function()
    for i = 1, #rows do assert.equal(rows[i][2], value.kind(rows[i][1]), "row " .. i) end
  end)
end)


describe("rille.schema.value.equal", function()
  local same = {
    { 1, 1.0 }, { 0, -0.0 }, { "a", "a" }, { null, null }, { nil, null }, { true, true },
    { {}, {} }, { json.array(), {} }, { json.object(), {} }, { { 1, 2 }, { 1.0, 2.0 } },
    { { a = 1, b = { c = null } }, { b = { c = null }, a = 1.0 } },
    { json.decode '{"a":[1,{"b":[]}]}', json.decode '{"a":[1.0,{"b":[]}]}' },
    { math.maxinteger, math.maxinteger },
  }
  it("finds the same JSON the same", function()
    for i, pair in ipairs(same) do
      assert.is_true(value.equal(pair[1], pair[2]), "pair " .. i)
      assert.is_true(value.equal(pair[2], pair[1]), "pair " .. i)
    end
  end)

  it("finds nil the same as null", function()
    assert.is_true(value.equal(nil, null))
    assert.is_true(value.equal(nil, nil))
  end)

  local different = {
    { 1, "1" }, { 1, true }, { 0, false }, { "", null }, { "a", "A" }, { {}, null }, { { 1 }, { 2 } }, { { 1 }, { 1, 2 } },
    { { 1, 2 }, { 2, 1 } }, { { a = 1 }, { a = 2 } }, { { a = 1 }, { b = 1 } }, { { a = 1 }, { a = 1, b = 2 } },
    { json.array(), json.object() }, { { 1 }, { ["1"] = 1 } }, { math.maxinteger, 2.0 ^ 63 },
    { 9007199254740993, 9007199254740992.0 }, { { a = null }, {} },
  }
  it("finds everything else different", function()
    for i, pair in ipairs(different) do
      assert.is_false(value.equal(pair[1], pair[2]), "pair " .. i)
      assert.is_false(value.equal(pair[2], pair[1]), "pair " .. i)
    end
  end)

  it("ends for tables that hold themselves", function()
    local a, b = {}, {}
    a.next, b.next = a, b
    assert.is_false(value.equal(a, b))
    assert.is_true(value.equal(a, a))
  end)
end)


describe("rille.schema.value.key", function()
  it("is the same exactly for the same values", function()
    local list = {
      null, true, false, 0, 1, -1, 0.5, 1e300, math.maxinteger, math.mininteger, "", "0", "1", "null", "true", "s1:a",
      json.array(), json.object(), { 1 }, { 1, 2 }, { { 1 }, 2 }, { "1" }, { a = 1 }, { a = "1" }, { b = 1 }, { a = 1, b = 2 },
      { a = { b = 2 } }, { ["a=1,1:b"] = 2 }, { "a", "b" }, { "a,b" }, { null }, { false },
    }
    for i, a in ipairs(list) do
      for k, b in ipairs(list) do
        assert.equal(i == k, value.key(a) == value.key(b), value.key(a) .. " / " .. value.key(b))
        assert.equal(i == k, value.equal(a, b))
      end
    end
  end)

  it("does not depend on the order of members or the kind of number", function()
    assert.equal(value.key { a = 1, b = 2 }, value.key { b = 2.0, a = 1.0 })
    assert.equal(value.key(-0.0), value.key(0))
  end)
end)


describe("rille.schema.value.copy", function()
  it("shares nothing but metatables", function()
    local given = { a = { 1, { b = "c" } }, n = null }
    local copied = value.copy(given)
    assert.same(given, copied)
    assert.not_equal(given.a, copied.a)
    assert.not_equal(given.a[2], copied.a[2])
    local array = json.array { 1 }
    assert.equal(getmetatable(array), getmetatable(value.copy(array)))
  end)

  it("keeps what is shared, shared", function()
    local shared = { 1 }
    local copied = value.copy { shared, shared }
    assert.equal(copied[1], copied[2])
  end)

  it("copies what holds itself", function()
    local given = {}
    given.me = given
    local copied = value.copy(given)
    assert.equal(copied, copied.me)
    assert.not_equal(given, copied)
  end)

  it("gives other values back", function()
    assert.equal(5, value.copy(5))
    assert.is_nil(value.copy(nil))
    assert.is_false(value.copy(false))
  end)

  it("marks an empty table as array where asked to", function()
    assert.equal("[]", json.encode(value.copy_as({}, "array")))
    assert.equal("{}", json.encode(value.copy_as({}, "object")))
    assert.equal("{}", json.encode(value.copy_as(json.object(), "array")))
    assert.equal("x", value.copy_as("x", "array"))
  end)
end)


describe("rille.schema.value, orders", function()
  it("gives the names of a table sorted", function()
    assert.same({ "a", "b", "c" }, value.names { c = 1, a = 2, b = 3, 4 })
  end)

  it("gives the order that a table says, the others after it", function()
    local t = setmetatable({ a = 1, b = 2, c = 3, d = 4 }, { __jsonorder = { "d", "b", "gone", "d" } })
    assert.same({ "d", "b", "a", "c" }, value.ordered_names(t))
    assert.same({ "a", "b" }, value.ordered_names { b = 1, a = 1 })
  end)

  it("makes objects that keep the order of pairs", function()
    assert.equal('{"z":1,"a":false}', json.encode(value.object { { "z", 1 }, { "gone", nil }, { "a", false } }))
    assert.equal("{}", json.encode(value.object {}))
  end)
end)


describe("rille.schema.number.is_multiple", function()
  local multiples = {
    { 0, 5 }, { 10, 5 }, { -10, 5 }, { 10.0, 5 }, { 10, 2.5 }, { 0.0075, 0.0001 }, { 4.02, 0.01 }, { 1.1, 0.1 },
    { 0.3, 0.1 }, { 1e300, 3e0 * 0 + 1 }, { 1e308, 0.5 }, { math.maxinteger, 1 }, { math.mininteger, 2 },
    { 12391239123, 1e-8 }, { 19.99, 0.01 }, { 123456.789, 0.001 }, { -0.0, 3 }, { 1e22, 10 }, { 0, 0.1 },
    { 9007199254740993, 3 },
  }
  it("is true for multiples", function()
    for _, pair in ipairs(multiples) do
      assert.is_true(number.is_multiple(pair[1], pair[2]), ("%s of %s"):format(pair[1], pair[2]))
    end
  end)

  local others = {
    { 1, 2 }, { 0.00751, 0.0001 }, { 4.021, 0.01 }, { 1.05, 0.1 }, { 1e308, 0.123456789 }, { math.maxinteger, 2 },
    { 1, 1e308 }, { 0.5, 1 }, { 5e-324, 1 }, { 1, 0.3 }, { 9007199254740993, 2 }, { 35, 1.5 },
  }
  it("is false for others", function()
    for _, pair in ipairs(others) do
      assert.is_false(number.is_multiple(pair[1], pair[2]), ("%s of %s"):format(pair[1], pair[2]))
    end
  end)

  it("agrees with counting in hundredths", function()
    for cents = -2000, 2000, 7 do
      local amount = tonumber(("%.2f"):format(cents / 100))
      assert.is_true(number.is_multiple(amount, 0.01))
      assert.equal(cents % 5 == 0, number.is_multiple(amount, 0.05))
    end
  end)
end)
