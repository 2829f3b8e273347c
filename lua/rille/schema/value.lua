--- rille.schema.value -- beside the walk: JSON values as Lua holds them.
---
--- null is core.null (a Lua nil counts as null too). A table is an array or an object by the
--- `__jsontype` of its metatable; an unmarked one is an array when it has an entry [1], and when it is
--- empty it passes for either, because Lua cannot say which was meant.
--- Invariant: numbers compare as numbers, never as Lua subtypes: 1 equals 1.0, and no int64 is rounded.

local core = require "rille.core"

local value = {}

local null <const> = core.null
local array_metatable <const> = core.array_metatable
local MAX_DEPTH <const> = 200


--- What the metatable says a table is: "array", "object" or nil.
---@param t table
---@return string?
function value.marked(t)
  local metatable = getmetatable(t)
  return type(metatable) == "table" and metatable.__jsontype or nil
end


local marked <const> = value.marked


---@param v any
---@return boolean
function value.is_null(v)
  return v == nil or v == null
end


---@param v any
---@return boolean
function value.is_array(v)
  if type(v) ~= "table" then return false end
  local metatable = getmetatable(v)
  if metatable == array_metatable then return true end
  local mark = metatable and marked(v)
  if mark then return mark == "array" end
  return rawlen(v) > 0 or next(v) == nil
end


---@param v any
---@return boolean
function value.is_object(v)
  if type(v) ~= "table" then return false end
  local metatable = getmetatable(v)
  if metatable == array_metatable then return false end
  local mark = metatable and marked(v)
  if mark then return mark == "object" end
  return rawlen(v) == 0
end


--- An integer by its value: 5 and 5.0 are, 5.5, NaN and infinity are not.
---@param v any
---@return boolean
function value.is_integer(v)
  if math.type(v) == "integer" then return true end
  return math.type(v) == "float" and v == math.floor(v) and v - v == 0
end


--- A number that JSON can hold.
---@param v any
---@return boolean
function value.is_number(v)
  return type(v) == "number" and (math.type(v) == "integer" or v - v == 0)
end


--- Predicate of each JSON type.
---@type table<string, fun(v: any): boolean>
value.is = {
  null = value.is_null,
  boolean = function(v) return type(v) == "boolean" end,
  integer = value.is_integer,
  number = value.is_number,
  string = function(v) return type(v) == "string" end,
  array = value.is_array,
  object = value.is_object,
}


--- The JSON type of a value, for people: "integer" where it is one, else "number".
---@param v any
---@return string
function value.kind(v)
  if value.is_null(v) then return "null" end
  if type(v) == "number" then return value.is_integer(v) and "integer" or "number" end
  if type(v) ~= "table" then return type(v) end
  if marked(v) then return marked(v) end
  return rawlen(v) > 0 and "array" or "object"
end


local function sorted_names(t)
  local names = {}
  for name in next, t do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The string keys of a table, sorted.
---@param t table
---@return string[]
value.names = sorted_names


--- The member names of an object in its author's order: `__jsonorder` first, the others sorted.
---@param t table
---@return string[]
function value.ordered_names(t)
  local metatable = getmetatable(t)
  local order = type(metatable) == "table" and metatable.__jsonorder
  if not order then return sorted_names(t) end
  local names, seen = {}, {}
  for _, name in ipairs(order) do
    if rawget(t, name) ~= nil and not seen[name] then
      names[#names + 1], seen[name] = name, true
    end
  end
  for _, name in ipairs(sorted_names(t)) do
    if not seen[name] then names[#names + 1] = name end
  end
  return names
end


local function tables_equal(a, b, depth)
  if depth > MAX_DEPTH then return false end
  local a_array, b_array = value.is_array(a), value.is_array(b)
  local a_object, b_object = value.is_object(a), value.is_object(b)
  if not (a_array and b_array or a_object and b_object) then return false end
  for key, item in next, a do
    local other = rawget(b, key)
    if other == nil or not value.equal(item, other, depth + 1) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end


--- Are two values the same JSON?
---@param a any
---@param b any
---@param depth? integer   of the comparison; what nests deeper than 200 is never equal
---@return boolean
function value.equal(a, b, depth)
  if a == nil then a = null end
  if b == nil then b = null end
  if rawequal(a, b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  return tables_equal(a, b, depth or 0)
end


local key_of

local function table_key(t, depth)
  local parts = {}
  if depth > MAX_DEPTH then return tostring(t) end
  if value.is_array(t) and not value.is_object(t) then
    for i = 1, rawlen(t) do parts[i] = key_of(rawget(t, i), depth + 1) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for i, name in ipairs(sorted_names(t)) do
    parts[i] = #name .. ":" .. name .. "=" .. key_of(rawget(t, name), depth + 1)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end


--- A value that is the same Lua value exactly when the JSON is the same: a key for sets of values.
---@param v any
---@param depth? integer
---@return string
function value.key(v, depth)
  if type(v) == "string" then return "s" .. #v .. ":" .. v end
  if type(v) == "table" then return table_key(v, depth or 0) end
  if type(v) ~= "number" then return value.is_null(v) and "null" or tostring(v) end
  local integer = math.tointeger(v)
  return integer and ("%d"):format(integer) or ("%.17g"):format(v)
end


key_of = value.key


--- A deep copy; metatables (which say array, object and order) are shared. A table that stands in several
--- places, even in itself, stays one.
---@param v any
---@param seen? table<table, table>
---@return any
function value.copy(v, seen)
  if type(v) ~= "table" then return v end
  seen = seen or {}
  if seen[v] then return seen[v] end
  local copied = {}
  seen[v] = copied
  for key, item in next, v do copied[key] = value.copy(item, seen) end
  return setmetatable(copied, getmetatable(v))
end


--- A deep copy; where it is to be an array, an unmarked empty table says so from now on.
---@param v any
---@param kind any    a JSON type, or anything
---@return any
function value.copy_as(v, kind)
  local copied = value.copy(v)
  if type(v) == "table" and kind == "array" and not marked(v) then value.array(copied) end
  return copied
end


--- An object whose members keep the order of the pairs: `{ {"type", "string"}, … }`. Pairs whose value
--- is nil are left out.
---@param pairs_list {[1]: string, [2]: any}[]
---@return table
function value.object(pairs_list)
  local object, order = {}, {}
  for _, pair in ipairs(pairs_list) do
    if pair[2] ~= nil then
      order[#order + 1] = pair[1]
      object[pair[1]] = pair[2]
    end
  end
  return setmetatable(object, { __jsontype = "object", __jsonorder = order })
end


--- A list marked as a JSON array, so that it stays one when empty.
---@param list table
---@return table
function value.array(list)
  return setmetatable(list, array_metatable)
end


return value
