--- rille.cli.setup -- beside the walk: from the flags of ask and chat to an agent and its run
--- options.
---
--- Invariant: what a flag does not say is left to the agent file, the environment and the
--- configuration.

local core = require "rille.core"
local loader = require "rille.cli.load"
local printer = require "rille.cli.printer"
local status = require "rille.cli.status"

local setup = {}

--- The flags that ask and chat share.
---@type rille.cli.Flag[]
setup.flags = {
  { "model", short = "m", value = "NAME", help = "model, e.g. gpt-5.4 or ollama:qwen3:8b" },
  { "system", short = "s", value = "TEXT", help = "instructions" },
  { "tool", short = "T", value = "FILE", many = true,
    help = "Lua file with tools, or name of a ready-made one (repeat)" },
  { "agent", short = "a", value = "FILE", help = "Lua file that returns an agent" },
  { "file", short = "f", value = "FILE", many = true, help = "text or image file (repeat)" },
  { "transcript", short = "t", value = "FILE", help = "continue the conversation in this file" },
  { "param", short = "p", value = "KEY=VALUE", many = true,
    help = "any other request parameter (repeat)" },
  { "schema", value = "FILE", help = "the answer must fit this JSON Schema" },
  { "max-turns", value = "N", type = "integer", help = "stop after N requests" },
  { "max-tokens", value = "N", type = "integer", help = "stop when the run has used N tokens" },
  { "timeout", value = "SECONDS", type = "number", help = "stop the run after this time" },
  { "tool-timeout", value = "SECONDS", type = "number",
    help = "stop a tool call after this time" },
  { "approve", value = "WHEN", type = "choice", choices = { "ask", "always", "never" },
    help = "tool calls that need approval: ask, always or never" },
  { "format", value = "FORM", type = "choice", choices = { "text", "json", "stream-json" },
    help = "text, json (the reply) or stream-json (every event)" },
  { "no-stream", help = "print the answer when it is whole" },
  { "base-url", value = "URL", help = "server, e.g. http://localhost:11434/v1" },
  { "provider", value = "NAME", help = "profile of the server" },
  { "quiet", short = "q", help = "nothing but errors on stderr" },
  { "verbose", short = "v", help = "requests and usage on stderr" },
  { "no-color", help = "no colours on stderr" },
}

local image_types <const> = {
  { "^\137PNG\r\n", "image/png" }, { "^\255\216\255", "image/jpeg" },
  { "^GIF8[79]a", "image/gif" }, { "^RIFF....WEBP", "image/webp" },
}


local function image_type(bytes)
  for _, row in ipairs(image_types) do
    if bytes:find(row[1]) then return row[2] end
  end
end


local function part_of(path)
  local bytes, problem = loader.read(path)
  if not bytes then return nil, problem end
  local kind = image_type(bytes)
  if kind then
    local url = ("data:%s;base64,%s"):format(kind, core.base64(bytes))
    return { type = "image_url", image_url = { url = url } }
  end
  if bytes:find("\0", 1, true) or not utf8.len(bytes) then
    return status.misused(("%s: neither text nor an image (PNG, JPEG, GIF, WebP)"):format(path))
  end
  return { type = "text", text = ("%s:\n\n%s"):format(path, bytes) }
end


