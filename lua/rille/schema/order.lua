--- rille.schema.order -- beside the walk: the order of members in a JSON text.
---
--- A decoded object has lost the order in which its author wrote it. This reads the text once more beside the decoded
--- value, and gives every object of it a `__jsonorder`.
--- Invariant: the text has been decoded before, so its syntax is known to be good.

local core = require "rille.core"

local order = {}

local visit


local function skip_string(text, at)
  local stop = at + 1
  while true do
    stop = text:find('["\\]', stop)
    if text:byte(stop) == 34 then return stop + 1 end
    stop = stop + 2
  end
end


local function skip_space(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end


local function name_at(text, at, stop)
  local raw = text:sub(at, stop - 1)
  if not raw:find("\\", 1, true) then return raw:sub(2, -2) end
  return core.json_decode(raw)
end


local function visit_object(text, at, object)
  local names = {}
  at = skip_space(text, at + 1)
  while text:byte(at) ~= 125 do
    local stop = skip_string(text, at)
    local name = name_at(text, at, stop)
    names[#names + 1] = name
    at = skip_space(text, skip_space(text, stop) + 1)
    at = skip_space(text, visit(text, at, object and object[name]))
    if text:byte(at) == 44 then at = skip_space(text, at + 1) end
  end
  if object then setmetatable(object, { __jsontype = "object", __jsonorder = names }) end
  return at + 1
end


local function visit_array(text, at, array)
  at = skip_space(text, at + 1)
  local i = 0
  while text:byte(at) ~= 93 do
    i = i + 1
    at = skip_space(text, visit(text, at, type(array) == "table" and array[i] or nil))
    if text:byte(at) == 44 then at = skip_space(text, at + 1) end
  end
  return at + 1
end


function visit(text, at, decoded)
  local byte = text:byte(at)
  if byte == 123 then return visit_object(text, at, type(decoded) == "table" and decoded or nil) end
  if byte == 91 then return visit_array(text, at, decoded) end
  if byte == 34 then return skip_string(text, at) end
  return text:find("[,%]} \t\r\n]", at) or #text + 1
end


--- Decodes a JSON text so that its objects remember their order.
---@param text string
---@return any decoded
---@return rille.Failure? failure
function order.decode(text)
  local decoded, failure = core.json_decode(text)
  if decoded == nil then return nil, failure end
  visit(text, skip_space(text, 1), decoded)
  return decoded
end


return order
