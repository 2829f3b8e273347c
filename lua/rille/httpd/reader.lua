--- rille.httpd.reader -- beside the walk: requests out of a byte stream, strictly.
---
--- `source(seconds)` waits for the next bytes; it returns nil at the end of the stream or when the
--- time ran out. Everything else here is pure, so a spec feeds it strings.
--- Invariant: what is not exactly HTTP/1.1 is refused with a status, never guessed at; no peer
--- decides how much memory we take.
--- Source: RFC 9112 §2-§7, RFC 9110 §5.

local reader = {}

local Reader = {}
Reader.__index = Reader

---@class rille.httpd.Request
---@field method string
---@field target string                   as it stood in the request line
---@field path string                     without the query
---@field query string?
---@field version string                  "1.0" or "1.1"
---@field headers table<string, string>   lower-case names; repeated ones joined with ", "
---@field body string

--- Bytes, and seconds: between requests, for a whole head, between bytes of a body.
local defaults <const> = {
  max_head = 64 << 10, max_headers = 200, max_body = 64 << 20,
  idle = 60, head = 10, body = 30,
}


--- Makes a reader.
---@param source fun(seconds: number): string?
---@param limits? table    max_head, max_headers, max_body (bytes); idle, head, body (seconds)
---@return table reader
function reader.new(source, limits)
  local own = {}
  for name, default in pairs(defaults) do own[name] = limits and limits[name] or default end
  return setmetatable({ _source = source, _buffer = "", _limits = own }, Reader)
end


local function refuse(status, reason)
  return nil, { status = status, reason = reason }
end


--- More bytes into the buffer; false at the end.
function Reader:_fill(seconds)
  local bytes = self._source(seconds)
  if not bytes then return false end
  self._buffer = self._buffer .. bytes
  return true
end


--- Takes what stands before the next `mark`, which is dropped.
function Reader:_take_until(mark, max, seconds)
  local from = 1
  while true do
    local first, last = self._buffer:find(mark, from, true)
    if (first or #self._buffer) > max then return nil, "too big" end
    if first then
      local taken = self._buffer:sub(1, first - 1)
      self._buffer = self._buffer:sub(last + 1)
      return taken
    end
    from = math.max(1, #self._buffer - #mark + 2)
    if not self:_fill(seconds) then return nil, "ended" end
  end
end


--- Takes exactly `length` bytes; pieces are joined once.
function Reader:_take(length)
  local pieces, have = { self._buffer }, #self._buffer
  while have < length do
    local bytes = self._source(self._limits.body)
    if not bytes then return nil end
    pieces[#pieces + 1] = bytes
    have = have + #bytes
  end
  local all = table.concat(pieces)
  self._buffer = all:sub(length + 1)
  return all:sub(1, length)
end


local function parse_line(line)
  local method, target, version = line:match("^([%w!#$%%&'*+%-.^_`|~]+) ([^%s%c]+) HTTP/(%d%.%d)$")
  if not method then return refuse(400, "malformed request line") end
  if version ~= "1.1" and version ~= "1.0" then return refuse(505, "HTTP/1.0 or 1.1 expected") end
  local path, query = target:match("^([^?]*)%??(.*)$")
  if path:sub(1, 1) ~= "/" then path = path:match("^https?://[^/]*(/.*)$") end
  if not path then return refuse(400, "malformed target") end
  return { method = method, target = target, path = path, query = query ~= "" and query or nil,
    version = version, headers = {}, body = "" }
end


local function add_header(headers, line)
  local name, value = line:match("^([%w!#$%%&'*+%-.^_`|~]+):[ \t]*(.-)[ \t]*$")
  if not name or value:find("[%z\1-\8\10-\31\127]") then return false end
  name = name:lower()
  if name == "content-length" and headers[name] and headers[name] ~= value then return false end
  if name == "host" and headers[name] then return false end
  if headers[name] and name ~= "content-length" then value = headers[name] .. ", " .. value end
  headers[name] = value
  return true
end


local function parse_head(text, max_headers)
  local lines = {}
  for line in (text .. "\r\n"):gmatch("(.-)\r\n") do lines[#lines + 1] = line end
  if #lines - 1 > max_headers then return refuse(431, "too many header fields") end
  local request, problem = parse_line(lines[1])
  if not request then return nil, problem end
  for i = 2, #lines do
    if not add_header(request.headers, lines[i]) then
      return refuse(400, "malformed header field")
    end
  end
  if request.version == "1.1" and not request.headers.host then
    return refuse(400, "Host is missing")
  end
  return request
end


--- The head of the next request. Nil alone: the peer is done, or sent nothing in time.
function Reader:_head()
  local limits = self._limits
  while self._buffer == "" do
    if not self:_fill(limits.idle) then return nil end
  end
  if self._buffer:sub(1, 2) == "\r\n" then self._buffer = self._buffer:sub(3) end
  local text, why = self:_take_until("\r\n\r\n", limits.max_head, limits.head)
  if why == "too big" then return refuse(431, "the head is too big") end
  if not text then return refuse(408, "the head did not arrive") end
  return parse_head(text, limits.max_headers)
end


function Reader:_trailers()
  for _ = 1, self._limits.max_headers do
    local line = self:_take_until("\r\n", self._limits.max_head, self._limits.body)
    if line == nil then return false end
    if line == "" then return true end
  end
  return false
end


function Reader:_chunked_body()
  local pieces, total = {}, 0
  while true do
    local line = self:_take_until("\r\n", 1024, self._limits.body)
    local digits = line and line:match("^(%x+)[ \t]*;?[^%c]*$")
    if not digits or #digits > 15 then return refuse(400, "malformed chunk") end
    local length = tonumber(digits, 16)
    if length == 0 then break end
    total = total + length
    if total > self._limits.max_body then return refuse(413, "the body is too big") end
    local piece = self:_take(length + 2)
    if not piece or piece:sub(-2) ~= "\r\n" then return refuse(400, "malformed chunk") end
    pieces[#pieces + 1] = piece:sub(1, -3)
  end
  if not self:_trailers() then return refuse(400, "malformed trailer") end
  return table.concat(pieces)
end


function Reader:_sized_body(text)
  if not text:find("^%d+$") or #text > 15 then return refuse(400, "malformed Content-Length") end
  local length = math.tointeger(tonumber(text))
  if length > self._limits.max_body then return refuse(413, "the body is too big") end
  local body = self:_take(length)
  if not body then return refuse(408, "the body did not arrive") end
  return body
end


function Reader:_body(headers)
  local coding, length = headers["transfer-encoding"], headers["content-length"]
  if coding and length then return refuse(400, "Content-Length beside Transfer-Encoding") end
  if coding and coding:lower() ~= "chunked" then return refuse(501, "unknown transfer coding") end
  if coding then return self:_chunked_body() end
  if length then return self:_sized_body(length) end
  return ""
end


--- The next request.
---@async
---@param on_continue? fun()    called before the body when the peer waits for "100 Continue"
---@return rille.httpd.Request? request
---@return {status: integer, reason: string}? refusal   what to answer before closing; nil when the
---                                     peer is done
function Reader:request(on_continue)
  local request, problem = self:_head()
  if not request then return nil, problem end
  local expects = request.headers.expect
  if expects and expects:lower() ~= "100-continue" then
    return refuse(417, "unknown expectation")
  end
  if expects and on_continue then on_continue() end
  local body, refusal = self:_body(request.headers)
  if not body then return nil, refusal end
  request.body = body
  return request
end


return reader
