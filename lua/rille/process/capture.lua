--- rille.process.capture -- beside the walk: keeps the head and the tail of a stream of bytes.
---
--- Invariant: memory stays below three times max_bytes however much is added, every byte is kept as
--- long as there were no more than max_bytes, and what is kept is never longer than that.

local capture = {}

local NOTE <const> = "\n[… %d bytes cut …]\n"
local ROOM_FOR_NOTE <const> = 80   -- max_bytes below which the head alone is kept, without a note

---@class rille.Capture
---@field bytes integer   added so far
local Capture = {}
Capture.__index = Capture


--- Makes an empty one.
---@param max_bytes integer   half of it for the head, half for the tail, and a note between them
---@return rille.Capture
function capture.new(max_bytes)
  local tail_max = max_bytes >= ROOM_FOR_NOTE and max_bytes // 2 or 0
  return setmetatable({
    bytes = 0, _max = max_bytes,
    _head = {}, _head_room = max_bytes - tail_max,
    _tail = {}, _tail_bytes = 0, _tail_max = tail_max,
  }, Capture)
end


--- Joins the tail and forgets what is too old. Done rarely: each byte is copied about once.
function Capture:_shorten()
  local tail = table.concat(self._tail)
  if #tail > self._tail_max then
    tail = self._tail_max > 0 and tail:sub(-self._tail_max) or ""
  end
  self._tail, self._tail_bytes = { tail }, #tail
end


--- Adds bytes.
---@param bytes string
function Capture:add(bytes)
  self.bytes = self.bytes + #bytes
  if self._head_room > 0 then
    local part = bytes:sub(1, self._head_room)
    self._head[#self._head + 1] = part
    self._head_room = self._head_room - #part
    bytes = bytes:sub(#part + 1)
  end
  if bytes == "" then return end
  self._tail[#self._tail + 1] = bytes
  self._tail_bytes = self._tail_bytes + #bytes
  if self._tail_bytes > 2 * self._tail_max then self:_shorten() end
end


--- What was kept. Where bytes are missing a line says how many, if there is room for it.
---@return string text
---@return boolean truncated
function Capture:text()
  self:_shorten()
  local head, tail = table.concat(self._head), self._tail[1]
  if self.bytes <= self._max then return head .. tail, false end
  if self._tail_max == 0 then return head, true end
  local room = self._max - #NOTE:format(self.bytes)
  local first, last = head:sub(1, room - room // 2), tail:sub(-(room // 2))
  return first .. NOTE:format(self.bytes - room) .. last, true
end


return capture
