--- rille.agent.nested -- walk 12: agents that other agents call, or hand over to.
---
--- Invariant: a nested run lives inside the call that started it: it uses the budgets of the runs around it,
--- asks their approval, tells its events on their bus, and ends with them.

local json = require "rille.json"
local limits = require "rille.limits"
local options = require "rille.options"
local tools = require "rille.tool"

local nested = {}

local tool_types <const> = {
  name = "string", description = "string", parameters = { "table", "string" }, limits = "table",
  approve = { "boolean", "function" }, sequential = "boolean", timeout = "number",
}

local handoff_types <const> = { name = "string", description = "string" }


--- A name that a tool may have, made from an agent's.
local function tool_name(name)
  name = name:gsub("[^%w_-]", "_"):sub(1, 60)
  return name:find("^[%a_]") and name or "_" .. name
end


--- The answer of a nested run, as the result of the call.
local function outcome(agent, reply, failure)
  if reply then
    if reply.output ~= nil then return reply.output end
    return reply.refusal and reply.text == "" and "The agent refused: " .. reply.refusal or reply.text
  end
  local said = failure.reply and failure.reply.text or ""
  return nil, ("agent '%s' stopped: %s%s"):format(agent.name, failure.message,
    said ~= "" and "; until then it said: " .. said or "")
end


--- Makes a tool of an agent. Each call is a run of its own, with a transcript of its own.
---@param agent rille.Agent
---@param start fun(prompt: string, inner: table): rille.Run
---@param given? table
---@param level integer
---@return rille.Tool
function nested.tool(agent, start, given, level)
  given = options.check(given, tool_types, "agent:as_tool", level + 1)
  limits.check(given.limits, "agent:as_tool: limits", level + 1)
  local makes_prompt = given.parameters == nil
  return (tools.new({
    name = given.name or tool_name(agent.name),
    description = given.description or agent.description or ("Asks the agent '%s'."):format(agent.name),
    parameters = given.parameters or { { "prompt", "string", "What the agent is to do, with all that it needs to know." } },
    -- an agent ends by its limits; the clock of a single call would cut it off in the middle of its work
    timeout = given.timeout or math.huge, approve = given.approve, sequential = given.sequential,
    run = function(args, context)
      local prompt = makes_prompt and args.prompt or json.encode(args)
      local run = start(prompt, { limits = given.limits, parent = context._run })
      return outcome(agent, run:wait())
    end,
  }, level + 1))   -- no tail call: errors count levels
end


--- Makes a tool that hands the conversation over: from the next request on the other agent speaks, with its
--- instructions, model and tools, on the same transcript and within the limits of the run.
---@param agent rille.Agent
---@param given? table
---@param level integer
---@return rille.Tool
function nested.handoff(agent, given, level)
  given = options.check(given, handoff_types, "agent:as_handoff", level + 1)
  return (tools.new({
    name = given.name or tool_name("transfer_to_" .. agent.name),
    description = given.description or agent.description
      or ("Hands the conversation over to the agent '%s'."):format(agent.name),
    parameters = {},
    run = function(_, context)
      local run = context._run
      if run.next_agent then return nil, "the conversation was already handed over" end
      run.next_agent = agent
      return ("The conversation was handed over to '%s'."):format(agent.name)
    end,
  }, level + 1))   -- no tail call: errors count levels
end


return nested
