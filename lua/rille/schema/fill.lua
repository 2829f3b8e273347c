--- rille.schema.fill -- beside the walk: what a valid value lacks.
---
--- Puts defaults where properties are missing, turns 5.0 into 5 where the schema says integer, and drops nulls
--- that stand for "absent". The value that was given is not changed: tables on the way are copied.
--- Invariant: a default is taken as written (a deep copy); nothing is filled inside it, so that recursive
--- schemas end.

local form = require "rille.schema.form"
local lazy = require "rille.lazy"
local objects = require "rille.schema.objects"
local value = require "rille.schema.value"
local applicators = lazy "rille.schema.applicators"   ---@module "rille.schema.applicators"
local arrays = lazy "rille.schema.arrays"   ---@module "rille.schema.arrays"

local fill = {}

local null <const> = require("rille.core").null


--- 5 and 5.0 are equal in Lua, yet not the same.
local function differs(a, b)
  return not rawequal(a, b) or math.type(a) ~= math.type(b)
end


local function shallow(t)
  local copied = {}
  for key, item in next, t do copied[key] = item end
  return setmetatable(copied, getmetatable(t))
end


local function to_integer(v)
  return math.type(v) == "float" and math.tointeger(v) or v
end


local function says_integer(names)
  if type(names) ~= "table" then return names == "integer" end
  local integer = false
  for _, name in ipairs(names) do
    if name == "number" then return false end
    integer = integer or name == "integer"
  end
  return integer
end


--- The ordered form is ours, so its defaults are held to its own rules, at once.
local function check_default(name, node, default, compiler)
  local errors = node.check(default, { depth = 0, steps = 0, scope = {} })
  if errors then
    compiler:fail(("default of %s: %s"):format(name, errors[1].message))
  end
end


local function property_entry(name, node, schema, compiler)
  local default
  if type(node.schema) == "table" then
    default = value.copy_as(node.schema.default, node.schema.type)
  end
  if default ~= nil and form.is_ordered(schema) then check_default(name, node, default, compiler) end
  local lenient = objects.null_is_absent(compiler, schema, name)
  if default == nil and not node.fill and not lenient then return nil end
  return { name = name, node = node, default = default, lenient = lenient }
end


local function filled_item(entry, item, state)
  local node = entry.node
  if item == null and entry.lenient and node.check(null, state) then item = nil end
  if item == nil then return value.copy(entry.default) end
  return node.fill and node.fill(item, state) or item
end


