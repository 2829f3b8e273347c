--- rille.Schema:strict: what strict mode takes, and what it cannot say.
local json = require "rille.json"
local schema = require "rille.schema"

local null = json.null

local function strict(given)
  local made, reason = schema.compile(given):strict()
  assert.is_nil(reason)
  return json.encode(made)
end


local function refusal(given)
  local made, reason = schema.compile(given):strict()
  assert.is_nil(made)
  return reason
end


local function object(member)
  return { type = "object", properties = { p = member }, required = { "p" } }
end


describe("rille.Schema:strict", function()
  it("closes the object and requires everything", function()
    assert.equal('{"type":"object","properties":{"a":{"type":"string"},"b":{"type":["integer","null"]}},'
      .. '"required":["a","b"],"additionalProperties":false}',
      strict { { "a", "string" }, { "b", "integer", optional = true } })
  end)

  it("closes an object without properties", function()
    assert.equal('{"type":"object","properties":{},"required":[],"additionalProperties":false}', strict {})
  end)

  it("does so at every depth", function()
    assert.equal('{"type":"object","properties":{"o":{"type":"object","properties":{"l":{"type":"array","items":'
      .. '{"type":"object","properties":{"x":{"type":["number","null"]}},"required":["x"],"additionalProperties":false}}},'
      .. '"required":["l"],"additionalProperties":false}},"required":["o"],"additionalProperties":false}',
      strict { { "o", "object", fields = { { "l", "array", items = { { "x", "number", optional = true } } } } } })
  end)

  it("keeps descriptions, enums and what narrows as strict mode knows it", function()
    assert.equal('{"type":"object","properties":{"u":{"type":"string","description":"U","enum":["a","b"]},'
      .. '"n":{"type":"integer","minimum":1,"maximum":9,"multipleOf":2},'
      .. '"d":{"type":"string","format":"date","pattern":"^2"},"l":{"type":"array","minItems":1,"maxItems":2,'
      .. '"items":{"type":"string"}}},"required":["u","n","d","l"],"additionalProperties":false}',
      strict { { "u", { "a", "b" }, "U" }, { "n", "integer", minimum = 1, maximum = 9, multiple_of = 2 },
        { "d", "string", format = "date", pattern = "^2" }, { "l", "array", items = "string", min_items = 1, max_items = 2 } })
  end)

  it("drops what only narrows and what it does not know", function()
    local text = strict(object { type = "string", minLength = 1, maxLength = 9, default = "x", examples = { "x" },
      ["not"] = { const = "y" }, ["x-mine"] = 1, ["$comment"] = "c" })
    assert.equal('{"type":"object","properties":{"p":{"type":"string"}},"required":["p"],"additionalProperties":false}', text)
  end)

  it("adds null to an optional enum", function()
    assert.equal('{"type":["string","null"],"enum":["a","b",null]}',
      json.encode((schema.compile { { "p", { "a", "b" }, optional = true } }:strict()).properties.p))
  end)

  it("adds null to an optional enum of an enum without type", function()
    assert.equal('{"anyOf":[{"enum":["a",1]},{"type":"null"}]}',
      json.encode((schema.compile { { "p", { "a", 1 }, optional = true } }:strict()).properties.p))
  end)

  it("adds null to optional choices, constants and references", function()
    local made = schema.compile({ type = "object", ["$defs"] = { d = { type = "string" } }, properties = {
      a = { anyOf = { { type = "string" }, { type = "integer" } } }, c = { const = "x" }, r = { ["$ref"] = "#/$defs/d" },
      t = { type = { "string", "integer" } }, n = { type = { "string", "null" } }, m = { anyOf = { { type = "null" }, { const = 1 } } },
    } }):strict()
    local p = made.properties
    assert.equal('{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}', json.encode(p.a))
    assert.equal('{"anyOf":[{"const":"x"},{"type":"null"}]}', json.encode(p.c))
    assert.equal('{"anyOf":[{"$ref":"#/$defs/d"},{"type":"null"}]}', json.encode(p.r))
    assert.equal('{"type":["string","integer","null"]}', json.encode(p.t))
    assert.equal('{"type":["string","null"]}', json.encode(p.n))
    assert.equal('{"anyOf":[{"type":"null"},{"const":1}]}', json.encode(p.m))
  end)

  it("makes anyOf of oneOf", function()
    assert.equal('{"anyOf":[{"type":"string"},{"type":"integer"}]}', json.encode(
      (schema.compile(object { oneOf = { { type = "string" }, { type = "integer" } } }):strict()).properties.p))
  end)

  it("keeps definitions and recursive references", function()
    assert.equal('{"type":"object","properties":{"child":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"n":{"$ref":"#/$defs/n"}},'
      .. '"required":["child","n"],"additionalProperties":false,"$defs":{"n":{"type":"integer"}}}',
      strict('{"type":"object","properties":{"child":{"$ref":"#"},"n":{"$ref":"#/$defs/n","description":"dropped"}},'
        .. '"required":["n"],"$defs":{"n":{"type":"integer"}}}'))
  end)

  it("leaves the schema itself alone", function()
    local compiled = schema.compile { { "a", { "x" }, optional = true, default = "x" } }
    local before = json.encode(compiled.json)
    compiled:strict()
    assert.equal(before, json.encode(compiled.json))
  end)

  it("is itself a schema that takes nulls for what is absent", function()
    local compiled = schema.compile { { "a", "string" }, { "b", "integer", optional = true } }
    local made = schema.compile((compiled:strict()))
    assert.is_true(made:is_valid { a = "x", b = null })
    assert.is_false(made:is_valid { a = "x" })
    assert.same({ a = "x" }, (compiled:validate { a = "x", b = null }))
  end)
end)


