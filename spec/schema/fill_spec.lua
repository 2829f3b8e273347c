--- rille.schema.fill: defaults, integers and absent nulls.
local json = require "rille.json"
local schema = require "rille.schema"

local null = json.null

--- What validate gives; the value has to fit.
local function filled(given, v, settings)
  local value, errors = schema.compile(given, settings):validate(v)
  assert.is_nil(errors and schema.explain(errors))
  return value
end


describe("rille.schema.fill, defaults", function()
  local object = { type = "object", properties = { a = { default = 1 }, b = { type = "string" } } }

  it("stand where a property is missing", function()
    assert.same({ a = 1 }, filled(object, {}))
    assert.same({ a = 1, b = "x" }, filled(object, { b = "x" }))
  end)

  it("do not replace what is there", function()
    assert.same({ a = false }, filled(object, { a = false }))
    assert.same({ a = null }, filled(object, { a = null }))
  end)

  it("are deep copies", function()
    local given = { type = "object", properties = { list = { type = "array", default = { 1, { x = 1 } } } } }
    local compiled = schema.compile(given)
    local first = compiled:validate {}
    first.list[2].x = 99
    first.list[3] = "more"
    assert.same({ list = { 1, { x = 1 } } }, json.decode(json.encode((compiled:validate {}))))
  end)

  it("may be false, null, and empty", function()
    local value = filled({ type = "object", properties = {
      no = { default = false }, nothing = { default = null }, list = { type = "array", default = {} },
      object = { type = "object", default = {} },
    } }, {})
    assert.equal('{"list":[],"no":false,"nothing":null,"object":{}}', json.encode(value))
  end)

  it("stand in nested objects", function()
    assert.same({ o = { p = { q = 5 } } }, filled({ type = "object", properties = {
      o = { type = "object", properties = { p = { type = "object", properties = { q = { default = 5 } } } } },
    } }, { o = { p = {} } }))
  end)

  it("do not make the object that they would stand in", function()
    assert.same({}, filled({ type = "object", properties = {
      o = { type = "object", properties = { p = { default = 1 } } },
    } }, {}))
  end)

  it("stand in the items of an array", function()
    assert.same({ { a = 1 }, { a = 2 } }, json.decode(json.encode(
      filled({ type = "array", items = { type = "object", properties = { a = { default = 1 } } } }, { {}, { a = 2 } }))))
  end)

  it("stand in leading items", function()
    local value = filled({ type = "array", prefixItems = { { properties = { a = { default = 1 } } } },
      items = { properties = { b = { default = 2 } } } }, { {}, {}, {} })
    assert.equal('[{"a":1},{"b":2},{"b":2}]', json.encode(value))
  end)

  it("stand in additional members", function()
    local value = filled({ type = "object", properties = { x = true },
      additionalProperties = { properties = { a = { default = 1 } } } }, { x = {}, y = {} })
    assert.equal('{"x":{},"y":{"a":1}}', json.encode(value))
  end)

  it("stand in members by pattern", function()
    local value = filled({ type = "object", patternProperties = { ["^y"] = { properties = { a = { default = 1 } } } } },
      { x = {}, y = {} })
    assert.equal('{"x":{},"y":{"a":1}}', json.encode(value))
  end)

  it("come through references", function()
    assert.same({ a = { b = 7 } }, filled({
      ["$defs"] = { o = { type = "object", properties = { b = { default = 7 } } } },
      type = "object", properties = { a = { ["$ref"] = "#/$defs/o" } },
    }, { a = {} }))
  end)

  it("end in recursive schemas", function()
    local value = filled({ type = "object", properties = {
      child = { ["$ref"] = "#" }, n = { default = 1 }, next = { ["$ref"] = "#", default = {} },
    } }, { child = { child = {} } })
    assert.equal('{"child":{"child":{"n":1,"next":{}},"n":1,"next":{}},"n":1,"next":{}}', json.encode(value))
  end)

  it("come from all of allOf", function()
    assert.same({ a = 1, b = 2 }, filled({ allOf = {
      { properties = { a = { default = 1 } } }, { properties = { b = { default = 2 } } },
    } }, {}))
  end)

  it("come from the first branch that fits", function()
    local given = { anyOf = {
      { properties = { kind = { const = "a" }, x = { default = 1 } } },
      { properties = { kind = { const = "b" }, y = { default = 2 } } },
    } }
    assert.same({ kind = "a", x = 1 }, filled(given, { kind = "a" }))
    assert.same({ kind = "b", y = 2 }, filled(given, { kind = "b" }))
  end)

  it("come from the one branch of oneOf", function()
    assert.same({ k = 2, y = 2 }, filled({ oneOf = {
      { properties = { k = { const = 1 }, x = { default = 1 } } },
      { properties = { k = { const = 2 }, y = { default = 2 } } },
    } }, { k = 2 }))
  end)

  it("come from then or else", function()
    local given = {
      ["if"] = { properties = { k = { const = 1 } }, required = { "k" } },
      ["then"] = { properties = { x = { default = 1 } } }, ["else"] = { properties = { y = { default = 2 } } },
    }
    assert.same({ k = 1, x = 1 }, filled(given, { k = 1 }))
    assert.same({ y = 2 }, filled(given, {}))
  end)

  it("come through dynamic references", function()
    assert.same({ n = 4, a = { n = 3 } }, filled({
      ["$dynamicAnchor"] = "node", type = "object",
      properties = { n = { default = 3 }, a = { ["$dynamicRef"] = "#node" } },
    }, { n = 4, a = {} }))
  end)

  it("do not help what is required", function()
    assert.is_false(schema.compile({ type = "object", properties = { a = { default = 1 } }, required = { "a" } })
      :is_valid {})
  end)

  it("say nothing at the root", function()
    assert.same({}, filled({ type = "object", default = { a = 1 } }, {}))
  end)

  it("keep the metatables of what they copy", function()
    local given = setmetatable({}, { __jsontype = "object", __jsonorder = { "b", "a" }, __name = "mine" })
    local value = filled(object, given)
    assert.equal(1, value.a)
    assert.equal("mine", getmetatable(value).__name)
  end)
end)


