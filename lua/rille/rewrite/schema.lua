--- rille.rewrite.schema -- walk 2: JSON Schema in the dialect of one server.
---
--- "gemini": an OpenAPI 3.0 subset. What it has no word for is translated where it can be (const,
--- oneOf, type lists, $ref, exclusive bounds) and left out where it cannot. Property order is kept.
--- Source: wire contract §1.4, R22.

local json = require "rille.json"

local schema = {}

local DEEPEST <const> = 12   -- levels of $ref that are unfolded; below, any object will do

local KEPT <const> = {
  "title", "description", "enum", "required", "minItems", "maxItems", "minProperties",
  "maxProperties",
  "minLength", "maxLength", "pattern", "minimum", "maximum", "nullable", "default", "example",
  "propertyOrdering",
}
local FORMATS <const> = {
  ["date-time"] = true, enum = true, int32 = true, int64 = true, float = true, double = true,
}

local reduce


local function pointer(root, ref)
  local node = root
  local path = type(ref) == "string" and ref:match("^#(.*)$")
  for name in (path or "/?"):gmatch("/([^/]*)") do
    name = name:gsub("~1", "/"):gsub("~0", "~")
    node = type(node) == "table" and node[name] or nil
  end
  return type(node) == "table" and node or nil
end


--- Members of a table of schemas, each reduced; the author's order stays.
local function reduce_members(members, root, depth)
  local made = json.object {}
  for name, member in pairs(members) do made[name] = reduce(member, root, depth) end
  return setmetatable(made, getmetatable(members) or getmetatable(made))
end


local function reduce_list(list, root, depth)
  local made = json.array {}
  for i, one in ipairs(list) do made[i] = reduce(one, root, depth) end
  return made
end


--- type = {"string", "null"} → string, nullable; several real types → anyOf
local function reduce_type(made, types)
  if type(types) ~= "table" then
    made.type = types
    return
  end
  local real = {}
  for _, one in ipairs(types) do
    if one == "null" then made.nullable = true else real[#real + 1] = one end
  end
  if #real == 1 then
    made.type = real[1]
  elseif #real > 1 then
    made.anyOf = json.array {}
    for i, one in ipairs(real) do made.anyOf[i] = { type = one } end
  end
end


local function reduce_bounds(made, node)
  local step = made.type == "integer" and 1 or 0
  if type(node.exclusiveMinimum) == "number" then made.minimum = node.exclusiveMinimum + step end
  if type(node.exclusiveMaximum) == "number" then made.maximum = node.exclusiveMaximum - step end
end


local function reduce_alternatives(made, node, root, depth)
  local list = node.anyOf or node.oneOf
  if type(list) ~= "table" then return end
  local kept = json.array {}
  for _, one in ipairs(list) do
    if type(one) == "table" and one.type == "null" then
      made.nullable = true
    else
      kept[#kept + 1] = reduce(one, root, depth)
    end
  end
  if #kept > 1 then
    made.anyOf = kept
  elseif kept[1] then
    for key, value in pairs(kept[1]) do
      if made[key] == nil then made[key] = value end
    end
  end
end


--- Enumerations are lists of strings there.
local function reduce_enum(made, node)
  if node.const ~= nil then made.enum = json.array { node.const } end
  if made.enum == nil then return end
  for _, value in ipairs(made.enum) do
    if type(value) ~= "string" then
      made.enum = nil
      return
    end
  end
  made.type = made.type or "string"
end


local function resolve(node, root, depth)
  if node["$ref"] == nil then return node, depth end
  local target = depth < DEEPEST and pointer(root, node["$ref"])
  if not target then return { type = "object", description = node.description }, depth end
  local made = {}
  for key, value in pairs(target) do made[key] = value end
  for key, value in pairs(node) do
    if key ~= "$ref" then made[key] = value end
  end
  return resolve(made, root, depth + 1)
end


--- allOf: the members of all of them in one.
local function fold_all(node)
  if type(node.allOf) ~= "table" then return node end
  local made = {}
  for key, value in pairs(node) do made[key] = value end
  made.allOf = nil
  for _, one in ipairs(node.allOf) do
    for key, value in pairs(type(one) == "table" and one or {}) do
      if key == "properties" and type(made.properties) == "table" then
        local both = json.object {}
        for name, member in pairs(made.properties) do both[name] = member end
        for name, member in pairs(value) do both[name] = member end
        made.properties = both
      elseif key == "required" and type(made.required) == "table" then
        made.required = json.array { table.unpack(made.required) }
        table.move(value, 1, #value, #made.required + 1, made.required)
      elseif made[key] == nil then
        made[key] = value
      end
    end
  end
  return made
end


function reduce(node, root, depth)
  if type(node) ~= "table" then return json.object {} end
  node, depth = resolve(node, root, depth)
  node = fold_all(node)
  local made = json.object {}
  for _, key in ipairs(KEPT) do made[key] = node[key] end
  reduce_type(made, node.type)
  if FORMATS[node.format] then made.format = node.format end
  reduce_bounds(made, node)
  reduce_enum(made, node)
  reduce_alternatives(made, node, root, depth)
  if type(node.properties) == "table" then
    made.properties = reduce_members(node.properties, root, depth)
    made.type = made.type or "object"
  end
  if type(node.items) == "table" then made.items = reduce(node.items, root, depth) end
  if type(node.prefixItems) == "table" and not made.items then
    made.items = { anyOf = reduce_list(node.prefixItems, root, depth) }
  end
  return made
end


local dialects <const> = { gemini = function(node) return reduce(node, node, 0) end }


--- Reduces a schema to a dialect.
---@param node table       JSON Schema; never changed
---@param dialect "gemini"
---@return table
function schema.reduce(node, dialect)
  local known = dialects[dialect]
  return known and known(node) or node
end


return schema
