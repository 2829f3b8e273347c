--- rille.rewrite.sequence -- walk 2: what a profile changes where messages meet.
---
--- A neutral message becomes zero, one or several messages on the wire. Which of them belong to
--- which neutral one is chosen so that a wire form depends on earlier messages and on its own group
--- only (neighbours of one role, the results of one turn): a turn appends and what was sent stays
--- as it was.
---   inserted assistant turn, images of tool results   stand with the message before the gap
---   merged neighbours                                 stand with the last of the group, the others
---   are empty
--- Source: wire contract R12, R15, R33.

local json = require "rille.json"
local message = require "rille.rewrite.message"

local sequence = {}

---@class rille.Sequence   neutral messages read once, on demand
---@field get fun(i: integer): table?
---@field flags rille.Flags
---@field model? string

--- Messages made of what tools returned: nobody but a tool asked for what they name.
local from_tools = setmetatable({}, { __mode = "k" })

--- What stands in for the assistant between a tool result and the next user message.
local FILLER <const> = { role = "assistant", content = "Understood." }


local function as_parts(content)
  if type(content) == "table" then return content end
  return { { type = "text", text = tostring(content) } }
end


local function is_empty(content)
  return content == nil or content == json.null or content == ""
end


--- Two contents as one: texts with an empty line between, parts one after the other.
local function joined(a, b)
  if is_empty(a) then return b end
  if is_empty(b) then return a end
  if type(a) == "string" and type(b) == "string" then return a .. "\n\n" .. b end
  local parts = json.array {}
  for _, list in ipairs({ as_parts(a), as_parts(b) }) do
    for _, part in ipairs(list) do parts[#parts + 1] = part end
  end
  return parts
end


local function merged(first, second)
  local made = {}
  for key, value in pairs(first) do made[key] = value end
  for key, value in pairs(second) do
    if made[key] == nil then made[key] = value end
  end
  made.content = joined(first.content, second.content)
  if first.tool_calls and second.tool_calls then
    made.tool_calls = json.array { table.unpack(first.tool_calls) }
    for _, call in ipairs(second.tool_calls) do made.tool_calls[#made.tool_calls + 1] = call end
  end
  return made
end


local at


--- Does something other than system messages of this conversation stand before message i?
local function is_late(self, i)
  if i == 1 then return self.has_opening end
  local before = at(self, i - 1)
  return before ~= nil and before.role ~= "system"
end


--- Reads and rewrites message i alone, once. A late system message speaks as the user (R33).
function at(self, i)
  local known = self.cache[i]
  if known then return known end
  local neutral = i >= 1 and self.get(i)
  if not neutral then return nil end
  local made, images = message.rewrite(neutral, self.flags, self.model)
  known = { message = made, images = images, role = made.role }
  if self.flags.alternate and made.role == "system" and is_late(self, i) then
    made.role, known.role = "user", "user"
  end
  self.cache[i] = known
  return known
end


local function same_group(self, a, b)
  if not (a and b) or a.role ~= b.role then return false end
  return a.role == "tool" or self.flags.alternate
end


--- First index of the group that i belongs to.
local function group_start(self, i)
  while same_group(self, at(self, i - 1), at(self, i)) do i = i - 1 end
  return i
end


--- The images of the results from `first` to `last`, as a user message; nil when there are none.
local function image_message(self, first, last)
  local parts = json.array {}
  for i = first, last do
    local entry = at(self, i)
    for n, image in ipairs(entry.images or {}) do
      if n == 1 then
        local id = tostring(entry.message.tool_call_id)
        parts[#parts + 1] = { type = "text", text = "Returned by tool call " .. id .. ":" }
      end
      parts[#parts + 1] = image
    end
  end
  if #parts == 0 then return nil end
  local made = { role = "user", content = parts }
  from_tools[made] = true
  return made
end


--- Do the images of results that end at i go into the user message behind them?
local function goes_on(self, i)
  local following = at(self, i + 1)
  return self.flags.alternate and following ~= nil and following.role == "user"
end


--- The wire messages of the last result of a turn: itself, and the images of all of them.
local function close_results(self, i, out)
  local images = image_message(self, group_start(self, i), i)
  if not images or goes_on(self, i) then return end
  if self.flags.assistant_after_tool then out[#out + 1] = FILLER end
  out[#out + 1] = images
end


--- Does the wire form of the message before i end with a user message of ours?
local function ends_with_images(self, i)
  return image_message(self, group_start(self, i), i) ~= nil
end


--- The messages of one role from `first` to `last` as one, with the images of results right before.
local function merge_group(self, first, last)
  local made = at(self, last).message
  for j = last - 1, first, -1 do made = merged(at(self, j).message, made) end
  local before = at(self, first - 1)
  if before and before.role == "tool" and goes_on(self, first - 1) then
    local images = image_message(self, group_start(self, first - 1), first - 1)
    if images then made = merged(images, made) end
  end
  return made
end


--- Wire messages of neutral message i.
local function form(self, i)
  local entry, following = at(self, i), at(self, i + 1)
  local out = {}
  if same_group(self, entry, following) then
    return entry.role == "tool" and { entry.message } or out
  end
  if entry.role == "tool" then
    out[1] = entry.message
    close_results(self, i, out)
    return out
  end
  local first = group_start(self, i)
  local before = at(self, first - 1)
  if self.flags.assistant_after_tool and entry.role == "user" and before and before.role == "tool"
    and not ends_with_images(self, first - 1) then
    out[1] = FILLER
  end
  out[#out + 1] = merge_group(self, first, i)
  return out
end


--- Prepares to rewrite a conversation.
---@param get fun(i: integer): table?   the neutral message i, nil after the last
---@param flags rille.Flags
---@param model? string
---@param has_opening? boolean   a system message of somebody else stands before message 1
---@return table self
function sequence.new(get, flags, model, has_opening)
  return { get = get, flags = flags, model = model, has_opening = has_opening, cache = {} }
end


--- The first message whose wire form may change when message i is new: what stands before it may
--- have counted on a neighbour that is gone.
---@param self table
---@param i integer
---@return integer
function sequence.start(self, i)
  return group_start(self, math.max(1, i - 1))
end


--- Was this wire message made of what tools returned?
---@param made table
---@return boolean
function sequence.is_from_tools(made)
  return from_tools[made] == true
end


--- The wire messages of neutral message i: none, one or several.
---@param self table
---@param i integer
---@return table[]
function sequence.form(self, i)
  return form(self, i)
end


return sequence
