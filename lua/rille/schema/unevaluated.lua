--- rille.schema.unevaluated -- beside the walk: unevaluatedProperties and unevaluatedItems.
---
--- `mark(v, state, seen)` of a node notes in `seen` which members (by name) and items (by position) of `v` its
--- keywords looked at; alternatives that do not fit look at nothing. Loaded only for schemas that use one of
--- the two keywords, so that no other schema keeps such books.
--- Source: JSON Schema core 2020-12, section 11.

local applicators = require "rille.schema.applicators"
local arrays = require "rille.schema.arrays"
local explain = require "rille.schema.explain"
local objects = require "rille.schema.objects"
local value = require "rille.schema.value"

local unevaluated = {}

local ALL <const> = {}   -- seen[ALL]: everything was looked at
local marks <const> = {}


function marks.properties(members)
  return function(v, _, seen)
    if not value.is_object(v) then return end
    for name in next, members do seen[name] = true end
  end
end


function marks.patternProperties(patterns, _, compiler)
  local regexes = {}
  for _, pattern in ipairs(value.names(patterns)) do
    regexes[#regexes + 1] = compiler:regex(pattern, "patternProperties")
  end
  return function(v, _, seen)
    for _, name in ipairs(value.is_object(v) and value.names(v) or {}) do
      for i = 1, #regexes do
        if regexes[i]:find(name) then seen[name] = true end
      end
    end
  end
end


local function all_members()
  return function(v, _, seen)
    if value.is_object(v) then seen[ALL] = true end
  end
end


local function all_items()
  return function(v, _, seen)
    if value.is_array(v) then seen[ALL] = true end
  end
end

marks.additionalProperties, marks.unevaluatedProperties = all_members, all_members
marks.unevaluatedItems = all_items


local function leading_items(count)
  return function(v, _, seen)
    if not value.is_array(v) then return end
    for i = 1, count do seen[i] = true end
  end
end


function marks.prefixItems(prefix)
  return leading_items(#prefix)
end


function marks.items(items, schema)
  local prefix, rest = arrays.parts(schema)
  if prefix == items and rest == nil then return leading_items(#prefix) end
  return all_items()
end


function marks.contains(argument, _, compiler)
  local node = compiler:at(argument, "contains")
  return function(v, state, seen)
    for i = 1, value.is_array(v) and rawlen(v) or 0 do
      if not node.check(v[i], state) then seen[i] = true end
    end
  end
end


marks["$ref"] = function(reference, _, compiler)
  local target = compiler:resolve(reference, "$ref")
  return function(v, state, seen) applicators.inside(target, state, "mark", v, seen) end
end


marks["$dynamicRef"] = function(reference, _, compiler)
  local target = applicators.dynamic_target(compiler, reference)
  return function(v, state, seen) applicators.inside(target(state), state, "mark", v, seen) end
end


local function fitting(keyword)
  return function(list, _, compiler)
    local nodes = {}
    for i, schema in ipairs(list) do nodes[i] = compiler:at(schema, keyword, i - 1) end
    return function(v, state, seen)
      for i = 1, #nodes do
        if not nodes[i].check(v, state) then nodes[i].mark(v, state, seen) end
      end
    end
  end
end

marks.allOf, marks.anyOf, marks.oneOf = fitting "allOf", fitting "anyOf", fitting "oneOf"


marks["if"] = function(argument, schema, compiler)
  local condition = compiler:at(argument, "if")
  local yes = schema["then"] ~= nil and compiler:at(schema["then"], "then")
  local no = schema["else"] ~= nil and compiler:at(schema["else"], "else")
  return function(v, state, seen)
    if condition.check(v, state) then
      if no then no.mark(v, state, seen) end
    else
      condition.mark(v, state, seen)
      if yes then yes.mark(v, state, seen) end
    end
  end
end


function marks.dependentSchemas(dependencies, _, compiler)
  local nodes = {}
  for _, name in ipairs(value.names(dependencies)) do
    nodes[name] = compiler:at(dependencies[name], "dependentSchemas", name)
  end
  return function(v, state, seen)
    for name, node in next, value.is_object(v) and nodes or {} do
      if v[name] ~= nil then node.mark(v, state, seen) end
    end
  end
end


--- All marks of a schema but those of `skipped`.
local function collected(schema, compiler, skipped)
  local list = {}
  for _, keyword in ipairs(value.names(marks)) do
    if schema[keyword] ~= nil and keyword ~= skipped then
      list[#list + 1] = marks[keyword](schema[keyword], schema, compiler)
    end
  end
  return function(v, state, seen)
    for i = 1, #list do list[i](v, state, seen) end
  end
end


local function members_check(node, mark, schema)
  return function(v, state)
    if not value.is_object(v) then return nil end
    local seen, errors = {}, nil
    mark(v, state, seen)
    for _, name in ipairs(seen[ALL] and {} or value.names(v)) do
      local broken = not seen[name] and node.check(v[name], state)
      if broken then
        broken = node.schema == false and objects.unknown_member(v[name], name, schema)
          or explain.under(broken, name)
        errors = explain.add(errors, broken)
      end
    end
    return errors
  end
end


local function items_check(node, mark)
  return function(v, state)
    if not value.is_array(v) then return nil end
    local seen, errors = {}, nil
    mark(v, state, seen)
    for i = 1, seen[ALL] and 0 or rawlen(v) do
      local broken = not seen[i] and node.check(v[i], state)
      if broken then errors = explain.add(errors, explain.under(broken, i - 1)) end
    end
    return errors
  end
end


--- Gives the node its `mark`, and returns the check of its unevaluated… keywords (nil: it has none).
---@param node table
---@param compiler table
---@return nil|fun(v: any, state: table): table[]?
function unevaluated.build(node, compiler)
  local schema = node.schema
  node.mark = collected(schema, compiler)
  local checks = {}
  if schema.unevaluatedProperties ~= nil then
    checks[1] = members_check(compiler:at(schema.unevaluatedProperties, "unevaluatedProperties"),
      collected(schema, compiler, "unevaluatedProperties"), schema)
  end
  if schema.unevaluatedItems ~= nil then
    checks[#checks + 1] = items_check(compiler:at(schema.unevaluatedItems, "unevaluatedItems"),
      collected(schema, compiler, "unevaluatedItems"))
  end
  if #checks < 2 then return checks[1] end
  return function(v, state) return checks[1](v, state) or checks[2](v, state) end
end


return unevaluated
