--- rille.script.file -- beside the walk: scripts that live in files, for `rille mock` and for
--- tests.
---
--- Invariant: every failure names the file, and the line where there is one.

local failure = require "rille.failure"
local json = require "rille.json"
local script = require "rille.script"

local file = {}


local function refuse(path, message)
  return nil, failure.new("invalid_request", ("%s: %s"):format(path, message), { detail = path })
end


--- A table of scripts by model name, none of them a step.
local function is_by_model(value)
  local count = 0
  for model, one in pairs(value) do
    if type(model) ~= "string" or not script.is(one) then return false end
    count = count + 1
  end
  return count > 0
end


--- Whatever a file holds, as a script or a table of scripts.
local function from_value(value, path)
  if script.is(value) then return value end
  if type(value) ~= "table" then return refuse(path, "a script or a list of steps expected") end
  if is_by_model(value) then return value end
  local list = {}
  for key, one in pairs(value) do
    if key ~= "steps" then list[key] = one end
  end
  for i, one in ipairs(value.steps or {}) do list[i] = one end
  if #list == 0 then return refuse(path, "no steps") end
  list.name = list.name or path
  local ok, result = pcall(script.new, list)
  if not ok then return refuse(path, (tostring(result):gsub("^[^:]+:%d+: ", ""))) end
  return result
end


local function read(path)
  local handle, message = io.open(path, "rb")
  if not handle then
    return nil, failure.new("not_found", "cannot open " .. message, { detail = path })
  end
  local text <const> = handle:read("a")
  handle:close()
  if not text then return refuse(path, "cannot be read") end
  return text
end


local function load_json(path, text)
  local value, problem = json.decode(text, { nulls = false })
  if value == nil then return refuse(path, problem and problem.message or "not JSON") end
  return from_value(value, path)
end


local function load_lua(path, text)
  local chunk, message = load((text:gsub("^#[^\n]*", "")), "@" .. path, "t")
  if not chunk then return nil, failure.new("invalid_request", message, { detail = path }) end
  local ok, value = pcall(chunk, path)
  if not ok then
    if failure.is(value) then return nil, value end
    local why = tostring(value)
    if not why:find("^[^\n]-:%d+: ") then return refuse(path, why) end   -- a tail call has no line
    return nil, failure.new("invalid_request", why, { detail = path })
  end
  return from_value(value, path)
end


--- Reads a script from a file; see rille.script.load.
---@param path string
---@return rille.Script|table<string, rille.Script>|nil script
---@return rille.Failure? failure
function file.load(path)
  local text, problem = read(path)
  if not text then return nil, problem end
  if path:match("%.json$") or text:match("^%s*%[") or text:match("^%s*{") then
    return load_json(path, text)
  end
  return load_lua(path, text)
end


return file
