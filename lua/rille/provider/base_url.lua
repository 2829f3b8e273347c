--- rille.provider.base_url -- beside the walk: the base URL of a provider: read, judged,
--- recognised.
---
--- Invariants: nothing is added to a base that the user wrote (no second /v1, and no first one);
--- a base is read once, because every request asks: what `parse` returns is shared, never changed.
--- Source: wire contract §1; reliability §3 row 8 (where a key may travel).

local url = require "rille.http.url"

local base_url = {}

local MOST_KNOWN <const> = 64   -- bases that are remembered

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


local function read(text)
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


local known, known_count = {}, 0   -- text → what it says


--- Reads a base URL. The endpoint that somebody pasted with it is taken away.
---@param text string
---@return rille.BaseUrl? parsed    not yours to change
---@return string? reason
function base_url.parse(text)
  if known[text] then return known[text] end
  local reason = refuse(text)
  if reason then return nil, reason end
  if known_count == MOST_KNOWN then known, known_count = {}, 0 end
  known[text], known_count = read(text), known_count + 1
  return known[text]
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
  if query == "" then return members end
  for pair in query:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    members[unescape(name)] = unescape(value)
  end
  return members
end


return base_url
