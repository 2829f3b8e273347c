--- rille.http.route -- beside the walk: which proxy and which certificates a URL is fetched with.
---
--- The C side uses no proxy unless told; this file reads the environment as the world's tools do, with two
--- cautions: plain http obeys only `http_proxy` in lower case (a CGI host sets HTTP_PROXY from a
--- request header), and what stays on this machine never goes through a proxy.
--- Source: https://everything.curl.dev/usingcurl/proxies/env.html; https://httpoxy.org

local url = require "rille.http.url"

local route = {}


--- The first of these variables that is set and not empty.
local function variable(read, ...)
  for i = 1, select("#", ...) do
    local value = read((select(i, ...)))
    if value and value ~= "" then return value end
  end
end


--- The proxy for a URL, from the environment.
---@param text string
---@param read? fun(name: string): string?   looks a variable up; default os.getenv
---@return string? proxy      URL of the proxy; nil: none
---@return string? no_proxy   hosts that go without, as the environment lists them
function route.proxy(text, read)
  read = read or os.getenv
  if url.is_loopback(text) then return nil end
  local proxy
  if url.parse(text).scheme == "https" then
    proxy = variable(read, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
  else
    proxy = variable(read, "http_proxy")
  end
  if proxy then return proxy, variable(read, "NO_PROXY", "no_proxy") end
end


--- Adds to the options of core.http or core.chat what the environment says: proxy, no_proxy, ca_file.
---@param options rille.core.http_options   with its url
---@param read? fun(name: string): string?
---@return rille.core.http_options options
function route.apply(options, read)
  options.proxy, options.no_proxy = route.proxy(options.url, read)
  options.ca_file = variable(read or os.getenv, "SSL_CERT_FILE")
  return options
end


return route
