--- rille.doctor -- beside the walk: asks a server what it can, and writes the profile that the
--- answers ask for.
---
--- Requests go out as they are: nothing rewritten, nothing healed. Printing is left to the program.
--- Source: wire contract §1.7 (the flags that matter).

local chat = require "rille.chat"
local core = require "rille.core"
local failure = require "rille.failure"
local models = require "rille.models"
local options = require "rille.options"
local probes = require "rille.doctor.probes"
local profiles = require "rille.profiles"
local provider = require "rille.provider"

local doctor = {}

---@class rille.Finding
---@field name string
---@field question string
---@field ok? boolean     nil: cannot tell, or not asked
---@field note? string
---@field seconds? number

---@class rille.Diagnosis
---@field provider string
---@field base_url string
---@field model string
---@field models? integer       how many the server offers
---@field findings rille.Finding[]
---@field flags table           differences from the profile that the server should have
---@field changed boolean       does the profile that we have lack any of them?

local OPTIONS <const> = {
  model = "string", provider = { "string", "table" }, base_url = "string",
  api_key = { "string", "boolean" },
  headers = "table", query = "table", insecure = "boolean", timeout = { "number", "table" },
  on_finding = "callable",
}
local DEFAULT_SECONDS <const> = 120   -- for each probe
local HELLO <const> = { { role = "user", content = "Say hello." } }


local function request_of(given, profile, probe)
  return {
    model = profile.model, timeout = given.timeout or { total = DEFAULT_SECONDS }, retries = 1,
    provider = { name = profile.name, profile = "generic", base_url = profile.base_url,
      api_key = profile.api_key or false,
      auth = profile.auth, headers = profile.headers, query = profile.query, insecure = true },
    verbatim = true, usage = false, heal = false,
    messages = core.transcript(probe.messages or HELLO),
    params = probe.params, tools = probe.tools and { probes.TOOL } or nil, stream = probe.stream,
  }
end


local function answer_of(completion, trouble)
  local choice = completion and completion.choices and completion.choices[1]
  return {
    completion = completion, failure = not completion and trouble or nil, choice = choice,
    message = choice and choice.message, usage = completion and completion.usage,
  }
end


local function ask(given, profile, probe)
  local completion, trouble = chat.complete(request_of(given, profile, probe))
  local ok, note = probe.judge(answer_of(completion, trouble))
  local finding = { name = probe.name, question = probe.question, ok = ok, note = note }
  if completion then finding.seconds = trouble.seconds end
  return finding, not completion and trouble or nil
end


--- Trouble that makes further questions pointless.
local function is_hopeless(trouble)
  local code = trouble and trouble.code
  return code == "authentication" or code == "permission" or code == "connection"
    or code == "not_found" or code == "quota"
end


--- Which name of the token limit to use, from what was found out about both.
local function limit_key(by_name)
  local new, old = by_name.max_completion_tokens, by_name.max_tokens
  if not new or not old or new.ok == old.ok then return nil end
  return new.ok and "max_completion_tokens" or "max_tokens"
end


local function flags_of(findings)
  local flags, by_name = {}, {}
  for i, finding in ipairs(findings) do
    by_name[finding.name] = finding
    if finding.ok == false then
      for name, value in pairs(probes.rows[i].flags or {}) do flags[name] = value end
    end
  end
  if flags.response_format and by_name.json_schema and by_name.json_schema.ok ~= true then
    flags.response_format = nil
  end
  flags.max_tokens_key = limit_key(by_name)
  return flags
end


local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  return true
end


--- Asks the questions in order; what an earlier no makes pointless is not asked.
local function examine(given, profile)
  local findings, yes = {}, {}
  for i, probe in ipairs(probes.rows) do
    local finding = { name = probe.name, question = probe.question, note = "not asked" }
    local trouble
    if not probe.needs or yes[probe.needs] then finding, trouble = ask(given, profile, probe) end
    yes[probe.name] = finding.ok
    findings[i] = finding
    if i == 1 and is_hopeless(trouble) then return nil, trouble end
    if given.on_finding then given.on_finding(finding) end
  end
  return findings
end


--- Examines a server with some fifteen small requests.
---@async
---@param given? table      model, provider, base_url, api_key, headers, query, insecure, timeout
---  (each probe; seconds),
---                         on_finding (called with each finding as it comes)
---@return rille.Diagnosis? diagnosis
---@return rille.Failure? failure     nobody there, no key, no such model
function doctor.examine(given)
  options.check(given, OPTIONS, "rille.doctor", 2)
  given = given or {}
  local profile, trouble = provider.resolve(given)
  if not profile then return nil, trouble end
  local list, unlisted = models.list { provider = given.provider, base_url = given.base_url,
    api_key = given.api_key,
    headers = given.headers, query = given.query, insecure = given.insecure, model = given.model }
  profile.model = profile.model or list and list[1] and list[1].id
  if not profile.model then
    if unlisted and unlisted.code == "connection" then return nil, unlisted end
    local where = { provider = profile.name }
    return nil, failure.new("invalid_request", "no model: set `model`, RILLE_MODEL or OPENAI_MODEL", where)
  end
  local findings
  findings, trouble = examine(given, profile)
  if not findings then return nil, trouble end
  local diagnosis = {
    provider = profile.name, base_url = profile.base_url, model = profile.model,
    models = list and #list,
    findings = findings, flags = flags_of(findings), changed = false,
  }
  for name, value in pairs(diagnosis.flags) do
    if not same(value, profile.flags[name]) then diagnosis.changed = true end
  end
  return diagnosis
end


local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for _, name in ipairs(options.names(value)) do
    parts[#parts + 1] = name .. " = " .. literal(value[name])
  end
  for _, one in ipairs(value) do parts[#parts + 1] = literal(one) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end


--- The entry of the configuration file that a diagnosis asks for, as Lua text: `return { providers
--- = { … } }`.
---@param diagnosis rille.Diagnosis
---@param name? string     of the provider; default: the one that was examined
---@return string
function doctor.source(diagnosis, name)
  local entry = { base_url = diagnosis.base_url, flags = diagnosis.flags }
  if profiles.rows[diagnosis.provider] then entry.profile = diagnosis.provider end
  return ("return {\n  providers = {\n    [%q] = %s,\n  },\n}\n"):format(name or diagnosis.provider,
    literal(entry))
end


--- The flags that a provider of the configuration is to have after a diagnosis, as Lua text: `flags = { … }`.
---@param diagnosis rille.Diagnosis
---@param own? table<string, any>    flags that it has by now; the others of them stay
---@return string
function doctor.flags_source(diagnosis, own)
  local flags = {}
  for name, value in pairs(own or {}) do flags[name] = value end
  for name, value in pairs(diagnosis.flags) do flags[name] = value end
  return "flags = " .. literal(flags)
end


return doctor
