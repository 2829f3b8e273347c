--- rille -- beside the walk: the public table. `local rille = require "rille"`.
---
--- Invariant: a module is loaded when its name is first used, so that an empty script starts in a
--- millisecond; a name that does not exist raises and names the nearest one.

local core = require "rille.core"
require "rille.failure"   -- fills the metatable of the failures that C makes

---@class rille    its fields are declared in _meta/rille.lua
local rille = { version = core.version }

--- name → module that is the value, or { module, field of it }
local public <const> = {
  agent = { "rille.agent", "new" },
  all = { "rille.task", "all" },
  failure = "rille.failure",
  fs = "rille.fs",
  http = "rille.http",
  json = "rille.json",
  log = "rille.log",
  map = { "rille.task", "map" },
  mock = "rille.mock",
  models = { "rille.models", "list" },
  now = { "rille.task", "now" },
  parts = { "rille.tool", "parts" },
  process = "rille.process",
  race = { "rille.task", "race" },
  script = "rille.script",
  sleep = { "rille.task", "sleep" },
  spawn = { "rille.task", "spawn" },
  timeout = { "rille.task", "timeout" },
  tool = { "rille.tool", "new" },
  transcript = "rille.transcript",
  uv = "rille.uv",
}

--- `rille.chat.completions.create`, as the API reference and every other client spell it.
local function load_chat()
  return { completions = require "rille.completions" }
end


local function unknown(name)
  local options = require "rille.options"
  local names = options.names(public)
  names[#names + 1], names[#names + 2] = "chat", "version"
  local hint = type(name) == "string" and options.hint(name, names) or ""
  error(("rille has no '%s'%s"):format(tostring(name), hint), 3)
end


local function load_name(_, name)
  local source = public[name]
  local value
  if name == "chat" then
    value = load_chat()
  elseif type(source) == "table" then
    value = require(source[1])[source[2]]
  elseif source then
    value = require(source)
  else
    unknown(name)
  end
  rawset(rille, name, value)
  return value
end


return setmetatable(rille, { __index = load_name })
