--- rille.chat.prefix -- walk 8: takes away the beginning that a server repeats when it continues a
--- given text.
---
--- After `{role = "assistant", content = "…", prefix = true}` most servers answer with the
--- continuation, some with the whole.
--- Invariant: text is held back only while it may still turn out to be the repeated beginning.
--- Source: wire contract R34.

local prefix = {}

---@class rille.Prefix
---@field _text? string   what may be repeated; nil once that is settled
---@field _held string
local Prefix = {}
Prefix.__index = Prefix


--- What the server may repeat in answer to a transcript; nil when there is nothing to take away.
---@param transcript rille.Transcript
---@param flags rille.Flags
---@return rille.Prefix?
function prefix.of(transcript, flags)
  if not flags.repeats_prefix then return nil end
  local last = transcript[#transcript]
  local is_given = last and last.role == "assistant" and last.prefix == true
  if not is_given or type(last.content) ~= "string" or last.content == "" then return nil end
  return setmetatable({ _whole = last.content, _text = last.content, _held = "" }, Prefix)
end


--- The part of a delta that is new; nil while it cannot be told.
---@param delta string
---@return string?
function Prefix:take(delta)
  if not self._text then return delta end
  local seen = self._held .. delta
  if #seen < #self._text and self._text:sub(1, #seen) == seen then
    self._held = seen
    return nil
  end
  local rest = seen:sub(1, #self._text) == self._text and seen:sub(#self._text + 1) or seen
  self._text = nil
  return rest ~= "" and rest or nil
end


--- What was held back and turned out to be no repetition, at the end.
---@return string?
function Prefix:flush()
  local held = self._text and self._held or ""
  self._text = nil
  return held ~= "" and held or nil
end


--- Takes it away from the whole message, in place.
---@param message? table
function Prefix:strip_message(message)
  local content = message and message.content
  if type(content) == "string" and content:sub(1, #self._whole) == self._whole then
    message.content = content:sub(#self._whole + 1)
  end
end


--- Takes it away from the whole answer, in place.
---@param completion table
function Prefix:strip(completion)
  local choice = completion.choices and completion.choices[1]
  self:strip_message(choice and choice.message)
end


return prefix