local function properties(schema, compiler)
  local entries = {}
  for _, name in ipairs(value.ordered_names(schema.properties)) do
    local node = compiler:at(schema.properties[name], "properties", name)
    entries[#entries + 1] = property_entry(name, node, schema, compiler)
  end
  if #entries == 0 then return nil end
  return function(v, state)
    if not value.is_object(v) then return v end
    local out = v
    for i = 1, #entries do
      local name = entries[i].name
      local item = filled_item(entries[i], v[name], state)
      if differs(item, v[name]) then
        if out == v then out = shallow(v) end
        out[name] = item
      end
    end
    return out
  end
end


--- Fills every member whose name `applies`.
local function members(node, applies)
  if not node.fill then return nil end
  return function(v, state)
    if not value.is_object(v) then return v end
    local out = v
    for name, item in next, v do
      local filled = type(name) == "string" and applies(name) and node.fill(item, state) or item
      if differs(filled, item) then
        if out == v then out = shallow(v) end
        out[name] = filled
      end
    end
    return out
  end
end


local function items(schema, compiler)
  local prefix, rest, keyword = arrays.parts(schema)
  local nodes, any = {}, false
  for i, item in ipairs(prefix or {}) do
    nodes[i] = compiler:at(item, "prefixItems", i - 1)
    any = any or nodes[i].fill
  end
  local rest_node = rest ~= nil and compiler:at(rest, keyword) or {}
  if not any and not rest_node.fill then return nil end
  return function(v, state)
    if not value.is_array(v) then return v end
    local out = v
    for i = 1, rawlen(v) do
      local node = nodes[i] or rest_node
      local filled = node.fill and node.fill(v[i], state) or v[i]
      if differs(filled, v[i]) then
        if out == v then out = shallow(v) end
        out[i] = filled
      end
    end
    return out
  end
end


local function reference(target_of)
  return function(v, state)
    local target = target_of(state)
    if not target.fill then return v end
    local filled = applicators.inside(target, state, "fill", v)
    return state.broken and v or filled
  end
end


--- Of alternatives, the first one that fits says what is missing.
local function alternatives(list, keyword, compiler)
  local nodes, any = {}, false
  for i, schema in ipairs(list) do
    nodes[i] = compiler:at(schema, keyword, i - 1)
    any = any or nodes[i].fill
  end
  if not any then return nil end
  return function(v, state)
    for i = 1, #nodes do
      if not nodes[i].check(v, state) then return nodes[i].fill and nodes[i].fill(v, state) or v end
    end
    return v
  end
end


local function conditional(schema, compiler)
  local condition = compiler:at(schema["if"], "if")
  local yes = schema["then"] ~= nil and compiler:at(schema["then"], "then") or {}
  local no = schema["else"] ~= nil and compiler:at(schema["else"], "else") or {}
  if not yes.fill and not no.fill then return nil end
  return function(v, state)
    local node = condition.check(v, state) and no or yes
    return node.fill and node.fill(v, state) or v
  end
end


--- An ordered form without names takes no arguments: whatever a model invents is dropped.
local function emptied(v)
  if not value.is_object(v) or next(v) == nil then return v end
  return setmetatable({}, getmetatable(v))
end


local function in_place(fillers, schema, compiler)
  if schema["$ref"] ~= nil then
    local target = compiler:resolve(schema["$ref"], "$ref")
    fillers[#fillers + 1] = reference(function() return target end)
  end
  if schema["$dynamicRef"] ~= nil then
    fillers[#fillers + 1] = reference(applicators.dynamic_target(compiler, schema["$dynamicRef"]))
  end
  for i, part in ipairs(schema.allOf or {}) do
    fillers[#fillers + 1] = compiler:at(part, "allOf", i - 1).fill
  end
  for _, keyword in ipairs({ "anyOf", "oneOf" }) do
    if schema[keyword] then
      fillers[#fillers + 1] = alternatives(schema[keyword], keyword, compiler)
    end
  end
  if schema["if"] ~= nil then fillers[#fillers + 1] = conditional(schema, compiler) end
end


local function of_members(fillers, schema, compiler)
  if schema.properties then fillers[#fillers + 1] = properties(schema, compiler) end
  if schema.patternProperties then
    for _, pattern in ipairs(value.names(schema.patternProperties)) do
      local regex = compiler:regex(pattern, "patternProperties")
      local node = compiler:at(schema.patternProperties[pattern], "patternProperties", pattern)
      fillers[#fillers + 1] = members(node, function(name) return regex:find(name) end)
    end
  end
  if type(schema.additionalProperties) == "table" then
    local node = compiler:at(schema.additionalProperties, "additionalProperties")
    fillers[#fillers + 1] = members(node, objects.is_additional(schema, compiler))
  end
end


--- The filler of a node, or nil when there is nothing to fill.
---@param node table
---@param compiler table
---@return nil|fun(v: any, state: table): any
function fill.build(node, compiler)
  local schema, fillers = node.schema, {}
  if says_integer(schema.type) then fillers[1] = to_integer end
  if form.is_closed(schema) and next(schema.properties) == nil then fillers[#fillers + 1] = emptied end
  of_members(fillers, schema, compiler)
  if schema.items ~= nil or schema.prefixItems then
    fillers[#fillers + 1] = items(schema, compiler)
  end
  in_place(fillers, schema, compiler)
  if #fillers < 2 then return fillers[1] end
  return function(v, state)
    for i = 1, #fillers do v = fillers[i](v, state) end
    return v
  end
end


return fill
