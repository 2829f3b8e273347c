--- rille.completions.asked -- beside the walk: parameters and options of a completion, checked and made a wish.
---
--- Programs ask the same again and again with other messages: the last few wishes are kept, by value, and what was
--- asked before is not checked again. Invariant: a mistake raises at the caller and is named.
--- Source: public contract §1.

local chat = require "rille.chat"
local json = require "rille.json"
local options = require "rille.options"
local provider = require "rille.provider"

local asked = {}

local OPTIONS <const> = {
  provider = { "string", "table" }, base_url = "string", api_key = { "string", "boolean" },
  headers = "table",
  query = "table", timeout = { "table", "number" }, retries = "integer", extra = "table",
  insecure = "boolean",
  on_retry = "callable",
}
local TIMEOUTS <const> = {
  connect = { "number", "boolean" }, first_byte = { "number", "boolean" },
  idle = { "number", "boolean" },
  total = { "number", "boolean" },
}
asked.NAME = "rille.chat.completions.create"
--- Parameters that this client itself has to understand; the server judges the rest.
local PARAMETERS <const> = {
  model = { string = true, table = true, name = "name, list of names or scripted model" },
  stream = { boolean = true, name = "boolean" },
  tools = { table = true, name = "list" },
}
--- … and those that are no mere values, or are looked at elsewhere.
local OPAQUE <const> = { model = true, messages = true, tools = true }


-- ---------------------------------------------------------------------------- checks

--- What is of a wrong kind, or what JSON cannot hold, is a mistake of the caller, and named.
---@param name string
---@param value any
---@param level integer   whose line is blamed, as for error
function asked.check_member(name, value, level)
  local ok, problem = pcall(json.encode, value)
  if not ok then error(("%s: %s: %s"):format(asked.NAME, name, problem:gsub("^json: ", "")), level + 1) end
end


--- One of a list of models is tried after the other.
local function check_models(models, level)
  for i, model in ipairs(type(models) == "table" and models or {}) do
    if type(model) ~= "string" and type(model) ~= "table" then
      local message = "%s: model: entry %d: name or scripted model expected, got %s"
      error(message:format(asked.NAME, i, type(model)), level + 1)
    end
  end
end


local function check_tools(tools, level)
  for i, tool in ipairs(type(tools) == "table" and tools or {}) do
    if type(tool) ~= "table" then
      error(("%s: tools[%d]: table expected, got %s"):format(asked.NAME, i, type(tool)), level + 1)
    end
    if not tool.definition then asked.check_member(("tools[%d]"):format(i), tool, level + 1) end
  end
end


local function check_params(params, level)
  if type(params) ~= "table" then
    error(("%s: params: table expected, got %s"):format(asked.NAME, type(params)), level + 1)
  end
  for name, wanted in pairs(PARAMETERS) do
    local value = params[name]
    if value ~= nil and value ~= json.null and not wanted[type(value)] then
      error(("%s: %s: %s expected, got %s"):format(asked.NAME, name, wanted.name, type(value)), level + 1)
    end
  end
  for name, value in pairs(params) do
    if not OPAQUE[name] then asked.check_member(tostring(name), value, level + 1) end
  end
  check_models(params.model, level + 1)
  check_tools(params.tools, level + 1)
end


--- Values of a header or a query: texts, numbers, and booleans (false takes one of the provider's away).
local function check_values(values, what, level)
  for name, value in pairs(values or {}) do
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and not (kind == "table" and what == "query") then
      error(("%s: %s: '%s': string expected, got %s"):format(asked.NAME, what, tostring(name), kind), level + 1)
    end
  end
end


local function check_options(given, level)
  options.check(given, OPTIONS, asked.NAME, level + 1)
  if not given then return end
  local timeout = type(given.timeout) == "table" and given.timeout or { total = given.timeout }
  options.check(timeout, TIMEOUTS, asked.NAME .. ": timeout", level + 1)
  for name, seconds in pairs(timeout) do
    if seconds and seconds < 0 then error(("%s: timeout: %s is negative"):format(asked.NAME, name), level + 1) end
  end
  check_values(given.headers, "headers", level + 1)
  check_values(given.query, "query", level + 1)
  if given.retries and given.retries < 0 then error(asked.NAME .. ": retries: 0 or more", level + 1) end
  provider.check(given.provider, level + 1)
  for name, value in pairs(given.extra or {}) do
    if value ~= json.absent then asked.check_member("extra." .. tostring(name), value, level + 1) end
  end
end


-- ---------------------------------------------------------------------------- the wish

--- The tools of the API, of which some may be ours.
local function definitions_of(tools)
  if type(tools) ~= "table" then return tools end
  local list = {}
  for i, tool in ipairs(tools) do list[i] = type(tool) == "table" and tool.definition or tool end
  return list
end


--- Parameters and options as rille.chat wants them, but for the model and what each call brings anew; nil for what
--- nobody can have asked before.
local function request_of(params, given)
  if type(params) ~= "table" or given ~= nil and type(given) ~= "table" then return nil end
  local members = {}
  for name, value in pairs(params) do members[name] = value end
  members.model, members.messages, members.tools = nil, nil, nil
  local request = { verbatim = true, usage = false, params = members, tools = definitions_of(params.tools),
    stream = params.stream == true }
  for name, value in pairs(given or {}) do
    if not OPTIONS[name] then return nil end
    request[name] = value
  end
  if request.on_retry ~= nil and not options.is_callable(request.on_retry) then return nil end
  request.on_retry = nil
  return request
end


local recent = {} ---@type rille.Wish[]   what was asked last


--- What is asked.
---@param params table
---@param given? table
---@param level integer   whose line is blamed
---@return rille.Wish
function asked.wish(params, given, level)
  local request = request_of(params, given)
  local known = request and chat.known_wish(recent, params.model, nil, request)
  if known then return known end
  check_params(params, level + 1)
  check_options(given, level + 1)
  return (chat.wish(recent, params.model, nil, request))
end


return asked
