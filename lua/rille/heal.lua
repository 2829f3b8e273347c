--- rille.heal -- walk 2: a server said which part of the request it cannot take; take it out and
--- send it again.
---
--- What was learned is kept per base URL and model as differences of flags, so that the next request
--- is right at once. Every cure is logged at info.
--- Source: wire contract §3.6.

local lazy = require "rille.lazy"
local log = require "rille.log"
local cures = lazy "rille.heal.cures"   ---@module "rille.heal.cures"

local heal = {}

--- Counts what is learned and unlearned: whatever was made with the flags of before is worth making again.
heal.changes = 0

local learned = {} ---@type table<string, table>  base URL and model → differences of flags


--- Looks for a cure.
---@param trouble rille.Failure   with detail.code, detail.param
---@param body table              what was sent, without messages
---@param flags rille.Flags       with which it was made
---@return table? differences     of flags
---@return string? what           for people
function heal.find(trouble, body, flags)
  return cures.find(trouble, body, flags)
end


local function name_of(profile)
  return profile.base_url .. "\0" .. (profile.model or "")
end


--- Flags with differences laid over them.
---@param flags rille.Flags
---@param differences? table
---@return rille.Flags
function heal.apply(flags, differences)
  if not differences then return flags end
  local made = {}
  for name, value in pairs(flags) do made[name] = value end
  for name, value in pairs(differences) do made[name] = value end
  return made
end


--- What was learned about a server and model.
---@param profile rille.Profile
---@return table? differences
function heal.known(profile)
  return learned[name_of(profile)]
end


--- Keeps a cure that is about to be tried: whoever asks the same server meanwhile need not be refused.
---@param profile rille.Profile
---@param differences table
---@param what string
function heal.remember(profile, differences, what)
  local name = name_of(profile)
  learned[name] = heal.apply(learned[name] or {}, differences)
  heal.changes = heal.changes + 1
  log.info("%s (%s): %s", profile.name, profile.model or "?", what)
end


--- Takes back a cure that did not help.
---@param profile rille.Profile
---@param differences table   as they were remembered
function heal.unlearn(profile, differences)
  local known = learned[name_of(profile)] or {}
  heal.changes = heal.changes + 1
  for name, value in pairs(differences) do
    if rawequal(known[name], value) then known[name] = nil end
  end
end


--- Forgets everything that was learned.
function heal.reset()
  learned = {}
  heal.changes = heal.changes + 1
end


return heal
