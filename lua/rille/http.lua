--- rille.http -- beside the walk: HTTP requests for scripts and tools.
---
--- Every function parks the running task, or turns the loop until done outside one. A status of 400 or more
--- is a reply, not a failure; a failure is a server that could not be reached, was too slow, or broke off.
--- Invariant: what the caller sent in headers reaches no other origin than the one it was meant for.
--- Source: RFC 9110 §15.4 (redirects), https://fetch.spec.whatwg.org/#http-redirect-fetch (methods).

local core = require "rille.core"
local failure = require "rille.failure"
local json = require "rille.json"
local options = require "rille.options"
local reply = require "rille.http.reply"
local route = require "rille.http.route"
local url = require "rille.http.url"

local http = {}

---@class rille.http.Options
---@field url string
---@field method? string         default GET, with a body POST
---@field headers? table<string, string|number|string[]>
---@field query? table<string, any>|string   a table: keys sorted, lists repeat their key; a text: encoded already
---@field body? string
---@field json? any              encoded as body, with its content type
---@field timeout? number|{connect?: number, first_byte?: number, idle?: number, total?: number}   seconds
---@field max_bytes? integer     of the decoded body; default 64 MiB
---@field stream? boolean
---@field redirects? integer|boolean   how many to follow, default 5; false: none

local default_redirects <const> = 5
local default_timeout <const> = { connect = 10, first_byte = 60, idle = 60 }
local default_total <const> = 300   -- of a request whose body is read at once

local option_types <const> = {
  url = "string", method = "string", headers = "table", query = { "table", "string" }, body = "string",
  json = "any", timeout = { "number", "table" }, max_bytes = "integer", stream = "boolean",
  redirects = { "integer", "boolean" },
}
local timeout_types <const> = { connect = "number", first_byte = "number", idle = "number", total = "number" }


-- ------------------------------------------------------------------- what the caller said

local function header_error(name, what, level)
  error(("rille.http: header '%s': %s"):format(tostring(name):gsub("[%c]", "?"), what), level + 1)
end


local function check_header(name, value, level)
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then
    header_error(name, "that is no header name", level + 1)
  end
  if type(value) ~= "string" and type(value) ~= "number" then
    header_error(name, "string expected, got " .. type(value), level + 1)
  end
  if tostring(value):find("[\r\n\0]") then
    header_error(name, "its value holds a line break or a NUL byte", level + 1)
  end
end


