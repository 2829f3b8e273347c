--- rille.schema.refine -- beside the walk: the keys that refine a type in the ordered form.
---
--- Invariant: a key that does not exist, or not for this type, raises and names the place.

local options = require "rille.options"
local value = require "rille.schema.value"

local refine = {}

--- Key, keyword, and the type it is for (none: all), in the order in which they are sent.
local REFINEMENTS <const> = {
  { "const", "const" },
  { "format", "format", "string" }, { "pattern", "pattern", "string" },
  { "min_length", "minLength", "string" }, { "max_length", "maxLength", "string" },
  { "minimum", "minimum", "number" }, { "maximum", "maximum", "number" },
  { "exclusive_minimum", "exclusiveMinimum", "number" },
  { "exclusive_maximum", "exclusiveMaximum", "number" },
  { "multiple_of", "multipleOf", "number" },
  { "min_items", "minItems", "array" }, { "max_items", "maxItems", "array" },
  { "unique_items", "uniqueItems", "array" },
  { "min_properties", "minProperties", "object" }, { "max_properties", "maxProperties", "object" },
  { "examples", "examples" }, { "deprecated", "deprecated" },
}

--- All keys that an entry may have beside its list part.
local KEYS <const> = {
  "optional", "nullable", "default", "description", "title", "enum", "items", "fields", "additional",
  "any_of", "one_of", "all_of",
}
local IS_KEY <const> = {}
--- Keys that JSON Schema spells otherwise, or has not.
local FORM_ONLY <const> = { fields = true, nullable = true, any_of = true, one_of = true, all_of = true }
for _, refinement in ipairs(REFINEMENTS) do
  if refinement[1] ~= refinement[2] then FORM_ONLY[refinement[1]] = true end
end
for _, refinement in ipairs(REFINEMENTS) do KEYS[#KEYS + 1] = refinement[1] end
for _, key in ipairs(KEYS) do IS_KEY[key] = true end


--- Raises for the parameter at `place`.
---@param place string    "" for the whole form
---@param message string
function refine.fail(place, message)
  error({ schema = (place ~= "" and "'" .. place .. "': " or "") .. message })
end


--- Does a table without list part speak the language of the ordered form: `{ type = "object", fields = … }`?
---@param t table
---@return boolean
function refine.is_entry(t)
  for key in next, t do
    if FORM_ONLY[key] then return true end
  end
  return false
end


--- Raises for a key that no entry has.
---@param entry table
---@param place string
function refine.check_keys(entry, place)
  for key in next, entry do
    if type(key) == "string" and not IS_KEY[key] then
      refine.fail(place, ("unknown key '%s'%s"):format(key, options.hint(key, KEYS)))
    end
  end
end


local function applies(kind, wanted)
  if not wanted or kind == nil or type(kind) == "table" then return true end
  return kind == wanted or wanted == "number" and kind == "integer"
end


--- Adds the keywords of the entry's refinements to a list of { keyword, argument }.
---@param list table[]
---@param entry table
---@param kind string|string[]|nil    JSON type of the entry
---@param place string
function refine.add(list, entry, kind, place)
  for _, refinement in ipairs(REFINEMENTS) do
    local key, keyword, wanted = refinement[1], refinement[2], refinement[3]
    if entry[key] ~= nil then
      if not applies(kind, wanted) then
        refine.fail(place, ("'%s' is for type %s, not %s"):format(key, wanted, kind))
      end
      list[#list + 1] = { keyword, value.copy(entry[key]) }
    end
  end
end


return refine
