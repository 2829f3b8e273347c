--- rille.schema.objects -- beside the walk: keywords that look at the members of an object.
---
--- Same shape as rille.schema.assertions: maker(argument, schema, compiler) → check(v, state). The checks
--- are only called for objects. Errors come in the author's order of the properties, for determinism.
--- Source: JSON Schema core 2020-12, section 10.3.2; validation, section 6.5.

local lazy = require "rille.lazy"
local value = require "rille.schema.value"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"

local objects = { object = {} }

local null <const> = require("rille.core").null


local function object_argument(argument, keyword, compiler)
  if type(argument) ~= "table" or rawlen(argument) > 0 then
    compiler:fail(keyword .. ": an object expected")
  end
  return argument
end


local function names_argument(argument, keyword, compiler)
  local valid = type(argument) == "table"
  for _, name in ipairs(valid and argument or {}) do valid = valid and type(name) == "string" end
  if not valid or (next(argument) ~= nil and rawlen(argument) == 0) then
    compiler:fail(keyword .. ": a list of property names expected")
  end
  return argument
end


--- Compiles the schema of each member, in order: { name, node }.
local function member_nodes(members, keyword, compiler)
  local list = {}
  for i, name in ipairs(value.ordered_names(object_argument(members, keyword, compiler))) do
    list[i] = { name, compiler:at(members[name], keyword, name) }
  end
  return list
end


--- May null stand for an absent `name`? Only where asked for, and only where null means nothing else.
---@param compiler table
---@param schema table
---@param name string
---@return boolean
function objects.null_is_absent(compiler, schema, name)
  if not compiler.absent_nulls then return false end
  for _, required in ipairs(type(schema.required) == "table" and schema.required or {}) do
    if required == name then return false end
  end
  return true
end


function objects.object.properties(members, schema, compiler)
  local list = member_nodes(members, "properties", compiler)
  local lenient = {}
  for i, member in ipairs(list) do
    lenient[i] = objects.null_is_absent(compiler, schema, member[1])
  end
  return function(v, state)
    local errors
    for i = 1, #list do
      local name = list[i][1]
      local item = v[name]
      if item ~= nil and not (item == null and lenient[i]) then
        local broken = list[i][2].check(item, state)
        if broken then errors = explain.add(errors, explain.under(broken, name)) end
      end
    end
    return errors
  end
end


--- What to say of a required member: its description of type where the schema has one.
local function wanted_words(schema, name)
  local members = schema.properties
  local member = type(members) == "table" and members[name]
  local kind = type(member) == "table" and member.type
  if type(kind) == "table" then kind = explain.join(kind) end
  return type(kind) == "string" and kind or "a value"
end


