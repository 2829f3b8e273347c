--- rille.embed -- beside the walk: what a C host asks for through rille.h.
---
--- The host knows agents and runs by the addresses of its own structs; here they are the keys. Every function is
--- started as a task by C and returns an integer status (0), or raises.

local core = require "rille.core"
local agents_of_lua = require "rille.agent"
local json = require "rille.json"
local plain = require "rille.events.plain"
local tools = require "rille.tool"
local transcripts = require "rille.transcript"

local embed = {}

local OK <const> = 0

---@class rille.embed.Agent
---@field agent rille.Agent
---@field transcript rille.Transcript

local host_tools = {}   -- rille.Tool by name, and in the order of their coming by number
local agents = {}       -- rille.embed.Agent by address
local runs = {}         -- {run = rille.Run, questions = {[call id] = approval event}} by address


--- Calls a function that blames its caller; the host has no use for a line of this file.
local function blamed(fn, ...)
  local ok, made = pcall(fn, ...)
  if ok then return made end
  error(type(made) == "string" and made:gsub("^[^\n]-embed%.lua:%d+: ", "") or made, 0)
end


--- What a file of the host returns. `return rille.agent{…}` is a tail call: it leaves no line, but the file is known.
local function run_file(chunk, path)
  local ok, made = pcall(chunk)
  if ok then return made end
  if type(made) == "string" and not made:find("^[^\n]-:%d+: ") then made = path .. ": " .. made end
  error(made, 0)
end


-- ---------------------------------------------------------------- tools

--- Makes a C tool known.
---@param address lightuserdata
---@param name string
---@param description? string
---@param parameters? string      JSON Schema
---@param timeout number          seconds
---@param approve boolean
---@param sequential boolean
---@return integer status
function embed.add_tool(address, name, description, parameters, timeout, approve, sequential)
  local tool = blamed(tools.new, {
    name = name, description = description, parameters = parameters or '{"type":"object","properties":{}}',
    timeout = timeout, approve = approve, sequential = sequential,
    run = function(args) return core.host_call(address, json.encode(json.object(args))) end,
  })
  if not host_tools[name] then host_tools[#host_tools + 1] = name end
  host_tools[name] = tool
  return OK
end


--- The C tools of these names; all of them when no names are given.
---@param names? string[]
---@return rille.Tool[]
local function pick(names)
  if names ~= nil and type(names) ~= "table" then error("tools: a list of names of C tools expected", 0) end
  local picked = {}
  for i, name in ipairs(names or host_tools) do
    picked[i] = host_tools[name] or error(("tools: no C tool is called '%s'; add it first"):format(name), 0)
  end
  return picked
end


-- ---------------------------------------------------------------- agents

--- Opens an agent from the options of rille.agent as JSON; "tools" is a list of names of C tools, "transcript" the
--- messages of a conversation that goes on.
---@param address lightuserdata
---@param text string
---@return integer status
function embed.open_agent(address, text)
  local options, problem = json.decode(text)
  if type(options) ~= "table" then
    error("options: a JSON object expected" .. (problem and ": " .. problem.message or ""), 0)
  end
  for name, value in pairs(options) do
    if value == json.null then options[name] = nil end
  end
  options.tools = pick(options.tools)
  local transcript = blamed(transcripts.new, options.transcript)
  options.transcript = nil
  agents[address] = { agent = blamed(agents_of_lua.new, options), transcript = transcript }
  return OK
end


--- Opens the agent that a Lua file returns; C tools are added to its own.
---@param address lightuserdata
---@param path string
---@return integer status
function embed.load_agent(address, path)
  local chunk, message = loadfile(path)
  if not chunk then error(message, 0) end
  local agent = run_file(chunk, path)
  if not agents_of_lua.is(agent) then error(path .. ": must return rille.agent{…}", 0) end
  for _, tool in ipairs(pick()) do agent.toolset = agent.toolset:with(tool) end
  agents[address] = { agent = agent, transcript = transcripts.new() }
  return OK
end


--- Forgets the conversation.
---@param address lightuserdata
---@return integer status
function embed.reset_agent(address)
  agents[address].transcript = transcripts.new()
  return OK
end


---@param address lightuserdata
---@return integer status
function embed.close_agent(address)
  agents[address] = nil
  return OK
end


-- ---------------------------------------------------------------- runs

--- An approval is answered by the host later, through embed.approve or embed.deny.
local function keep_question(entry, event)
  if event.type ~= "approval" then return end
  event:defer()
  entry.questions[event.call.id] = event
end


--- Hands the events of a run to the host until the last one, or until the host closes the run.
local function tell(address, entry)
  for event in entry.run:events() do
    if runs[address] ~= entry then return end
    keep_question(entry, event)
    local ended = event.type == "done" or event.type == "failed"
    if ended then runs[address] = nil end
    core.host_event(address, plain.event(event), ended, event.reply and event.reply.text)
  end
end


--- Starts a run.
---@param agent_address lightuserdata
---@param prompt string
---@param _ nil
---@param run_address lightuserdata
---@return integer status
function embed.send(agent_address, prompt, _, run_address)
  local handle = agents[agent_address]
  local entry = { questions = {}, run = handle.agent:start(prompt, { transcript = handle.transcript }) }
  runs[run_address] = entry
  core.spawn(tell, run_address, entry)
  return OK
end


---@param address lightuserdata
---@param reason? string
---@return integer status
function embed.cancel(address, reason)
  runs[address].run:cancel(reason)
  return OK
end


---@param address lightuserdata
---@param text string
---@return integer status
function embed.steer(address, text)
  runs[address].run:steer(text)
  return OK
end


--- The open question about a call.
local function take_question(address, call_id)
  local questions = runs[address].questions
  local question = questions[call_id] or error(("no call '%s' waits for approval"):format(call_id), 0)
  questions[call_id] = nil
  return question
end


---@param address lightuserdata
---@param call_id string
---@return integer status
function embed.approve(address, call_id)
  take_question(address, call_id):approve()
  return OK
end


---@param address lightuserdata
---@param call_id string
---@param reason? string
---@return integer status
function embed.deny(address, call_id, reason)
  take_question(address, call_id):deny(reason)
  return OK
end


--- The host does not listen any more: a run that is under way is cancelled.
---@param address lightuserdata
---@return integer status
function embed.close_run(address)
  local entry = runs[address]
  runs[address] = nil
  if entry then entry.run:cancel("the host closed the run") end
  return OK
end


return embed
