--- rille.httpd -- beside the walk: a small HTTP/1.1 server on luv, for loopback.
---
--- One task per connection reads a request, calls the handler, writes what it returns: plain code
--- from top to bottom. luv's callbacks only store bytes and complete an operation.
--- Invariant: every handle that was opened is closed by `server:close()`.
--- Source: RFC 9112; https://docs.libuv.org/en/v1.x/stream.html

local core = require "rille.core"
local failure = require "rille.failure"
local options = require "rille.options"
local reader = require "rille.httpd.reader"
local time = require "rille.time"
local uv = require "rille.uv"

local httpd = {}

---@class rille.httpd.Response
---@field status integer
---@field headers? string[]      whole lines
---@field body? string
---@field cuts? integer[]        offsets at which the body is cut into separate writes
---@field pause? number          seconds between these writes
---@field delay? number          seconds before the response
---@field abort? boolean         break the connection after the body, without its proper end
---@field framing? "length"|"chunked"|"close"

---@class rille.httpd.Server
---@field host string
---@field port integer
---@field connections integer    open now
local Server = {}
Server.__index = Server

local reasons <const> = {
  [200] = "OK", [201] = "Created", [204] = "No Content",
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [408] = "Request Timeout", [409] = "Conflict",
  [413] = "Content Too Large", [417] = "Expectation Failed", [422] = "Unprocessable Content",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}


-- ------------------------------------------------------------------- a connection's bytes

local Connection = {}
Connection.__index = Connection