--- A member that the schema does not know and that looks like `name`.
local function stray_like(v, schema, name)
  local known = type(schema.properties) == "table" and schema.properties or {}
  local strays = {}
  for _, other in ipairs(value.names(v)) do
    if known[other] == nil then strays[#strays + 1] = other end
  end
  local hint = explain.hint(name, strays)
  return hint ~= "" and hint:gsub("did you mean (.*)%?", "%1 is no name of a property") or ""
end


function objects.object.required(names, schema, compiler)
  names_argument(names, "required", compiler)
  return function(v)
    local errors
    for i = 1, #names do
      local name = names[i]
      if v[name] == nil then
        local missing = {
          expected = wanted_words(schema, name), got = "nothing", is_shape = true, name,
          message = ("required property %s (%s) is missing%s"):format(
            explain.json(name), wanted_words(schema, name), stray_like(v, schema, name)),
        }
        errors = explain.add(errors, { missing })
      end
    end
    return errors
  end
end


function objects.object.patternProperties(patterns, _, compiler)
  local list = member_nodes(patterns, "patternProperties", compiler)
  for _, member in ipairs(list) do
    member[3] = compiler:regex(member[1], "patternProperties")
  end
  return function(v, state)
    local errors
    for _, name in ipairs(value.names(v)) do
      for i = 1, #list do
        local broken = list[i][3]:find(name) and list[i][2].check(v[name], state)
        if broken then errors = explain.add(errors, explain.under(broken, name)) end
      end
    end
    return errors
  end
end


--- A predicate: is this name neither in properties nor matched by patternProperties?
---@param schema table
---@param compiler table
---@return fun(name: string): boolean
function objects.is_additional(schema, compiler)
  local members = type(schema.properties) == "table" and schema.properties or {}
  local patterns = {}
  for _, pattern in ipairs(value.names(type(schema.patternProperties) == "table"
    and schema.patternProperties or {})) do
    patterns[#patterns + 1] = compiler:regex(pattern, "patternProperties")
  end
  return function(name)
    if members[name] ~= nil then return false end
    for i = 1, #patterns do
      if patterns[i]:find(name) then return false end
    end
    return true
  end
end


--- The error for a member that nothing allows.
---@param v any
---@param name string
---@param schema table    whose `properties` are the names to choose from
---@return table[] errors
function objects.unknown_member(v, name, schema)
  local names = value.ordered_names(type(schema.properties) == "table" and schema.properties or {})
  local valid = #names > 0 and "; valid: " .. explain.join(explain.quoted(names), "and") or
    "; no properties are allowed"
  local errors = explain.mismatch("no such property", v,
    ("unknown property %s%s%s"):format(explain.json(name), explain.hint(name, names), valid))
  errors[1].is_shape = true
  return explain.under(errors, name)
end


--- Checks all members whose name is additional; `node` nil: there may be none.
local function additional_check(is_additional, node, schema)
  return function(v, state)
    local errors
    for name, item in next, v do
      if type(name) == "string" and is_additional(name) then
        local broken
        if node then
          broken = node.check(item, state)
          if broken then explain.under(broken, name) end
        else
          broken = objects.unknown_member(item, name, schema)
        end
        if broken then errors = explain.add(errors, broken) end
      end
    end
    if errors then table.sort(errors, function(a, b) return a[#a] < b[#b] end) end
    return errors
  end
end


function objects.object.additionalProperties(argument, schema, compiler)
  local node = compiler:at(argument, "additionalProperties")
  if argument == true then return nil end
  return additional_check(objects.is_additional(schema, compiler), argument ~= false and node or nil,
    schema)
end


--- The ordered form says all there is: what it does not name is refused, unless it names nothing at all.
function objects.closed(schema, compiler)
  if next(schema.properties) == nil then return nil end
  return additional_check(objects.is_additional(schema, compiler), nil, schema)
end


function objects.object.propertyNames(argument, _, compiler)
  local node = compiler:at(argument, "propertyNames")
  return function(v, state)
    local errors
    for _, name in ipairs(value.names(v)) do
      local broken = node.check(name, state)
      if broken then
        broken[1].message = ("the property name %s: %s"):format(explain.json(name), broken[1].message)
        errors = explain.add(errors, explain.under({ broken[1] }, name))
      end
    end
    return errors
  end
end


function objects.object.dependentRequired(dependencies, _, compiler)
  object_argument(dependencies, "dependentRequired", compiler)
  local triggers = value.ordered_names(dependencies)
  for _, trigger in ipairs(triggers) do
    names_argument(dependencies[trigger], "dependentRequired", compiler)
  end
  return function(v)
    local errors
    for _, trigger in ipairs(triggers) do
      for _, name in ipairs(v[trigger] ~= nil and dependencies[trigger] or {}) do
        if v[name] == nil then
          errors = explain.add(errors, { { expected = "a value", got = "nothing", name,
            message = ("property %s is required when %s is present"):format(
              explain.json(name), explain.json(trigger)) } })
        end
      end
    end
    return errors
  end
end


function objects.object.dependentSchemas(dependencies, _, compiler)
  local list = member_nodes(dependencies, "dependentSchemas", compiler)
  return function(v, state)
    local errors
    for i = 1, #list do
      local broken = v[list[i][1]] ~= nil and list[i][2].check(v, state)
      if broken then errors = explain.add(errors, broken) end
    end
    return errors
  end
end


return objects
