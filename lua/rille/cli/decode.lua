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


--- A copy in which numbers that are too large for a double are null, as in every JSON writer.
local function finite(value)
  if type(value) == "number" and (value == math.huge or value == -math.huge) then return json.null end
  if type(value) ~= "table" or value == json.null then return value end
  local copy = setmetatable({}, getmetatable(value))
  for key, member in pairs(value) do copy[key] = finite(member) end
  return copy
end


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
  local ok, text = pcall(json.encode, canonical)
  terminal.answer((ok and text or json.encode(finite(canonical))) .. "\n")
  return status.answered
end


return decode
