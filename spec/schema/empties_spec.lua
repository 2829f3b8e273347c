--- rille.schema.empties: which empty tables of a schema are lists.
local empties = require "rille.schema.empties"
local json = require "rille.json"
local schema = require "rille.schema"
local tool = require "rille.tool"

local function text(given) return json.encode(empties(given)) end


describe("rille.schema.empties", function()
  it("marks what a list of the standard is", function()
    for _, name in ipairs { "required", "enum", "examples", "allOf", "anyOf", "oneOf", "prefixItems", "type" } do
      assert.equal(('{"%s":[]}'):format(name), text { [name] = {} })
    end
  end)

  it("leaves objects objects", function()
    for _, name in ipairs { "properties", "$defs", "items", "not", "default", "const", "additionalProperties" } do
      assert.equal(('{"%s":{}}'):format(name), text { [name] = {} })
    end
    assert.equal("{}", text {})
  end)

  it("finds them at every depth", function()
    assert.equal('{"items":{"anyOf":[{"required":[]},{"properties":{"a":{"enum":[]}}}]}}',
      text { items = { anyOf = { { required = {} }, { properties = { a = { enum = {} } } } } } })
    assert.equal('{"$defs":{"x":{"required":[]}}}', text { ["$defs"] = { x = { required = {} } } })
  end)

  it("knows names of properties from keywords", function()
    assert.equal('{"properties":{"enum":{},"required":{},"type":{"required":[]}}}',
      text { properties = { required = {}, enum = {}, type = { required = {} } } })
  end)

  it("does not look into data", function()
    assert.equal('{"const":{"required":{}},"default":{"enum":{}},"enum":[{"required":{}}],"examples":[{"type":{}}]}',
      text { default = { enum = {} }, const = { required = {} }, enum = { { required = {} } }, examples = { { type = {} } } })
  end)

  it("obeys what the author marked", function()
    assert.equal('{"required":{}}', text { required = json.object {} })
    assert.equal('{"required":[]}', text { required = json.array {} })
  end)

  it("changes nothing that was given, and copies only what changes", function()
    local kept = { properties = { a = { type = "string" } } }
    local given = { required = {}, items = kept }
    local made = empties(given)
    assert.is_nil(getmetatable(given.required))
    assert.is_true(rawequal(made.items, kept))
    assert.is_true(rawequal(empties(kept), kept))
    assert.equal(5, empties(5))
    assert.is_nil(empties(nil))
  end)

  it("keeps the order that a table was given", function()
    local ordered = setmetatable({ b = 1, a = 2, required = {} }, { __jsontype = "object", __jsonorder = { "b", "required", "a" } })
    assert.equal('{"b":1,"required":[],"a":2}', text(ordered))
  end)

  it("ends where a schema never does", function()
    local round = { required = {} }
    round.items = round
    assert.is_table(empties(round))
  end)
end)


describe("empty lists of", function()
  it("a compiled schema and of a tool are lists on the wire", function()
    local given = { type = "object", properties = {}, required = {} }
    assert.equal('{"properties":{},"required":[],"type":"object"}', schema.json_text(given))
    local made = tool.new { name = "t", parameters = given, run = function() end }
    assert.matches('"parameters":{"properties":{},"required":[],"type":"object"}', made.definition_json, 1, true)
  end)
end)
