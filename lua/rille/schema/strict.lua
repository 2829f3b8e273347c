--- rille.schema.strict -- beside the walk: the subset of JSON Schema that strict mode takes.
---
--- Every object is closed and lists all its properties as required; an optional one may be null instead. Keywords that
--- only narrow values are dropped (validation holds them afterwards); those that shape values and have no strict
--- form make a schema inexpressible.
--- Source: wire contract 1.4; https://platform.openai.com/docs/guides/structured-outputs

local explain = require "rille.schema.explain"
local form = require "rille.schema.form"
local value = require "rille.schema.value"

local MAX_DEPTH <const> = 10
local MAX_PROPERTIES <const> = 5000
local MAX_ENUM <const> = 1000
local MAX_CHARACTERS <const> = 120000

--- What stays, in this order; everything else is dropped.
local KEPT <const> = {
  "type", "title", "description", "enum", "const", "format", "pattern", "minimum", "maximum",
  "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
}
local WITHOUT_FORM <const> = {
  "allOf", "if", "then", "else", "dependentSchemas", "patternProperties", "prefixItems",
  "unevaluatedProperties", "unevaluatedItems", "$dynamicRef",
}

local convert


local function refuse(self, message)
  error({ strict = ("%s: %s"):format(table.concat(self.path, "."), message) })
end


local function at(self, schema, ...)
  local before = #self.path
  for _, segment in ipairs({ ... }) do self.path[#self.path + 1] = tostring(segment) end
  local converted = convert(self, schema)
  for i = #self.path, before + 1, -1 do self.path[i] = nil end
  return converted
end


local function count_enum(self, list)
  self.enums = self.enums + #list
  for _, item in ipairs(list) do
    if type(item) == "string" then self.characters = self.characters + #item end
  end
end


local function check_limits(self)
  if self.properties > MAX_PROPERTIES then refuse(self, "more than 5000 properties") end
  if self.enums > MAX_ENUM then refuse(self, "more than 1000 enum values") end
  if self.characters > MAX_CHARACTERS then refuse(self, "more than 120000 characters of names and enums") end
end


local function takes_null(schema)
  local kind = schema.type
  if kind == "null" then return true end
  for _, name in ipairs(type(kind) == "table" and kind or {}) do
    if name == "null" then return true end
  end
  for _, branch in ipairs(schema.anyOf or {}) do
    if takes_null(branch) then return true end
  end
  return false
end


local function or_null(schema)
  if takes_null(schema) then return schema end
  if type(schema.type) ~= "table" or schema.const ~= nil then return form.or_null(schema) end
  local kinds = value.copy(schema.type)
  kinds[#kinds + 1] = "null"
  local copied = value.copy(schema)
  copied.type = value.array(kinds)
  if copied.enum then copied.enum[#copied.enum + 1] = require("rille.core").null end
  return copied
end


local function is_required(schema, name)
  for _, required in ipairs(schema.required or {}) do
    if required == name then return true end
  end
  return false
end


local function object_parts(self, schema, parts)
  if schema.additionalProperties ~= nil and schema.additionalProperties ~= false then
    refuse(self, "additionalProperties has no strict form")
  end
  if schema.properties == nil then refuse(self, "an object without properties has no strict form") end
  local properties, names = {}, value.ordered_names(schema.properties)
  self.properties = self.properties + #names
  for i, name in ipairs(names) do
    self.characters = self.characters + #name
    local converted = at(self, schema.properties[name], "properties", name)
    properties[i] = { name, is_required(schema, name) and converted or or_null(converted) }
  end
  parts[#parts + 1] = { "properties", value.object(properties) }
  parts[#parts + 1] = { "required", value.array(names) }
  parts[#parts + 1] = { "additionalProperties", false }
end


local function union_parts(self, schema, parts)
  local keyword = schema.anyOf and "anyOf" or "oneOf"
  if schema.anyOf and schema.oneOf then refuse(self, "anyOf beside oneOf has no strict form") end
  local list = value.array({})
  for i, branch in ipairs(schema[keyword]) do list[i] = at(self, branch, keyword, i - 1) end
  parts[#parts + 1] = { "anyOf", list }
end


local function has_type(schema, wanted)
  if type(schema.type) ~= "table" then return schema.type == wanted end
  for _, name in ipairs(schema.type) do
    if name == wanted then return true end
  end
  return false
end


local function definitions(self, schema, parts)
  for _, keyword in ipairs({ "$defs", "definitions" }) do
    if schema[keyword] then
      local list = {}
      for i, name in ipairs(value.ordered_names(schema[keyword])) do
        list[i] = { name, at(self, schema[keyword][name], keyword, name) }
      end
      parts[#parts + 1] = { keyword, value.object(list) }
    end
  end
end


local function check_shape(self, schema)
  if type(schema) ~= "table" then refuse(self, "a boolean schema has no strict form") end
  for _, keyword in ipairs(WITHOUT_FORM) do
    if schema[keyword] ~= nil then refuse(self, keyword .. " has no strict form") end
  end
  local says = schema.type ~= nil or schema.enum or schema.const ~= nil or schema.anyOf or schema.oneOf
  if not says then refuse(self, "a schema that takes anything has no strict form") end
end


function convert(self, schema)
  if type(schema) == "table" and schema["$ref"] ~= nil then
    self.refers = true
    return value.object({ { "$ref", schema["$ref"] } })
  end
  check_shape(self, schema)
  local object = has_type(schema, "object")
  self.depth = self.depth + (object and 1 or 0)
  if self.depth > MAX_DEPTH then refuse(self, "more than 10 levels of objects") end
  local parts = {}
  for _, keyword in ipairs(KEPT) do parts[#parts + 1] = { keyword, value.copy(schema[keyword]) } end
  if schema.enum then count_enum(self, schema.enum) end
  if object then object_parts(self, schema, parts) end
  if has_type(schema, "array") then
    if schema.items == nil then refuse(self, "an array without items has no strict form") end
    parts[#parts + 1] = { "items", at(self, schema.items, "items") }
  end
  if schema.anyOf or schema.oneOf then union_parts(self, schema, parts) end
  definitions(self, schema, parts)
  self.depth = self.depth - (object and 1 or 0)
  check_limits(self)
  return value.object(parts)
end


--- What a reference names may have been dropped, or stand elsewhere now.
local function check_references(self, converted)
  if not self.refers then return end
  local ok = pcall(require("rille.schema.compile"), converted)
  if not ok then refuse(self, "a $ref names what strict mode has no place for") end
end


--- The strict form of a JSON Schema, in new tables.
---@param schema table
---@return table? strict
---@return string? reason    why there is none, with the place
local function strict(schema)
  local self = { path = { "$" }, depth = 0, properties = 0, enums = 0, characters = 0 }
  local ok, result = pcall(function()
    if type(schema) ~= "table" or schema.type ~= "object" or schema.anyOf or schema.oneOf
      or schema["$ref"] ~= nil then
      refuse(self, "the root has to be an object, not a choice and no reference")
    end
    local converted = convert(self, schema)
    check_references(self, converted)
    return converted
  end)
  if ok then return result end
  if type(result) ~= "table" or not result.strict then error(result, 0) end
  return nil, explain.cut(result.strict, 300)
end


return strict
