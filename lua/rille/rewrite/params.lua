--- rille.rewrite.params -- walk 2: body parameters as a profile wants them.
---
--- Invariant: nothing is added that the caller did not set; members are renamed, mapped or dropped.
--- Source: wire contract §1.2, §1.6, §1.7, R1–R3, R16, R20, R25, R35.

local empties = require "rille.schema.empties"
local json = require "rille.json"
local matches = require("rille.rewrite.message").matches

local params = {}

local LIMIT_KEYS <const> = { "max_tokens", "max_completion_tokens" }
local LISTS <const> = { "stop", "modalities", "models", "transforms", "plugins", "functions" }


local function rename(body, from, to)
  if body[from] == nil or from == to then return end
  if body[to] == nil then body[to] = body[from] end
  body[from] = nil
end


local function limit_key(body, wanted)
  if not wanted then return end
  for _, key in ipairs(LIMIT_KEYS) do rename(body, key, wanted) end
end


local function is_kept(key, rule, body, model)
  if body.reasoning_effort ~= "none" or not matches(model, rule.effort_models) then return false end
  for _, kept in ipairs(rule.unless_effort_none or {}) do
    if kept == key then return true end
  end
  return false
end


--- Parameters that this kind of model rejects (R3).
local function sampling(body, rules, model)
  for _, rule in ipairs(rules) do
    if matches(model, rule.models) and not matches(model, rule.except) then
      for _, key in ipairs(rule.drop) do
        if not is_kept(key, rule, body, model) then body[key] = nil end
      end
    end
  end
end


local function clamp(body, limits)
  for key, range in pairs(limits) do
    local value = body[key]
    if type(value) == "number" then body[key] = math.max(range[1], math.min(range[2], value)) end
  end
end


local function schema_instruction(name)
  return { type = "json_schema",
    json_schema = { name = name, schema = json.object { type = "object" } } }
end


--- response_format (R20): each kind may stand for another one.
local function response_format(body, map)
  local wanted = body.response_format
  local kind = type(wanted) == "table" and wanted.type
  local other = kind and map[kind]
  if not other then return end
  body.response_format = other == "json_schema" and schema_instruction("object") or { type = other }
end


--- Empty lists (R29): in a schema, and where a parameter is a list.
local function empty_lists(body)
  for _, key in ipairs(LISTS) do
    local list = body[key]
    if type(list) == "table" and next(list) == nil and getmetatable(list) == nil then body[key] = json.array {} end
  end
  local format = body.response_format
  local described = type(format) == "table" and format.json_schema
  if type(described) ~= "table" then return end
  local schema = empties(described.schema)
  if schema == described.schema then return end
  local made, outer = {}, {}
  for key, value in pairs(described) do made[key] = value end
  for key, value in pairs(format) do outer[key] = value end
  made.schema = schema
  outer.json_schema = made
  body.response_format = outer
end


local function stream(body, flags)
  if not flags.stream_usage then body.stream_options = nil end
  if body.stream == false or body.stream == nil then
    body.stream = nil
    if flags.stream_false then body.stream = false end
  end
end


local function keep_only(body, names)
  local allowed = {}
  for _, name in ipairs(names) do allowed[name] = true end
  for name in pairs(body) do
    if not allowed[name] then body[name] = nil end
  end
end


--- Rewrites the parameters of a body, all but model, messages, tools and tool_choice.
---@param given table         never changed
---@param flags rille.Flags
---@param model? string
---@return table body         a new table
function params.rewrite(given, flags, model)
  local body = {}
  for key, value in pairs(given) do body[key] = value end
  limit_key(body, flags.max_tokens_key)
  for from, to in pairs(flags.rename) do rename(body, from, to) end
  sampling(body, flags.sampling, model)
  clamp(body, flags.clamp)
  response_format(body, flags.response_format)
  empty_lists(body)
  stream(body, flags)
  for _, key in ipairs(flags.drop) do body[key] = nil end
  if flags.only then keep_only(body, flags.only) end
  return body
end


return params