--- The prompt with the files of --file: a text, or content parts.
---@param text string
---@param paths? string[]
---@return string|table[]|nil prompt
---@return rille.Failure? failure
function setup.prompt(text, paths)
  if not paths then return text end
  local parts = { { type = "text", text = text } }
  for _, path in ipairs(paths) do
    local part, problem = part_of(path)
    if not part then return nil, problem end
    parts[#parts + 1] = part
  end
  return parts
end


local function load_tools(values)
  local tools, problem = loader.tools(values.tool or {})
  if not tools then return nil, problem end
  for _, tool in ipairs(tools) do
    if values["tool-timeout"] then tool.timeout = values["tool-timeout"] end
  end
  return tools
end


--- The options of an agent as flags give them.
local function agent_options(values)
  local tools, problem = load_tools(values)
  if not tools then return nil, problem end
  local schema
  if values.schema then
    schema, problem = loader.schema(values.schema)
    if not schema then return nil, problem end
  end
  return { instructions = values.system, tools = tools, output = schema, model = values.model,
    provider = values.provider, base_url = values["base-url"] }
end


--- An agent file returns an agent, or the table that rille.agent takes; flags add to the table.
local function file_agent(values, options)
  local made, problem = loader.value(values.agent)
  if made == nil then return nil, problem end
  if type(made) ~= "table" or made[1] ~= nil or require("rille.tool").is(made) then
    return status.misused(values.agent .. ": returns no agent")
  end
  if type(made.run) == "function" then
    for _, name in ipairs { "system", "tool", "schema", "provider", "base-url" } do
      if values[name] then
        return status.misused(("--%s does not go with an agent that is already made (%s)"):format(
          name, values.agent))
      end
    end
    return made
  end
  for name, value in pairs(made) do
    if name ~= "tools" and options[name] == nil then options[name] = value end
  end
  options.tools = { made.tools or {}, options.tools }
  return options
end


--- What is wrong with an agent, with the file where it is to be mended.
local function misdescribed(values, message)
  local schema = values.schema and message:match("^rille%.agent: output: (.*)$")
  if schema then return status.misused(("%s: %s"):format(values.schema, schema)) end
  return status.misused(values.agent and ("%s: %s"):format(values.agent, message) or message)
end


--- The agent that the flags describe.
local function agent_of(values)
  local options, problem = agent_options(values)
  if not options then return nil, problem end
  local made = options
  if values.agent then
    made, problem = file_agent(values, options)
    if not made then return nil, problem end
  end
  if type(made.run) == "function" then return made end
  local ok, agent = pcall(require("rille.agent").new, made)
  if ok then return agent end
  return misdescribed(values, tostring(agent))
end


--- Is there a server and a model to ask? Asked before the first request, so that trouble with the
--- configuration has an exit status of its own.
local function check_server(agent, options)
  local model = options.model or agent.model
  if type(model) == "table" then return true end
  local profile, problem = require("rille.provider").resolve {
    model = model, provider = agent.provider, base_url = agent.base_url, api_key = agent.api_key,
    headers = agent.headers, query = agent.query, insecure = agent.insecure,
  }
  if not profile then
    problem.exit_status = status.configuration
    return nil, problem
  end
  if profile.model then return true end
  return status.misconfigured("no model: give -m NAME, or set RILLE_MODEL or OPENAI_MODEL")
end


--- The options of each run.
local function run_options(values)
  local params, problem = loader.pairs(values.param)
  if not params then return nil, problem end
  if values["no-stream"] then params.stream = false end
  local limits = { turns = values["max-turns"], tokens = values["max-tokens"],
    seconds = values.timeout }
  local options = { params = next(params) and params or nil,
    limits = next(limits) and limits or nil }
  if values.agent then options.model = values.model end
  return options
end


--- The agent that the flags describe, and the options of each of its runs.
---@async
---@param values table<string, any>    flags
---@return rille.Agent? agent
---@return table|rille.Failure options    a failure when there is no agent
function setup.prepare(values)
  local agent, problem = agent_of(values)
  if not agent then return nil, problem end
  local options
  options, problem = run_options(values)
  if not options then return nil, problem end
  local ready
  ready, problem = check_server(agent, options)
  if not ready then return nil, problem end
  return agent, options
end


--- The printer that the flags ask for. An answer that has to fit a schema is shown when it does.
---@param values table<string, any>    flags
---@param agent rille.Agent
---@return table
function setup.printer(values, agent)
  return printer.new { format = values.format, stream = not values["no-stream"] and not agent.output_spec,
    quiet = values.quiet, verbose = values.verbose, color = not values["no-color"] }
end


return setup