describe("rille.Schema:strict, what it cannot express", function()
  local rows = {
    { { type = "array", items = { type = "string" } }, "$: the root has to be an object, not a choice and no reference" },
    { { type = "object", ["$ref"] = "#/$defs/a", ["$defs"] = { a = true } }, "$: the root has to be an object" },
    { { type = "object", properties = { a = { ["$ref"] = "#x" } }, ["$defs"] = { b = { ["$anchor"] = "x", type = "string" } } },
      "$: a $ref names what strict mode has no place for" },
    { { anyOf = { { type = "object" } }, type = "object" }, "$: the root has to be an object, not a choice" },
    { true, "$: the root has to be an object, not a choice" },
    { { type = "object", additionalProperties = { type = "string" }, properties = {} }, "$: additionalProperties" },
    { { type = "object", additionalProperties = true, properties = {} }, "$: additionalProperties" },
    { object { type = "object" }, "$.properties.p: an object without properties" },
    { object { type = "array" }, "$.properties.p: an array without items" },
    { object(json.object {}), "$.properties.p: a schema that takes anything" },
    { object(true), "$.properties.p: a boolean schema" },
    { object { allOf = { { type = "string" } } }, "$.properties.p: allOf has no strict form" },
    { object { type = "string", ["if"] = true, ["then"] = true }, "$.properties.p: if has no strict form" },
    { object { type = "object", patternProperties = { a = true } }, "$.properties.p: patternProperties" },
    { object { type = "array", prefixItems = { true } }, "$.properties.p: prefixItems" },
    { object { type = "object", properties = {}, unevaluatedProperties = false }, "$.properties.p: unevaluatedProperties" },
    { object { anyOf = { { type = "string" } }, oneOf = { { type = "string" } } }, "anyOf beside oneOf" },
    { object { type = "array", items = { type = "array", items = true } }, "$.properties.p.items.items: a boolean" },
  }
  it("is named with its place", function()
    for _, row in ipairs(rows) do assert.matches(row[2], refusal(row[1]), 1, true) end
  end)

  it("counts levels", function()
    local deep = { type = "object", properties = {} }
    for _ = 1, 9 do deep = object(deep) end
    assert.is_nil(select(2, schema.compile(deep):strict()))
    assert.matches("more than 10 levels", refusal(object(deep)))
  end)

  it("counts properties", function()
    local many = {}
    for i = 1, 5001 do many["p" .. i] = { type = "string" } end
    assert.matches("more than 5000 properties", refusal { type = "object", properties = many })
  end)

  it("counts enum values", function()
    local many = {}
    for i = 1, 1001 do many[i] = i end
    assert.matches("more than 1000 enum values", refusal(object { enum = many }))
  end)

  it("counts characters", function()
    assert.matches("more than 120000 characters", refusal(object { enum = { ("x"):rep(120001) } }))
  end)
end)
