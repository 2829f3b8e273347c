--- rille.json -- beside the walk: JSON for scripts; the work is done in C.
---
--- Invariant: the same value gives the same bytes in every process. Keys are sorted unless the table
--- says otherwise, so prompt caches hit.
--- Source: RFC 8259; rille.core json_encode and json_decode.

local core = require "rille.core"
local options = require "rille.options"

local json = {}

--- JSON null, in both directions. Truthy in Lua: compare with it.
---@type lightuserdata
json.null = core.null

local absent_metatable <const> = {
  __jsontype = "absent",
  __name = "rille.json.absent",
  __metatable = false,
  __newindex = function() error("rille.json.absent is a constant", 2) end,
  __tostring = function() return "rille.json.absent" end,
}

--- As a value in the `extra` table of a request it removes that member from the body. Nothing else
--- takes it: encoding it raises.
---@type table
json.absent = setmetatable({}, absent_metatable)

--- Encodes a value as JSON text.
---
--- Integers are exact; a float that is integral has no ".0" up to 2^53, other floats have the shortest text that
--- reads back to the same bits. A table with the keys 1..n is an array, any other an object; an empty one is `{}`
--- unless marked by json.array. Keys are sorted by their bytes, or as json.object was told. Invalid UTF-8 becomes
--- U+FFFD. Metamethods are not called. Raises, naming the path, for what JSON cannot hold: functions, NaN,
--- infinity, holes in a list, keys of mixed types, tables nested more than 128 deep.
---@type fun(value: any): string
json.encode = core.json_encode


--- Decodes one JSON text.
---
--- Arrays are marked as such, so that an empty one is encoded as `[]` again. Integers are exact over the int64 range
--- and integral numbers up to 2^53 come as Lua integers; the rest are floats.
---@param text string
---@param given? {nulls?: boolean, unique_keys?: boolean}
---   nulls = false: null becomes nil instead of json.null (in an array it leaves a hole);
---   unique_keys = true: an object with the same key twice is an error (else the last one wins)
---@return any value
---@return rille.Failure? failure   "bad_response": not JSON (says what and at which byte, from 0), or
---   beyond 64 MiB, 128 levels, 1,000,000 values
function json.decode(text, given)
  if type(text) ~= "string" then
    error(("json.decode: text: string expected, got %s"):format(type(text)), 2)
  end
  if given ~= nil then
    options.check(given, { nulls = "boolean", unique_keys = "boolean" }, "json.decode")
  end
  return core.json_decode(text, given)
end


local function expect_table(name, t)
  if t ~= nil and type(t) ~= "table" then
    error(("json.%s: table expected, got %s"):format(name, type(t)), 3)
  end
end


--- Marks a table as a JSON array: `[]` when empty, holes become null.
---@generic T: table
---@param t? T          default: a new table
---@return T t           the same table
function json.array(t)
  expect_table("array", t)
  return setmetatable(t or {}, core.array_metatable)
end


--- { {"a", 1}, {"b", 2} } → { a = 1, b = 2 } and { "a", "b" }
local function read_pairs(list)
  local members, order = {}, {}
  for i, pair in ipairs(list) do
    local key = type(pair) == "table" and pair[1]
    if type(key) ~= "string" then
      error(("json.object: entry %d: {key, value} with a string key expected"):format(i), 3)
    end
    if members[key] ~= nil then error(("json.object: duplicate key '%s'"):format(key), 3) end
    members[key], order[i] = pair[2], key
  end
  return members, order
end


--- Marks a table as a JSON object, or makes one whose members keep their order.
---
---     json.object { name = "a" }                       -- sorted by key, as every table
---     json.object { { "name", "a" }, { "id", 1 } }     -- {"name":"a","id":1}
---@param t? table       default: a new table; a list of {key, value} for the second form
---@return table object  the same table, or a new one for the second form
function json.object(t)
  expect_table("object", t)
  if t == nil or rawget(t, 1) == nil then
    return setmetatable(t or {}, core.object_metatable)
  end
  local members, order = read_pairs(t)
  return setmetatable(members, { __jsontype = "object", __jsonorder = order })
end


return json
