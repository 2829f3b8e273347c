--- rille.schema.form and refine: the ordered form, as JSON.
local json = require "rille.json"
local schema = require "rille.schema"

--- The JSON of an ordered form.
local function text(form)
  return json.encode(schema.compile(form).json)
end


--- The JSON of one parameter, `p`.
local function entry(...)
  local list = table.pack(...)
  local made = { "p", list[1], list[2] }
  for key, v in pairs(list[3] or {}) do made[key] = v end
  return json.encode(schema.compile { made }.json.properties.p)
end


local function raised(form)
  local ok, message = pcall(schema.compile, form)
  assert.is_false(ok)
  return message
end


describe("rille.schema.form, types", function()
  it("knows all JSON types", function()
    for _, name in ipairs { "string", "integer", "number", "boolean", "object", "array", "null" } do
      assert.equal(('{"type":"%s"}'):format(name), entry(name))
    end
  end)

  it("takes any for everything", function()
    assert.equal("{}", entry "any")
    assert.is_true(schema.compile { { "p", "any" } }:is_valid { p = { 1, { 2 } } })
  end)

  it("takes true for everything", function()
    assert.equal("{}", entry(true))
  end)

  it("takes a list of texts for an enum", function()
    assert.equal('{"type":"string","enum":["celsius","fahrenheit"]}', entry { "celsius", "fahrenheit" })
  end)

  it("takes a list of integers for an enum", function()
    assert.equal('{"type":"integer","enum":[1,2,3]}', entry { 1, 2, 3 })
  end)

  it("says no type for an enum of several", function()
    assert.equal('{"enum":["auto",1]}', entry { "auto", 1 })
  end)

  it("takes a JSON Schema table", function()
    assert.equal('{"minLength":1,"type":"string"}', entry { type = "string", minLength = 1 })
  end)

  it("takes a compiled schema", function()
    local point = schema.compile { { "x", "number" } }
    assert.equal('{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}', entry(point))
    assert.is_false(schema.compile { { "p", point } }:is_valid { p = { x = 1, y = 2 } })
  end)

  it("takes an ordered form for an object", function()
    assert.equal('{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"string"}},"required":["b","a"]}',
      entry { { "b", "string" }, { "a", "string" } })
  end)

  it("takes a type with refinements", function()
    assert.equal('{"type":"array","items":{"type":"integer","minimum":1}}',
      entry("array", nil, { items = { "integer", minimum = 1 } }))
  end)

  it("takes an entry whose type is named", function()
    local wanted = '{"type":"array","items":{"type":"object","description":"One.","properties":{"k":{"type":"string"}},"required":["k"]}}'
    assert.equal(wanted, entry("array", nil, { items = { type = "object", description = "One.", fields = { { "k", "string" } } } }))
    assert.equal(wanted, entry("array", nil, { items = { description = "One.", fields = { { "k", "string" } } } }))
    assert.equal('{"type":"string","minLength":2}', entry { type = "string", min_length = 2 })
    assert.equal('{"minLength":2,"type":"string"}', entry { type = "string", minLength = 2 })
    assert.matches("unknown key 'maxLength'", raised { { "p", { type = "string", min_length = 2, maxLength = 3 } } })
  end)

  it("takes the description of a type with refinements", function()
    assert.equal('{"type":"array","items":{"type":"string","description":"A tag.","maxLength":9}}',
      entry("array", nil, { items = { "string", "A tag.", max_length = 9 } }))
  end)
end)


