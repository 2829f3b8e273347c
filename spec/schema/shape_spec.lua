--- shape_spec.lua -- what C says of arguments, held against the compiled schema: its yes must be a yes there, of a value that
--- comes back as it is. $RILLE_SEED repeats a run.
local core = require "rille.core"
local effort = require "spec.support.effort"
local entries = require "spec.support.entries"
local json = require "rille.json"
local schema = require "rille.schema"
local shape = require "rille.schema.shape"

local random = math.random
local NO_NULLS <const> = { nulls = false }

local function shape_of(given)
  return shape.of(schema.compile(given, { absent_nulls = true }).json)
end

--- Does C say yes? Then all that this promises has to hold.
local function fits(compiled, made, text)
  local value = core.json_decode(text)
  if not core.fits(value, made) then return false end
  local valid, errors = compiled:validate(value)
  assert.is_nil(errors, text)
  assert.is_true(core.same(valid, value), text)
  assert.is_true(core.same(core.json_decode(core.json_encode(valid), NO_NULLS), value), text)
  return true
end

--- Says how many of these JSON texts C takes.
local function taken(given, texts)
  local compiled = schema.compile(given, { absent_nulls = true })
  local made, count = assert(shape.of(compiled.json)), 0
  for _, text in ipairs(texts) do
    if fits(compiled, made, text) then count = count + 1 end
  end
  return count
end

describe("rille.schema.shape", function()
  it("takes the ordinary arguments of ordinary tools", function()
    assert.equal(3, taken({ { "city", "string" }, { "unit", { "celsius", "fahrenheit" }, optional = true } },
      { '{"city":"Oslo"}', '{"city":"Ålesund","unit":"celsius"}', ' { "unit" : "fahrenheit", "city" : "" } ' }))
    assert.equal(2, taken({
      { "path", "string" }, { "lines", "array", items = "integer" }, { "to", "object", fields = { { "x", "number" }, { "y", "number" } } },
    }, { '{"path":"a","lines":[1,2],"to":{"x":1,"y":2.5}}', '{"path":"a","lines":[],"to":{"x":-1,"y":1.0}}' }))
    assert.equal(1, taken({}, { "{}" }))
    assert.equal(2, taken([[{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":3}},
      "required":["n"],"additionalProperties":false}]], { '{"n":1}', '{"n":3}' }))
  end)

  it("leaves to the schema what is wrong", function()
    assert.equal(0, taken({ { "city", "string" }, { "n", "integer", optional = true, minimum = 1, maximum = 3 },
      { "unit", { "a", "b" }, optional = true }, { "list", "array", items = "string", optional = true } }, {
      "{}", '{"city":1}', '{"city":"a","town":"b"}', '{"city":"a","n":0}', '{"city":"a","n":4}', '{"city":"a","n":1.5}',
      '{"city":"a","unit":"c"}', '{"city":"a","list":["b",1]}', '{"city":"a","list":{}}', "[]", '"city"', "1", "true",
    }))
  end)

  it("leaves to the schema what would not come back as it is", function()
    assert.equal(0, taken({ { "v", "any", optional = true }, { "d", "string", default = "x" } }, {
      '{"d":"a","v":null}', '{"v":1}', '{"d":"a","v":[1,null]}', '{"d":"a","v":1e17}',
      '{"d":"a","v":-0.0}', '{"d":"a","v":12345678901234567890}',
    }))
    assert.is_false(core.fits({ a = "\xff" }, assert(shape_of { { "a", "string" } })))
    assert.is_false(core.fits({ ["\xff"] = "a" }, assert(shape_of { type = "object", properties = { a = { type = "string" } } })))
    assert.equal(4, taken({ { "v", "any", optional = true }, { "d", "string", default = "x" } },
      { '{"d":"a"}', '{"d":"\\ud800","v":{"\\ud800":1}}', '{"d":"a","v":{"b":[1,2.5,"\\u0000",true,[]]}}',
        '{"d":"a","v":9007199254740993}' }))
  end)

  it("has none for a schema that says more than that", function()
    for _, given in ipairs {
      [[{"type":"object","properties":{"a":{"type":"string","pattern":"x"}}}]], [[{"anyOf":[{"type":"string"}]}]],
      [[{"type":"object","additionalProperties":{"type":"string"}}]], [[{"type":"object","required":["a"]}]],
      [[{"type":"object","properties":{"a":true}}]], [[{"type":"array","items":[{"type":"string"}]}]], [[{"enum":["a",1]}]],
      [[{"type":"object","properties":{"a":{"$ref":"#"}}}]], [[{"type":"null"}]], [[{"$id":"https://json-schema.org/x"}]], "true",
      [[{"type":"string","format":"date"}]], [[{"type":"object","x-unknown":1}]],
    } do
      assert.is_nil(shape_of(given), given)
    end
  end)

  it("has none for a schema that nests without end", function()
    local deep = { type = "string" }
    for _ = 1, 40 do deep = { type = "object", properties = { a = deep } } end
    assert.is_nil(shape_of(deep))
  end)

  it("is not asked about values without end", function()
    local value = json.array {}
    value[1] = value
    assert.is_false(core.fits(value, assert(shape_of { { "a", "any" } })))
    assert.is_false(core.fits(value, assert(shape_of { type = "array", items = { type = "array" } })))
  end)

  it("raises for what is no shape", function()
    assert.has_error(function() core.fits({}, nil) end)
    assert.has_error(function() core.fits() end)
  end)
end)