--- Starts to collect bytes; whoever waits for them is woken.
local function open_connection(tcp)
  local self = setmetatable({ tcp = tcp, pieces = {}, ended = false, wake = nil }, Connection)
  tcp:nodelay(true)
  tcp:read_start(function(trouble, bytes)
    if bytes then self.pieces[#self.pieces + 1] = bytes end
    self.ended = self.ended or trouble ~= nil or bytes == nil
    if self.wake then self.wake:complete() end
  end)
  return self
end


--- The next bytes; nil at the end of the stream or after `seconds`.
function Connection:read(seconds)
  if not self.pieces[1] and not self.ended then
    self.wake = core.op()
    self.wake:wait(seconds)
    self.wake = nil
  end
  if not self.pieces[1] then return nil end
  local bytes = table.concat(self.pieces)
  self.pieces = {}
  return bytes
end


--- Writes and waits until the system has taken the bytes. False when the peer is gone.
function Connection:write(bytes)
  if bytes == "" then return true end
  if self.tcp:is_closing() then return false end
  local written = core.op()
  local ok = self.tcp:write(bytes, function(trouble) written:complete(trouble == nil) end)
  return ok ~= nil and written:wait(60) == true
end


function Connection:close(abruptly)
  if self.tcp:is_closing() then return end
  if self.wake then self.wake:complete() end
  self.ended = true
  if abruptly and self.tcp.close_reset and self.tcp:close_reset() then return end
  self.tcp:close()
end


-- ---------------------------------------------------------------------- writing a response

local function framing_of(request, response, is_stream)
  if response.framing then return response.framing end
  if not is_stream then return "length" end
  return request.version == "1.1" and "chunked" or "close"
end


local function head_of(response, framing, keep)
  local status = response.status
  local lines = { ("HTTP/1.1 %d %s"):format(status, reasons[status] or "Status") }
  table.move(response.headers or {}, 1, #(response.headers or {}), 2, lines)
  if framing == "length" then
    lines[#lines + 1] = ("Content-Length: %d"):format(#(response.body or ""))
  elseif framing == "chunked" then
    lines[#lines + 1] = "Transfer-Encoding: chunked"
  end
  lines[#lines + 1] = keep and "Connection: keep-alive" or "Connection: close"
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end


--- The body in the pieces that the response asks for.
local function pieces_of(body, cuts)
  local pieces, from = {}, 0
  for _, cut in ipairs(cuts or {}) do
    if cut > from and cut < #body then
      pieces[#pieces + 1] = body:sub(from + 1, cut)
      from = cut
    end
  end
  pieces[#pieces + 1] = body:sub(from + 1)
  return pieces
end


local function framed(piece, framing)
  if framing ~= "chunked" or piece == "" then return piece end
  return ("%x\r\n%s\r\n"):format(#piece, piece)
end


local function is_event_stream(response)
  for _, line in ipairs(response.headers or {}) do
    if line:lower():find("^content%-type:%s*text/event%-stream") then return true end
  end
  return false
end


--- The first piece goes out with the head, so that a short response is one segment.
local function write_body(connection, head, response, framing)
  local pieces = pieces_of(response.body or "", response.cuts)
  local pause = response.pause
  for i, piece in ipairs(pieces) do
    local bytes = (i == 1 and head or "") .. framed(piece, framing)
    if i == #pieces and framing == "chunked" and not response.abort then
      bytes = bytes .. "0\r\n\r\n"
    end
    if not connection:write(bytes) then return false end
    if i < #pieces and pause then time.sleep(pause) end
  end
  return true
end


--- Writes a response. Returns true when the connection can serve another request.
local function write_response(connection, request, response)
  local framing = framing_of(request, response, is_event_stream(response))
  local asked = (request.headers.connection or ""):lower()
  local keep = framing ~= "close" and not response.abort and not asked:find("close", 1, true)
    and (request.version == "1.1" or asked:find("keep-alive", 1, true) ~= nil)
  if response.delay then time.sleep(response.delay) end
  local written = write_body(connection, head_of(response, framing, keep), response, framing)
  return written and keep
end


--- Says what was wrong, then swallows what is still coming: closing at once would reset the
--- connection and the peer might never read the answer.
local function refuse_request(connection, problem)
  local closing = { version = "1.1", headers = { connection = "close" } }
  local response = { status = problem.status, headers = { "Content-Type: text/plain" },
    body = problem.reason .. "\n" }
  write_response(connection, closing, response)
  connection.tcp:shutdown()
  local patience = core.now() + 2
  while core.now() < patience and connection:read(patience - core.now()) do end
end


-- ------------------------------------------------------------------------------ the server

local function handle(self, request)
  local ok, response = pcall(self._handler, request)
  if ok then return response end
  if failure.is(response) and response.code == "cancelled" then error(response, 0) end
  return { status = 500, headers = { "Content-Type: text/plain" },
    body = tostring(response) .. "\n" }
end


local function converse(self, connection)
  local function read(seconds) return connection:read(seconds) end
  local function go_on() connection:write("HTTP/1.1 100 Continue\r\n\r\n") end
  local requests = reader.new(read, self._limits)
  while true do
    local request, problem = requests:request(go_on)
    if not request then
      if problem then refuse_request(connection, problem) end
      return false
    end
    local response = handle(self, request)
    if not write_response(connection, request, response) then return response.abort end
  end
end


local function serve(self, connection)
  local ok, result = pcall(converse, self, connection)
  self._open[connection] = nil
  self.connections = self.connections - 1
  connection:close(ok and result == true)
  if not ok then error(result, 0) end
end


local function on_connection(self, trouble)
  if trouble or self._closed then return end
  local tcp = uv.new_tcp()
  if not self._listener:accept(tcp) then return tcp:close() end
  local connection = open_connection(tcp)
  self.connections = self.connections + 1
  self._open[connection] = core.spawn(serve, self, connection)
end


local function refuse_listen(host, port, message)
  local text = tostring(message):gsub("^%u+: ", "")
  return nil, failure.new("connection", ("%s:%d: %s"):format(host, port, text),
    { detail = tostring(message):match("^%u+") })
end


--- Serves requests until `server:close()`. The handler runs in a task of its connection and may
--- wait.
---@param handler fun(request: rille.httpd.Request): rille.httpd.Response
---@param settings? table    host (an address, default "127.0.0.1"), port (default 0: any free one),
---                          limits (max_head, max_headers, max_body in bytes; idle, head, body in
---                          seconds)
---@return rille.httpd.Server? server
---@return rille.Failure? failure    code "connection": the port is in use, the address is not ours,
---                                  …
function httpd.serve(handler, settings)
  settings = options.check(settings, { host = "string", port = "integer", limits = "table" },
    "httpd.serve")
  local host, port = settings.host or "127.0.0.1", settings.port or 0
  local self = setmetatable({ _handler = handler, _limits = settings.limits, _open = {},
    _listener = uv.new_tcp(), host = host, connections = 0, _closed = false }, Server)
  local ok, message = self._listener:bind(host, port)
  if ok then
    ok, message = self._listener:listen(4096, function(...) on_connection(self, ...) end)
  end
  if not ok then
    self._listener:close()
    return refuse_listen(host, port, message)
  end
  self.port = self._listener:getsockname().port
  return self
end


--- Stops: no new connections, open ones are closed, their handlers cancelled. Idempotent.
function Server:close()
  if self._closed then return end
  self._closed = true
  self._listener:close()
  for connection, task in pairs(self._open) do
    task:cancel("the server was closed")
    connection:close()
  end
end


Server.__close = Server.close


return httpd
