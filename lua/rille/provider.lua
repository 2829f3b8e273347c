--- rille.provider -- walk 2: which server a model lives on, and what it wants to hear.
---
--- `provider.resolve` is the only place that reads provider options, environment and configuration;
--- what comes out is complete and is not asked again. Order: explicit provider, prefix of the model
--- ("ollama:qwen3:8b"), RILLE_PROVIDER, the base URL, the configuration file, OpenAI.
--- Invariant: a key leaves for a host only over TLS or the loopback, or because the user said
--- `insecure`.
--- Source: wire contract §1, §1.1; reliability §3 rows 7, 8, 19.

local base_url = require "rille.provider.base_url"
local choose = require "rille.provider.choose"
local config = require "rille.config"
local core = require "rille.core"
local failure = require "rille.failure"
local lazy = require "rille.lazy"
local log = require "rille.log"
local options = require "rille.options"
local profiles = require "rille.profiles"
local url = require "rille.http.url"
local azure = lazy "rille.provider.azure"   ---@module "rille.provider.azure"

local provider = {}

---@class rille.ProviderWanted
---@field model? string
---@field provider? string|rille.ProviderSpec
---@field base_url? string
---@field api_key? string|false
---@field headers? table<string, string|false>
---@field query? table<string, string>
---@field insecure? boolean
---@field asked? {ask: function, key: any}   what this function gave for the key just now: it is not asked again

---@class rille.Profile             resolved: where a request goes and how
---@field name string
---@field base_url string           without a trailing slash
---@field models_url? string        where /models lives, when not under base_url
---@field model? string             without prefix
---@field api_key? string
---@field auth "bearer"|"api-key"
---@field headers table<string, string>
---@field query table<string, string>
---@field flags rille.Flags       shared: never changed
---@field ask_key? fun():any        gives the key, and may give another one next time
---@field asked_key? any           what it gave this time

local function refuse(message)
  return nil, failure.new("invalid_request", message)
end


--- OPENAI_API_KEY → OPENAI; a provider of the user's own → its name in capitals.
local function variable_prefix(choice, row)
  local key_env = choice.spec.key_env
  if not key_env and profiles.rows[choice.name] then key_env = row.key_env end
  return (key_env and key_env:match("^(.+)_API_KEY$")) or choice.name:upper():gsub("%W", "_")
end


local function base_of(wanted, choice, row)
  local prefix = variable_prefix(choice, row)
  local text = wanted.base_url or choice.spec.base_url or choice.base_url
    or config.env(prefix .. "_BASE_URL") or config.env(prefix .. "_ENDPOINT") or row.base_url
  if not text then
    return refuse(
      ("provider '%s' has no base URL: set base_url or %s_BASE_URL"):format(choice.name, prefix))
  end
  local parsed, reason = base_url.parse(text)
  if not parsed then return refuse(reason) end
  return parsed
end


local function key_variable(choice, row)
  return choice.spec.key_env or variable_prefix(choice, row) .. "_API_KEY"
end


local function first_not_nil(a, b)
  if a ~= nil then return a end
  return b
end


--- What the options say of the key, and the function that said it.
local function given_key(wanted, choice)
  local given = first_not_nil(wanted.api_key, choice.spec.api_key)
  if not options.is_callable(given) then return given end
  local asked = wanted.asked
  if asked and asked.ask == given then return asked.key, given end   -- what another one gave is another one's
  return (given()), given
end


--- The key, nil for none, and the variable that would hold it.
local function key_of(key, choice, row)
  local variable = key_variable(choice, row)
  if key == false then return nil, variable, true end
  if key == nil or key == "" then
    key = choice.key_from and config.env(choice.key_from) or config.env(variable)
  end
  key = type(key) == "string" and key:match("^%s*(.-)%s*$") or nil
  return key ~= "" and key or nil, variable, false
end


local function needs_key(choice, row, parsed)
  local keyless = first_not_nil(choice.spec.keyless, row.keyless)
  return not keyless and parsed.scheme == "https" and not parsed.loopback
end


local function check_key(key, variable, none_wanted, choice, row, parsed, insecure)
  local code, message
  if key and key:find("[%c%s]") then
    code, message = "authentication",
      ("the key of %s holds white space: see %s"):format(choice.name, variable)
  elseif key and parsed.scheme == "http" and not parsed.loopback and not insecure then
    code, message = "authentication",
      ("the key of %s would travel unencrypted to %s: use https, or allow it"
      .. " with insecure = true"):format(choice.name, parsed.host)
  elseif not key and not none_wanted and needs_key(choice, row, parsed) then
    code, message = "authentication", ("no API key for %s: set %s"):format(choice.name, variable)
  end
  if code then
    return failure.new(code, message, { provider = choice.name, detail = { variable = variable } })
  end
end


local function merged(...)
  local all = {}
  for _, layer in ipairs({ ... }) do
    for name, value in pairs(layer) do all[name] = value end
  end
  return all
end


local flags_of_row = setmetatable({}, { __mode = "k" })   -- row → its flags and those of the base


