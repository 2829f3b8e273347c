--- rille.schema.assertions -- beside the walk: keywords that look at one value alone.
---
--- Keywords stand under the JSON type they apply to; the compiler calls their checks for values of that
--- type only. Each maker takes the keyword's argument, the schema around it and the compiler, and
--- returns a check `fun(v) → nil | errors`, or nil when the keyword asks for nothing.
--- Source: JSON Schema validation 2020-12, section 6.

local lazy = require "rille.lazy"
local value = require "rille.schema.value"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"
local number = lazy "rille.schema.number"   ---@module "rille.schema.number"

local assertions = { any = {}, number = {}, string = {}, array = {}, object = {} }

local TYPES <const> = { "array", "boolean", "integer", "null", "number", "object", "string" }


local function type_predicate(name, compiler)
  local predicate = type(name) == "string" and value.is[name]
  if not predicate then
    compiler:fail(("unknown type %s%s; valid: %s"):format(
      explain.json(name), explain.hint(name, TYPES), table.concat(TYPES, ", ")))
  end
  return predicate
end


assertions.any["type"] = function(names, _, compiler)
  if type(names) ~= "table" then
    local is = type_predicate(names, compiler)
    return function(v)
      if not is(v) then return explain.mismatch(names, v) end
    end
  end
  local predicates = {}
  for i, name in ipairs(names) do predicates[i] = type_predicate(name, compiler) end
  local expected = explain.join(names)
  return function(v)
    for i = 1, #predicates do
      if predicates[i](v) then return nil end
    end
    return explain.mismatch(expected, v)
  end
end


--- The values of an enum: sets of strings and of the keys of all others, and texts for messages.
local function enum_parts(list)
  local parts = { strings = {}, others = {}, texts = {}, words = {} }
  for i, item in ipairs(list) do
    parts.texts[i] = explain.json(item)
    if type(item) == "string" then
      parts.strings[item] = true
      parts.words[#parts.words + 1] = item
    else
      parts.others[value.key(item)] = true
    end
  end
  return parts
end


assertions.any["enum"] = function(list, _, compiler)
  if not value.is_array(list) then compiler:fail("enum: a list expected") end
  local parts = enum_parts(list)
  local expected = explain.join(parts.texts)
  if #list > 1 then expected = "one of " .. expected end
  return function(v)
    if type(v) == "string" then
      if parts.strings[v] then return nil end
    elseif parts.others[value.key(v)] then
      return nil
    end
    local errors = explain.mismatch(expected, v)
    errors[1].message = errors[1].message .. explain.hint(v, parts.words)
    errors[1].choices = parts.texts
    return errors
  end
end


assertions.any["const"] = function(wanted)
  local expected = explain.json(wanted)
  return function(v)
    if value.equal(v, wanted) then return nil end
    local errors = explain.mismatch(expected, v)
    errors[1].choices = { expected }
    return errors
  end
end


--- A keyword whose argument is a number: `fits(v, limit)`.
local function numeric(keyword, words, fits)
  assertions.number[keyword] = function(limit, _, compiler)
    if not value.is_number(limit) then compiler:fail(keyword .. ": a number expected") end
    if keyword == "multipleOf" and limit <= 0 then
      compiler:fail("multipleOf: a number greater than 0 expected")
    end
    local expected = words .. " " .. explain.json(limit)
    return function(v)
      if not fits(v, limit) then
        return explain.mismatch(expected, v,
          ("must be %s, got %s"):format(expected, explain.json(v)))
      end
    end
  end
end


numeric("minimum", "at least", function(v, limit) return v >= limit end)
numeric("maximum", "at most", function(v, limit) return v <= limit end)
numeric("exclusiveMinimum", "greater than", function(v, limit) return v > limit end)
numeric("exclusiveMaximum", "less than", function(v, limit) return v < limit end)
numeric("multipleOf", "a multiple of", function(v, limit) return number.is_multiple(v, limit) end)


--- Characters of a string; bytes where it is no UTF-8.
local function length(text)
  return utf8.len(text, 1, -1, true) or #text
end


local function member_count(object)
  local count = 0
  for _ in next, object do count = count + 1 end
  return count
end


--- A keyword whose argument is a count of what a value of `kind` has.
local function counted(kind, keyword, count, below, unit)
  local word = below and "at least" or "at most"
  assertions[kind][keyword] = function(limit, _, compiler)
    if not value.is_integer(limit) or limit < 0 then
      compiler:fail(keyword .. ": an integer of 0 or more expected")
    end
    limit = math.tointeger(limit) or math.maxinteger
    local expected = ("%s %d %s%s"):format(word, limit, unit, limit == 1 and "" or "s")
    if unit == "property" and limit ~= 1 then expected = ("%s %d properties"):format(word, limit) end
    return function(v)
      local found = count(v)
      if below and found >= limit or not below and found <= limit then return nil end
      return explain.mismatch(expected, v, ("must have %s, has %d"):format(expected, found))
    end
  end
end


counted("string", "minLength", length, true, "character")
counted("string", "maxLength", length, false, "character")
counted("array", "minItems", rawlen, true, "item")
counted("array", "maxItems", rawlen, false, "item")
counted("object", "minProperties", member_count, true, "property")
counted("object", "maxProperties", member_count, false, "property")


assertions.string["pattern"] = function(pattern, _, compiler)
  local regex = compiler:regex(pattern, "pattern")
  local expected = "string matching " .. pattern
  return function(v)
    local found, failure = regex:find(v)
    if found then return nil end
    return explain.mismatch(expected, v, ("must match the pattern %s, got %s%s"):format(
      pattern, explain.json(v), failure and " (matching was given up: too expensive)" or ""))
  end
end


assertions.string["format"] = function(name, _, compiler)
  if type(name) ~= "string" then compiler:fail("format: a string expected") end
  if not compiler.asserts_formats then return nil end
  local format = require("rille.schema.format").of(name)
  if not format then return nil end
  return function(v)
    if format.fits(v) then return nil end
    return explain.mismatch(name, v, ("must be %s, got %s"):format(format.words, explain.json(v)))
  end
end


assertions.array["uniqueItems"] = function(wanted)
  if wanted ~= true then return nil end
  return function(v)
    local seen = {}
    for i = 1, rawlen(v) do
      local key = value.key(v[i])
      if seen[key] then
        return explain.mismatch("unique items", v,
          ("items %d and %d are equal; every item must be unique"):format(seen[key] - 1, i - 1))
      end
      seen[key] = i
    end
  end
end


return assertions