-- ---------------------------------------------------------------- random ones

local names <const> = { "a", "b", "c", "ü" }
local types <const> = { "string", "integer", "number", "boolean", "object", "array", "null" }

local function pick(list) return list[random(#list)] end

local function random_value(depth)
  local choice = random(12)
  if depth <= 0 or choice <= 6 then
    return pick { json.null, true, false, 0, 1, 2.5, -3, "a", "b", "", "ü", "\u{10FFFF}", 1e300, 2 ^ 60, math.maxinteger, -0.0 }
  end
  local made = {}
  for i = 1, random(0, 3) do made[choice <= 8 and i or pick(names)] = random_value(depth - 1) end
  return choice <= 8 and json.array(made) or made
end

local function random_schema(depth)
  local made = { type = random(3) > 1 and (random(4) == 1 and json.array { pick(types), pick(types) } or pick(types)) or nil }
  if random(6) == 1 then made.enum = json.array { pick(names), random(5) == 1 and 1 or pick(names) } end
  if random(6) == 1 then made.minimum = random(-3, 2) + random(0, 1) / 2 end
  if random(6) == 1 then made.maximum = random(-2, 5) end
  if random(8) == 1 then made.default = random_value(1) end
  if random(3) == 1 then made.additionalProperties = random(2) == 1 end
  if depth > 0 and random(3) > 1 then
    made.properties = json.object {}
    for _ = 1, random(0, 3) do made.properties[pick(names)] = random_schema(depth - 1) end
    if random(2) == 1 then made.required = json.array { (next(made.properties)) } end
  end
  if depth > 0 and random(3) == 1 then made.items = random_schema(depth - 1) end
  return json.object(made)
end

--- A value that has a chance to fit.
local function value_for(made, depth)
  local kind = type(made.type) == "table" and made.type[1] or made.type or pick(types)
  if depth <= 0 or random(12) == 1 then return random_value(1) end
  if made.enum and random(4) > 1 then return pick(made.enum) end
  if kind == "object" then
    local object = {}
    for name, member in pairs(made.properties or {}) do
      if random(5) > 1 then object[name] = value_for(member, depth - 1) end
    end
    if random(6) == 1 then object[pick(names)] = random_value(1) end
    return json.object(object)
  elseif kind == "array" then
    local list = {}
    for i = 1, random(0, 3) do list[i] = value_for(made.items or {}, depth - 1) end
    return json.array(list)
  end
  return pick { "a", "b", "ü", 1, 0, 2, 1.5, true, false }
end

describe("a shape of a random schema", function()
  it("says yes only where the schema does", function()
    local yes, shapes = 0, 0
    for _ = 1, effort.some(4000) do
      local given = random_schema(3)
      local ok, compiled = pcall(schema.compile, given, { absent_nulls = random(2) == 1 })
      local made = ok and shape.of(compiled.json)
      for _ = 1, made and 6 or 0 do
        if fits(compiled, made, core.json_encode(value_for(given, 4))) then yes = yes + 1 end
      end
      shapes = shapes + (made and 1 or 0)
    end
    assert.is_true(shapes > effort.some(4000) / 20, "hardly a schema has a shape: " .. shapes)
    assert.is_true(yes > shapes / 2, "hardly a value fits: " .. yes)
  end)
end)

-- ---------------------------------------------------------------- the public suite

local root = (os.getenv "RILLE_SHARED" or "../shared") .. "/json-schema-tests"

local function read_json(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return assert(core.json_decode(text))
end

describe("the shapes of the JSON-Schema-Test-Suite", function()
  it("say yes only to what is valid", function()
    local shapes, yes = 0, 0
    for name, kind in entries(root) do
      for _, group in ipairs(kind ~= "directory" and name:find "%.json$" and read_json(root .. "/" .. name) or {}) do
        local ok, compiled = pcall(schema.compile, core.json_encode(group.schema))
        local made = ok and shape.of(compiled.json)
        shapes = shapes + (made and 1 or 0)
        for _, test in ipairs(made and group.tests or {}) do
          if fits(compiled, made, core.json_encode(test.data)) then
            assert.is_true(test.valid, group.description .. ": " .. test.description)
            yes = yes + 1
          end
        end
      end
    end
    if shapes == 0 then return pending("no suite at " .. root) end
    assert.is_true(yes > 0)
  end)
end)


describe("an ordinary schema", function()
  it("is none that could not be compiled later", function()
    local kinds = { "string", "integer", "number", "boolean", "object", "array", "null", "any", { "a", "b" }, { "a", "a" }, {},
      { 1 }, { "a", 2 }, { "" }, 5, "texts", true }
    local extras = { description = { "d", 1, {} }, title = { "t", 1 }, optional = { true, false }, nullable = { true },
      items = { "string", "odd", { { "x", "string" } } }, fields = { { { "x", "string" } }, { { "x", "odd" } }, {} },
      minimum = { 1, "a" }, pattern = { "a", "(" }, default = { "a", 1 }, additional = { true, "string", "odd", 1 },
      enum = { { "a" }, {}, { 1 } }, deprecated = { true, 1 }, examples = { { "a" }, "a" }, any_of = { { "string" }, {} } }
    local keys = {}
    for key in pairs(extras) do keys[#keys + 1] = key end
    table.sort(keys)
    math.randomseed(7)
    local lazy, all = 0, 0
    for _ = 1, 4000 do
      local given = { additional = math.random(8) == 1 and extras.additional[math.random(4)] or nil }
      for i = 1, math.random(0, 3) do
        local name_again = ("p%d"):format(math.random(8) == 1 and 1 or i)
        local entry = { name_again, kinds[math.random(#kinds)], math.random(3) == 1 and "d" or nil }
        for _ = 1, math.random(0, 2) do
          local key = keys[math.random(#keys)]
          entry[key] = extras[key][math.random(#extras[key])]
        end
        given[i] = entry
      end
      local ok, compiled = pcall(schema.compile, given, { absent_nulls = true })
      if ok then
        all, lazy = all + 1, lazy + (compiled._node and 0 or 1)
        assert.has_no.errors(function() compiled:validate({}) end)
      end
    end
    assert.is_true(lazy > 100 and all > lazy + 100, ("%d of %d"):format(lazy, all))
  end)

  it("is none where a JSON Schema inside is none", function()
    for _, broken in ipairs {
      { type = "bogus" }, { type = { "string", "bogus" } }, { type = 5 }, { type = "string", enum = "a" }, { enum = 5 },
      { properties = "x" }, { properties = { x = 1 } }, { properties = { x = json.array {} } }, { required = 5 },
      { required = { 1 } }, { additionalProperties = 5 }, { items = "x" }, { items = json.object { type = { "odd" } } },
    } do
      for _, given in ipairs { broken, json.object(broken), { type = "array", items = json.object(broken) } } do
        local ok, problem = pcall(schema.compile, { { "x", given } })
        assert.is_false(ok)
        assert.matches("schema: ?[^\n]*x", problem)
      end
    end
  end)

  it("says of a table that holds itself what it is", function()
    local endless, list = { type = "object" }, { type = "array" }
    endless.properties, list.items = { again = endless }, list
    for _, wrong in ipairs { endless, list } do
      assert.has_error(function() schema.compile { { "p", wrong } } end, "schema: a table holds itself; use $ref")
    end
  end)

  it("waits with its checks until a value does not fit", function()
    local plain = schema.compile { { "city", "string", "The city" }, { "unit", { "a", "b" }, optional = true } }
    assert.is_nil(plain._node)
    local _, errors = plain:validate { city = 5 }
    assert.equal("$.city", errors[1].path)
    assert.is_table(plain._node)
    assert.is_table(schema.compile({ { "n", "integer", minimum = 1 } })._node)
    assert.is_table(schema.compile({ type = "object" })._node)
    assert.has_error(function() schema.compile { { "n", "string", pattern = "(" } } end)
  end)
end)
