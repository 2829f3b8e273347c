--- rille.schema: what callers see. What each part does in detail stands in spec/schema/.
local core = require "rille.core"
local json = require "rille.json"
local schema = require "rille.schema"

--- The message that fn raises.
local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return message
end


--- The errors as text, for a value that must not fit.
local function broken(compiled, v)
  local value, errors = compiled:validate(v)
  assert.is_nil(value)
  return schema.explain(errors)
end


describe("rille.schema.compile", function()
  it("takes the ordered form", function()
    local compiled = schema.compile { { "x", "integer" }, { "y", "integer", optional = true } }
    assert.same({ x = 1 }, compiled:validate { x = 1 })
  end)

  it("takes a JSON Schema table", function()
    local compiled = schema.compile { type = "object", properties = { x = { type = "integer" } } }
    assert.same({ x = 1 }, compiled:validate { x = 1 })
    assert.equal('$.x: expected integer, got string "1"', broken(compiled, { x = "1" }))
  end)

  it("takes JSON text", function()
    local compiled = schema.compile '{"type":"array","items":{"type":"string"}}'
    assert.same({ "a" }, compiled:validate { "a" })
    assert.equal("$[1]: expected string, got integer 2", broken(compiled, { "a", 2 }))
  end)

  it("takes true and false", function()
    assert.is_true(schema.compile(true):is_valid(5))
    assert.is_false(schema.compile(false):is_valid(5))
  end)

  it("gives a compiled schema back as it is", function()
    local compiled = schema.compile { { "x", "integer" } }
    assert.equal(compiled, schema.compile(compiled))
  end)

  it("keeps a compiled ordered form closed when it is compiled with other options", function()
    local again = schema.compile(schema.compile { { "x", "integer" } }, { absent_nulls = false })
    assert.is_false(again:is_valid { x = 1, y = 2 })
  end)

  it("reads an empty table as a form without parameters", function()
    local compiled = schema.compile {}
    assert.equal('{"type":"object","properties":{}}', json.encode(compiled.json))
    assert.same({}, compiled:validate {})
  end)

  it("reads a marked empty table as the schema that takes everything", function()
    local compiled = schema.compile(json.object {})
    assert.equal(5, compiled:validate(5))
    assert.equal("text", compiled:validate "text")
  end)

  it("reads a list of texts as an enum", function()
    local compiled = schema.compile { "red", "green" }
    assert.equal("red", compiled:validate "red")
    assert.is_false(compiled:is_valid "blue")
  end)

  it("does not see later changes of the table it was given", function()
    local given = { type = "object", properties = { x = { type = "integer" } } }
    local compiled = schema.compile(given)
    given.properties.x.type = "string"
    assert.same({ x = 1 }, compiled:validate { x = 1 })
    assert.equal("integer", compiled.json.properties.x.type)
  end)

  it("says which values are compiled schemas", function()
    assert.is_true(schema.is(schema.compile(true)))
    assert.is_false(schema.is { type = "object" })
    assert.is_false(schema.is(nil))
  end)
end)


