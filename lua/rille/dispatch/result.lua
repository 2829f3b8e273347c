--- rille.dispatch.result -- walk 13: what a tool returned, as the content of a tool message.
---
--- Strings go as they are, everything else as JSON; `nil, reason` and what was raised become a text that
--- opens with "Error: ". Too much is cut in the middle, with a note that says how much is missing.
--- Invariant: every value has a content; nothing here raises.

local failure = require "rille.failure"
local json = require "rille.json"

local result = {}

local NOTE <const> = "\n[… %d of %d bytes are not shown …]\n"
local LEAST_ROOM <const> = 16


--- The bytes of `text` up to about `most`, not ending inside a character.
local function head(text, most)
  local stop = most
  while stop > most - 4 and stop > 0 and (text:byte(stop + 1) or 0) & 0xC0 == 0x80 do stop = stop - 1 end
  return text:sub(1, stop)
end


local function tail(text, most)
  local start = #text - most + 1
  while start < #text - most + 5 and start <= #text and text:byte(start) & 0xC0 == 0x80 do start = start + 1 end
  return text:sub(start)
end


--- Cuts a text in the middle when it is longer than allowed. The note about it counts, too, unless that would leave
--- hardly anything: a model that does not hear of the cut takes the part for the whole.
---@param text string
---@param most integer    bytes
---@return string
function result.cap(text, most)
  if #text <= most then return text end
  local room = most - #NOTE:format(#text, #text)
  if room < LEAST_ROOM then room = most end
  local first, last = head(text, room // 2), tail(text, room - room // 2)
  return first .. NOTE:format(#text - #first - #last, #text) .. last
end


--- The text of an error for the model.
---@param reason any
---@return string
function result.error(reason)
  if failure.is(reason) then reason = reason.message end
  return "Error: " .. tostring(reason)
end


--- `tools/x.lua:3: boom` → `boom`: where it happened is for the log.
---@param trouble rille.Failure
---@return string
function result.crash(trouble)
  local message = trouble.message
  if trouble.code == "internal" then message = message:gsub("^[^\n:]*:%d+: ", "", 1) end
  return "Error: " .. message
end


local function is_part(value)
  return type(value) == "table" and type(value.type) == "string"
end


--- Content parts, as rille.parts makes them: a list whose entries all have a type.
local function is_parts(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__name == "rille.Parts" and is_part(value[1])
end


local function cap_parts(parts, most)
  local capped = {}
  for i, part in ipairs(parts) do
    if part.type == "text" and type(part.text) == "string" and #part.text > most then
      part = { type = "text", text = result.cap(part.text, most) }
    end
    capped[i] = part
  end
  return capped
end


--- What a tool returned, as content.
---@param value any        its first result
---@param reason any       its second one
---@param count integer    how many there were
---@param most integer     bytes
---@return string|table content
---@return boolean ok      false for `nil, reason` and for what JSON cannot hold
function result.encode(value, reason, count, most)
  if value == nil and count > 1 and reason ~= nil then
    return result.cap(result.error(reason), most), false
  end
  if type(value) == "string" then return #value <= most and value or result.cap(value, most), true end
  if value == nil then return "null", true end
  local ok, text = pcall(json.encode, value)
  if not ok then return "Error: the tool's result cannot be written as JSON: " .. tostring(text), false end
  if is_parts(value) then return cap_parts(value, most), true end
  return result.cap(text, most), true
end


return result
