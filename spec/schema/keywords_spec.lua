--- Every keyword: what fits, what does not, and what a model is told then. The cases are rows; the public test suite
--- (spec/schema_suite_spec.lua) goes deeper where it is at hand, this one knows our sentences.
local json = require "rille.json"
local schema = require "rille.schema"

local null = json.null

--- Runs rows { value } (fits) and { value, message } (does not).
local function holds(description, given, rows)
  it(description, function()
    local compiled = schema.compile(given)
    for i, row in ipairs(rows) do
      local _, errors = compiled:validate(row[1])
      assert.equal(row[2], errors and schema.explain(errors) or nil, "row " .. i)
    end
  end)
end


describe("rille.schema keywords", function()
  holds("type: string", { type = "string" }, {
    { "" }, { "text" }, { "\0" },
    { 5, "$: expected string, got integer 5" },
    { 5.5, "$: expected string, got number 5.5" },
    { true, "$: expected string, got boolean true" },
    { null, "$: expected string, got null" },
    { { a = 1 }, "$: expected string, got object" },
    { { 1, 2, 3 }, "$: expected string, got array of 3 items" },
  })

  holds("type: integer", { type = "integer" }, {
    { 0 }, { -5 }, { 5.0 }, { math.maxinteger }, { math.mininteger }, { 1e300 },
    { 0.5, "$: expected integer, got number 0.5" },
    { "five", '$: expected integer, got string "five"' },
    { "5", '$: expected integer, got string "5"' },
  })

  holds("type: number", { type = "number" }, {
    { 0 }, { 0.5 }, { -1e-300 },
    { "0.5", '$: expected number, got string "0.5"' },
    { false, "$: expected number, got boolean false" },
  })

  holds("type: boolean", { type = "boolean" }, {
    { true }, { false },
    { 0, "$: expected boolean, got integer 0" },
    { "true", '$: expected boolean, got string "true"' },
  })

  holds("type: null", { type = "null" }, {
    { null }, { nil },
    { false, "$: expected null, got boolean false" },
    { "", '$: expected null, got string ""' },
  })

  holds("type: array", { type = "array" }, {
    { {} }, { { 1 } }, { json.array() },
    { json.object(), "$: expected array, got object" },
    { { a = 1 }, "$: expected array, got object" },
    { "a", '$: expected array, got string "a"' },
  })

  holds("type: object", { type = "object" }, {
    { {} }, { { a = 1 } }, { json.object() },
    { json.array(), "$: expected object, got array of 0 items" },
    { { 1 }, "$: expected object, got array of 1 item" },
  })

  holds("type: several", { type = { "string", "integer", "null" } }, {
    { "a" }, { 1 }, { null }, { 2.0 },
    { 1.5, "$: expected string, integer or null, got number 1.5" },
    { {}, "$: expected string, integer or null, got object" },
  })

  holds("enum of texts", { enum = { "celsius", "fahrenheit" } }, {
    { "celsius" }, { "fahrenheit" },
    { "celsus", '$: expected one of "celsius" or "fahrenheit", got string "celsus" (did you mean "celsius"?)' },
    { "kelvin", '$: expected one of "celsius" or "fahrenheit", got string "kelvin"' },
    { "Celsius", '$: expected one of "celsius" or "fahrenheit", got string "Celsius" (did you mean "celsius"?)' },
    { 1, '$: expected one of "celsius" or "fahrenheit", got integer 1' },
  })

  holds("enum of one", { enum = { "only" } }, {
    { "only" },
    { "none", '$: expected "only", got string "none"' },
  })

  holds("enum of everything", { enum = { 1, "1", null, false, { a = 1 }, { 1, 2 } } }, {
    { 1 }, { 1.0 }, { "1" }, { null }, { false }, { { a = 1 } }, { { a = 1.0 } }, { { 1, 2 } },
    { 0, '$: expected one of 1, "1", null, false, {"a":1} or [1,2], got integer 0' },
    { true, '$: expected one of 1, "1", null, false, {"a":1} or [1,2], got boolean true' },
    { { 2, 1 }, '$: expected one of 1, "1", null, false, {"a":1} or [1,2], got array of 2 items' },
    { { a = 2 }, '$: expected one of 1, "1", null, false, {"a":1} or [1,2], got object' },
  })

  holds("enum before type", { type = "string", enum = { "a", "b" } }, {
    { 5, '$: expected one of "a" or "b", got integer 5' },
  })

  holds("const", { const = "go" }, {
    { "go" },
    { "Go", '$: expected "go", got string "Go"' },
    { null, '$: expected "go", got null' },
  })

  holds("const null", { const = null }, {
    { null }, { nil },
    { false, "$: expected null, got boolean false" },
  })

  holds("const object", { const = { a = { 1, { b = 2 } } } }, {
    { { a = { 1, { b = 2.0 } } } },
    { { a = { 1, { b = 3 } } }, '$: expected {"a":[1,{"b":2}]}, got object' },
    { { a = { 1 } }, '$: expected {"a":[1,{"b":2}]}, got object' },
    { {}, '$: expected {"a":[1,{"b":2}]}, got object' },
  })

  holds("minimum and maximum", { minimum = 1, maximum = 10 }, {
    { 1 }, { 10 }, { 5.5 }, { "not a number" },
    { 0, "$: must be at least 1, got 0" },
    { 10.5, "$: must be at most 10, got 10.5" },
  })

  holds("exclusive limits", { exclusiveMinimum = 0, exclusiveMaximum = 1 }, {
    { 0.5 }, { {} },
    { 0, "$: must be greater than 0, got 0" },
    { 1, "$: must be less than 1, got 1" },
  })

  holds("multipleOf", { multipleOf = 0.01 }, {
    { 0.01 }, { 4.02 }, { 0 }, { -3.14 }, { 12 }, { "x" },
    { 0.005, "$: must be a multiple of 0.01, got 0.005" },
    { 4.021, "$: must be a multiple of 0.01, got 4.021" },
  })

  holds("lengths count characters", { minLength = 2, maxLength = 3 }, {
    { "ab" }, { "äöü" }, { "日本語" }, { "😀😀" }, { 5 },
    { "a", "$: must have at least 2 characters, has 1" },
    { "😀", "$: must have at least 2 characters, has 1" },
    { "äöüß", "$: must have at most 3 characters, has 4" },
  })

  holds("one character", { minLength = 1 }, {
    { "a" },
    { "", "$: must have at least 1 character, has 0" },
  })

  holds("lengths count bytes of what is no UTF-8", { maxLength = 3 }, {
    { "\xff\xfe" },
    { "\xff\xfe\xfd\xfc", "$: must have at most 3 characters, has 4" },
  })

  holds("pattern", { pattern = "^[a-z]+$" }, {
    { "abc" }, { 5 },
    { "Abc", '$: must match the pattern ^[a-z]+$, got "Abc"' },
    { "abc\n", '$: must match the pattern ^[a-z]+$, got "abc\\n"' },
  })

  holds("pattern is not anchored", { pattern = "b+" }, {
    { "abba" },
    { "acca", '$: must match the pattern b+, got "acca"' },
  })

  holds("format", { format = "date" }, {
    { "2024-02-29" }, { 5 },
    { "2023-02-29", '$: must be a date such as 2024-05-31, got "2023-02-29"' },
  })

  holds("an unknown format says nothing", { format = "colour" }, { { "anything" }, { "" } })

  holds("items", { items = { type = "string" } }, {
    { {} }, { { "a", "b" } }, { "no array" },
    { { "a", 1, "c", true }, "$[1]: expected string, got integer 1\n$[3]: expected string, got boolean true" },
  })

  holds("items: false", { items = false }, {
    { {} },
    { { 1 }, "$[0]: no value is allowed here" },
  })

  holds("prefixItems", { prefixItems = { { type = "string" }, { type = "integer" } } }, {
    { {} }, { { "a" } }, { { "a", 1 } }, { { "a", 1, true } },
    { { 1, "a" }, "$[0]: expected string, got integer 1\n$[1]: expected integer, got string \"a\"" },
  })

  holds("prefixItems and items", { prefixItems = { { type = "string" } }, items = { type = "integer" } }, {
    { { "a", 1, 2 } },
    { { "a", "b" }, '$[1]: expected integer, got string "b"' },
  })

  holds("a list of items, as older schemas have it", {
    items = { { type = "string" }, { type = "integer" } }, additionalItems = false,
  }, {
    { { "a", 1 } },
    { { 1 }, "$[0]: expected string, got integer 1" },
    { { "a", 1, 2 }, "$[2]: no value is allowed here" },
  })

  holds("numbers of items", { minItems = 1, maxItems = 2 }, {
    { { 1 } }, { { 1, 2 } }, { "x" },
    { json.array(), "$: must have at least 1 item, has 0" },
    { { 1, 2, 3 }, "$: must have at most 2 items, has 3" },
  })

  holds("uniqueItems", { uniqueItems = true }, {
    { {} }, { { 1, 2, "1", true, { a = 1 }, { 1 } } }, { { { a = 1 }, { a = 2 } } }, { { null, false } },
    { { 1, 2, 1.0 }, "$: items 0 and 2 are equal; every item must be unique" },
    { { { a = 1, b = 2 }, { b = 2, a = 1 } }, "$: items 0 and 1 are equal; every item must be unique" },
    { { "a", "a" }, "$: items 0 and 1 are equal; every item must be unique" },
  })

  holds("uniqueItems: false says nothing", { uniqueItems = false }, { { { 1, 1 } } })

  holds("contains", { contains = { type = "integer" } }, {
    { { "a", 1 } }, { "x" },
    { { "a" }, '$: must contain at least 1 matching item, contains 0 (the first item: expected integer, got string "a")' },
    { json.array(), "$: must contain at least 1 matching item, contains 0" },
  })

  holds("minContains and maxContains", { contains = { const = 1 }, minContains = 2, maxContains = 3 }, {
    { { 1, 1 } }, { { 1, 2, 1, 1 } },
    { { 1, 1, 1, 1 }, "$: must contain at most 3 matching items, contains 4" },
    { { 1 }, "$: must contain at least 2 matching items, contains 1" },
  })

  holds("minContains 0 asks for nothing", { contains = { const = 1 }, minContains = 0 }, { { json.array() }, { { 2 } } })

  holds("required", {
    properties = { city = { type = "string" }, n = { type = { "integer", "null" } } }, required = { "city", "n", "other" },
  }, {
    { { city = "a", n = 1, other = 1 } }, { "no object" },
    { { n = 1, other = 1 }, '$.city: required property "city" (string) is missing' },
    { { city = "a", citi = "b", other = 1 }, '$.n: required property "n" (integer or null) is missing' },
    { { citi = "b", n = 1, other = 1 },
      '$.city: required property "city" (string) is missing ("citi" is no name of a property)' },
    { { city = "a", n = 1 }, '$.other: required property "other" (a value) is missing' },
  })

  holds("additionalProperties: false", { properties = { city = true, unit = true }, additionalProperties = false }, {
    { {} }, { { city = 1 } },
    { { cty = 1 }, '$.cty: unknown property "cty" (did you mean "city"?); valid: "city" and "unit"' },
    { { zzz = 1, aaa = 2 }, '$.aaa: unknown property "aaa"; valid: "city" and "unit"\n'
      .. '$.zzz: unknown property "zzz"; valid: "city" and "unit"' },
  })

  holds("nothing allowed at all", { type = "object", additionalProperties = false }, {
    { {} },
    { { a = 1 }, '$.a: unknown property "a"; no properties are allowed' },
  })

  holds("additionalProperties with a schema", { properties = { a = true }, additionalProperties = { type = "integer" } }, {
    { { a = "x", b = 1 } },
    { { b = "x" }, '$.b: expected integer, got string "x"' },
  })

  holds("patternProperties", {
    patternProperties = { ["^x-"] = { type = "string" } }, additionalProperties = { type = "integer" },
  }, {
    { { ["x-a"] = "s", b = 1 } },
    { { ["x-a"] = 1 }, '$.x-a: expected string, got integer 1' },
    { { b = "s" }, '$.b: expected integer, got string "s"' },
  })

  holds("propertyNames", { propertyNames = { pattern = "^[a-z]+$" } }, {
    { { abc = 1 } }, { {} }, { "x" },
    { { Abc = 1 }, '$.Abc: the property name "Abc": must match the pattern ^[a-z]+$, got "Abc"' },
  })

  holds("propertyNames: false", { propertyNames = false }, {
    { json.object() },
    { { a = 1 }, '$.a: the property name "a": no value is allowed here' },
  })

  holds("numbers of properties", { minProperties = 1, maxProperties = 2 }, {
    { { a = 1 } }, { { a = 1, b = 2 } },
    { json.object(), "$: must have at least 1 property, has 0" },
    { { a = 1, b = 2, c = 3 }, "$: must have at most 2 properties, has 3" },
  })

  holds("dependentRequired", { dependentRequired = { card = { "address", "name" } } }, {
    { {} }, { { name = 1 } }, { { card = 1, address = 1, name = 1 } },
    { { card = 1 }, '$.address: property "address" is required when "card" is present\n'
      .. '$.name: property "name" is required when "card" is present' },
  })

  holds("dependentSchemas", { dependentSchemas = { card = { required = { "address" } } } }, {
    { {} }, { { card = 1, address = 1 } },
    { { card = 1 }, '$.address: required property "address" (a value) is missing' },
  })

  holds("allOf tells all", { allOf = { { minimum = 5 }, { multipleOf = 2 } } }, {
    { 6 },
    { 3, "$: must be at least 5, got 3\n$: must be a multiple of 2, got 3" },
  })

  holds("anyOf of types", { anyOf = { { type = "integer" }, { type = "null" }, { type = "string", maxLength = 3 } } }, {
    { 1 }, { null }, { "abc" },
    { true, "$: expected integer, null or string, got boolean true" },
    { "abcd", '$: expected integer, null or at most 3 characters, got string "abcd"' },
  })

  holds("anyOf tells of the branch that got furthest", {
    anyOf = {
      { type = "string" },
      { type = "object", properties = { a = { type = "object", properties = { b = { type = "integer" } } } } },
      { type = "object", properties = { a = { type = "integer" } }, required = { "c" } },
    },
  }, {
    { { a = { b = 1 } } },
    { { a = { b = "x" } }, '$.a.b: expected integer, got string "x"' },
  })

  local shapes = {
    oneOf = {
      { type = "object", properties = { kind = { const = "circle" }, r = { type = "number" } }, required = { "kind", "r" } },
      { type = "object", properties = { kind = { const = "square" }, side = { type = "number" } }, required = { "kind", "side" } },
      { type = "object", properties = { kind = { enum = { "point", "dot" } } }, required = { "kind" } },
    },
  }

  holds("oneOf with a member that tells the branches apart", shapes, {
    { { kind = "circle", r = 1 } }, { { kind = "square", side = 2 } }, { { kind = "dot" } },
    { { kind = "circle", r = "1" }, '$.r: expected number, got string "1"' },
    { { kind = "square" }, '$.side: required property "side" (number) is missing' },
    { { kind = "line" }, '$.kind: expected one of "circle", "square", "point" or "dot", got string "line"' },
  })

  holds("oneOf that fits twice", { oneOf = { { type = "integer" }, { type = "number" }, { const = "x" } } }, {
    { 1.5 }, { "x" },
    { 1, "$: must fit exactly one of the alternatives, fits 1 and 2" },
  })

  holds("not", { ["not"] = { type = "string" } }, {
    { 1 },
    { "a", '$: expected something that does not fit {"type":"string"}, got string "a"' },
  })

  holds("if, then, else", {
    ["if"] = { properties = { kind = { const = "a" } }, required = { "kind" } },
    ["then"] = { required = { "x" } }, ["else"] = { required = { "y" } },
  }, {
    { { kind = "a", x = 1 } }, { { y = 1 } },
    { { kind = "a" }, '$.x: required property "x" (a value) is missing' },
    { { kind = "b" }, '$.y: required property "y" (a value) is missing' },
  })

  holds("if alone says nothing", { ["if"] = { type = "string" } }, { { 1 }, { "a" } })
  holds("then without if says nothing", { ["then"] = false, ["else"] = false }, { { 1 } })

  holds("$ref beside other keywords", {
    ["$defs"] = { name = { type = "string" } },
    properties = { a = { ["$ref"] = "#/$defs/name", minLength = 2 } },
  }, {
    { { a = "xy" } },
    { { a = 5 }, "$.a: expected string, got integer 5" },
    { { a = "x" }, "$.a: must have at least 2 characters, has 1" },
  })

  holds("keywords that are not ours say nothing", {
    title = 5, ["x-order"] = {}, example = 1, ["$comment"] = "c", contentMediaType = "application/json",
  }, { { "{" }, { 5 } })

  holds("long values are shown in part", { type = "integer" }, {
    { ("a"):rep(200), '$: expected integer, got string "' .. ("a"):rep(80) .. '…"' },
    { ("ä"):rep(100), '$: expected integer, got string "' .. ("ä"):rep(40) .. '…"' },
  })

  it("shows long lists of values in part", function()
    local values = {}
    for i = 1, 100 do values[i] = "v" .. i end
    local _, errors = schema.compile { enum = values }:validate "w"
    assert.matches('"v40" … %(100 in all%)', errors[1].message)
    assert.is_nil(errors[1].message:find('"v41"', 1, true))
  end)
end)
