--- agents.lua -- what specs of agents need again and again.
local rille = require "rille"
local sendable = require "spec.support.sendable"

local agents = {}

--- How much longer than usual things may take: under an aggressive collector, under sanitizers.
agents.slack = os.getenv "RILLE_GC" and 60 or os.getenv "RILLE_SLOW" and 5 or 1

--- A tool in a line.
--- @param name string
--- @param run fun(args: table, context: rille.Context): any, any
--- @param more? table    further options
--- @return rille.Tool
function agents.tool(name, run, more)
  local given = { name = name, run = run }
  for key, value in pairs(more or {}) do given[key] = value end
  return rille.tool(given)
end

--- Takes text, gives it back.
agents.echo = agents.tool("echo", function(args) return args.text end,
  { parameters = { { "text", "string", optional = true } } })

--- A tool that waits for a minute.
agents.slow = agents.tool("slow", function() rille.sleep(60) end)

--- An agent with a scripted model (`agent.model`).
--- @param steps table       of the script
--- @param more? table       options of the agent
--- @return rille.Agent
function agents.new(steps, more)
  local given = { model = rille.script(steps) }
  for key, value in pairs(more or {}) do given[key] = value end
  return rille.agent(given)
end

--- All events of a reader.
--- @return rille.Event[]
function agents.read(...)
  local list = {}
  for event in ... do list[#list + 1] = event end
  return list
end

--- Waits until a run that was just started has told `count` events of a type.
--- @param run rille.Run
--- @param type string
--- @param count? integer    default 1
function agents.reached(run, type, count)
  count = count or 1
  for event in run:events() do
    if event.type == type then count = count - 1 end
    if count == 0 then return end
  end
end

--- The types of events, joined.
--- @param list rille.Event[]
--- @param leave_out? table<string, boolean>
--- @return string
function agents.types(list, leave_out)
  local types = {}
  for _, event in ipairs(list) do
    if not (leave_out and leave_out[event.type]) then types[#types + 1] = event.type end
  end
  return table.concat(types, " ")
end

--- The content of the tool messages of a transcript, in order.
--- @param transcript rille.Transcript
--- @return string[]
function agents.results(transcript)
  local list = {}
  for _, message in ipairs(transcript:messages()) do
    if message.role == "tool" then list[#list + 1] = message.content end
  end
  return list
end

--- The roles of a transcript, joined.
--- @param transcript rille.Transcript
--- @return string
function agents.roles(transcript)
  local roles = {}
  for i, message in ipairs(transcript:messages()) do roles[i] = message.role end
  return table.concat(roles, " ")
end

--- Runs and expects a reply with a sendable transcript.
--- @return rille.Reply
function agents.reply(agent, prompt, options)
  local reply, failure = agent:run(prompt or "Go.", options)
  if not reply then error("no reply: " .. tostring(failure), 2) end
  sendable.check(reply.transcript)
  return reply
end

--- Runs and expects a failure of this code with a sendable transcript.
--- @return rille.Failure
function agents.failure(code, agent, prompt, options)
  local reply, failure = agent:run(prompt or "Go.", options)
  if reply then error("a reply: " .. reply.text, 2) end
  if failure.code ~= code then error(("expected %s, got %s"):format(code, tostring(failure)), 2) end
  sendable.check(failure.reply.transcript)
  return failure
end

--- Calls `fn` while nothing is logged.
function agents.quietly(fn, ...)
  local before = rille.log.level("off")
  local results = table.pack(pcall(fn, ...))
  rille.log.level(before)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- The results of one turn with these calls.
--- @param calls table[]     as for rille.script.calls
--- @param tools rille.Tool[]
--- @param more? table       options of the agent
--- @return string[]
function agents.results_of(calls, tools, more)
  local options = { tools = tools }
  for key, value in pairs(more or {}) do options[key] = value end
  local agent = agents.new({ rille.script.calls(calls), rille.script.text "done" }, options)
  return agents.results(agents.quietly(agents.reply, agent).transcript)
end

--- How long `fn` takes.
--- @return number seconds
function agents.seconds(fn)
  local start = rille.now()
  fn()
  return rille.now() - start
end

--- A tool that counts its calls, and what tells how many there were.
--- @return rille.Tool
--- @return fun(): integer
function agents.counter(name, more)
  local count = 0
  return agents.tool(name, function()
    count = count + 1
    return count
  end, more), function() return count end
end

return agents
