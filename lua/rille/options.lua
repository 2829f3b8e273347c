--- rille.options -- beside the walk: checks the one table of options that a public function takes.
---
--- Invariant: an unknown key or a wrong type raises at the caller's line and names what would be
--- right, so that a typo never becomes a default.

local options = {}


--- Optimal string alignment distance of two short words (a swap of neighbours counts one).
local function distance(a, b)
  local before, previous = {}, {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        current[j] = math.min(current[j], before[j - 2] + 1)
      end
    end
    before, previous = previous, current
  end
  return previous[#b]
end


local function fold(word)
  return (word:lower():gsub("[%s_%-.]", ""))
end


--- One name starting with the other is as good as one wrong letter: `max` means `max_bytes`.
local function difference(word, candidate)
  local a, b = fold(word), fold(candidate)
  local shorter, longer = a, b
  if #a > #b then shorter, longer = b, a end
  if #shorter >= 3 and longer:sub(1, #shorter) == shorter then return 1 end
  return distance(a, b)
end


--- Is candidate a better guess than best? Of two equally near ones the length decides.
local function is_nearer(word, candidate, found, best, best_difference)
  if found ~= best_difference or not best then return found < best_difference end
  local a, b = math.abs(#candidate - #word), math.abs(#best - #word)
  return a < b or a == b and candidate < best
end


--- The name in `list` that somebody who wrote `word` most likely meant.
---@param word string
---@param list string[]
---@return string? name    nil when nothing is near
function options.nearest(word, list)
  if type(word) ~= "string" or #word > 100 then return nil end
  local best, best_difference = nil, math.max(1, math.min(3, #word // 2)) + 1
  for _, candidate in ipairs(list) do
    local found = #candidate <= 200 and difference(word, candidate) or math.huge
    if is_nearer(word, candidate, found, best, best_difference) then
      best, best_difference = candidate, found
    end
  end
  return best
end


--- ` (did you mean 'model'?)`, or an empty text.
---@param word string
---@param list string[]
---@return string
function options.hint(word, list)
  local near = options.nearest(word, list)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end


--- Names of a table with string keys, sorted.
---@param t table
---@return string[]
function options.names(t)
  local names = {}
  for name in pairs(t) do
    if type(name) == "string" and name ~= "..." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end


--- Can it be called: a function, or an object with `__call`?
---@param value any
---@return boolean
function options.is_callable(value)
  if type(value) == "function" then return true end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__call ~= nil
end


local function has_type(value, wanted)
  if wanted == "any" then return true end
  if wanted == "callable" or wanted == "function" then return options.is_callable(value) end
  if wanted == "integer" then return math.tointeger(value) ~= nil and type(value) == "number" end
  return type(value) == wanted
end


local function has_one_of(value, wanted)
  if type(wanted) == "string" then return has_type(value, wanted) end
  for _, one in ipairs(wanted) do
    if has_type(value, one) then return true end
  end
  return false
end


local function key_error(key, spec, name)
  if type(key) ~= "string" then return ("%s: unexpected entry [%s]"):format(name, tostring(key)) end
  return ("%s: unknown option '%s'%s"):format(name, key, options.hint(key, options.names(spec)))
end


local function type_error(key, value, wanted, name)
  local expected = type(wanted) == "table" and table.concat(wanted, " or ") or wanted
  local what = type(key) == "string" and ("option '%s'"):format(key) or ("entry [%s]"):format(key)
  return ("%s: %s: %s expected, got %s"):format(name, what, expected, type(value))
end


--- Checks a table of options. Raises for an unknown key and for a wrong type. Call it as a
--- statement or an assignment: after a tail call Lua no longer knows whose line to blame.
---
--- The spec maps each key to a type or a list of types: "string", "number", "integer", "table",
--- "boolean", "function" or "callable" (both also take a table with __call), "any". Its key "..."
--- gives the type of list entries.
---@param t? table               nil counts as empty
---@param spec table<string, string|string[]>
---@param name string            of the function; opens the message
---@param level? integer         whose line is blamed: 1 = who calls check, 2 (default) = its caller
---@return table t
function options.check(t, spec, name, level)
  level = (level or 2) + 1
  if t == nil then return {} end
  if type(t) ~= "table" then
    error(("%s: table of options expected, got %s"):format(name, type(t)), level)
  end
  for key, value in pairs(t) do
    local wanted = spec[math.type(key) == "integer" and "..." or key]
    if wanted == nil or key == "..." then error(key_error(key, spec, name), level) end
    if not has_one_of(value, wanted) then
      error(type_error(key, value, wanted, name), level)
    end
  end
  return t
end


return options
