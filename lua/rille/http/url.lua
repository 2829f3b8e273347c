--- rille.http.url -- beside the walk: URLs taken apart, joined and compared; queries encoded.
---
--- Invariant: nothing is normalised beyond what resolving a reference asks for; what the caller wrote
--- is what is sent.
--- Source: RFC 3986 §5 (references) and appendix B; RFC 6454 (origins).

local url = {}

---@class rille.http.Url
---@field scheme? string      lower case
---@field authority? string   user, host and port as written
---@field path string
---@field query? string       without "?"
---@field fragment? string    without "#"


--- Takes a URL or a relative reference apart; never fails.
---@param text string
---@return rille.http.Url
function url.parse(text)
  local rest, fragment = text:match("^([^#]*)#?(.*)$")
  local scheme, after = rest:match("^(%a[%w+.-]*):(.*)$")
  if scheme then rest = after end
  local authority, path = rest:match("^//([^/?]*)(.*)$")
  local query
  path = path or rest
  if path:find("?", 1, true) then path, query = path:match("^([^?]*)%?(.*)$") end
  return {
    scheme = scheme and scheme:lower(), authority = authority, path = path, query = query,
    fragment = text:find("#", 1, true) and fragment or nil,
  }
end


--- Puts the parts together again.
---@param parts rille.http.Url
---@return string
function url.join(parts)
  return (parts.scheme and parts.scheme .. ":" or "")
    .. (parts.authority and "//" .. parts.authority or "")
    .. parts.path
    .. (parts.query and "?" .. parts.query or "")
    .. (parts.fragment and "#" .. parts.fragment or "")
end


--- "/a/./b/../c" → "/a/c"
local function without_dots(path)
  local kept = {}
  for slash, segment in path:gmatch("(/?)([^/]*)") do
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." and (slash ~= "" or segment ~= "") then
      kept[#kept + 1] = slash .. segment
    end
  end
  local joined = table.concat(kept)
  if path:find("/%.%.?$") then joined = joined .. "/" end
  return joined
end


--- The path of a reference, seen from the path of a base.
local function merge(base, path)
  if path:sub(1, 1) == "/" then return without_dots(path) end
  if base.authority and base.path == "" then return without_dots("/" .. path) end
  return without_dots((base.path:match("^(.*/)") or "") .. path)
end


--- What `reference` means where `base` was fetched. The fragment is dropped: it is never sent.
---@param base string
---@param reference string
---@return string
function url.resolve(base, reference)
  local from, to = url.parse(base), url.parse(reference)
  if not to.scheme then
    to.scheme = from.scheme
    if not to.authority then
      to.authority = from.authority
      if to.path == "" then
        to.path, to.query = from.path, to.query or from.query
      else
        to.path = merge(from, to.path)
      end
    end
  end
  to.fragment = nil
  return url.join(to)
end


--- Host in lower case (IPv6 in its brackets) and port of a URL's authority.
---@param text string
---@return string? host
---@return integer? port   the scheme's own when none is written
function url.host(text)
  local parts = url.parse(text)
  local authority = (parts.authority or ""):gsub("^.*@", "")
  local host, port = authority:match("^(%[[^%]]*%]):?(%d*)$")
  if not host then host, port = authority:match("^([^:]+):?(%d*)$") end
  if not host then return nil end
  return host:lower(), tonumber(port) or (parts.scheme == "https" and 443 or 80)
end


--- Have two URLs the same scheme, host and port? Whoever may read a secret at one may at the other.
---@param one string
---@param other string
---@return boolean
function url.same_origin(one, other)
  local host, port = url.host(one)
  local other_host, other_port = url.host(other)
  return host ~= nil and host == other_host and port == other_port
    and url.parse(one).scheme == url.parse(other).scheme
end


--- Does a URL stay on this machine, as far as its text tells?
---@param text string
---@return boolean
function url.is_loopback(text)
  local host = url.host(text)
  return host ~= nil and (host == "localhost" or host:find("%.localhost$") ~= nil or host == "[::1]"
    or host:find("^127%.%d+%.%d+%.%d+$") ~= nil)
end


--- Percent-encodes everything but letters, digits and `-._~`.
---@param text any
---@return string
function url.escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end


local function add_pair(pairs_out, name, value)
  if math.type(value) == "float" and value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    value = math.tointeger(value)
  end
  pairs_out[#pairs_out + 1] = url.escape(name) .. "=" .. url.escape(value)
end


--- Encodes a query: keys sorted, lists repeat their key.
---@param query table<string, string|number|boolean|(string|number|boolean)[]>
---@return string
function url.query(query)
  local names, pairs_out = {}, {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if type(query[name]) == "table" then
      for _, value in ipairs(query[name]) do add_pair(pairs_out, name, value) end
    else
      add_pair(pairs_out, name, query[name])
    end
  end
  return table.concat(pairs_out, "&")
end


--- A URL with more in its query.
---@param text string
---@param query? string   encoded; nil or "" changes nothing
---@return string
function url.with_query(text, query)
  if query == nil or query == "" then return text end
  local parts = url.parse(text)
  parts.query = parts.query and parts.query ~= "" and parts.query .. "&" .. query or query
  return url.join(parts)
end


return url
