--- rille.dispatch.lookup -- walk 11: from a call of the model to a tool and the bytes that it will get.
---
--- Invariant: a record without `problem` has a tool, and arguments that fit its schema, frozen as
--- canonical JSON: what is shown, approved, logged and run are these bytes.

local calls = require "rille.dispatch.calls"
local contexts = require "rille.dispatch.context"
local json = require "rille.json"
local toolset = require "rille.agent.toolset"

local lookup = {}


--- The arguments as frozen bytes, or nil and what is wrong with them.
local function freeze(tool, value)
  local valid, problem = toolset.validate(tool, value)
  if valid == nil then return nil, problem end
  return json.encode(valid)
end


--- A custom tool that was offered as a function (rille.rewrite.tools): its text is the one argument.
local function take_text(record)
  local input = record.decoded and record.decoded.input
  if type(input) ~= "string" then return false end
  record.kind, record.arguments, record.decoded = "custom", input, nil
  return true
end


--- Why this call cannot be run, or nil; then tool and arguments are in the record.
local function problem_of(run, record)
  local tool = record.tool or run.ask.tools:find(record.name)
  if not tool then return run.ask.tools:unknown(record.name) end
  local forced = run.ask.forced_name
  if forced and forced ~= record.name then
    return ("'%s' was asked for, not '%s'"):format(forced, record.name)
  end
  if record.tool then return nil end   -- C has read it, and it is the one that was asked for
  if record.problem then return record.problem end
  local kind = toolset.kind(tool)
  if kind ~= record.kind and not (kind == "custom" and take_text(record)) then
    return ("'%s' is a %s tool"):format(record.name, kind)
  end
  record.tool = tool
  if kind == "custom" then return nil end
  local bytes, problem = freeze(tool, record.decoded)
  if not bytes then return problem end
  record.arguments, record.decoded = bytes, nil
end


--- Finds the tool of a call and checks its arguments.
---@param run rille.Run
---@param record rille.CallRecord
function lookup.find(run, record)
  if not record.tool or run.ask.forced_name then record.problem = problem_of(run, record) end
  if not record.problem then record.context = contexts.new(run, record) end
end


--- What listeners see of a call: arguments only when they are valid.
---@param record rille.CallRecord
---@return {id: string, name: string, arguments?: table|string}
function lookup.shown(record)
  if record.context then return record.context:shown_call() end
  return { id = record.id, name = record.name }
end


local function as_table(changed)
  if type(changed) ~= "string" then return changed end
  local value, trouble = json.decode(changed)
  return value, trouble and trouble.message
end


--- Checks arguments that a person gave instead of the model's.
---@param record rille.CallRecord
---@param changed table|string    a table, or JSON text; for a custom tool its text
---@return string? arguments      as they will run
---@return string? problem
function lookup.check(record, changed)
  if record.kind == "custom" then return tostring(changed) end
  local value, trouble = as_table(changed)
  if type(value) ~= "table" then return nil, trouble or "a table, or JSON text of an object, expected" end
  return freeze(record.tool, value)
end


--- Puts changed arguments in the place of the model's, in the history too: it says what was run.
---@param run rille.Run
---@param record rille.CallRecord
---@param arguments string
function lookup.change(run, record, arguments)
  calls.change(record, arguments)
  record.context = contexts.new(run, record)
end


return lookup
