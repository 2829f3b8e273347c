--- rille.mock -- beside the walk: scripted models behind a real HTTP server.
---
--- What rille.script answers in process, this serves over TCP: the same bytes, cut and paced as the
--- script says. Any client of the API can talk to it.
--- Invariant: an error is answered in the error form of the API, so that clients explain it.
--- Source: https://platform.openai.com/docs/api-reference/chat and /models

local bytes = require "rille.script.bytes"
local httpd = require "rille.httpd"
local json = require "rille.json"
local options = require "rille.options"
local script = require "rille.script"

local mock = {}

---@class rille.MockServer
---@field url string          base URL for clients: ends in /v1
---@field host string
---@field port integer
---@field requests table[]    {method, path, query, headers, body (text), json (decoded body)} as
---                           they arrived
local Server = {}
Server.__index = Server


local function refuse(status, code, message)
  return bytes.failure(status, { message = message, type = "invalid_request_error", code = code })
end


--- The scripted model that a request asks for.
local function pick(self, name)
  if self._single then return self._single end
  local model = self._models[name]
  if model then return model end
  local hint = options.hint(tostring(name), self._names)
  local message = ("The model '%s' does not exist%s"):format(tostring(name), hint)
  return nil, refuse(404, "model_not_found", message)
end


local function complete(self, request)
  local body, problem = json.decode(request.body, { nulls = false })
  if type(body) ~= "table" then
    local why = problem and problem.message or "an object was expected"
    return refuse(400, "invalid_json", "We could not parse the JSON body of your request: " .. why)
  end
  request.json = body
  local model, refusal = pick(self, body.model)
  if not model then return refusal end
  return model:respond(body)
end


local function list_models(self)
  local data = {}
  for i, name in ipairs(self._names) do
    data[i] = { id = name, object = "model", created = 1700000000, owned_by = "rille" }
  end
  return { status = 200, headers = { "Content-Type: application/json" },
    body = json.encode { object = "list", data = json.array(data) } }
end

--- The end of a path → method and what answers it.
local routes <const> = {
  { "/chat/completions$", "POST", complete },
  { "/models$", "GET", list_models },
}


local function route(self, request)
  self.requests[#self.requests + 1] = request
  for _, entry in ipairs(routes) do
    local pattern, method, answer = table.unpack(entry)
    if request.path:find(pattern) then
      if request.method == method then return answer(self, request) end
      return refuse(405, "method_not_allowed", ("use %s for %s"):format(method, request.path))
    end
  end
  return refuse(404, "unknown_url",
    ("Unknown request URL: %s %s"):format(request.method, request.path))
end


local function names_of(models)
  if script.is(models) then return { models.model or "scripted" } end
  return options.names(models)
end


local function check_models(models, level)
  if script.is(models) then return end
  if type(models) ~= "table" or next(models) == nil then
    error("mock.serve: a script, or a table of scripts by model name, expected", level + 1)
  end
  for name, one in pairs(models) do
    if type(name) ~= "string" or not script.is(one) then
      error(("mock.serve: [%s] is no script"):format(tostring(name)), level + 1)
    end
  end
end


--- Serves scripted models until `server:close()`. The loop must turn meanwhile: any await does.
---@param models rille.Script|table<string, rille.Script>    one for every model name, or several by
---                                     name
---@param settings? table    host (default "127.0.0.1"), port (default 0: any free one), limits (see
---                          httpd.serve)
---@return rille.MockServer? server
---@return rille.Failure? failure    code "connection": the port is in use, …
function mock.serve(models, settings)
  check_models(models, 2)
  settings = options.check(settings, { host = "string", port = "integer", limits = "table" },
    "mock.serve")
  local self = setmetatable({ requests = {}, _names = names_of(models) }, Server)
  self._single = script.is(models) and models or nil
  self._models = models
  local function answer(request) return route(self, request) end
  local listening, problem = httpd.serve(answer, settings)
  if not listening then return nil, problem end
  self._httpd, self.host, self.port = listening, listening.host, listening.port
  local host = self.host:find(":", 1, true) and "[" .. self.host .. "]" or self.host
  self.url = ("http://%s:%d/v1"):format(host, self.port)
  return self
end


--- Stops serving; open connections are closed. Idempotent.
function Server:close()
  self._httpd:close()
end


Server.__close = Server.close


return mock
