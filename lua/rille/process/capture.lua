--- rille.process.capture -- beside the walk: keeps the head and the tail of a stream of bytes.
---
--- Invariant: memory stays below three times max_bytes however much is added, and every byte is
--- kept as long as there were no more than max_bytes.

local capture = {}

---@class rille.Capture
---@field bytes integer   added so far
local Capture = {}
Capture.__index = Capture


--- Makes an empty one.
---@param max_bytes integer   half of it for the head, half for the tail
---@return rille.Capture
function capture.new(max_bytes)
  return setmetatable({
    bytes = 0,
    _head = {}, _head_room = max_bytes - max_bytes // 2,
    _tail = {}, _tail_bytes = 0, _tail_max = max_bytes // 2,
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


--- What was kept. Where bytes are missing a line says how many.
---@return string text
---@return boolean truncated
function Capture:text()
  self:_shorten()
  local head, tail = table.concat(self._head), self._tail[1]
  local missing = self.bytes - #head - #tail
  if missing == 0 then return head .. tail, false end
  return ("%s\n[… %d bytes cut …]\n%s"):format(head, missing, tail), true
end


return capture