describe("rille.schema.compile, wrong arguments", function()
  it("raises at the caller's line", function()
    local message = raised(function()
      schema.compile { { "x", "strng" } }
    end)
    assert.matches("schema_spec.lua:%d+: schema: 'x': unknown type 'strng' %(did you mean 'string'%?%)", message)
  end)

  it("opens messages with the name it was given", function()
    local message = raised(schema.compile, { { "x", "strng" } }, { name = "output" })
    assert.matches("^output: 'x':", message)
  end)

  it("raises for an unknown option", function()
    local message = raised(function() schema.compile(true, { format = true }) end)
    assert.matches("unknown option 'format' %(did you mean 'formats'%?%)", message)
  end)

  it("raises for text that is no JSON", function()
    assert.matches("schema: not JSON: ", raised(schema.compile, "{"))
    assert.matches("schema: not JSON: ", raised(schema.compile, ""))
  end)

  it("raises for what is no schema at all", function()
    assert.matches("a schema %(a table or a boolean%) expected, got integer 5", raised(schema.compile, 5))
    assert.matches("expected, got null", raised(schema.compile, nil))
    assert.matches("expected, got array of 2 items", raised(schema.compile, "[1,2]"))
  end)

  local wrong = {
    { "an unknown type", { type = "strng" }, 'unknown type "strng" %(did you mean "string"%?%)' },
    { "a type list with an unknown one", { type = { "string", "nul" } }, 'did you mean "null"' },
    { "a limit that is no number", { minimum = "1" }, "minimum: a number expected" },
    { "a multiple of nothing", { multipleOf = 0 }, "multipleOf: a number greater than 0 expected" },
    { "a negative count", { minLength = -1 }, "minLength: an integer of 0 or more expected" },
    { "half a count", { maxItems = 1.5 }, "maxItems: an integer of 0 or more expected" },
    { "a broken pattern", { pattern = "(a" }, "pattern .*missing %)" },
    { "a pattern that is no text", { pattern = 5 }, "pattern: a string expected" },
    { "a format that is no text", { format = 5 }, "format: a string expected" },
    { "an enum that is no list", { enum = "a" }, "enum: a list expected" },
    { "an enum that is an object", { enum = { a = 1 } }, "enum: a list expected" },
    { "required that is no list", { required = true }, "required: a list of property names expected" },
    { "required with a number", { required = { 5 } }, "required: a list of property names expected" },
    { "properties that are a list", { properties = { "a" } }, "properties: an object expected" },
    { "properties that are a text", { properties = "a" }, "properties: an object expected" },
    { "a property that is no schema", { properties = { a = 5 } }, "properties.a: a schema" },
    { "items that are no schema", { items = 5 }, "items: a schema" },
    { "an empty anyOf", { anyOf = {} }, "anyOf: a list of schemas expected" },
    { "an allOf that is a schema", { allOf = { type = "string" } }, "allOf: a list of schemas expected" },
    { "a branch that is no schema", { oneOf = { true, "x" } }, "oneOf.1: a schema" },
    { "a reference that is no text", { ["$ref"] = 5 }, "$ref: a string expected" },
    { "a reference to nothing", { ["$ref"] = "#/$defs/x" }, '$ref: "#/$defs/x" points to nothing' },
    { "an unknown anchor", { ["$ref"] = "#x" }, '$ref: "#x" points to nothing' },
    { "a remote reference", { ["$ref"] = "http://x.org/y" }, "remote schemas are not fetched" },
    { "wrong dependencies", { dependentRequired = { a = "b" } }, "a list of property names expected" },
    { "prefixItems that are an object", { prefixItems = { a = true } }, "prefixItems: a list of schemas" },
    { "a wrong minContains", { contains = true, minContains = -1 }, "minContains: an integer" },
  }
  it("raises for a broken schema and names the place", function()
    for _, case in ipairs(wrong) do
      local message = raised(schema.compile, { type = "object", properties = { p = case[2] } })
      assert.matches(case[3]:gsub("%$", "%%$"), message, 1, false, case[1])
      assert.matches("properties%.p", message)
    end
  end)

  it("raises for a schema that holds itself", function()
    local endless = { type = "object" }
    endless.properties = { a = endless, b = endless }
    assert.matches("a table holds itself; use %$ref", raised(schema.compile, endless))
  end)

  it("raises for a schema that nests without end", function()
    local deep = { type = "string" }
    for _ = 1, 200 do deep = { type = "array", items = deep } end
    assert.matches("nests deeper than 128", raised(schema.compile, deep))
  end)

  it("takes a table that stands in several places", function()
    local name = { type = "string", minLength = 1 }
    local compiled = schema.compile {
      type = "object", properties = { a = name, b = name, c = { type = "array", items = name } },
    }
    assert.is_true(compiled:is_valid { a = "x", b = "y", c = { "z" } })
    assert.equal("$.c[0]: must have at least 1 character, has 0", broken(compiled, { c = { "" } }))
  end)

  it("is done in no time for a table that is shared at every level", function()
    local shared = { type = "string" }
    for _ = 1, 60 do shared = { type = "object", properties = { a = shared, b = shared } } end
    local before = os.clock()
    schema.compile(shared)
    assert.is_true(os.clock() - before < 0.5)
  end)
end)