describe("rille.schema.fill, integers", function()
  local function kind(given, v)
    return math.type(filled(given, v))
  end

  it("makes integers of integral floats", function()
    assert.equal("integer", kind({ type = "integer" }, 5.0))
    assert.equal("integer", kind({ type = "integer" }, -0.0))
    assert.equal("integer", kind({ type = { "integer", "null" } }, 7.0))
  end)

  it("leaves floats where numbers are wanted", function()
    assert.equal("float", kind({ type = "number" }, 5.0))
    assert.equal("float", kind({ type = { "integer", "number" } }, 5.0))
    assert.equal("float", kind(json.object {}, 5.0))
  end)

  it("leaves what no int64 holds", function()
    assert.equal("float", kind({ type = "integer" }, 1e300))
    assert.equal(1e300, filled({ type = "integer" }, 1e300))
  end)

  it("does so in lists and objects", function()
    local value = filled({ type = "array", items = { type = "integer" } }, { 1.0, 2, 3.0 })
    assert.equal("integer", math.type(value[1]))
    assert.equal("integer", math.type(value[3]))
    value = filled({ { "n", "integer" } }, { n = 2.0 })
    assert.equal("2", tostring(value.n))
  end)
end)


describe("rille.schema.fill, absent nulls", function()
  local given = {
    type = "object", required = { "must" }, properties = {
      must = { type = { "string", "null" } }, may = { type = "string" },
      nullable = { type = { "string", "null" } }, filled = { type = "integer", default = 3 },
    },
  }

  it("are dropped where null means nothing else", function()
    assert.same({ must = "a", filled = 3 }, filled(given, { must = "a", may = null, filled = null }, { absent_nulls = true }))
  end)

  it("stay where the schema takes null", function()
    assert.same({ must = null, nullable = null, filled = 3 },
      filled(given, { must = null, nullable = null }, { absent_nulls = true }))
  end)

  it("are errors where nobody asked for it", function()
    assert.is_false(schema.compile(given):is_valid { must = "a", may = null })
  end)

  it("are dropped at every depth", function()
    assert.same({ o = { p = {} } }, filled({ type = "object", properties = { o = { type = "object",
      properties = { p = { type = "object", properties = { q = { type = "integer" } } } } } } },
      { o = { p = { q = null } } }, { absent_nulls = true }))
  end)

  it("are dropped in the items of lists", function()
    local value = filled({ { "list", "array", items = { { "a", "string", optional = true } } } },
      { list = { { a = null }, { a = "x" } } })
    assert.equal('{"list":[{},{"a":"x"}]}', json.encode(value))
  end)

  it("do not make a required property absent", function()
    local compiled = schema.compile({ type = "object", properties = { a = { type = "string" } }, required = { "a" } },
      { absent_nulls = true })
    assert.is_false(compiled:is_valid { a = null })
  end)
end)