describe("rille.schema.form, descriptions and order", function()
  it("writes type, description and refinements in this order", function()
    assert.equal('{"type":"integer","description":"How many.","minimum":1,"maximum":9,"default":5}',
      entry("integer", "How many.", { maximum = 9, minimum = 1, default = 5 }))
  end)

  it("takes the description as a key as well", function()
    assert.equal('{"type":"string","description":"D"}', entry("string", nil, { description = "D" }))
  end)

  it("prefers the description in its place", function()
    assert.equal('{"type":"string","description":"D"}', entry("string", "D", { description = "E" }))
  end)

  it("writes a title", function()
    assert.equal('{"type":"string","title":"T","description":"D"}', entry("string", "D", { title = "T" }))
  end)

  it("writes title and description of the form", function()
    assert.equal('{"type":"object","title":"T","description":"D","properties":{"a":{"type":"string"}},"required":["a"]}',
      text { { "a", "string" }, title = "T", description = "D" })
  end)

  it("writes a description over a JSON Schema without changing it", function()
    local shared = { type = "string", description = "old" }
    assert.equal('{"description":"new","type":"string"}', entry(shared, "new"))
    assert.equal("old", shared.description)
  end)

  it("keeps the order of the parameters, in required too", function()
    local form = {}
    for i = 1, 20 do form[i] = { ("p%02d"):format(21 - i), "string" } end
    local compiled = schema.compile(form)
    local required = json.decode(json.encode(compiled.json.required))
    assert.equal("p20", required[1])
    assert.equal("p01", required[20])
    local order = {}
    for name in json.encode(compiled.json.properties):gmatch '"(p%d%d)":' do order[#order + 1] = name end
    assert.same(required, setmetatable(order, getmetatable(required)))
  end)
end)


describe("rille.schema.form, optional and default", function()
  it("requires what is neither optional nor has a default", function()
    assert.equal('{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},'
      .. '"c":{"type":"string","default":"x"}},"required":["a"]}',
      text { { "a", "string" }, { "b", "string", optional = true }, { "c", "string", default = "x" } })
  end)

  it("leaves required out when it would be empty", function()
    assert.equal('{"type":"object","properties":{"b":{"type":"string"}}}', text { { "b", "string", optional = true } })
  end)

  it("requires what has a default when it says so", function()
    local compiled = schema.compile { { "a", "string", default = "x", optional = false } }
    assert.same({ "a" }, json.decode(json.encode(compiled.json.required), { nulls = false }))
  end)

  it("takes false for a default", function()
    assert.equal('{"type":"boolean","default":false}', entry("boolean", nil, { default = false }))
    assert.same({ p = false }, (schema.compile { { "p", "boolean", default = false } }:validate {}))
  end)

  it("writes an empty default as what it is", function()
    assert.equal('{"type":"array","default":[]}', entry("array", nil, { default = {} }))
    assert.equal('{"type":"object","default":{}}', entry("object", nil, { default = {} }))
  end)

  local wrong = {
    { { "p", "integer", default = "5" }, 'default of p: expected integer, got string "5"' },
    { { "p", "integer", minimum = 1, default = 0 }, "default of p: must be at least 1, got 0" },
    { { "p", { "a", "b" }, default = "c" }, 'default of p: expected one of "a" or "b", got string "c"' },
    { { "p", "array", items = "string", default = { 1 } }, "default of p: expected string, got integer 1" },
  }
  it("raises for a default that does not fit", function()
    for _, case in ipairs(wrong) do assert.matches(case[2], raised { case[1] }, 1, true) end
  end)

  it("does not hold defaults of a JSON Schema against it", function()
    assert.is_true(schema.compile({ type = "object",
      properties = { a = { type = "integer", default = "x" } } }):is_valid { a = 1 })
  end)
end)


describe("rille.schema.form, refinements", function()
  local rows = {
    { "string", { min_length = 1, max_length = 5 }, '{"type":"string","minLength":1,"maxLength":5}' },
    { "string", { pattern = "^a" }, '{"type":"string","pattern":"^a"}' },
    { "string", { format = "date" }, '{"type":"string","format":"date"}' },
    { "string", { const = "x" }, '{"type":"string","const":"x"}' },
    { "string", { enum = { "a", "b" } }, '{"type":"string","enum":["a","b"]}' },
    { "string", { examples = { "a" } }, '{"type":"string","examples":["a"]}' },
    { "string", { deprecated = true }, '{"type":"string","deprecated":true}' },
    { "number", { minimum = 0.5, maximum = 1 }, '{"type":"number","minimum":0.5,"maximum":1}' },
    { "integer", { exclusive_minimum = 0, exclusive_maximum = 9 },
      '{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":9}' },
    { "integer", { multiple_of = 5 }, '{"type":"integer","multipleOf":5}' },
    { "array", { items = "string", min_items = 1, max_items = 3, unique_items = true },
      '{"type":"array","minItems":1,"maxItems":3,"uniqueItems":true,"items":{"type":"string"}}' },
    { "array", { items = { "a", "b" } }, '{"type":"array","items":{"type":"string","enum":["a","b"]}}' },
    { "array", { items = { { "x", "number" } } },
      '{"type":"array","items":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}}' },
    { "array", { items = { type = "array", items = { type = "integer" } } },
      '{"type":"array","items":{"items":{"type":"integer"},"type":"array"}}' },
    { "object", { fields = { { "a", "string" } } },
      '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}' },
    { "object", { additional = "string" }, '{"type":"object","additionalProperties":{"type":"string"}}' },
    { "object", { additional = false }, '{"type":"object","additionalProperties":false}' },
    { "object", { additional = true }, '{"type":"object"}' },
    { "object", { min_properties = 1, max_properties = 2 },
      '{"type":"object","minProperties":1,"maxProperties":2}' },
    { "string", { nullable = true }, '{"type":["string","null"]}' },
    { { "a", "b" }, { nullable = true }, '{"type":["string","null"],"enum":["a","b",null]}' },
  }
  it("are written as keywords", function()
    for _, row in ipairs(rows) do assert.equal(row[3], entry(row[1], nil, row[2])) end
  end)

  it("says what an entry without type is by its fields", function()
    assert.equal('{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}',
      entry(nil, nil, { fields = { { "a", "string" } } }))
  end)

  it("says what an entry without type is by its items", function()
    assert.equal('{"type":"array","items":{"type":"string"}}', entry(nil, nil, { items = "string" }))
  end)

  it("joins types by any_of, one_of and all_of", function()
    assert.equal('{"anyOf":[{"type":"string"},{"type":"integer"}]}', entry(nil, nil, { any_of = { "string", "integer" } }))
    assert.equal('{"oneOf":[{"type":"string","enum":["a"]},{"type":"integer"}]}',
      entry(nil, nil, { one_of = { { "a" }, "integer" } }))
    assert.equal('{"allOf":[{"type":"string"},{"minLength":2}]}', entry(nil, nil, { all_of = { "string", { minLength = 2 } } }))
  end)

  it("adds null to an any_of that is nullable", function()
    assert.equal('{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}',
      entry(nil, nil, { any_of = { "string", "integer" }, nullable = true }))
  end)

  it("wraps what has no type when it is nullable", function()
    assert.equal('{"anyOf":[{"const":5},{"type":"null"}]}', entry(nil, nil, { const = 5, nullable = true }))
  end)

  it("nests as deep as one likes", function()
    local compiled = schema.compile {
      { "a", "object", fields = { { "b", "array", items = { { "c", "object", fields = { { "d", "integer" } } } } } } },
    }
    assert.is_true(compiled:is_valid { a = { b = { { c = { d = 1 } } } } })
    local _, errors = compiled:validate { a = { b = { { c = { d = "1" } } } } }
    assert.equal("$.a.b[0].c.d", errors[1].path)
  end)

  it("does not share tables with its author", function()
    local values = { "a", "b" }
    local compiled = schema.compile { { "p", values } }
    values[1] = "z"
    assert.is_true(compiled:is_valid { p = "a" })
  end)
end)


describe("rille.schema.form, what is not said is refused", function()
  it("refuses names that the form does not have", function()
    local _, errors = schema.compile { { "city", "string", optional = true } }:validate { citi = "Rome" }
    assert.equal('unknown property "citi" (did you mean "city"?); valid: "city"', errors[1].message)
  end)

  it("sends nothing of that", function()
    assert.is_nil(schema.compile({ { "city", "string" } }).json.additionalProperties)
  end)

  it("refuses them in nested forms, too", function()
    local compiled = schema.compile { { "o", "object", fields = { { "a", "string", optional = true } } } }
    assert.is_false(compiled:is_valid { o = { b = 1 } })
  end)

  it("takes them when additional says so", function()
    local compiled = schema.compile { { "a", "string" }, additional = true }
    assert.same({ a = "x", b = 1 }, (compiled:validate { a = "x", b = 1 }))
  end)

  it("holds them to the type that additional says", function()
    local compiled = schema.compile { { "a", "string" }, additional = "integer" }
    assert.is_true(compiled:is_valid { a = "x", b = 1 })
    assert.is_false(compiled:is_valid { a = "x", b = "y" })
  end)

  it("takes nothing but additional names", function()
    local compiled = schema.compile { additional = "integer" }
    assert.equal('{"type":"object","properties":{},"additionalProperties":{"type":"integer"}}', json.encode(compiled.json))
    assert.is_true(compiled:is_valid { b = 1 })
    assert.is_false(compiled:is_valid { b = "y" })
  end)

  it("drops what a model invents where there are no parameters", function()
    assert.same({}, (schema.compile {}:validate { reason = "because", _ = 1 }))
  end)

  it("leaves an object without fields open", function()
    assert.is_true(schema.compile { { "o", "object" } }:is_valid { o = { anything = 1 } })
  end)
end)


describe("rille.schema.form, wrong forms", function()
  local rows = {
    { { { "p", "strng" } }, "'p': unknown type 'strng' (did you mean 'string'?)" },
    { { { "p", "str" } }, "'p': unknown type 'str' (did you mean 'string'?)" },
    { { { "p", 5 } }, "'p': a type expected, got number" },
    { { { "p" } }, "'p': a type is missing" },
    { { { "p", "string", optinal = true } }, "'p': unknown key 'optinal' (did you mean 'optional'?)" },
    { { { "p", "string", minLength = 1 } }, "'p': unknown key 'minLength' (did you mean 'min_length'?)" },
    { { { "p", "string", max = 1 } }, "'p': unknown key 'max'" },
    { { { "p", "string", required = true } }, "'p': unknown key 'required'" },
    { { { "p", "string", minimum = 1 } }, "'p': 'minimum' is for type number, not string" },
    { { { "p", "integer", pattern = "a" } }, "'p': 'pattern' is for type string, not integer" },
    { { { "p", "string", items = "string" } }, "'p': 'items' is for type array" },
    { { { "p", "string", fields = {} } }, "'p': 'fields' is for type object" },
    { { { "p", "string", 5 } }, "'p': description: string expected, got number" },
    { { { "p", "string", "d", "e" } }, "'p': more than name, type and description" },
    { { { "p", "object", fields = { { "q", "strng" } } } }, "'p.q': unknown type 'strng'" },
    { { { "p", "array", items = { { "q", "strng" } } } }, "'p.q': unknown type 'strng'" },
    { { { "p", "object", fields = "x" } }, "'p': a list of fields expected, got string" },
    { { { "p", nil, nil, any_of = {} } }, "'p': any_of: a list of types expected" },
    { { { "p", "string" }, { "p", "integer" } }, "'p': stands twice" },
    { { { 5, "string" } }, "entry 1: { name, type, description, … } expected" },
    { { { "p", "string" }, "q" }, "entry 2: { name, type, description, … } expected" },
    { { { "p", "string" }, aditional = true }, "unknown key 'aditional' (did you mean 'additional'?)" },
    { { { "p", "string", pattern = "(" } }, "properties.p: pattern" },
    { { { "p", "string", min_length = "1" } }, "properties.p: minLength: an integer" },
    { { { "p", { type = "strng" } } }, "properties.p: unknown type" },
  }
  it("raise with the place and what would be right", function()
    for _, row in ipairs(rows) do assert.matches(row[2], raised(row[1]), 1, true) end
  end)
end)
