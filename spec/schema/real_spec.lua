--- Schemas as they come from the world: tool servers, generators of older drafts, big unions. Each with calls that models
--- make, right and wrong, and what they are told.
local effort = require "spec.support.effort"
local json = require "rille.json"
local schema = require "rille.schema"

--- Checks rows { JSON text of a value, text of the errors or nil }.
local function holds(given, rows, settings)
  local compiled = schema.compile(given, settings)
  for i, row in ipairs(rows) do
    local _, errors = compiled:validate(assert(json.decode(row[1])))
    assert.equal(row[2], errors and schema.explain(errors) or nil, "row " .. i)
  end
  return compiled
end


describe("rille.schema with schemas of the world", function()
  it("holds the weather tool of the API reference", function()
    holds([[{
      "type": "object",
      "properties": {
        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}
      },
      "required": ["location"]
    }]], {
      { '{"location":"Boston, MA"}' },
      { '{"location":"Boston, MA","unit":"celsius"}' },
      { '{"location":"Boston, MA","unit":null}' },
      { '{"location":"Boston, MA","format":"short"}' },
      { '{}', '$.location: required property "location" (string) is missing' },
      { '{"city":"Boston"}', '$.location: required property "location" (string) is missing' },
      { '{"locatoin":"Boston"}',
        '$.location: required property "location" (string) is missing ("locatoin" is no name of a property)' },
      { '{"location":["Boston"]}', "$.location: expected string, got array of 1 item" },
      { '{"location":"Boston","unit":"Celsius"}',
        '$.unit: expected one of "celsius" or "fahrenheit", got string "Celsius" (did you mean "celsius"?)' },
      { '["Boston"]', "$: expected object, got array of 1 item" },
      { '"Boston"', '$: expected object, got string "Boston"' },
    }, { absent_nulls = true })
  end)

  it("holds a file tool as a draft 7 generator writes it", function()
    holds([[{
      "$schema": "http://json-schema.org/draft-07/schema#",
      "type": "object",
      "properties": {
        "path": {"type": "string"},
        "edits": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "oldText": {"type": "string", "description": "Text to search for - must match exactly"},
              "newText": {"type": "string", "description": "Text to replace with"}
            },
            "required": ["oldText", "newText"],
            "additionalProperties": false
          }
        },
        "dryRun": {"type": "boolean", "default": false}
      },
      "required": ["path", "edits"],
      "additionalProperties": false
    }]], {
      { '{"path":"a","edits":[]}' },
      { '{"path":"a","edits":[{"oldText":"x","newText":"y"}],"dryRun":true}' },
      { '{"path":"a","edits":[{"old_text":"x","new_text":"y"}]}', table.concat({
        '$.edits[0].oldText: required property "oldText" (string) is missing ("old_text" is no name of a property)',
        '$.edits[0].newText: required property "newText" (string) is missing ("new_text" is no name of a property)',
        '$.edits[0].new_text: unknown property "new_text" (did you mean "newText"?); valid: "oldText" and "newText"',
        '$.edits[0].old_text: unknown property "old_text" (did you mean "oldText"?); valid: "oldText" and "newText"',
      }, "\n") },
      { '{"path":"a","edits":{"oldText":"x","newText":"y"}}', "$.edits: expected array, got object" },
      { '{"path":"a","edits":"[{\\"oldText\\":\\"x\\"}]"}', '$.edits: expected array, got string "[{\\"oldText\\":\\"x\\"}]"' },
      { '{"path":"a","edits":[],"dryRun":"false"}', '$.dryRun: expected boolean, got string "false"' },
    })
  end)

  it("holds what Python's generators make of optional values", function()
    local compiled = holds([[{
      "$defs": {
        "Priority": {"enum": ["low", "high"], "title": "Priority", "type": "string"},
        "Address": {
          "properties": {
            "street": {"title": "Street", "type": "string"},
            "zip": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "Zip"}
          },
          "required": ["street"], "title": "Address", "type": "object"
        }
      },
      "properties": {
        "name": {"title": "Name", "type": "string"},
        "age": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null, "title": "Age"},
        "priority": {"$ref": "#/$defs/Priority", "default": "low"},
        "addresses": {"items": {"$ref": "#/$defs/Address"}, "title": "Addresses", "type": "array"}
      },
      "required": ["name", "addresses"], "title": "Person", "type": "object"
    }]], {
      { '{"name":"A","addresses":[]}' },
      { '{"name":"A","age":5,"addresses":[{"street":"s","zip":null}]}' },
      { '{"name":"A","age":"5","addresses":[]}', '$.age: expected integer or null, got string "5"' },
      { '{"name":"A","addresses":[{"zip":5}]}',
        '$.addresses[0].street: required property "street" (string) is missing\n'
        .. "$.addresses[0].zip: expected string or null, got integer 5" },
      { '{"name":"A","addresses":[],"priority":"medium"}',
        '$.priority: expected one of "low" or "high", got string "medium"' },
    })
    local filled = compiled:validate(json.decode '{"name":"A","addresses":[{"street":"s"}]}')
    assert.equal('{"addresses":[{"street":"s","zip":null}],"age":null,"name":"A","priority":"low"}', json.encode(filled))
  end)

  it("holds a union of commands", function()
    holds([[{
      "type": "object",
      "properties": {"command": {"oneOf": [
        {"type": "object", "properties": {"action": {"const": "click"}, "x": {"type": "integer"}, "y": {"type": "integer"}},
         "required": ["action", "x", "y"], "additionalProperties": false},
        {"type": "object", "properties": {"action": {"const": "type"}, "text": {"type": "string"}},
         "required": ["action", "text"], "additionalProperties": false},
        {"type": "object", "properties": {"action": {"enum": ["back", "reload"]}},
         "required": ["action"], "additionalProperties": false}
      ]}},
      "required": ["command"]
    }]], {
      { '{"command":{"action":"click","x":1,"y":2}}' },
      { '{"command":{"action":"type","text":"hi"}}' },
      { '{"command":{"action":"reload"}}' },
      { '{"command":{"action":"click","x":1}}', '$.command.y: required property "y" (integer) is missing' },
      { '{"command":{"action":"click","x":1.5,"y":"2"}}',
        '$.command.x: expected integer, got number 1.5\n$.command.y: expected integer, got string "2"' },
      { '{"command":{"action":"scroll"}}',
        '$.command.action: expected one of "click", "type", "back" or "reload", got string "scroll"' },
      { '{"command":"click"}', '$.command: expected object, got string "click"' },
    })
  end)

  it("holds a table of maps", function()
    holds([[{
      "type": "object",
      "properties": {
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}},
        "range": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}], "items": false, "minItems": 2},
        "labels": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "maxProperties": 2}
      }
    }]], {
      { '{"headers":{"a":"b"},"matrix":[[1,2],[3.5,4]],"range":[1,2],"labels":{"a":1}}' },
      { '{"headers":{"a":1}}', "$.headers.a: expected string, got integer 1" },
      { '{"matrix":[[1,2],[3]]}', "$.matrix[1]: must have at least 2 items, has 1" },
      { '{"matrix":[[1,"2"]]}', '$.matrix[0][1]: expected number, got string "2"' },
      { '{"range":[1]}', "$.range: must have at least 2 items, has 1" },
      { '{"range":[1,2,3]}', "$.range[2]: no value is allowed here" },
      { '{"labels":{"A":1}}', '$.labels.A: the property name "A": must match the pattern ^[a-z]+$, got "A"' },
      { '{"labels":{"a":1,"b":2,"c":3}}', "$.labels: must have at most 2 properties, has 3" },
    })
  end)

  it("holds a recursive filter", function()
    local compiled = holds([[{
      "type": "object", "properties": {"where": {"$ref": "#/$defs/filter"}}, "required": ["where"],
      "$defs": {"filter": {"anyOf": [
        {"type": "object", "properties": {"and": {"type": "array", "items": {"$ref": "#/$defs/filter"}, "minItems": 1}},
         "required": ["and"], "additionalProperties": false},
        {"type": "object", "properties": {"field": {"type": "string"}, "op": {"enum": ["=", "<", ">"]}, "value": true},
         "required": ["field", "op", "value"], "additionalProperties": false}
      ]}}
    }]], {
      { '{"where":{"field":"a","op":"=","value":null}}' },
      { '{"where":{"and":[{"field":"a","op":"<","value":1},{"and":[{"field":"b","op":">","value":"x"}]}]}}' },
      { '{"where":{"and":[{"field":"a","op":"<","value":1},{"and":[{"field":"b","op":"!=","value":"x"}]}]}}',
        '$.where.and[1].and[0].op: expected one of "=", "<" or ">", got string "!=" (did you mean "="?)' },
      { '{"where":{"and":[]}}', "$.where.and: must have at least 1 item, has 0" },
    })
    assert.is_nil((compiled:strict()))   -- `value: true` takes anything
  end)

  it("holds a form with formats and limits", function()
    holds({
      { "email", "string", format = "email" }, { "born", "string", format = "date", optional = true },
      { "site", "string", format = "uri", optional = true }, { "id", "string", format = "uuid", optional = true },
      { "rating", "number", minimum = 0, maximum = 5, multiple_of = 0.5, optional = true },
      { "tags", "array", items = { "string", pattern = "^\\p{L}[\\p{L}\\d-]*$" }, unique_items = true, max_items = 3, optional = true },
    }, {
      { '{"email":"a@b.org","born":"2000-02-29","site":"https://a.org","rating":3.5,"tags":["ä1","b-c"]}' },
      { '{"email":"a@b"}' },
      { '{"email":"nobody"}', '$.email: must be an e-mail address, got "nobody"' },
      { '{"email":"a@b","born":"29.02.2000"}', '$.born: must be a date such as 2024-05-31, got "29.02.2000"' },
      { '{"email":"a@b","site":"a.org"}', '$.site: must be an absolute URI such as https://example.org/path, got "a.org"' },
      { '{"email":"a@b","id":"1"}', '$.id: must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, got "1"' },
      { '{"email":"a@b","rating":3.3}', "$.rating: must be a multiple of 0.5, got 3.3" },
      { '{"email":"a@b","rating":6}', "$.rating: must be at most 5, got 6" },
      { '{"email":"a@b","tags":["a","a"]}', "$.tags: items 0 and 1 are equal; every item must be unique" },
      { '{"email":"a@b","tags":["1a"]}', '$.tags[0]: must match the pattern ^\\p{L}[\\p{L}\\d-]*$, got "1a"' },
      { '{"email":"a@b","tags":["a","b","c","d"]}', "$.tags: must have at most 3 items, has 4" },
      { '{"email":"a@b","tag":["a"]}', '$.tag: unknown property "tag" (did you mean "tags"?); valid: "email", "born", "site", '
        .. '"id", "rating" and "tags"' },
    })
  end)

  it("is quick with a large schema and a large value", function()
    local fields = {}
    for i = 1, 300 do fields[i] = { "field" .. i, "string", optional = true, max_length = 100 } end
    local before = os.clock()
    local compiled = schema.compile { { "rows", "array", items = fields } }
    local rows = json.array()
    for i = 1, 1000 do rows[i] = { ["field" .. i % 300 + 1] = "x" } end
    assert.is_true(compiled:is_valid { rows = rows })
    assert.is_true(os.clock() - before < effort.within(3))
  end)
end)
