--- rille.schema.form -- beside the walk: the ordered form of parameters becomes JSON Schema.
---
---     { { "city", "string", "The city." }, { "unit", { "celsius", "fahrenheit" }, optional = true } }
---
--- The properties keep the order in which they were written, in `required` and on the wire too. A form is
--- closed: names that it does not say are refused (see `additional`), although nothing of that is sent.
--- Invariant: every schema made here says by its metatable in which order it is written.

local options = require "rille.options"
local refine = require "rille.schema.refine"
local value = require "rille.schema.value"

local form = {}

local fail <const> = refine.fail

--- Schemas made here: true when closed, false when `additional` opened them.
local made <const> = setmetatable({}, { __mode = "k" })

local TYPES <const> = {
  string = true, integer = true, number = true, boolean = true, object = true, array = true,
  null = true, any = true,
}
local FORM_KEYS <const> = { "additional", "description", "title" }


---@param schema any
---@return boolean    made from the ordered form?
function form.is_ordered(schema)
  return made[schema] ~= nil
end


---@param schema any
---@return boolean    made from the ordered form, and not opened by `additional`?
function form.is_closed(schema)
  return made[schema] == true
end


local function type_schema(name, place)
  if not TYPES[name] then
    fail(place, ("unknown type '%s'%s"):format(name, options.hint(name, options.names(TYPES))))
  end
  return value.object({ { "type", name ~= "any" and name or nil } })
end


local function enum_schema(list)
  local kind = value.kind(list[1])
  for _, item in ipairs(list) do
    if value.kind(item) ~= kind then kind = nil end
  end
  return value.object({ { "type", kind and TYPES[kind] and kind or nil }, { "enum", value.array(value.copy(list)) } })
end


--- `{ "integer", minimum = 1 }`: a type with refinements where no name is needed.
local function is_refined(t)
  if not TYPES[t[1]] or rawlen(t) > 2 then return false end
  for key in next, t do
    if type(key) == "string" then return true end
  end
  return false
end


--- `{ type = "object", fields = … }`: an entry whose type is named like its other keys.
local function named_entry(kind, place)
  local entry = {}
  for key, given in next, kind do
    if key ~= "type" then entry[key] = given end
  end
  return form.entry(entry, kind.type, nil, place)
end


--- The schema that a type stands for: a type name, a list of values, an ordered form, a JSON Schema.
---@param kind any
---@param place string   names the parameter in messages
---@return table
function form.schema(kind, place)
  if kind == true then return value.object({}) end
  if type(kind) == "string" then return type_schema(kind, place) end
  if type(kind) ~= "table" then fail(place, "a type expected, got " .. type(kind)) end
  if type(kind.json) == "table" and type(kind.validate) == "function" then return kind.json end
  if rawlen(kind) == 0 then
    return not value.marked(kind) and refine.is_entry(kind) and named_entry(kind, place) or kind
  end
  if type(kind[1]) == "table" and not value.marked(kind) then return form.object(kind, place) end
  if is_refined(kind) then return form.entry(kind, kind[1], kind[2], place) end
  return enum_schema(kind)
end


local function union(list, key, place)
  if list == nil then return nil end
  if type(list) ~= "table" or rawlen(list) == 0 then fail(place, key .. ": a list of types expected") end
  local schemas = value.array({})
  for i, kind in ipairs(list) do schemas[i] = form.schema(kind, place) end
  return schemas
end


local function add_additional(list, additional, place)
  if additional == nil or additional == true then return end
  list[#list + 1] = {
    "additionalProperties", additional ~= false and form.schema(additional, place),
  }
end


