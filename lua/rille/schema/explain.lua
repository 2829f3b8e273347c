--- rille.schema.explain -- beside the walk: what broke a schema, in sentences that a model can act on.
---
--- A broken value is a list of errors {expected, got, message}; while they travel up, each one carries
--- the way back to the root as its list part, innermost segment first, and `finish` turns that into a path.
--- Invariant: nothing here runs for a value that fits.

local core = require "rille.core"
local options = require "rille.options"
local value = require "rille.schema.value"

local explain = {}

local MAX_TEXT <const> = 80     -- bytes of a value that a message shows
local MAX_LISTED <const> = 40   -- names or enum values that a message lists
local MAX_ERRORS <const> = 20


--- Cuts text to at most `max` bytes at a character boundary.
---@param text string
---@param max integer
---@return string
function explain.cut(text, max)
  if #text <= max then return text end
  local stop = max
  while stop > 0 and (text:byte(stop + 1) & 0xC0) == 0x80 do stop = stop - 1 end
  return text:sub(1, stop) .. "…"
end


--- A value as short JSON.
---@param v any
---@return string
function explain.json(v)
  if v == nil then return "null" end
  if type(v) == "string" and #v > MAX_TEXT then return core.json_encode(explain.cut(v, MAX_TEXT)) end
  local ok, text = pcall(core.json_encode, v)
  if not ok then return type(v) == "number" and tostring(v) or type(v) end
  return explain.cut(text, MAX_TEXT)
end


--- `string "five"`, `integer 5`, `array of 3 items`, `object`.
---@param v any
---@return string
function explain.describe(v)
  local kind = value.kind(v)
  if kind == "null" then return "null" end
  if kind == "array" then
    return ("array of %d item%s"):format(rawlen(v), rawlen(v) == 1 and "" or "s")
  end
  if kind == "object" then return "object" end
  if kind == "string" or kind == "number" or kind == "integer" or kind == "boolean" then
    return kind .. " " .. explain.json(v)
  end
  return kind   -- a Lua function or userdata: no JSON at all
end


--- `"a", "b" or "c"`.
---@param list string[]
---@param word? string    default "or"
---@return string
function explain.join(list, word)
  if #list > MAX_LISTED then
    return table.concat(list, ", ", 1, MAX_LISTED) .. (" … (%d in all)"):format(#list)
  end
  if #list < 2 then return list[1] or "" end
  return ("%s %s %s"):format(table.concat(list, ", ", 1, #list - 1), word or "or", list[#list])
end


--- Names in double quotes, for a list.
---@param names string[]
---@return string[]
function explain.quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = explain.json(name) end
  return list
end


--- ` (did you mean "city"?)`, or an empty text. One letter is near to every other one.
---@param word any
---@param names string[]
---@return string
function explain.hint(word, names)
  local near = type(word) == "string" and #word > 1 and options.nearest(word, names)
  return near and (" (did you mean %s?)"):format(explain.json(near)) or ""
end


--- One broken rule, as the list that checks return.
---@param expected string
---@param v any                the value that broke it
---@param message? string      default "expected <expected>, got <description of v>"
---@return table[] errors
function explain.mismatch(expected, v, message)
  local got = explain.describe(v)
  return { {
    expected = expected, got = got,
    message = message or ("expected %s, got %s"):format(expected, got),
  } }
end


--- Adds one more segment to the way of each error: a name, or a 0-based index.
---@param errors table[]
---@param segment string|integer
---@return table[] errors    the same list
function explain.under(errors, segment)
  for _, broken in ipairs(errors) do broken[#broken + 1] = segment end
  return errors
end


--- Adds the errors of `more` to `errors` (nil: none yet).
---@param errors table[]?
---@param more table[]
---@return table[]
function explain.add(errors, more)
  if not errors then return more end
  for _, broken in ipairs(more) do
    if #errors >= MAX_ERRORS then break end
    errors[#errors + 1] = broken
  end
  return errors
end


local function segment_text(segment)
  if math.type(segment) then return ("[%d]"):format(segment) end
  if segment:find("^[%a_$][%w_$-]*$") then return "." .. segment end
  return "[" .. explain.json(segment) .. "]"
end


--- Turns the ways of the errors into paths: `$.items[0].name`.
---@param errors table[]
---@return rille.SchemaError[]
function explain.finish(errors)
  local finished = {}
  for i, broken in ipairs(errors) do
    local path = { "$" }
    for k = #broken, 1, -1 do path[#path + 1] = segment_text(broken[k]) end
    finished[i] = {
      path = table.concat(path), expected = broken.expected, got = broken.got,
      message = broken.message,
    }
  end
  return finished
end


--- All errors as text, one line each: `$.unit: expected …`.
---@param errors rille.SchemaError[]
---@return string
function explain.text(errors)
  local lines = {}
  for i, broken in ipairs(errors) do lines[i] = broken.path .. ": " .. broken.message end
  return table.concat(lines, "\n")
end


return explain
