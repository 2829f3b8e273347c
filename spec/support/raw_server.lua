--- raw_server.lua -- a server on loopback that says exactly the bytes a spec tells it to say.
---
--- One task per connection reads requests and calls the handler, plain code from top to bottom:
---     local server <close> = raw_server.start(function(connection, request, number)
---       connection:send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
---     end)
--- When the handler returns the next request of the connection is read; close, reset or hold end it.
--- Nothing is corrected: half bodies, wrong lengths and stalls go out as written.
local core = require "rille.core"
local uv = core.uv()

local raw_server = {}

--- @class raw_server.Connection
local Connection = {}
Connection.__index = Connection

--- @class raw_server.Server
--- @field url string
--- @field port integer
--- @field requests table[]      every request as it was read
--- @field accepted integer      connections so far
--- @field open integer          connections now
local Server = {}
Server.__index = Server


-- ------------------------------------------------------------------- reading

local function wake(connection)
  local op = connection.op
  connection.op = nil
  if op then op:complete() end
end


--- Waits until the peer said more, or left.
local function more(connection)
  if connection.ended then return false end
  connection.op = connection.op or core.op()
  connection.op:wait()
  return true
end


local function read_until(connection, mark)
  while true do
    local _, last = connection.buffer:find(mark, 1, true)
    if last then
      local text = connection.buffer:sub(1, last)
      connection.buffer = connection.buffer:sub(last + 1)
      return text
    end
    if not more(connection) then return nil end
  end
end


local function read_bytes(connection, count)
  while #connection.buffer < count do
    if not more(connection) then return nil end
  end
  local bytes = connection.buffer:sub(1, count)
  connection.buffer = connection.buffer:sub(count + 1)
  return bytes
end


--- The next request, or nil when the peer closed.
--- @return {method: string, target: string, version: string, headers: table<string,string>, lines: string[], body: string}?
function Connection:read_request()
  local head = read_until(self, "\r\n\r\n")
  if not head then return nil end
  local request = { headers = {}, lines = {}, head = head }
  request.method, request.target, request.version = head:match("^(%S+) (%S+) (%S+)\r\n")
  for line in head:gmatch("\r\n([^\r\n]+)") do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    request.lines[#request.lines + 1] = line
    request.headers[name:lower()] = value
  end
  request.body = read_bytes(self, tonumber(request.headers["content-length"] or 0))
  return request.body and request
end


-- ------------------------------------------------------------------- writing

--- Writes bytes; false when the peer is gone.
function Connection:send(bytes)
  if self.tcp:is_closing() then return false end
  local op, trouble = core.op(), nil
  self.sending = op
  local ok = self.tcp:write(bytes, function(err)
    trouble = err
    op:complete()
  end)
  if not ok then return false end
  op:wait()
  return trouble == nil and not self.tcp:is_closing()
end


--- Writes bytes in pieces: `cuts` are ascending offsets, or one number for pieces of that size.
--- @param seconds? number  between the pieces
function Connection:send_cut(bytes, cuts, seconds)
  if type(cuts) == "number" then
    local size = cuts
    cuts = {}
    for at = size, #bytes - 1, size do cuts[#cuts + 1] = at end
  end
  local from = 0
  for i = 1, #cuts + 1 do
    local to = cuts[i] or #bytes
    if not self:send(bytes:sub(from + 1, to)) then return false end
    core.sleep(seconds or 0)
    from = to
  end
  return true
end


--- Ends the connection after all that was sent.
function Connection:close()
  if not self.tcp:is_closing() then self.tcp:close() end
  self.ended = true
end


--- Ends the connection with a reset.
function Connection:reset()
  if not self.tcp:is_closing() then self.tcp:close_reset() end
  self.ended = true
end


--- Says nothing more, until the peer leaves or the server is closed.
function Connection:hold()
  while more(self) do self.buffer = "" end
end


-- ------------------------------------------------------------------- serving

local function serve(server, connection)
  while not connection.ended do
    local request = connection:read_request()
    if not request then break end
    server.requests[#server.requests + 1] = request
    server.handler(connection, request, #server.requests)
  end
  connection:close()
end


local function accept(server, listener)
  local tcp = uv.new_tcp()
  listener:accept(tcp)
  tcp:nodelay(true)
  local connection = setmetatable({ tcp = tcp, buffer = "", ended = false }, Connection)
  server.accepted = server.accepted + 1
  server.open = server.open + 1
  connection.number = server.accepted
  server.connections[connection] = true
  tcp:read_start(function(err, bytes)
    if bytes then
      connection.buffer = connection.buffer .. bytes
    else
      connection.ended = true
      connection.error = err
    end
    wake(connection)
  end)
  connection.task = core.spawn(function()
    local ok, err = pcall(serve, server, connection)
    connection:close()
    server.connections[connection] = nil
    server.open = server.open - 1
    if not ok and not server.closed then server.errors[#server.errors + 1] = err end
  end)
end


--- Starts a server on a free port of loopback.
--- @param handler fun(connection: raw_server.Connection, request: table, number: integer)
--- @param options? {host: string, backlog: integer, deaf: boolean}  deaf: never accepts
--- @return raw_server.Server
function raw_server.start(handler, options)
  options = options or {}
  local host = options.host or "127.0.0.1"
  local listener = uv.new_tcp()
  assert(listener:bind(host, 0))
  local server = setmetatable({
    handler = handler, listener = listener, requests = {}, connections = {}, errors = {},
    accepted = 0, open = 0, port = listener:getsockname().port,
  }, Server)
  server.url = ("http://%s:%d"):format(host, server.port)
  assert(listener:listen(options.backlog or 1024, function()
    if not options.deaf then accept(server, listener) end
  end))
  return server
end


--- Closes everything; raises what a handler raised.
function Server:close()
  if self.closed then return end
  self.closed = true
  self.listener:close()
  local left = {}
  for connection in pairs(self.connections) do left[#left + 1] = connection end
  for _, connection in ipairs(left) do
    connection:close()
    wake(connection)
    if connection.sending then connection.sending:complete() end
    connection.task:cancel("the server was closed")
  end
  if self.errors[1] then error(self.errors[1], 0) end
end

Server.__close = function(server) server:close() end


-- ------------------------------------------------------------------- usual bytes

--- A whole response with Content-Length; `headers` are lines.
--- @return string bytes
function raw_server.response(body, status, headers)
  local lines = { ("HTTP/1.1 %d Whatever"):format(status or 200) }
  for _, line in ipairs(headers or {}) do lines[#lines + 1] = line end
  lines[#lines + 1] = ("Content-Length: %d"):format(#body)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end


--- The head of a response with no length: the body ends with the connection.
--- @return string bytes
function raw_server.head(status, headers)
  local lines = { ("HTTP/1.1 %d Whatever"):format(status or 200) }
  for _, line in ipairs(headers or {}) do lines[#lines + 1] = line end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end


--- A body as chunks of `size` bytes, the end included unless `open`.
--- @return string bytes
function raw_server.chunks(body, size, open)
  local pieces = {}
  for at = 1, #body, size or 1000 do
    local piece = body:sub(at, at + (size or 1000) - 1)
    pieces[#pieces + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
  end
  if not open then pieces[#pieces + 1] = "0\r\n\r\n" end
  return table.concat(pieces)
end


--- The head of a chunked event stream.
raw_server.stream_head = raw_server.head(200, {
  "Content-Type: text/event-stream", "Transfer-Encoding: chunked",
})

return raw_server
