--- Random schemas and random values: whatever comes, a schema compiles or is refused with a sentence, and a value fits or
--- does not. No crash, no changed argument, no error list without errors. $RILLE_SEED repeats a run.
local effort = require "spec.support.effort"
local json = require "rille.json"
local schema = require "rille.schema"

local random = math.random
local names <const> = { "a", "b", "c", "type", "$ref", "x" }
local types <const> = { "string", "integer", "number", "boolean", "null", "array", "object" }


local function pick(list)
  return list[random(#list)]
end


local function value(depth)
  local choice = random(10)
  if depth <= 0 or choice <= 5 then
    return pick { json.null, true, false, 0, 1, 2.5, -3, "a", "b", "", "abc", "2024-01-01", 1e300, math.maxinteger }
  end
  local made = {}
  for i = 1, random(0, 3) do made[choice <= 7 and i or pick(names)] = value(depth - 1) end
  return choice <= 7 and json.array(made) or json.object(made)
end


local any_schema

local function one(depth) return any_schema(depth - 1) end


local function list(depth)
  local made = {}
  for i = 1, random(3) do made[i] = any_schema(depth - 1) end
  return made
end


local function members(depth)
  local made = {}
  for _ = 1, random(0, 3) do made[pick(names)] = any_schema(depth - 1) end
  return json.object(made)
end


local function count() return random(0, 3) end

local function among(...)
  local choices = { ... }
  return function() return pick(choices) end
end

--- keyword → a random argument
local arguments <const> = {
  type = function() return random(3) == 1 and { pick(types), pick(types) } or pick(types) end,
  enum = function() return json.array { value(2), value(2) } end, const = function() return value(2) end,
  minimum = function() return random(-2, 5) end, maximum = function() return random(-2, 5) + 0.5 end,
  exclusiveMinimum = count, exclusiveMaximum = count, multipleOf = among(1, 2, 0.5, 0.01, 3),
  minLength = count, maxLength = count, pattern = among("a", "^b*$", "[a-c]+", "^(a|b)*$"),
  format = among("date", "email", "uri", "uuid", "regex", "unknown"),
  items = function(depth) return random(6) == 1 and list(depth) or one(depth) end, prefixItems = list,
  contains = one, minContains = count, maxContains = count, minItems = count, maxItems = count,
  uniqueItems = among(true, false), properties = members, additionalProperties = one, propertyNames = one,
  patternProperties = function(depth) return json.object { ["^[ab]"] = one(depth) } end,
  required = function() return { pick(names) } end, minProperties = count, maxProperties = count,
  dependentRequired = function() return { [pick(names)] = { pick(names) } } end, dependentSchemas = members,
  allOf = list, anyOf = list, oneOf = list, ["not"] = one, ["if"] = one, ["then"] = one, ["else"] = one,
  ["$ref"] = among("#", "#/$defs/a", "#/$defs/b", "#anchor", "#/properties/a"),
  ["$dynamicRef"] = among("#anchor", "#dynamic"), ["$defs"] = members, ["$anchor"] = among "anchor",
  ["$dynamicAnchor"] = among "dynamic", ["$id"] = among("http://x/y", "z"), default = function() return value(2) end,
  unevaluatedProperties = one, unevaluatedItems = one, title = among "t",
}
local keywords <const> = require("rille.options").names(arguments)


function any_schema(depth)
  if depth <= 0 or random(12) == 1 then
    if random(4) == 1 then return random(3) ~= 1 end
    return json.object { type = pick(types) }
  end
  local made = {}
  for _ = 1, random(4) do
    local keyword = pick(keywords)
    made[keyword] = random(40) == 1 and value(2) or arguments[keyword](depth)
  end
  return json.object(made)
end


--- A random schema; nil when it was refused, which has to happen with a sentence of ours.
local function compiled_at_random()
  local given = any_schema(4)
  if type(given) == "table" and random(2) == 1 then given["$defs"] = members(3) end
  local text = json.encode(given)
  local ok, compiled = pcall(schema.compile, random(2) == 1 and given or text, { absent_nulls = random(2) == 1 })
  if ok then return compiled, text end
  assert.matches("^schema: ", compiled, text)
end


local function check_validation(compiled, text)
  local given = value(3)
  local before = json.encode(given)
  local filled, errors = compiled:validate(given)
  assert.equal(before, json.encode(given), text)
  if not errors then
    json.encode(filled)
    return 1
  end
  assert.is_true(#errors > 0, text)
  for _, broken in ipairs(errors) do
    assert.matches("^%$", broken.path)
    for _, name in ipairs { "expected", "got", "message" } do assert.is_string(broken[name], text) end
  end
  return 0
end


describe("rille.schema, at random", function()
  local seed = tonumber(os.getenv "RILLE_SEED") or os.time()

  it("never breaks (seed " .. seed .. ")", function()
    math.randomseed(seed)
    local compiled_count, fits = 0, 0
    for _ = 1, effort.some(4000) do
      local compiled, text = compiled_at_random()
      if compiled then
        compiled_count = compiled_count + 1
        for _ = 1, 3 do fits = fits + check_validation(compiled, text) end
        local strict, reason = compiled:strict()
        if strict then schema.compile(strict) else assert.is_string(reason) end
      end
    end
    assert.is_true(compiled_count > effort.some(1000))
    assert.is_true(fits > effort.some(1000))
  end)

  it("says the same of a schema as a table and as text", function()
    math.randomseed(seed)
    for _ = 1, effort.some(1000) do
      local given = any_schema(3)
      local ok, one_way = pcall(schema.compile, given)
      local ok_too, other_way = pcall(schema.compile, json.encode(given))
      assert.equal(ok, ok_too)
      for _ = 1, ok and 3 or 0 do
        local v = value(3)
        assert.equal(one_way:is_valid(v), other_way:is_valid(v), json.encode(given))
      end
    end
  end)
end)
