--- rille.http.reply -- beside the walk: what a server answered, whole or as a stream.
---
--- Invariant: a stream holds its connection until it is read to the end or closed; leaving a
--- `for … in reply` early, or the block of a `<close>` variable, closes it.

local failure = require "rille.failure"
local json = require "rille.json"

local reply = {}

---@class rille.http.Reply
---@field status integer
---@field headers table<string, string>   names in lower case; looked up in any case
---@field body string
---@field url string                      where it came from, after redirects
local Reply = {}
Reply.__index = Reply

---@class rille.http.Stream
---@field status integer
---@field headers table<string, string>
---@field url string
---@field failure? rille.Failure   why the body ended early
local Stream = {}
Stream.__index = Stream

local any_case <const> = {
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, name:lower()) or nil
  end,
}


--- A whole response.
---@param head table    as core.http's head()
---@param body string
---@return rille.http.Reply
function reply.new(head, body)
  return setmetatable({
    status = head.status, headers = setmetatable(head.headers, any_case), body = body, url = head.url,
  }, Reply)
end


--- The body, decoded from JSON.
---@return any value
---@return rille.Failure? failure   "bad_response" when it is not JSON
function Reply:json()
  local value, trouble = json.decode(self.body)
  if trouble == nil then return value end
  return nil, failure.new("bad_response",
    ("the body of %s is not JSON: %s"):format(reply.shown(self.url), trouble.message), { status = self.status })
end


--- A response whose body is still to be read.
---@param head table
---@param handle rille.core.Http
---@return rille.http.Stream
function reply.stream(head, handle)
  return setmetatable({
    status = head.status, headers = setmetatable(head.headers, any_case), url = head.url, _handle = handle,
  }, Stream)
end


--- The next bytes of the body; nil at its end.
---@async
---@return string? bytes
---@return rille.Failure? failure   when it broke off
function Stream:read()
  if not self._handle then return nil, self.failure end
  local bytes, trouble = self._handle:read()
  if bytes then return bytes end
  self.failure = trouble
  self:close()
  return nil, trouble
end


--- Ends the transfer. What was not read is lost. Idempotent.
function Stream:close()
  local handle = self._handle
  self._handle = nil
  if handle then handle:close() end
end


--- `for bytes in reply do … end`; `reply.failure` tells a body that broke off from one that ended.
function Stream:__call() return self:read() end


function Stream:__close() self:close() end


--- A URL without user, password, query and fragment, for messages.
---@param text string
---@return string
function reply.shown(text)
  return (text:gsub("[?#].*$", ""):gsub("^(%a[%w+.-]*://)[^/]*@", "%1"))
end


return reply
