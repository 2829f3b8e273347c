--- rille.schema.shape -- beside the walk: the part of a schema that C can walk (core.fits), for ordinary arguments.
---
--- An object of typed properties, nested as it likes, with lists of words and bounds of numbers. C only says yes, and only
--- for what needs nothing filled in, but for members of the object itself; whatever else there is to say about a value is
--- said by the compiled schema.
--- Invariant: what fits the shape fits the schema, and comes back from its validation as it is.

local form = require "rille.schema.form"
local value = require "rille.schema.value"

local shape = {}

--- The bit of each type; null is none of them, since it may stand for what is absent.
local BITS <const> = { string = 1, integer = 2, number = 2 | 4, boolean = 8, object = 16, array = 32 }
local ANY <const> = 63
local DEEPEST <const> = 32
local IS_NEEDED <const>, FILLS <const> = 9, 10   -- slots
--- Types of defaults that C puts in.
local SCALAR <const> = { string = true, number = true, boolean = true }

--- Keywords that are looked at here, and those that say nothing about a value.
local KNOWN <const> = {
  type = true, enum = true, properties = true, required = true, additionalProperties = true, items = true,
  minimum = true, maximum = true,
  title = true, description = true, default = true, examples = true, deprecated = true,
  ["$comment"] = true, ["$schema"] = true,
}

--- Keywords of a schema that needs no compiling before it is used: what they say is checked here.
local PLAIN <const> = {
  type = true, enum = true, properties = true, required = true, additionalProperties = true, items = true, description = true,
}

local build


local function is_known(schema)
  for keyword in next, schema do
    if not KNOWN[keyword] then return false end
  end
  return true
end


--- The types that a schema allows, as bits; nil when it is more than a matter of types.
local function types_of(schema)
  local names = schema.type
  if names == nil then return ANY end
  if type(names) == "string" then names = { names } end
  local types = 0
  for _, name in ipairs(names) do types = types | (BITS[name] or 0) end
  return types ~= 0 and types or nil
end


--- The words of an enum that holds nothing else, as a set; nil when it does.
local function words_of(list)
  local words = {}
  for _, word in ipairs(list) do
    if type(word) ~= "string" then return nil end
    words[word] = true
  end
  return next(words) and words
end


--- The shapes of the members by name, and how many have to be there: one that is missing and has a default, too.
local function members_of(schema, depth)
  local members, needed, is_needed = {}, 0, {}
  for _, name in ipairs(schema.required or {}) do is_needed[name] = true end
  for name, member in next, schema.properties or {} do
    local made = build(member, depth + 1)
    if not made then return nil end
    if is_needed[name] or member.default ~= nil then
      made[IS_NEEDED], needed = true, needed + 1
    end
    members[name], is_needed[name] = made, nil
  end
  return next(is_needed) == nil and members or nil, needed
end


local function is_closed(schema)
  return schema.additionalProperties == false or form.is_closed(schema)
end


--- Its slots by number, as C reads them: types, members, needed, is_closed, items, words, least, most, and (in the
--- shape of a member) whether it has to be there; in that of the whole, what stands for absent members.
function build(schema, depth)
  if type(schema) ~= "table" or depth > DEEPEST or not is_known(schema) then return nil end
  if type(schema.additionalProperties) == "table" then return nil end
  local types, words = types_of(schema), schema.enum ~= nil and words_of(schema.enum)
  local members, needed = members_of(schema, depth)
  local items = schema.items ~= nil and build(schema.items, depth + 1)
  if not types or not members or words == nil or items == nil then return nil end
  if words then types = types & BITS.string end
  return { types, members, needed, is_closed(schema), items, words, schema.minimum or false, schema.maximum or false, false }
end


--- Does a member say that null is none of its values?
local function refuses_null(member)
  local names = member.type
  if type(names) == "string" then return names ~= "null" end
  for _, name in ipairs(names or {}) do
    if name == "null" then return false end
  end
  return names ~= nil
end


--- What stands for absent members of the object itself, where that is simple: { name, does null mean absent?, default }.
local function fills_of(schema, absent_nulls)
  local fills, required = {}, {}
  for _, name in ipairs(schema.required or {}) do required[name] = true end
  for name, member in next, schema.properties or {} do
    local default, lenient = member.default, absent_nulls and refuses_null(member)
    local is_simple = default == nil or SCALAR[type(default)]
    if not required[name] and is_simple and (lenient or default ~= nil) then
      fills[#fills + 1] = { name, lenient or false, default }
    end
  end
  return next(fills) and fills or nil
end


--- The shape of a schema that was compiled before; nil when it has none.
---@param schema table|boolean    compiled.json
---@param absent_nulls? boolean   does null stand for an absent member?
---@return table? shape    for core.fits and core.read_calls
function shape.of(schema, absent_nulls)
  local made = not value.is_array(schema) and build(schema, 0) or nil
  if made then made[FILLS] = fills_of(schema, absent_nulls) end
  return made
end


local function all_strings(list)
  for _, one in ipairs(list) do
    if type(one) ~= "string" then return false end
  end
  return true
end


local function is_list(given)
  return given == nil or value.is_array(given) and all_strings(given)
end


local function all_plain(schemas, depth)
  if schemas == nil then return true end
  if not value.is_object(schemas) then return false end
  for name, one in next, schemas do
    if type(name) ~= "string" or not shape.is_plain(one, depth) then return false end
  end
  return true
end


--- Does a schema say nothing but types, words and descriptions, each in the way that the compiler takes? An ordered form
--- may hold JSON Schemas that nobody has looked at.
---@param schema any
---@param depth? integer    of this one within others; a table may hold itself
---@return boolean
function shape.is_plain(schema, depth)
  depth = (depth or 0) + 1
  if depth > DEEPEST or not value.is_object(schema) then return false end
  for keyword in next, schema do
    if not PLAIN[keyword] then return false end
  end
  local kind, others = schema.type, schema.additionalProperties
  return (kind == nil or BITS[kind] ~= nil) and (others == nil or type(others) == "boolean") and is_list(schema.enum)
    and is_list(schema.required) and all_plain(schema.properties, depth)
    and (schema.items == nil or shape.is_plain(schema.items, depth))
end


return shape
