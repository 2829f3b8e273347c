--- rille.cli.decode -- beside the walk: `rille decode`, the bytes of a response as one canonical
--- object.
---
--- The same code that reads the wire reads the file: a bug report is a file and this command.

local core = require "rille.core"
local json = require "rille.json"
local loader = require "rille.cli.load"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local decode = {
  usage = "rille decode FILE [flags]",
  summary = "prints what a response body means, as JSON",
  flags = {
    { "status", value = "N", type = "integer", help = "HTTP status of the response (default 200)" },
    { "type", value = "TYPE", help = "its Content-Type" },
    { "header", value = "LINE", many = true, help = "another header, 'Name: value' (repeat)" },
    { "no-stream", help = "the request did not ask for a stream" },
    { "n", value = "N", type = "integer", help = "choices that the request asked for (default 1)" },
  },
}


---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function decode.run(values, operands)
  if #operands ~= 1 then return status.misused("decode: one FILE expected") end
  local body, problem = loader.read(operands[1])
  if not body then return nil, problem end
  local headers = values.header or {}
  for _, line in ipairs(headers) do
    if not line:find("^[^%s:]+:") then
      return status.misused(("--header: 'Name: value' expected, got '%s'"):format(line))
    end
  end
  if values.type then table.insert(headers, 1, "Content-Type: " .. values.type) end
  local canonical = core.decode(body, { status = values.status or 200, headers = headers,
    stream = not values["no-stream"], n = values.n or 1 })
  terminal.answer(json.encode(canonical) .. "\n")
  return status.answered
end


return decode
