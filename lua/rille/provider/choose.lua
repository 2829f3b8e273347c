--- rille.provider.choose -- walk 2: which provider is meant.
---
--- Order: explicit provider (name or table), prefix of the model ("ollama:qwen3:8b"),
--- RILLE_PROVIDER, the base URL, the configuration file, OpenAI. A base URL that a known row claims
--- wins over RILLE_PROVIDER.
--- Source: public contract §6 (environment, configuration); wire contract §1.1.

local base_url = require "rille.provider.base_url"
local config = require "rille.config"
local failure = require "rille.failure"
local options = require "rille.options"
local profiles = require "rille.profiles"

local choose = {}

---@class rille.ProviderSpec        as a script or the configuration file writes it
---@field name? string
---@field profile? string           the row of profiles.lua whose flags it inherits
---@field base_url? string
---@field api_key? string|false|fun():string   false: send none
---@field key_env? string           variable that holds the key
---@field keyless? boolean
---@field auth? "bearer"|"api-key"
---@field headers? table<string, string|false>
---@field query? table<string, string>
---@field flags? table              differences from the profile
---@field insecure? boolean         the key may travel over plain http
---@field model? string             used when no model is named

choose.SPEC = {
  name = "string", profile = "string", base_url = "string",
  api_key = { "string", "boolean", "callable" },
  key_env = "string", keyless = "boolean", auth = "string", headers = "table", query = "table",
  flags = "table", insecure = "boolean", model = "string",
}


local function refuse(message, fields)
  return nil, failure.new("invalid_request", message, fields)
end


local function known_names(settings)
  local names = options.names(profiles.rows)
  for name in pairs(settings.providers) do names[#names + 1] = name end
  return names
end


local rows_of = setmetatable({}, { __mode = "k" })   -- a parsed base → name of its row, or false


--- The row that claims a base URL; every request of a run asks for the same one.
local function row_by_url(parsed)
  local found = rows_of[parsed]
  if found == nil then
    found = false
    for _, name in ipairs(options.names(profiles.rows)) do
      if base_url.belongs_to(parsed, profiles.rows[name]) then
        found = name
        break
      end
    end
    rows_of[parsed] = found
  end
  return found or nil
end


--- Looks a name up: the user's definition, and the row that it inherits from.
local function by_name(name, settings)
  local spec, row = settings.providers[name], profiles.rows[name]
  local ok, wrong = pcall(options.check, spec, choose.SPEC,
    ("configuration: provider '%s'"):format(name), -1)
  if not ok then return refuse(tostring(wrong)) end
  if not spec and not row then
    local hint = options.hint(name, known_names(settings))
    return refuse(("unknown provider '%s'%s"):format(name, hint), { detail = { provider = name } })
  end
  return { name = name, spec = spec or {}, row = row and name }
end


local function by_url(text)
  local parsed, reason = base_url.parse(text)
  if not parsed then return refuse(reason) end
  local name = row_by_url(parsed) or "generic"
  return { name = name, spec = {}, row = name, base_url = text }
end


--- OPENAI_BASE_URL goes with OPENAI_API_KEY, whoever lives there.
local function by_environment(text)
  local found, trouble = by_url(text)
  if found then found.key_from = "OPENAI_API_KEY" end
  return found, trouble
end


--- "ollama:qwen3:8b" → "ollama", "qwen3:8b"; nil when no provider has that name.
---@param model? string
---@param settings rille.Config
---@return string? name
---@return string? rest
function choose.split_prefix(model, settings)
  local prefix, rest = (model or ""):match("^([%w_.-]+):(.+)$")
  if prefix and (settings.providers[prefix] or profiles.rows[prefix]) then return prefix, rest end
end


--- Which provider, when neither an option nor the model says so.
local function by_default(wanted, settings)
  local named = config.env("RILLE_PROVIDER")
  if wanted.base_url then
    local found, trouble = by_url(wanted.base_url)
    if not found or found.name ~= "generic" or not named then return found, trouble end
  end
  if named then return by_name(named, settings) end
  local base = config.env("OPENAI_BASE_URL")
  if base then return by_environment(base) end
  return by_name(settings.provider or "openai", settings)
end


local function from_table(spec, settings)
  if spec.name then
    local row = profiles.rows[spec.name] and spec.name
    return { name = spec.name, spec = spec, row = row }
  end
  if spec.profile then return { name = spec.profile, spec = spec, row = spec.profile } end
  local found, trouble = by_default(spec, settings)
  if not found then return nil, trouble end
  found.spec = spec
  return found
end


--- Finds the provider: {name, spec = the user's words, row = name of the profile row, key_from =
--- variable}.
---@param wanted table       options of provider.resolve
---@param model? string
---@param settings rille.Config
---@return table? choice
---@return any model          without its prefix; the failure when there is no choice
function choose.pick(wanted, model, settings)
  local prefix, rest = choose.split_prefix(model, settings)
  local choice, trouble
  if type(wanted.provider) == "table" then
    if prefix and prefix == wanted.provider.name then model = rest end
    choice, trouble = from_table(wanted.provider, settings)
  elseif wanted.provider then
    if prefix == wanted.provider then model = rest end
    choice, trouble = by_name(wanted.provider, settings)
  elseif prefix then
    model = rest
    choice, trouble = by_name(prefix, settings)
  else
    choice, trouble = by_default(wanted, settings)
  end
  if choice then return choice, model end
  return nil, trouble
end


--- The row that a choice inherits from: said, of its own name, or found by its base URL.
---@param choice table
---@return rille.ProfileRow? row
---@return string|rille.Failure name   of the row; the failure when there is none
function choose.row(choice)
  local name = choice.spec.profile or choice.row
  if not name and choice.spec.base_url then
    local parsed = base_url.parse(choice.spec.base_url)
    name = parsed and row_by_url(parsed)
  end
  name = name or "generic"
  local row = profiles.rows[name]
  if row then return row, name end
  local hint = options.hint(name, options.names(profiles.rows))
  return refuse(("provider '%s': unknown profile '%s'%s"):format(choice.name, name, hint))
end


return choose
