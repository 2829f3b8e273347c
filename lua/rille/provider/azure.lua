--- rille.provider.azure -- beside the walk: where a deployment lives on an Azure resource.
---
--- Two shapes: `…/openai/v1` (the model in the body is the deployment), and the classic
--- `…/openai/deployments/{deployment}?api-version=…`, used when a version is asked for.
--- Source: wire contract §1.1, R25, R26.

local config = require "rille.config"
local url = require "rille.http.url"

local azure = {}


--- Other profiles share the flags.
local function without_stream_usage(flags)
  local made = {}
  for name, value in pairs(flags) do made[name] = value end
  made.stream_usage = false
  return made
end


--- Completes base URL, query and flags of a resolved profile, in place.
---@param profile rille.Profile
function azure.place(profile)
  local base = profile.base_url
  if base:find("/openai/v1$") or base:find("/openai/deployments/") then return end
  base = base:gsub("/openai$", "")
  local version = profile.query["api-version"] or config.env("OPENAI_API_VERSION")
  if not version or version == "preview" or version == "v1" then
    profile.base_url = base .. "/openai/v1"
    return
  end
  profile.query["api-version"] = version
  profile.base_url = base .. "/openai/deployments/" .. url.escape(profile.model or "")
  profile.models_url = base .. "/openai"
  if version < "2024-09" then profile.flags = without_stream_usage(profile.flags) end
end


return azure