--- What the profile wants. One table per row, so that what is derived from flags can be kept with
--- them.
local function flags_of(row, spec)
  local flags = flags_of_row[row] or merged(profiles.base, row.flags or {})
  flags_of_row[row] = flags
  if not spec.flags then return flags end
  return merged(flags, spec.flags)
end


local function check_flags(flags, name)
  for flag in pairs(flags or {}) do
    if profiles.base[flag] == nil and not profiles.optional[flag] then
      local hint = options.hint(tostring(flag), options.names(profiles.base))
      return failure.new("invalid_request",
        ("provider '%s': unknown flag '%s'%s"):format(name, tostring(flag), hint))
    end
  end
end


--- Later tables win; names compare without case, false takes a header away.
local function merged_headers(...)
  local headers = {}
  for _, layer in ipairs({ ... }) do
    for name, value in pairs(layer) do headers[tostring(name):lower()] = value end
  end
  for name, value in pairs(headers) do
    if name:find("[^%w!#$%%&'*+.^_`|~-]") or tostring(value):find("[%c]") then
      return nil,
        failure.new("invalid_request", ("header '%s' cannot be sent as it is"):format(name))
    end
  end
  return headers
end


--- What the program says of itself: the account members to OpenAI, and to whoever stands in front of it unnamed.
local function own_headers(name)
  if name ~= "openai" and name ~= "generic" then return {} end
  return {
    ["openai-organization"] = config.env("OPENAI_ORG_ID"),
    ["openai-project"] = config.env("OPENAI_PROJECT_ID"),
  }
end


local function build(wanted, choice, row, model)
  local spec = choice.spec
  local parsed, bad_url = base_of(wanted, choice, row)
  if not parsed then return nil, bad_url end
  local given, ask = given_key(wanted, choice)
  local key, variable, none_wanted = key_of(given, choice, row)
  local insecure = first_not_nil(wanted.insecure, spec.insecure)
  local trouble = check_key(key, variable, none_wanted, choice, row, parsed, insecure)
    or check_flags(spec.flags, choice.name)
  if trouble then return nil, trouble end
  local headers, bad_header = merged_headers(own_headers(choice.name), spec.headers or {},
    wanted.headers or {})
  if not headers then return nil, bad_header end
  if key then log.secret(key) end
  return {
    name = choice.name, base_url = parsed.text, model = model or spec.model,
    api_key = key, auth = spec.auth or row.auth or "bearer", headers = headers,
    query = merged(base_url.query_table(parsed.query), spec.query or {}, wanted.query or {}),
    flags = flags_of(row, spec), ask_key = ask, asked_key = ask and given,
  }
end


--- Raises at the caller when a table of provider options has a wrong member.
---@param spec any
---@param level? integer   as in options.check
function provider.check(spec, level)
  if type(spec) == "table" then options.check(spec, choose.SPEC, "provider", (level or 2) + 1) end
end


--- The provider that a model names itself ("ollama" of "ollama:qwen3:8b").
---@param model string
---@return string? name
function provider.prefix(model)
  local settings = config.get()
  return settings and (choose.split_prefix(model, settings))
end


--- Finds out where requests for a model go and what they look like there.
---@param wanted rille.ProviderWanted
---@return rille.Profile? profile
---@return rille.Failure? failure   "authentication" names the variable to set; "invalid_request"
---  else
function provider.resolve(wanted)
  provider.check(wanted.provider)
  local settings, broken = config.get()
  if not settings then return nil, broken end
  local choice, model = choose.pick(wanted, wanted.model or config.model(), settings)
  if not choice then return nil, model end
  local row, row_name = choose.row(choice)
  if not row then return nil, row_name end
  local profile, trouble = build(wanted, choice, row, model)
  if not profile then return nil, trouble end
  if row_name == "azure" then azure.place(profile) end
  return profile
end


--- The address of an endpoint of a provider.
---@param profile rille.Profile
---@param path string    "/chat/completions", "/models"
---@return string
function provider.url(profile, path)
  local base = path ~= "/chat/completions" and profile.models_url or profile.base_url
  return url.with_query(base .. path, url.query(profile.query))
end


--- The headers of a request: names in lower case.
---@param profile rille.Profile
---@param more? table<string, string>   lower-case names
---@return table<string, string>
function provider.headers(profile, more)
  local headers = { ["user-agent"] = "rille/" .. core.version }
  if profile.api_key and profile.auth == "api-key" then
    headers["api-key"] = profile.api_key
  elseif profile.api_key then
    headers["authorization"] = "Bearer " .. profile.api_key
  end
  for name, value in pairs(more or {}) do headers[name] = value end
  for name, value in pairs(profile.headers) do headers[name] = value and tostring(value) or nil end
  return headers
end


--- The same as sorted lines.
---@param profile rille.Profile
---@param more? table<string, string>
---@return string[]
function provider.header_lines(profile, more)
  local lines = {}
  for name, value in pairs(provider.headers(profile, more)) do
    lines[#lines + 1] = name .. ": " .. value
  end
  table.sort(lines)
  return lines
end


return provider
