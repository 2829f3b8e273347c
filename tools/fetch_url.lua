--- fetch_url -- walk 12: the text of a web page or of another resource on the web.
---
---     rille.agent { tools = { dofile "tools/fetch_url.lua" { max_bytes = 1 << 20 } } }
---
--- Options: max_bytes (of the body, default 5 MiB), timeout (seconds, default 30), allow_private (also addresses of this
--- machine and of private networks, default false), headers (sent to the first address, and nowhere else), html ("text", the default,
--- takes the markup away; "raw" leaves it).
--- Every redirect is looked at like the first address. A name that resolves to another address between that look and
--- the connection is not caught: where that matters, use a proxy that refuses private addresses.
local rille = require "rille"
local await = require "rille.await"
local netname = require "rille.netname"
local options = require "rille.options"
local url_parts = require "rille.http.url"

local MOST_REDIRECTS <const> = 5
local SPEC <const> = {
  max_bytes = "integer", timeout = "number", allow_private = "boolean", headers = "table", html = "string",
}
local ENTITIES <const> = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " " }

local BLOCKS <const> = {}
for name in ("address article aside blockquote body br dd div dl dt figcaption footer form h1 h2 h3 h4 h5 h6 head "
  .. "header hr html li main nav ol option p pre section table td th title tr ul"):gmatch("%S+") do
  BLOCKS[name] = true
end


local function entity(name)
  local code = tonumber(name:match("^#(%d+)$")) or tonumber(name:match("^#[xX](%x+)$") or "", 16)
  if code and code > 0 and code < 0x110000 then return utf8.char(code) end
  return ENTITIES[name]
end


--- What a reader would see of a page, roughly.
local function text_of(html)
  html = html:gsub("<!%-%-.-%-%->", "")
  for _, name in ipairs({ "[sS][cC][rR][iI][pP][tT]", "[sS][tT][yY][lL][eE]", "[nN][oO][sS][cC][rR][iI][pP][tT]" }) do
    html = html:gsub("<" .. name .. "[%s>].-</" .. name .. "%s*>", "")
  end
  html = html:gsub("</?(%w+)[^<>]*>", function(name) return BLOCKS[name:lower()] and "\n" or "" end)
  html = html:gsub("&(#?%w+);", entity)
  return (html:gsub("[ \t\r]+", " "):gsub(" ?\n[ \n]*", "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end


--- Does the host of this URL have an address that is open to all? nil and why not.
local function check_address(url, given)
  local host, why = netname.host_of(url)
  if not host then return nil, why end
  if given.allow_private then return true end
  local found
  found, why = await.callback(function(done)
    return rille.uv.getaddrinfo(host, nil, { socktype = "stream" }, done)
  end)
  if not found then return nil, why end
  for _, entry in ipairs(found) do
    if netname.is_private(entry.addr) then return nil, host .. " is not a public address" end
  end
  return true
end


--- One request. The headers are for whom they were meant; where it leads on is looked at first.
local function request(url, first, given)
  local ok, why = check_address(url, given)
  if not ok then return nil, why end
  return rille.http.get(url, {
    timeout = given.timeout or 30, max_bytes = given.max_bytes or 5 << 20, redirects = false,
    headers = url_parts.same_origin(first, url) and given.headers or nil,
  })
end


local function get(first, given)
  local url = first
  for _ = 0, MOST_REDIRECTS do
    local reply, why = request(url, first, given)
    if not reply then return nil, why end
    local location = reply.status > 300 and reply.status < 400 and reply.headers.location
    if not location then return reply end
    url = url_parts.resolve(url, location)
  end
  return nil, "too many redirects"
end


local function report(reply, url, given)
  local kind = reply.headers["content-type"] or "no content type"
  local body = reply.body
  if body:find("\0", 1, true) then return nil, ("%s is not text (%s, %d bytes)"):format(url, kind, #body) end
  if kind:find("html", 1, true) and given.html ~= "raw" then body = text_of(body) end
  return ("status %d, %s\n\n%s"):format(reply.status, kind, body)
end


---@param given? {max_bytes?: integer, timeout?: number, allow_private?: boolean, headers?: table<string,string>, html?: "text"|"raw"}
---@return rille.Tool
return function(given)
  given = options.check(given, SPEC, "fetch_url")
  return rille.tool {
    name = "fetch_url",
    description = "Fetches a URL with GET and returns the status and the text; of a web page without its markup.",
    parameters = { { "url", "string", "An http or https URL.", format = "uri", pattern = "^https?://" } },
    timeout = (given.timeout or 30) * 2,
    run = function(args)
      local reply, failure = get(args.url, given)
      if not reply then return nil, failure end
      return report(reply, args.url, given)
    end,
  }
end
