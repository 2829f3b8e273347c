--- rille.tool: what a tool is, what is wrong with it, what the server is told.
local json = require "rille.json"
local log = require "rille.log"
local rille = require "rille"
local tool = require "rille.tool"

local function nothing() end


--- A tool with these options, named `t`.
local function make(more)
  local given = { name = "t", run = nothing }
  for key, value in pairs(more or {}) do given[key] = value end
  return tool.new(given)
end


--- What make raises for these options.
local function raised(more)
  local ok, message = pcall(make, more)
  assert.is_false(ok)
  return message
end


describe("rille.tool", function()
  it("keeps what it was given and fills in the rest", function()
    local made = make { description = "d" }
    assert.equal("t", made.name)
    assert.equal("d", made.description)
    assert.equal(nothing, made.run)
    assert.equal(60, made.timeout)
    assert.is_false(made.approve)
    assert.is_false(made.sequential)
    assert.equal(65536, made.max_result_bytes)
    assert.is_nil(made.strict)
  end)

  it("takes every option", function()
    local function ask() return "ask" end
    local made = make { timeout = 0.5, approve = ask, sequential = true, max_result_bytes = 10, strict = false }
    assert.equal(0.5, made.timeout)
    assert.equal(ask, made.approve)
    assert.is_true(made.sequential)
    assert.equal(10, made.max_result_bytes)
    assert.equal('{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{}},"strict":false}}',
      made.definition_json)
  end)

  it("takes a table that can be called for a function", function()
    local callable = setmetatable({}, { __call = function() return 1 end })
    assert.equal(callable, make({ run = callable }).run)
  end)

  it("is rille.tool and rille.parts", function()
    assert.equal(tool.new, rille.tool)
    assert.equal(tool.parts, rille.parts)
  end)

  it("knows its own", function()
    assert.is_true(tool.is(make()))
    for _, v in ipairs { {}, "t", 5, print, { name = "t", run = print } } do assert.is_false(tool.is(v)) end
    assert.is_false(tool.is(nil))
  end)

  it("does not change the table it was given", function()
    local given = { name = "t", run = nothing, parameters = { { "a", "string" } } }
    tool.new(given)
    assert.same({ name = "t", run = nothing, parameters = { { "a", "string" } } }, given)
  end)

  it("raises at the caller's line", function()
    local ok, message = pcall(function()
      local made = rille.tool { name = "t", run = nothing, timeuot = 5 }
      return made
    end)
    assert.is_false(ok)
    assert.matches("tool_spec.lua:%d+: rille.tool: unknown option 'timeuot' %(did you mean 'timeout'%?%)", message)
    ok, message = pcall(function()
      local made = rille.tool { name = "t", run = nothing, parameters = { { "a", "strng" } } }
      return made
    end)
    assert.is_false(ok)
    assert.matches("tool_spec.lua:%d+: rille.tool 't': parameters: 'a': unknown type 'strng'", message)
  end)

  it("warns of a description that some servers refuse", function()
    local lines = {}
    local before = log.level()
    log.level "warn"
    local previous = log.sink(function(_, line) lines[#lines + 1] = line end)
    make { description = ("x"):rep(1024) }
    assert.equal(0, #lines)
    make { description = ("x"):rep(1025) }
    log.sink(previous)
    log.level(before)
    assert.matches("rille.tool 't': the description has 1025 bytes", lines[1])
  end)
end)


describe("rille.tool, wrong options", function()
  local rows = {
    { { run = "print" }, "option 'run': callable expected, got string" },
    { { description = 5 }, "option 'description': string expected" },
    { { parameters = 5 }, "option 'parameters': table or string expected" },
    { { timeout = 0 }, "rille.tool 't': timeout: seconds greater than 0 expected" },
    { { timeout = -1 }, "timeout: seconds greater than 0 expected" },
    { { timeout = 0 / 0 }, "timeout: seconds greater than 0 expected" },
    { { timeout = "5" }, "option 'timeout': number expected" },
    { { max_result_bytes = 0 }, "max_result_bytes: 1 or more expected" },
    { { max_result_bytes = 1.5 }, "option 'max_result_bytes': integer expected" },
    { { approve = "yes" }, "option 'approve': boolean or callable expected" },
    { { sequential = 1 }, "option 'sequential': boolean expected" },
    { { strict = 1 }, "option 'strict': boolean expected" },
    { { type = "functon" }, 'type: "function" or "custom" expected' },
    { { format = { type = "text" } }, "format: not for a function tool" },
    { { type = "custom", parameters = {} }, "parameters: not for a custom tool" },
    { { type = "custom", strict = true }, "strict: not for a custom tool" },
    { { type = "custom", format = { syntax = "ebnf", definition = "x" } }, "format: { syntax" },
    { { type = "custom", format = { syntax = "lark" } }, "format: { syntax" },
    { { parameters = "{" }, "parameters: not JSON" },
    { { parameters = { type = "array", items = { type = "string" } } }, 'a schema with type = "object" expected' },
    { { parameters = { properties = {} } }, 'a schema with type = "object" expected' },
    { { parameters = { "a", "b" } }, 'a schema with type = "object" expected' },
    { { parameters = { { "a", "string", optinal = true } } }, "unknown key 'optinal' (did you mean 'optional'?)" },
    { { strict = true, parameters = { { "o", "object" } } }, "strict: $.properties.o: an object without properties" },
    { { runn = print }, "unknown option 'runn' (did you mean 'run'?)" },
    { { "a" }, "unexpected entry [1]" },
  }

  it("raise with what would be right", function()
    for _, row in ipairs(rows) do assert.matches(row[2], raised(row[1]), 1, true) end
  end)

  it("raise when name or run are missing", function()
    local _, message = pcall(tool.new, { run = nothing })
    assert.matches("option 'name' is missing", message)
    _, message = pcall(tool.new, { name = "t" })
    assert.matches("rille.tool 't': option 'run' is missing", message)
    _, message = pcall(tool.new, "t")
    assert.matches("table of options expected, got string", message)
    _, message = pcall(function() tool.new() end)
    assert.matches("^spec/tool_spec.lua:%d+: rille.tool: table of options expected, got nil$", message)
  end)

  it("raise for names that servers refuse", function()
    for _, name in ipairs { "", "1a", "-a", "a b", "a.b", "ä", "a\n", ("a"):rep(65), "a/b" } do
      local ok, message = pcall(tool.new, { name = name, run = nothing })
      assert.is_false(ok, name)
      assert.matches("letters, digits", message)
    end
    for _, name in ipairs { "a", "_", "a1", "get_weather", "a-b", "A", ("a"):rep(64) } do
      assert.equal(name, tool.new({ name = name, run = nothing }).name)
    end
  end)
end)


describe("rille.tool, the definition", function()
  it("keeps its order and the author's", function()
    local made = make { description = "Weather.", parameters = {
      { "location", "string", "The city." }, { "unit", { "celsius", "fahrenheit" }, optional = true },
    } }
    assert.equal('{"type":"function","function":{"name":"t","description":"Weather.","parameters":{"type":"object",'
      .. '"properties":{"location":{"type":"string","description":"The city."},"unit":{"type":"string",'
      .. '"enum":["celsius","fahrenheit"]}},"required":["location"]}}}', made.definition_json)
  end)

  it("is the same as a table and as text", function()
    local made = make { parameters = { { "b", "string" }, { "a", "string" } } }
    assert.equal(made.definition_json, json.encode(made.definition))
    assert.equal(made.schema, made.definition["function"].parameters)
  end)

  it("says an empty object where there are no parameters", function()
    local wanted = '{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{}}}}'
    assert.equal(wanted, make().definition_json)
    assert.equal(wanted, make({ parameters = {} }).definition_json)
    assert.equal(wanted, make({ parameters = '{"type":"object"}' }).definition_json)
  end)

  it("takes JSON Schema as it is", function()
    local text = '{"type":"object","properties":{"z":{"type":"string"},"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"number"}}}'
    local made = make { parameters = text }
    assert.equal(text, json.encode(made.schema))
  end)

  it("is held to strict mode where asked", function()
    local made = make { strict = true, parameters = { { "a", "string" }, { "b", "integer", optional = true, default = 5 } } }
    assert.equal('{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{"a":{"type":"string"},'
      .. '"b":{"type":["integer","null"]}},"required":["a","b"],"additionalProperties":false},"strict":true}}',
      made.definition_json)
  end)

  it("is the same bytes in every process", function()
    local made = make { description = "ü\0\xff", parameters = { { "x", "string", "é" } } }
    assert.matches("ü\\u0000\u{FFFD}", made.definition_json, 1, true)
  end)
end)


describe("rille.Tool:validate", function()
  it("gives the arguments with defaults", function()
    local made = make { parameters = { { "a", "string" }, { "n", "integer", default = 3 } } }
    assert.same({ a = "x", n = 3 }, (made:validate { a = "x" }))
  end)

  it("gives nil and what is wrong", function()
    local made = make { parameters = { { "city", "string" } } }
    local args, errors = made:validate { citi = "Rome" }
    assert.is_nil(args)
    assert.equal("$.city", errors[1].path)
    assert.equal("$.citi", errors[2].path)
  end)

  it("lets null stand for an absent optional argument, also in JSON Schema", function()
    local made = make { parameters = { type = "object", properties = { a = { type = "string" } } } }
    assert.same({}, (made:validate { a = json.null }))
  end)

  it("takes what strict mode makes of optional arguments", function()
    local made = make { strict = true, parameters = { { "a", "string" }, { "b", "integer", optional = true },
      { "c", "integer", default = 7 } } }
    assert.same({ a = "x", c = 7 }, (made:validate(json.decode '{"a":"x","b":null,"c":null}')))
    assert.is_nil((made:validate(json.decode '{"a":null,"b":null,"c":null}')))
  end)

  it("holds what strict mode could not say", function()
    local made = make { strict = true, parameters = { { "a", "string", max_length = 2 } } }
    assert.is_nil((made:validate { a = "abc" }))
  end)
end)


describe("rille.tool, custom tools", function()
  it("are told as such", function()
    local made = tool.new { name = "sql", type = "custom", description = "Runs SQL.", run = nothing }
    assert.equal('{"type":"custom","custom":{"name":"sql","description":"Runs SQL."}}', made.definition_json)
    assert.is_nil(made.schema)
  end)

  it("say the format of their text", function()
    local function format_of(format)
      return json.encode(tool.new({ name = "sql", type = "custom", format = format, run = nothing }).definition.custom.format)
    end
    assert.equal('{"type":"text"}', format_of { type = "text" })
    local wanted = '{"type":"grammar","grammar":{"syntax":"lark","definition":"start: WORD"}}'
    assert.equal(wanted, format_of { syntax = "lark", definition = "start: WORD" })
    assert.equal(wanted, format_of { type = "grammar", grammar = { syntax = "lark", definition = "start: WORD" } })
  end)

  it("take text and nothing else", function()
    local made = tool.new { name = "sql", type = "custom", run = nothing }
    assert.equal("select 1", (made:validate "select 1"))
    assert.equal("", (made:validate ""))
    local args, errors = made:validate { q = 1 }
    assert.is_nil(args)
    assert.equal("expected text, got table", errors[1].message)
  end)
end)


describe("rille.parts", function()
  it("makes text parts of texts and keeps the others", function()
    local image = { type = "image_url", image_url = { url = "https://x.org/a.png", detail = "low" }, cache_control = { type = "x" } }
    local parts = rille.parts { "What is this?", image }
    assert.equal('{"type":"text","text":"What is this?"}', json.encode(parts[1]))
    assert.equal(image, parts[2])
    assert.equal(2, #parts)
    assert.equal("array", getmetatable(parts).__jsontype)
  end)

  it("takes parts that it does not know", function()
    local parts = rille.parts { { type = "video", video = { url = "x" } } }
    assert.equal("video", parts[1].type)
  end)

  it("raises at the caller for what is no part", function()
    local rows = {
      { nil, "a list of texts and parts expected" }, { {}, "a list of texts and parts expected" },
      { "text", "a list of texts and parts expected" }, { { 5 }, "entry 1: a text or a part" },
      { { "a", {} }, "entry 2: a text or a part" }, { { { type = "text" } }, "entry 1: a text part needs 'text'" },
      { { { type = "image_url" } }, "a image_url part needs 'image_url'" },
      { { { type = "file", filename = "x" } }, "a file part needs 'file'" },
    }
    for i = 1, #rows do
      local ok, message = pcall(function() return (rille.parts(rows[i][1])) end)
      assert.is_false(ok)
      assert.matches("tool_spec.lua:%d+: rille.parts: ", message)
      assert.matches(rows[i][2], message, 1, true)
    end
  end)
end)
