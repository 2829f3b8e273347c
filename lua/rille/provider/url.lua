--- rille.provider.url -- beside the walk: base URLs taken apart, judged and put together.
---
--- Invariant: a base and a path meet at exactly one "/", and nothing is added to a base that the user
--- wrote (no second /v1).
--- Source: wire contract §1; reliability §3 rows 7 and 8 (where a key may travel).

local url = {}

---@class rille.Url
---@field scheme "http"|"https"
---@field host string      lower case, IPv6 in its brackets
---@field port integer
---@field path string      without a trailing slash
---@field query string     without the "?"


--- Takes a base URL apart.
---@param text string
---@return rille.Url? parsed
---@return string? reason
function url.parse(text)
  local trimmed = text:match("^%s*(.-)%s*$")
  local scheme, authority, path, query = trimmed:match("^(%a+)://([^/?#]*)([^?#]*)%??([^#]*)")
  scheme = scheme and scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then
    return nil, ("base URL '%s' must start with http:// or https://"):format(text)
  end
  if trimmed:find("[%c%s]") then return nil, "base URL holds white space" end
  if authority:find("@", 1, true) then return nil, "credentials do not belong in a base URL: use api_key" end
  local host, port = authority:match("^(%[[%x:.]+%]):?(%d*)$")
  if not host then host, port = authority:match("^([^:]+):?(%d*)$") end
  if not host then return nil, ("base URL '%s' names no host"):format(text) end
  path = path:gsub("/+$", ""):gsub("/chat/completions$", ""):gsub("/+$", "")
  return {
    scheme = scheme, host = host:lower(), path = path, query = query,
    port = tonumber(port) or (scheme == "https" and 443 or 80),
  }
end


--- `https://host[:port]/path`, the port only where it is not the scheme's own.
---@param parsed rille.Url
---@return string
function url.base(parsed)
  local usual = parsed.scheme == "https" and 443 or 80
  local port = parsed.port ~= usual and ":" .. parsed.port or ""
  return parsed.scheme .. "://" .. parsed.host .. port .. parsed.path
end


--- Does this URL stay on the machine?
---@param parsed rille.Url
---@return boolean
function url.is_loopback(parsed)
  local host = parsed.host
  return host == "localhost" or host:find("%.localhost$") ~= nil or host == "[::1]"
    or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end


local function matches_host(host, pattern)
  if pattern:sub(1, 1) == "." then return host:sub(-#pattern) == pattern end
  return host == pattern
end


--- Does a provider row claim this URL?
---@param parsed rille.Url
---@param row rille.ProfileRow
---@return boolean
function url.belongs_to(parsed, row)
  for _, pattern in ipairs(row.hosts or {}) do
    if matches_host(parsed.host, pattern) then return true end
  end
  return row.port == parsed.port and url.is_loopback(parsed)
end


--- Is `other` the same scheme, host and port?
---@param parsed rille.Url
---@param other rille.Url
---@return boolean
function url.same_origin(parsed, other)
  return parsed.scheme == other.scheme and parsed.host == other.host and parsed.port == other.port
end


local function escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end


local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end


--- The members of a query string.
---@param query string
---@return table<string, string>
function url.query_table(query)
  local members = {}
  for pair in query:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    members[unescape(name)] = unescape(value)
  end
  return members
end


--- base, path and query in one; the members of the query sorted.
---@param base string    without a trailing slash
---@param path string    starts with "/"
---@param query? table<string, any>
---@return string
function url.join(base, path, query)
  local names, pairs_out = {}, {}
  for name in pairs(query or {}) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do pairs_out[i] = escape(name) .. "=" .. escape(query[name]) end
  local joined = base .. path
  if #pairs_out > 0 then joined = joined .. "?" .. table.concat(pairs_out, "&") end
  return joined
end


--- A path segment that may hold anything.
url.escape = escape

return url