describe("rille.Schema:validate", function()
  it("gives nil and all errors, in the author's order", function()
    local compiled = schema.compile {
      { "zeta", "integer" }, { "alpha", "string" }, { "mid", { "a", "b" } },
    }
    assert.equal(table.concat({
      "$.zeta: expected integer, got boolean true",
      "$.alpha: expected string, got array of 1 item",
      '$.mid: expected one of "a" or "b", got object',
    }, "\n"), broken(compiled, { zeta = true, alpha = { 1 }, mid = { k = 1 } }))
  end)

  it("gives each error a path, what was expected, what was there and a sentence", function()
    local compiled = schema.compile { { "items", "array", items = { { "name", "string" } } } }
    local _, errors = compiled:validate { items = { { name = "a" }, { name = 7 } } }
    assert.same({ {
      path = "$.items[1].name", expected = "string", got = "integer 7",
      message = "expected string, got integer 7",
    } }, errors)
  end)

  it("writes names that are no identifiers in brackets", function()
    local compiled = schema.compile { type = "object", additionalProperties = { type = "string" } }
    assert.equal('$["odd name"]: expected string, got integer 1', broken(compiled, { ["odd name"] = 1 }))
    assert.equal('$["a\\"b"]: expected string, got integer 1', broken(compiled, { ['a"b'] = 1 }))
    assert.equal('$["1"]: expected string, got integer 1', broken(compiled, { ["1"] = 1 }))
  end)

  it("tells at most twenty errors", function()
    local compiled = schema.compile { type = "array", items = { type = "string" } }
    local many = {}
    for i = 1, 1000 do many[i] = i end
    local _, errors = compiled:validate(many)
    assert.equal(20, #errors)
  end)

  it("counts nil as null", function()
    assert.equal(json.null, (schema.compile { type = "null" }:validate(nil)))
    assert.is_false(schema.compile { type = "string" }:is_valid(nil))
  end)

  it("gives a valid false back as false", function()
    local value, errors = schema.compile { type = "boolean" }:validate(false)
    assert.is_false(value)
    assert.is_nil(errors)
  end)

  it("coerces nothing", function()
    local cases = {
      { "integer", "5" }, { "integer", 5.5 }, { "integer", true }, { "number", "5.5" },
      { "string", 5 }, { "string", true }, { "boolean", "true" }, { "boolean", 1 }, { "boolean", 0 },
      { "array", "a" }, { "array", '["a"]' }, { "object", "{}" }, { "null", "" }, { "null", false },
    }
    for _, case in ipairs(cases) do
      assert.is_false(schema.compile({ type = case[1] }):is_valid(case[2]), case[1])
    end
  end)

  it("does not change the value it was given", function()
    local compiled = schema.compile { { "a", "integer", default = 1 }, { "b", "object", optional = true,
      fields = { { "c", "integer", default = 2 } } } }
    local given = { b = {} }
    local filled = compiled:validate(given)
    assert.same({ a = 1, b = { c = 2 } }, filled)
    assert.same({ b = {} }, given)
  end)

  it("gives the very same table back when there is nothing to fill", function()
    local compiled = schema.compile { { "a", "integer" }, { "b", "string", optional = true } }
    local given = { a = 1 }
    assert.equal(given, compiled:validate(given))
  end)

  it("validates many values with one compiled schema", function()
    local compiled = schema.compile { { "n", "integer", minimum = 0 } }
    for i = -50, 50 do
      assert.equal(i >= 0, compiled:is_valid { n = i })
    end
  end)
end)


describe("rille.Schema, the tables of Lua", function()
  local list = schema.compile { type = "array" }
  local object = schema.compile { type = "object" }

  it("takes an empty table that says nothing for either", function()
    assert.is_true(list:is_valid {})
    assert.is_true(object:is_valid {})
  end)

  it("believes an empty table that says what it is", function()
    assert.is_true(list:is_valid(json.array()))
    assert.is_false(object:is_valid(json.array()))
    assert.is_true(object:is_valid(json.object()))
    assert.is_false(list:is_valid(json.object()))
  end)

  it("takes a table with entries for what it looks like", function()
    assert.is_true(list:is_valid { 1, 2 })
    assert.is_false(object:is_valid { 1, 2 })
    assert.is_true(object:is_valid { a = 1 })
    assert.is_false(list:is_valid { a = 1 })
  end)

  it("knows decoded JSON", function()
    assert.is_true(list:is_valid(json.decode "[]"))
    assert.is_false(object:is_valid(json.decode "[]"))
    assert.is_true(object:is_valid(json.decode "{}"))
  end)

  it("refuses what is no JSON at all", function()
    for _, v in ipairs { print, io.stdout, coroutine.create(print) } do
      assert.is_false(list:is_valid(v))
      assert.is_false(object:is_valid(v))
      assert.is_false(schema.compile { type = "string" }:is_valid(v))
    end
  end)

  it("refuses numbers that JSON cannot hold", function()
    local number = schema.compile { type = "number" }
    assert.is_false(number:is_valid(0 / 0))
    assert.is_false(number:is_valid(1 / 0))
    assert.is_false(number:is_valid(-1 / 0))
    assert.is_false(schema.compile { type = "integer" }:is_valid(1 / 0))
  end)
end)


describe("rille.Schema:validate, without end", function()
  it("refuses a schema that only refers to itself", function()
    local compiled = schema.compile { ["$ref"] = "#" }
    assert.equal("$: is too large or nests too deeply to be checked", broken(compiled, 5))
  end)

  it("refuses references that go in a circle", function()
    local compiled = schema.compile {
      ["$defs"] = { a = { ["$ref"] = "#/$defs/b" }, b = { ["$ref"] = "#/$defs/a" } },
      ["$ref"] = "#/$defs/a",
    }
    assert.is_false(compiled:is_valid {})
  end)

  it("is not fooled by a circle under not", function()
    local compiled = schema.compile { ["not"] = { ["$ref"] = "#" } }
    assert.is_false(compiled:is_valid(1))
  end)

  it("gives up on branches that double at every step", function()
    local compiled = schema.compile {
      anyOf = { { ["$ref"] = "#" }, { ["$ref"] = "#" } },
    }
    local before = os.clock()
    assert.is_false(compiled:is_valid(1))
    assert.is_true(os.clock() - before < 5)
  end)

  it("walks a tree as deep as JSON may be", function()
    local compiled = schema.compile {
      ["$ref"] = "#/$defs/node",
      ["$defs"] = { node = { type = "object", properties = { child = { ["$ref"] = "#/$defs/node" } },
        additionalProperties = false } },
    }
    local tree = {}
    for _ = 1, 126 do tree = { child = tree } end
    assert.is_true(compiled:is_valid(tree))
    local wrong = { chld = {} }
    for _ = 1, 126 do wrong = { child = wrong } end
    assert.is_false(compiled:is_valid(wrong))
  end)

  it("checks a long list of references", function()
    local compiled = schema.compile {
      type = "array", items = { ["$ref"] = "#/$defs/n" }, ["$defs"] = { n = { type = "integer" } },
    }
    local many = {}
    for i = 1, 50000 do many[i] = i end
    assert.is_true(compiled:is_valid(many))
  end)
end)


describe("rille.schema.json_text", function()
  it("keeps the order of the ordered form", function()
    assert.equal('{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"integer"}},'
      .. '"required":["zeta","alpha"]}', schema.json_text { { "zeta", "string" }, { "alpha", "integer" } })
  end)

  it("keeps the order of JSON text", function()
    local text = '{"type":"object","properties":{"z":{"type":"string","description":"Z"},"a":{}},"required":["z"]}'
    assert.equal(text, schema.json_text(text))
  end)

  it("sorts the members of a table that has no order", function()
    assert.equal('{"properties":{"a":true,"b":true,"c":true},"type":"object"}',
      schema.json_text { type = "object", properties = { c = true, a = true, b = true } })
  end)

  it("keeps the order of a table that has one", function()
    local given = json.object { { "type", "object" }, { "properties", json.object { { "b", true }, { "a", true } } } }
    assert.equal('{"type":"object","properties":{"b":true,"a":true}}', schema.json_text(given))
  end)

  it("gives the same bytes every time", function()
    local function make()
      return schema.json_text { { "b", "string" }, { "a", { "x", "y" }, optional = true, default = "x" },
        { "c", "object", fields = { { "d", "number", minimum = 0 } } } }
    end
    assert.equal(make(), make())
  end)

  it("raises at the caller for what is no schema", function()
    assert.matches("schema_spec.lua:%d+: ", raised(function() local _ = schema.json_text { { "x", "strng" } } end))
  end)
end)


describe("rille.schema.explain", function()
  it("writes one line for each error", function()
    local _, errors = schema.compile { { "a", "string" }, { "b", "string" } }:validate { a = 1, b = 2 }
    assert.equal("$.a: expected string, got integer 1\n$.b: expected string, got integer 2",
      schema.explain(errors))
  end)

  it("shows control characters of a value as escapes", function()
    local text = broken(schema.compile { { "a", "integer" } }, { a = "\27[31mred\n" })
    assert.is_nil(text:find("[\27\n]"))
    assert.matches("\\u001[bB]", text)
  end)
end)


describe("rille.schema, options", function()
  it("checks formats unless told not to", function()
    local email = { type = "string", format = "email" }
    assert.is_false(schema.compile(email):is_valid "nobody")
    assert.is_true(schema.compile(email, { formats = false }):is_valid "nobody")
  end)

  it("lets null stand for an absent property only where it is asked for", function()
    local given = { type = "object", properties = { a = { type = "string" } } }
    assert.is_false(schema.compile(given):is_valid { a = json.null })
    assert.same({}, schema.compile(given, { absent_nulls = true }):validate { a = json.null })
  end)

  it("lets null stand for an absent property in the ordered form", function()
    local compiled = schema.compile { { "a", "string", optional = true }, { "b", "string", default = "x" } }
    assert.same({ b = "x" }, compiled:validate { a = json.null, b = json.null })
  end)

  it("does not take null for a required property", function()
    local compiled = schema.compile { { "a", "string" } }
    assert.equal("$.a: expected string, got null", broken(compiled, { a = json.null }))
  end)

  it("keeps a null that the property allows", function()
    local compiled = schema.compile { { "a", "string", optional = true, nullable = true } }
    assert.same({ a = json.null }, compiled:validate { a = json.null })
  end)

  it("finds the documents it was given", function()
    local compiled = schema.compile({ ["$ref"] = "https://example.org/name#/$defs/short" }, {
      documents = { ["https://example.org/name"] = {
        ["$defs"] = { short = { type = "string", maxLength = 3 } },
      } },
    })
    assert.is_true(compiled:is_valid "abc")
    assert.is_false(compiled:is_valid "abcd")
  end)

  it("knows the schema of schemas by its address", function()
    local compiled = schema.compile { ["$ref"] = "https://json-schema.org/draft/2020-12/schema" }
    assert.is_true(compiled:is_valid { type = "object", properties = { a = true } })
    assert.is_false(compiled:is_valid { type = "objekt" })
    assert.is_false(compiled:is_valid { minLength = -1 })
    assert.is_false(compiled:is_valid { properties = { a = { required = true } } })
  end)
end)


describe("rille.schema, exact numbers", function()
  it("compares all of an int64", function()
    local top = schema.compile { const = math.maxinteger }
    assert.is_true(top:is_valid(math.maxinteger))
    assert.is_false(top:is_valid(math.maxinteger - 1))
    assert.is_false(top:is_valid(2.0 ^ 63))
    local limit = schema.compile { type = "integer", maximum = 9007199254740993 }
    assert.is_true(limit:is_valid(9007199254740993))
    assert.is_false(limit:is_valid(9007199254740994))
  end)

  it("takes 1 and 1.0 for the same number", function()
    assert.is_true(schema.compile { const = 1 }:is_valid(1.0))
    assert.is_true(schema.compile { enum = { 1.0 } }:is_valid(1))
    assert.is_false(schema.compile { uniqueItems = true }:is_valid { 1, 1.0 })
  end)

  it("makes an integer of 5.0 where the schema says integer", function()
    local value = schema.compile { { "n", "integer" } }:validate { n = 5.0 }
    assert.equal("integer", math.type(value.n))
    value = schema.compile { { "n", "number" } }:validate { n = 5.0 }
    assert.equal("float", math.type(value.n))
  end)

  it("reads decoded JSON exactly", function()
    local compiled = schema.compile '{"const":9223372036854775807}'
    assert.is_true(compiled:is_valid(core.json_decode "9223372036854775807"))
    assert.is_false(compiled:is_valid(core.json_decode "9223372036854775806"))
  end)
end)
