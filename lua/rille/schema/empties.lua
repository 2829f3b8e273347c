--- rille.schema.empties -- beside the walk: which empty tables of a schema are lists.
---
--- Lua cannot tell {} from [], servers can: `required = {}` has to go out as [], `properties = {}` as {}. What stands
--- under a keyword whose value is a list is marked as one.
--- Invariant: the given schema is never changed; where nothing is to be marked it comes back as it is.
--- Source: wire contract §1.2 and R29; JSON Schema 2020-12.

local core = require "rille.core"

local LISTS <const> = {
  required = true, enum = true, examples = true, allOf = true, anyOf = true, oneOf = true, prefixItems = true, type = true,
}
--- Keywords whose members are schemas under names of the author's …
local MAPS <const> = {
  properties = true, patternProperties = true, dependentSchemas = true, ["$defs"] = true, definitions = true,
}
--- … and those whose values are data, not schemas.
local DATA <const> = { default = true, const = true, enum = true, examples = true }

local visit


local function is_bare(value)
  return type(value) == "table" and next(value) == nil and getmetatable(value) == nil
end


--- A copy of `given` in which the members are what `visit_member(name, value)` makes of them; the same table when it
--- changes none.
local function map(given, visit_member)
  local made
  for name, value in pairs(given) do
    local other = visit_member(name, value)
    if not rawequal(other, value) then
      if not made then
        made = setmetatable({}, getmetatable(given))
        for key, kept in pairs(given) do made[key] = kept end
      end
      made[name] = other
    end
  end
  return made or given
end


function visit(given, seen)
  if type(given) ~= "table" then return given end
  if seen[given] then return seen[given] end
  seen[given] = given   -- a table inside itself stays as it is: JSON has no word for it anyway

  local function each(_, value) return visit(value, seen) end

  seen[given] = map(given, function(name, value)
    if LISTS[name] and is_bare(value) then return setmetatable({}, core.array_metatable) end
    if DATA[name] or type(value) ~= "table" then return value end
    if MAPS[name] then return map(value, each) end
    return visit(value, seen)
  end)
  return seen[given]
end


--- Marks the empty lists of a JSON Schema.
---@param given any      a schema; anything else comes back as it is
---@return any
return function(given)
  return visit(given, {})
end
