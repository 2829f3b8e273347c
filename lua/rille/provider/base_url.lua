--- rille.provider.base_url -- beside the walk: the base URL of a provider: read, judged,
--- recognised.
---
--- Invariant: nothing is added to a base that the user wrote (no second /v1, and no first one).
--- Source: wire contract §1; reliability §3 row 8 (where a key may travel).

local url = require "rille.http.url"

local base_url = {}

---@class rille.BaseUrl
---@field text string      without query, trailing slash and the scheme's own port
---@field scheme "http"|"https"
---@field host string      lower case, IPv6 in its brackets
---@field port integer
---@field query string     "" when there is none
---@field loopback boolean


local function refuse(text)
  if not text:lower():find("^%s*https?://") then
    return ("base URL '%s' must start with http:// or https://"):format(text)
  elseif text:match("^%s*(.-)%s*$"):find("[%c%s]") then
    return "the base URL holds white space"
  elseif text:match("//([^/?#]*)"):find("@", 1, true) then
    return "credentials do not belong into a base URL: use api_key"
  elseif not url.host(text:match("^%s*(.-)%s*$")) then
    return ("base URL '%s' names no host"):format(text)
  end
end


--- Reads a base URL. The endpoint that somebody pasted with it is taken away.
---@param text string
---@return rille.BaseUrl? parsed
---@return string? reason
function base_url.parse(text)
  local reason = refuse(text)
  if reason then return nil, reason end
  text = text:match("^%s*(.-)%s*$")
  local parts = url.parse(text)
  local host, port = url.host(text)
  local path = parts.path:gsub("/+$", ""):gsub("/chat/completions$", ""):gsub("/+$", "")
  local shown_port = port == (parts.scheme == "https" and 443 or 80) and "" or ":" .. port
  return {
    text = parts.scheme .. "://" .. host .. shown_port .. path,
    scheme = parts.scheme, host = host, port = port, query = parts.query or "",
    loopback = url.is_loopback(text),
  }
end


local function matches_host(host, pattern)
  if pattern:sub(1, 1) == "." then return host:sub(-#pattern) == pattern end
  return host == pattern
end


--- Does a row of profiles.lua claim this URL?
---@param parsed rille.BaseUrl
---@param row rille.ProfileRow
---@return boolean
function base_url.belongs_to(parsed, row)
  for _, pattern in ipairs(row.hosts or {}) do
    if matches_host(parsed.host, pattern) then return true end
  end
  return parsed.loopback and row.port == parsed.port
end


local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end


--- The members of a query.
---@param query string
---@return table<string, string>
function base_url.query_table(query)
  local members = {}
  for pair in query:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    members[unescape(name)] = unescape(value)
  end
  return members
end


return base_url
