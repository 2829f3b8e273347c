--- rille.config -- beside the walk: the user's own settings, from the environment and one file.
---
--- `$XDG_CONFIG_HOME/rille/config.lua` returns a table `{ model =, provider =, providers = { name =
--- {…} } }`. It is run with the harmless part of the standard library only: it says what is, it
--- does nothing.
--- Invariant: the file is read at most once per path; a missing file is an empty table.

local core = require "rille.core"
local failure = require "rille.failure"
local log = require "rille.log"
local options = require "rille.options"

local config = {}

---@class rille.Config
---@field model? string                       used when neither script nor RILLE_MODEL names one
---@field provider? string
---@field providers table<string, rille.ProviderSpec>

local KNOWN <const> = { "model", "provider", "providers" }
local IS_KNOWN <const> = { model = true, provider = true, providers = true }

--- Lua's own, unless a script has put another one in its place.
local getenv <const> = debug.getinfo(os.getenv, "S").what == "C" and os.getenv or nil
local loaded = {} ---@type table<string, {settings: rille.Config?, failure: rille.Failure?}>


local notes ---@type rille.ConfigNotes?   of who takes notes now


--- A variable of the environment; an empty one counts as unset.
---@param name string
---@return string?
function config.env(name)
  local value = os.getenv(name)
  if value == "" then value = nil end
  if notes then notes._variables[name] = value or false end
  return value
end


---@class rille.ConfigNotes      what was looked up, so that what was made of it can be kept as long as it holds
---@field _variables table<string, string|false>
---@field _loaded table
---@field _outer? rille.ConfigNotes
local Notes = {}
Notes.__index = Notes


--- Would all that was looked up be the same now?
---@return boolean
function Notes:hold()
  if self._loaded ~= loaded then return false end
  if os.getenv == getenv then return core.environment_says(self._variables) end
  for name, value in next, self._variables do
    local now = os.getenv(name)
    if now ~= value and (now or "") ~= (value or "") then return false end
  end
  return true
end


function Notes:__close()
  notes, self._outer = self._outer, nil
end


--- Notes what is looked up until they are closed: `local notes <close> = config.take_notes()`. Who waits meanwhile may
--- find too much in them, or too little.
---@return rille.ConfigNotes
function config.take_notes()
  notes = setmetatable({ _variables = {}, _loaded = loaded, _outer = notes }, Notes)
  return notes
end


--- Where the configuration file is looked for.
---@return string? path   nil when the environment names no home
function config.path()
  local base = config.env("XDG_CONFIG_HOME")
  if not base then
    local home = config.env("HOME")
    base = home and home .. "/.config"
  end
  return base and base .. "/rille/config.lua"
end


--- What the file may use. Values of variables are noted in `read`.
local function environment(read)
  local function noting(get)
    return function(name)
      local value = get(name)
      if value then read[value] = true end
      return value
    end
  end
  return {
    env = noting(config.env), os = { getenv = noting(os.getenv) },
    string = string, table = table, math = math,
    ipairs = ipairs, pairs = pairs, next = next, select = select, type = type,
    tostring = tostring, tonumber = tonumber, error = error, assert = assert,
  }
end


local function trouble(path, message)
  return failure.new("invalid_request", "configuration: " .. message,
    { detail = { config = path } })
end


local function read_file(path)
  local file, message, errno = io.open(path, "rb")
  if not file then
    local ENOENT <const>, ENOTDIR <const> = 2, 20
    if errno == ENOENT or errno == ENOTDIR then return nil end
    return nil, trouble(path, message)
  end
  local text = file:read("a")
  file:close()
  if not text then return nil, trouble(path, path .. ": cannot be read") end
  return text
end


local function checked(path, settings)
  if type(settings) ~= "table" then
    return nil, trouble(path, path .. ": must return a table, got " .. type(settings))
  end
  if settings.providers ~= nil and type(settings.providers) ~= "table" then
    return nil, trouble(path, path .. ": providers: table expected")
  end
  settings.providers = settings.providers or {}
  for name, spec in pairs(settings.providers) do
    if type(name) ~= "string" or type(spec) ~= "table" then
      return nil, trouble(path, path .. ": providers: each one is name = { … }")
    end
  end
  return settings
end


--- Keys that others can read are worth a word, but no reason to stop. A key that is the value of a variable does not
--- stand in the file.
local function warn_about_keys(path, settings, read)
  local has_key = false
  for _, spec in pairs(settings.providers) do
    has_key = has_key or type(spec.api_key) == "string" and not read[spec.api_key]
  end
  local stat = has_key and core.uv().fs_stat(path)
  if stat and stat.mode & 0x3f ~= 0 then
    log.warn(("%s holds keys and is readable by others: chmod 600 it"):format(path))
  end
end


--- A setting that we do not know is a slip of the pen, or for another version: worth a word, too.
local function warn_about_names(path, settings)
  for name in pairs(settings) do
    if not IS_KNOWN[name] then
      log.warn(("%s: unknown setting '%s'%s"):format(path, tostring(name), options.hint(tostring(name), KNOWN)))
    end
  end
end


local function load_file(path)
  local text, unreadable = read_file(path)
  if not text then
    if unreadable then return nil, unreadable end
    return { providers = {} }
  end
  local read = {}
  local chunk, syntax = load(text, "@" .. path, "t", environment(read))
  if not chunk then return nil, trouble(path, syntax) end
  local ok, settings = pcall(chunk)
  if not ok then return nil, trouble(path, tostring(settings)) end
  local good, bad = checked(path, settings)
  if good then
    warn_about_names(path, good)
    warn_about_keys(path, good, read)
  end
  return good, bad
end


--- The settings of the user. The file is read once; further calls are a table look-up.
---@return rille.Config? settings
---@return rille.Failure? failure   "invalid_request" with detail.config = path: the file is broken
function config.get()
  local path = config.path()
  if not path then return { providers = {} } end
  local known = loaded[path]
  if not known then
    known = table.pack(load_file(path))
    loaded[path] = known
  end
  return known[1], known[2]
end


--- Forgets what was read, so that the next `get` reads again.
function config.reset()
  loaded = {}
end


--- The model to use when a script names none: RILLE_MODEL, OPENAI_MODEL, then the file.
---@return string?
function config.model()
  local settings = config.get()
  return config.env("RILLE_MODEL") or config.env("OPENAI_MODEL") or settings and settings.model
end


return config
