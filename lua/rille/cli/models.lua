--- rille.cli.models -- beside the walk: `rille models`, what the provider offers, one name a line.

local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local models = {
  usage = "rille models [flags]",
  summary = "lists the models that the provider offers",
  flags = {
    { "base-url", value = "URL", help = "server, e.g. http://localhost:11434/v1" },
    { "provider", value = "NAME", help = "profile of the server" },
    { "json", help = "the whole entries, one JSON object a line" },
  },
}


---@async
---@param values table<string, any>
---@return integer? status
---@return rille.Failure? failure
function models.run(values)
  local list, problem = require("rille.models").list {
    base_url = values["base-url"], provider = values.provider,
  }
  if not list then return nil, problem end
  local json = require "rille.json"
  local lines = {}
  for _, model in ipairs(list) do
    lines[#lines + 1] = values.json and json.encode(model) or tostring(model.id)
  end
  if not values.json then table.sort(lines) end
  if lines[1] then terminal.answer(table.concat(lines, "\n") .. "\n") end
  return status.answered
end


return models
