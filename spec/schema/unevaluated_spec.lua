--- rille.schema.unevaluated: what no other keyword looked at.
local schema = require "rille.schema"

local function holds(description, given, rows)
  it(description, function()
    local compiled = schema.compile(given)
    for _, row in ipairs(rows) do
      local _, errors = compiled:validate(row[1])
      assert.equal(row[2], errors and schema.explain(errors) or nil)
    end
  end)
end


describe("unevaluatedProperties", function()
  holds("sees properties beside it", { properties = { a = true }, unevaluatedProperties = false }, {
    { { a = 1 } }, { {} }, { "x" },
    { { b = 1 }, '$.b: unknown property "b"; valid: "a"' },
  })

  holds("sees into allOf", { allOf = { { properties = { a = true } }, { properties = { b = true } } },
    unevaluatedProperties = false }, {
    { { a = 1, b = 2 } },
    { { c = 1 }, '$.c: unknown property "c"; no properties are allowed' },
  })

  holds("sees only the branches that fit", {
    anyOf = {
      { properties = { kind = { const = "a" }, x = true }, required = { "kind" } },
      { properties = { kind = { const = "b" }, y = true }, required = { "kind" } },
    },
    unevaluatedProperties = false,
  }, {
    { { kind = "a", x = 1 } }, { { kind = "b", y = 1 } },
    { { kind = "a", y = 1 }, '$.y: unknown property "y"; no properties are allowed' },
  })

  holds("sees then and else", {
    ["if"] = { properties = { k = { const = 1 } }, required = { "k" } },
    ["then"] = { properties = { x = true } }, ["else"] = { properties = { y = true } }, unevaluatedProperties = false,
  }, {
    { { k = 1, x = 1 } }, { { y = 1 } },
    { { k = 1, y = 1 }, '$.y: unknown property "y"; no properties are allowed' },
    { { x = 1 }, '$.x: unknown property "x"; no properties are allowed' },
  })

  holds("sees through references", {
    ["$defs"] = { base = { properties = { a = true } } }, ["$ref"] = "#/$defs/base", properties = { b = true },
    unevaluatedProperties = false,
  }, {
    { { a = 1, b = 2 } },
    { { c = 1 }, '$.c: unknown property "c"; valid: "b"' },
  })

  holds("sees patterns and what depends", {
    patternProperties = { ["^x"] = true }, dependentSchemas = { a = { properties = { a = true, b = true } } },
    unevaluatedProperties = false,
  }, {
    { { x1 = 1 } }, { { a = 1, b = 1 } },
    { { b = 1 }, '$.b: unknown property "b"; no properties are allowed' },
  })

  holds("has nothing left after additionalProperties", { additionalProperties = true, unevaluatedProperties = false }, {
    { { anything = 1 } },
  })

  holds("may be a schema", { properties = { a = true }, unevaluatedProperties = { type = "integer" } }, {
    { { a = "x", b = 1 } },
    { { b = "x" }, '$.b: expected integer, got string "x"' },
  })

  holds("sees nothing under not", { ["not"] = { ["not"] = { properties = { a = true } } }, unevaluatedProperties = false }, {
    { { a = 1 }, '$.a: unknown property "a"; no properties are allowed' },
  })
end)


describe("unevaluatedItems", function()
  holds("sees leading items", { prefixItems = { true }, unevaluatedItems = false }, {
    { { 1 } }, { {} }, { "x" },
    { { 1, 2, 3 }, "$[1]: no value is allowed here\n$[2]: no value is allowed here" },
  })

  holds("has nothing left after items", { items = true, unevaluatedItems = false }, { { { 1, 2 } } })

  holds("sees what contains found", { contains = { type = "string" }, unevaluatedItems = { type = "integer" } }, {
    { { "a", 1 } },
    { { "a", true }, "$[1]: expected integer, got boolean true" },
  })

  holds("sees into branches", {
    prefixItems = { true }, anyOf = { { prefixItems = { true, { const = 1 } } }, { prefixItems = { true, true, { const = 2 } } } },
    unevaluatedItems = false,
  }, {
    { { 0, 1 } }, { { 0, 9, 2 } },
    { { 0, 1, 3 }, "$[2]: no value is allowed here" },
  })

  holds("works beside unevaluatedProperties", { unevaluatedItems = false, unevaluatedProperties = false }, {
    { { 1 }, "$[0]: no value is allowed here" },
    { { a = 1 }, '$.a: unknown property "a"; no properties are allowed' },
    { "x" },
  })
end)
