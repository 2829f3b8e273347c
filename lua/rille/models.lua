--- rille.models -- beside the walk: which models a provider offers.
---
--- `GET /models` is also the cheapest way to find out whether a server is there and takes the key.
--- Source: public contract §1; wire contract §1 (every server has it).

local core = require "rille.core"
local failure = require "rille.failure"
local http = require "rille.http"
local json = require "rille.json"
local options = require "rille.options"
local provider = require "rille.provider"
local trouble = require "rille.chat.trouble"

local models = {}

local OPTIONS <const> = {
  provider = { "string", "table" }, base_url = "string", api_key = { "string", "boolean" },
  headers = "table",
  query = "table", timeout = { "table", "number" }, insecure = "boolean", model = "string",
}
local DEFAULT_SECONDS <const> = 30


--- The list, wherever the server put it: `data`, `models`, or the body itself.
local function list_of(body)
  if type(body) ~= "table" then return nil end
  local list = body.data or body.models or body
  return type(list) == "table" and (#list > 0 or next(list) == nil) and list or nil
end


local function header_lines(headers)
  local lines = {}
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  return lines
end


--- The error of a response as a failure, by the same rules as for completions.
local function refused(reply, document, profile)
  local canonical = core.decode(reply.body,
    { status = reply.status, headers = header_lines(reply.headers), stream = false })
  local told = { kind = "empty_response", message = "the answer is no list of models", detail = document }
  for name, value in pairs(type(canonical.error) == "table" and canonical.error or {}) do
    if value ~= json.null then told[name] = value end
  end
  if reply.status >= 300 then told.kind, told.status = "http_error", reply.status end
  return trouble.from_reply(told, { headers = reply.headers, status = reply.status }, profile)
end


--- Lists the models of a provider.
---@async
---@param given? table     provider, base_url, api_key, headers, query, timeout (seconds), insecure
---@return table[]? list   as the server sent it: {id, object, created, owned_by, …}
---@return rille.Failure? failure
---Source: platform.openai.com/docs/api-reference/models/list
function models.list(given)
  options.check(given, OPTIONS, "rille.models", 2)
  given = given or {}
  provider.check(given.provider, 2)
  local profile, unresolved = provider.resolve(given)
  if not profile then return nil, unresolved end
  local reply, unreachable = http.get(provider.url(profile, "/models"), {
    headers = provider.headers(profile, { accept = "application/json" }), redirects = false,
    timeout = given.timeout or DEFAULT_SECONDS,
  })
  if not reply then return nil, failure.from(unreachable) end
  local document = json.decode(reply.body, { nulls = false })
  local list = reply.status == 200 and list_of(document)
  if not list then return nil, refused(reply, document, profile) end
  return list
end


return models
