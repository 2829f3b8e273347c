--- rille.fs.file -- beside the walk: an open file whose reads and writes are awaits.
---
--- Invariant: a descriptor is closed exactly once, and never while a thread of libuv's pool still
--- works on it: were its number taken by another file meanwhile, a late write would land there.
--- Source: https://docs.libuv.org/en/v1.x/fs.html

local core = require "rille.core"
local await = require "rille.await"

local uv <const> = core.uv()

local file = {}

local CHUNK <const> = 1 << 20     -- bytes of one read
local AGAIN <const> = 0.01        -- seconds between two tries on a pipe that has nothing yet

---@class rille.File
---@field fd integer
local File = {}
File.__index = File


--- One request of luv as an await, withdrawn when the task is cancelled before a thread took it.
---@async
---@param doing string          opens the message of a failure: "cannot read /x"
---@param start fun(done: function): any
---@param late? fun(...)        as in await.callback
---@return any ...              what luv passed, or nil, failure
function file.request(doing, start, late)
  local value, extra = await.callback(start, uv.cancel, late)
  if value == nil then extra.message = doing .. ": " .. extra.message end
  return value, extra
end


--- Opens a file.
---@async
---@param path string
---@param flags string|integer   as luv has them: "r", "wx", or O_… bits
---@param mode integer           of a new file, before the umask
---@param doing string           as in request
---@param undo? fun()            called when the file was opened (made) after the task was cancelled
---@return rille.File?           to-be-closed
---@return rille.Failure? failure
function file.open(path, flags, mode, doing, undo)
  local fd, why = file.request(doing, function(done)
    return uv.fs_open(path, flags, mode, done)
  end, function(late)
    uv.fs_close(late)
    if undo then undo() end
  end)
  if not fd then return nil, why end
  return setmetatable({ fd = fd, doing = doing }, File)
end


--- A request on the open descriptor.
---@async
---@param start fun(done: function): any, any
function File:call(start)
  return file.request(self.doing, function(done)
    local request, err = start(function(...)
      self.busy = false
      if self.closed then uv.fs_close(self.fd) end
      done(...)
    end)
    self.busy = request ~= nil
    return request, err
  end)
end


--- Like call, but waits while a pipe or a terminal has nothing to give or no room.
function File:call_until_ready(start)
  while true do
    local value, why = self:call(start)
    if value ~= nil or why.detail ~= "EAGAIN" then return value, why end
    core.op():wait(AGAIN)
  end
end


---@async
---@return table? stat   as luv has it
---@return rille.Failure? failure
function File:stat()
  return self:call(function(done) return uv.fs_fstat(self.fd, done) end)
end


--- Reads up to `limit` bytes.
---@async
---@param limit integer
---@param offset? integer      nil: where the file stands
---@return string? bytes       fewer than limit at the end of the file
---@return rille.Failure? failure
function File:read(limit, offset)
  local pieces, got = {}, 0
  while got < limit do
    local size, position = math.min(CHUNK, limit - got), offset and offset + got or -1
    local bytes, why = self:call_until_ready(function(done)
      return uv.fs_read(self.fd, size, position, done)
    end)
    if not bytes then return nil, why end
    if bytes == "" then break end
    pieces[#pieces + 1] = bytes
    got = got + #bytes
  end
  return table.concat(pieces)
end


--- Writes everything, at the place where the file stands.
---@async
---@param data string
---@return true?
---@return rille.Failure? failure
function File:write(data)
  while data ~= "" do
    local written, why = self:call_until_ready(function(done)
      return uv.fs_write(self.fd, data, -1, done)
    end)
    if not written then return nil, why end
    data = data:sub(written + 1)
  end
  return true
end


--- Brings what was written to the disk.
---@async
---@return true?
---@return rille.Failure? failure
function File:sync()
  return self:call(function(done) return uv.fs_fsync(self.fd, done) end)
end


function File:close()
  if self.closed then return end
  self.closed = true
  if not self.busy then uv.fs_close(self.fd) end
end


File.__close = File.close

return file