--- The caller's headers as sorted lines, each checked.
local function header_lines(headers, level)
  local names, lines = {}, {}
  for name in pairs(headers or {}) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local values = headers[name]
    if type(values) ~= "table" then values = { values } end
    for _, value in ipairs(values) do
      check_header(name, value, level + 1)
      lines[#lines + 1] = ("%s: %s"):format(name, value)
    end
  end
  return lines
end


local function has_header(lines, name)
  for _, line in ipairs(lines) do
    if line:sub(1, #name + 1):lower() == name .. ":" then return true end
  end
  return false
end


local function limits_of(given, stream, level)
  if type(given) == "number" then given = { total = given } end
  options.check(given, timeout_types, "rille.http: timeout", level + 1)
  local limits = { total = not stream and default_total or nil }
  for name, seconds in pairs(default_timeout) do limits[name] = seconds end
  for name, seconds in pairs(given or {}) do
    if seconds < 0 then error(("rille.http: timeout: %s is negative"):format(name), level + 1) end
    limits[name] = seconds
  end
  return limits
end


local function redirects_of(given)
  if given == nil or given == true then return default_redirects end
  return given or 0
end


local function query_of(query)
  if type(query) == "table" then return url.query(query) end
  return query
end


local function default_method(given)
  return (given.body or given.json ~= nil) and "POST" or "GET"
end


--- Checks the options and makes of them what the loop over redirects works on. Errors blame `level`.
local function prepare(given, level)
  given = options.check(given, option_types, "rille.http.request", level + 1)
  if given.url == nil then error("rille.http.request: option 'url' is missing", level + 1) end
  if given.body and given.json ~= nil then
    error("rille.http.request: either body or json", level + 1)
  end
  local lines = header_lines(given.headers, level + 1)
  local body = given.body
  if given.json ~= nil then
    local encoded, text = pcall(json.encode, given.json)
    if not encoded then error("rille.http.request: option 'json': " .. tostring(text), level + 1) end
    body = text
    if not has_header(lines, "content-type") then lines[#lines + 1] = "Content-Type: application/json" end
  end
  local method = given.method or default_method(given)
  if not method:find("^[%w_-]+$") then
    error(("rille.http.request: '%s' is no HTTP method"):format(method), level + 1)
  end
  return {
    url = url.with_query(given.url, query_of(given.query)), method = method:upper(), headers = lines, body = body,
    limits = limits_of(given.timeout, given.stream, level + 1), max_bytes = given.max_bytes, stream = given.stream,
    redirects = redirects_of(given.redirects),
  }
end


-- ------------------------------------------------------------------- redirects

local function drop_body(request)
  request.body = nil
  local kept = {}
  for _, line in ipairs(request.headers) do
    if not line:lower():find("^content%-") then kept[#kept + 1] = line end
  end
  request.headers = kept
end


--- Changes the request into the one that the head sends us to; false when there is none to follow.
local function follow(request, head)
  local status, location = head.status, head.headers.location
  if location == nil or request.redirects == 0 or status < 301 or status > 308 then return false end
  local method = request.method
  if status == 303 and method ~= "HEAD" or (status == 301 or status == 302) and method == "POST" then
    method = "GET"
  elseif status == 304 or status == 305 or status == 306 then
    return false
  end
  local target = url.resolve(request.url, location)
  local same = url.same_origin(request.url, target)
  if not same and method ~= "GET" and method ~= "HEAD" then return false end
  if method ~= request.method then drop_body(request) end
  if not same then request.headers = {} end
  request.url, request.method = target, method
  return true
end


-- ------------------------------------------------------------------- the request

local function start(request, deadline)
  local limits = request.limits
  return core.http(route.apply {
    url = request.url, method = request.method, headers = request.headers, body = request.body,
    connect = limits.connect, first_byte = limits.first_byte, idle = limits.idle,
    total = deadline and math.max(deadline - core.now(), 0), max_bytes = request.max_bytes, stream = request.stream,
  })
end


--- Closes the transfer when the scope is left, unless its handle was taken out.
local closing <const> = {
  __close = function(guard)
    if guard.handle then guard.handle:close() end
  end,
}


--- One hop. Returns a reply, nil and a failure, or nothing when the request was changed and is to be sent again.
local function send(request, deadline)
  local guard <close> = setmetatable({ handle = start(request, deadline) }, closing)
  local head, trouble = guard.handle:head()
  if not head then return nil, trouble end
  if follow(request, head) then return end
  if request.stream then
    local handle = guard.handle
    guard.handle = nil
    return reply.stream(head, handle)
  end
  local body
  body, trouble = guard.handle:body()
  if not body then return nil, trouble end
  return reply.new(head, body)
end


--- Sends the request, and goes where redirects lead.
local function run(request)
  if request.url:find("[%c ]") then
    return nil, failure.new("invalid_request", "the URL holds white space or control characters")
  end
  local total = request.limits.total
  local deadline = total and core.now() + total
  for _ = 0, request.redirects do
    local answer, trouble = send(request, deadline)
    if answer or trouble then return answer, trouble end
  end
  return nil, failure.new("bad_response",
    ("redirected more than %d times, at last to %s"):format(request.redirects, reply.shown(request.url)))
end


--- Sends a request and waits for the response.
---
--- `timeout` is in seconds: a number limits the whole request, a table its parts (`connect` 10, `first_byte` 60, `idle`
--- 60 between bytes of the body, `total` 300, for a stream none). Redirects are followed up to 5 times; on another origin nothing of
--- `headers` is sent, and a body goes only where it was meant to go. Proxies and certificates come from
--- HTTPS_PROXY, http_proxy, NO_PROXY and SSL_CERT_FILE. With `stream` the reply comes as soon as its head is
--- there: `reply:read()` gives the next bytes, `for bytes in reply` all of them; `total` then does not apply.
---@async
---@param given rille.http.Options
---@return rille.http.Reply|rille.http.Stream? reply   a status of 400 or more is one, too
---@return rille.Failure? failure   "connection", "timeout", "bad_response", "invalid_request"
function http.request(given)
  return run(prepare(given, 2))
end


--- Makes a function for one method: `f(url, options)`, or `f { url = …, … }` as http.request has it.
local function verb(method)
  local name <const> = "rille.http." .. method:lower()
  return function(target, given)
    if given ~= nil and type(given) ~= "table" then
      error(("%s: options: table expected, got %s"):format(name, type(given)), 2)
    end
    local request = { url = target, method = method }
    if type(target) == "table" and given == nil then
      given, request.url = target, nil
    elseif type(target) ~= "string" then
      error(("%s: URL expected, got %s"):format(name, type(target)), 2)
    end
    for key, value in pairs(given or {}) do
      if request[key] ~= nil then
        error(("%s: option '%s' belongs to rille.http.request"):format(name, key), 2)
      end
      request[key] = value
    end
    return run(prepare(request, 2))
  end
end


--- The same with the URL first: `http.get(url, { query = …, headers = …, timeout = … })`; or all in one table.
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.get = verb("GET")
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.post = verb("POST")
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.put = verb("PUT")
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.patch = verb("PATCH")
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.delete = verb("DELETE")
---@async
---@type fun(url: string|table, options?: table): rille.http.Reply?, rille.Failure?
http.head = verb("HEAD")


return http
