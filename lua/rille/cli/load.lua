--- rille.cli.load -- beside the walk: Lua files that the command line names: scripts, tools,
--- agents.
---
--- Invariant: what is wrong with a file is told with its name, and with the line where there is
--- one.

local core = require "rille.core"
local failure = require "rille.failure"
local status = require "rille.cli.status"

local loader = {}


--- The bytes of a file; "-" is standard input.
---@param path string
---@return string? bytes
---@return rille.Failure? failure    exit status 2
function loader.read(path)
  if path == "-" then return io.stdin:read("a") end
  local handle, message = io.open(path, "rb")
  if not handle then return status.misused("cannot open " .. message) end
  local bytes <const> = handle:read("a")
  handle:close()
  if not bytes then return status.misused(("cannot read %s"):format(path)) end
  return bytes
end


--- Compiles Lua text; a first line that begins with # is skipped.
---@param text string
---@param name string    chunk name, as for load
---@return function? chunk
---@return rille.Failure? failure    file:line: what the compiler says
function loader.compile(text, name)
  local chunk, message = load((text:gsub("^#[^\n]*", "")), name, "t")
  if chunk then return chunk end
  return nil, failure.new("internal", message)
end


--- `return rille.tool { … }` is a tail call: who is to blame has left no line, but the file is known.
local function placed(problem, path)
  if problem.code == "internal" and not problem.message:find("^[^\n]-:%d+: ") then
    problem.message = path .. ": " .. problem.message
  end
  return problem
end


--- What a Lua file returns.
---@async
---@param path string
---@return any value
---@return rille.Failure? failure
function loader.value(path)
  local text, problem = loader.read(path)
  if not text then return nil, problem end
  local chunk
  chunk, problem = loader.compile(text, "@" .. path)
  if not chunk then return nil, problem end
  local ok, value = xpcall(chunk, failure.traced, path)
  if not ok then return nil, placed(value, path) end
  if value == nil then return nil, failure.new("internal", path .. ": returns nothing") end
  return value
end


--- Adds the tools in `value` (a tool, a list of them, or a function that makes one) to `list`.
local function collect(list, value, path)
  local tool = require "rille.tool"
  if type(value) == "function" then value = value() end
  if tool.is(value) then
    list[#list + 1] = value
    return true
  end
  if type(value) ~= "table" or #value == 0 then
    return nil, failure.new("internal", path .. ": returns no tool")
  end
  for _, one in ipairs(value) do
    local ok, problem = collect(list, one, path)
    if not ok then return nil, problem end
  end
  return true
end


local function is_there(path)
  local handle = io.open(path, "rb")
  if handle then handle:close() end
  return handle ~= nil
end


--- A plain name is that of a ready-made tool, which stand beside the program: installed, or in the source tree.
local function tool_path(word)
  if not word:find("^[%w_]+$") or is_there(word) then return word end
  local program = core.uv().exepath() or ""
  for _, place in ipairs { "/../share/rille/tools/", "/../tools/" } do
    local path = program:gsub("/[^/]*$", "") .. place .. word .. ".lua"
    if is_there(path) then return path end
  end
  return nil, ("there is neither a file nor a ready-made tool '%s'"):format(word)
end


--- The tools of several files, in their order; a plain name is that of a ready-made tool.
---@async
---@param paths string[]
---@return rille.Tool[]? tools
---@return rille.Failure? failure
function loader.tools(paths)
  local list = {}
  for _, word in ipairs(paths) do
    local path, missing = tool_path(word)
    if not path then return status.misused(missing) end
    local value, problem = loader.value(path)
    if value == nil then return nil, problem end
    local ok
    ok, problem = collect(list, value, path)
    if not ok then return nil, problem end
  end
  return list
end


--- A schema: a JSON file, or a Lua file that returns one (also as an ordered list of parameters). JSON stays text: models
--- answer in the order of the properties, which a table would lose.
---@async
---@param path string
---@return table|string|nil schema
---@return rille.Failure? failure
function loader.schema(path)
  if not path:match("%.json$") then return loader.value(path) end
  local text, problem = loader.read(path)
  if not text then return nil, problem end
  local value
  value, problem = require("rille.json").decode(text)
  if type(value) ~= "table" then
    local why = problem and problem.message or "an object expected"
    return status.misused(("%s: %s"):format(path, why))
  end
  return text
end


--- `key=value` words as a table; a value that is JSON is taken as such, anything else as text.
---@param words string[]
---@param is_text? fun(key: string): boolean    keys whose value is always text
---@return table? values
---@return rille.Failure? failure
function loader.pairs(words, is_text)
  local json, values = require "rille.json", {}
  for _, word in ipairs(words or {}) do
    local key, text = word:match("^([^=]+)=(.*)$")
    if not key then return status.misused(("key=value expected, got '%s'"):format(word)) end
    local value
    if not (is_text and is_text(key)) then value = json.decode(text) end
    if value == nil then value = text end
    values[key] = value
  end
  return values
end


return loader