--- The members of an object schema out of `fields` and `additional`.
local function add_members(list, entry, place)
  if entry.items ~= nil then list[#list + 1] = { "items", form.schema(entry.items, place) } end
  if entry.fields ~= nil then
    local inner = form.object(entry.fields, place)
    list[#list + 1] = { "properties", inner.properties }
    list[#list + 1] = { "required", inner.required }
  end
  add_additional(list, entry.additional, place)
  list[#list + 1] = { "anyOf", union(entry.any_of, "any_of", place) }
  list[#list + 1] = { "oneOf", union(entry.one_of, "one_of", place) }
  list[#list + 1] = { "allOf", union(entry.all_of, "all_of", place) }
end


--- The JSON type of an entry; `fields` and `items` say it too.
local function json_type(entry, schema, place)
  local said = entry.fields ~= nil and "fields" or entry.items ~= nil and "items"
  if not said then return schema.type end
  local kind = said == "fields" and "object" or "array"
  if schema.type ~= nil and schema.type ~= kind then
    fail(place, ("'%s' is for type %s"):format(said, kind))
  end
  return kind
end


--- The keywords of `list` written over a schema, in whose order they stay where it has them.
local function overlaid(schema, list)
  local copied, names, known = value.copy(schema), value.ordered_names(schema), {}
  for _, name in ipairs(names) do known[name] = true end
  for _, pair in ipairs(list) do
    if pair[2] ~= nil then
      copied[pair[1]] = pair[2]
      if not known[pair[1]] then names[#names + 1] = pair[1] end
    end
  end
  made[copied] = made[schema]
  return setmetatable(copied, { __jsontype = "object", __jsonorder = names })
end


--- A schema that takes null as well.
---@param schema table
---@return table
function form.or_null(schema)
  local null = value.object({ { "type", "null" } })
  if schema.anyOf then
    local list = value.copy(schema.anyOf)
    list[#list + 1] = null
    return overlaid(schema, { { "anyOf", list } })
  end
  if type(schema.type) ~= "string" or schema.const ~= nil then
    return value.object({ { "anyOf", value.array({ schema, null }) } })
  end
  local enum = value.copy(schema.enum)
  if enum then enum[#enum + 1] = require("rille.core").null end
  return overlaid(schema, { { "type", value.array({ schema.type, "null" }) }, { "enum", enum } })
end


--- The schema of one entry: type, description and refinements.
---@param entry table
---@param kind any
---@param description? string
---@param place string
---@return table
function form.entry(entry, kind, description, place)
  refine.check_keys(entry, place)
  local base = kind ~= nil and form.schema(kind, place) or value.object({})
  local list = {
    { "type", json_type(entry, base, place) }, { "title", entry.title },
    { "description", description or entry.description },
    { "enum", entry.enum and value.array(value.copy(entry.enum)) or nil },
  }
  refine.add(list, entry, list[1][2], place)
  add_members(list, entry, place)
  list[#list + 1] = { "default", value.copy_as(entry.default, list[1][2]) }
  local schema = overlaid(base, list)
  if entry.fields ~= nil then made[schema] = entry.additional == nil end
  return entry.nullable and form.or_null(schema) or schema
end


--- Does an entry without a type say in another way what it takes?
local function says_type(entry)
  return entry.fields or entry.items or entry.any_of or entry.one_of or entry.all_of or entry.enum
    or entry.const ~= nil
end


local function check_entry(entry, place, i)
  if type(entry) ~= "table" or type(entry[1]) ~= "string" then
    fail(place, ("entry %d: { name, type, description, … } expected"):format(i))
  end
  local name = place == "" and entry[1] or place .. "." .. entry[1]
  if entry[2] == nil and not says_type(entry) then fail(name, "a type is missing") end
  if entry[3] ~= nil and type(entry[3]) ~= "string" then
    fail(name, "description: string expected, got " .. type(entry[3]))
  end
  if rawlen(entry) > 3 then fail(name, "more than name, type and description") end
  return name
end


local function check_form(list, place)
  if type(list) ~= "table" then fail(place, "a list of fields expected, got " .. type(list)) end
  for key in next, list do
    if type(key) == "string" and not (key == "additional" or key == "description" or key == "title") then
      fail(place, ("unknown key '%s'%s"):format(key, options.hint(key, FORM_KEYS)))
    end
  end
end


--- { name, schema } of each entry, and the names that must be there.
local function entries_of(list, place)
  local properties, required, seen = {}, {}, {}
  for i, entry in ipairs(list) do
    local name = check_entry(entry, place, i)
    if seen[entry[1]] then fail(name, "stands twice") end
    seen[entry[1]] = true
    properties[i] = { entry[1], form.entry(entry, entry[2], entry[3], name) }
    if not entry.optional and (entry.default == nil or entry.optional == false) then
      required[#required + 1] = entry[1]
    end
  end
  return properties, required
end


--- The object schema of an ordered form.
---@param list table      entries, and perhaps the keys `additional`, `description`, `title`
---@param place? string
---@return table
function form.object(list, place)
  place = place or ""
  check_form(list, place)
  local properties, required = entries_of(list, place)
  local parts = {
    { "type", "object" }, { "title", list.title }, { "description", list.description },
    { "properties", value.object(properties) },
    { "required", #required > 0 and value.array(required) or nil },
  }
  add_additional(parts, list.additional, place)
  local schema = value.object(parts)
  made[schema] = list.additional == nil
  return schema
end


return form
