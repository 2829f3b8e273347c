--- rille.cli.tools -- beside the walk: `rille tools`, a look at tools and a try, without a model.
---
--- A call goes through an agent with a scripted model, so that validation, approval and time limits
--- are those of every other call: there is one dispatch point.

local approve = require "rille.cli.approve"
local json = require "rille.json"
local loader = require "rille.cli.load"
local options = require "rille.options"
local run = require "rille.cli.run"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local tools = {
  usage = "rille tools list|schema|call FILE… [NAME key=value…]",
  summary = "lists tools, shows their schemas, calls one",
  flags = {
    { "approve", value = "WHEN", type = "choice", choices = { "ask", "always", "never" },
      help = "a call that needs approval: ask, always or never" },
    { "quiet", short = "q", help = "nothing but errors on stderr" },
  },
}

local verbs = {}


local function first_line(text)
  return (text or ""):match("^[^\n]*")
end


--- Words that are files, the name of the tool, the key=value words.
local function split(words)
  local paths, i = {}, 1
  while words[i] and words[i]:match("%.lua$") do
    paths[i] = words[i]
    i = i + 1
  end
  return paths, words[i], table.move(words, i + 1, #words, 1, {})
end


local function find(list, name)
  local names = {}
  for i, tool in ipairs(list) do
    if tool.name == name then return tool end
    names[i] = tool.name
  end
  local hint = options.hint(name, names)
  if hint == "" and names[1] then hint = "; there is " .. table.concat(names, ", ") end
  return status.misused(("no tool '%s'%s"):format(name, hint))
end


--- The tools of the files, or the one that is named after them.
local function chosen(words)
  local paths, name, rest = split(words)
  if rest[1] then return status.misused(("tools: unexpected word '%s'"):format(rest[1])) end
  local list, problem = loader.tools(paths)
  if not list or not name then return list, problem end
  local tool
  tool, problem = find(list, name)
  return tool and { tool }, problem
end


function verbs.list(_, words)
  local list, problem = chosen(words)
  if not list then return nil, problem end
  for _, tool in ipairs(list) do
    local line = ("%-24s %s"):format(tool.name, first_line(tool.description))
    terminal.answer(line:gsub("%s+$", "") .. "\n")
  end
  return status.answered
end


function verbs.schema(_, words)
  local list, problem = chosen(words)
  if not list then return nil, problem end
  for _, tool in ipairs(list) do terminal.answer(json.encode(tool.definition) .. "\n") end
  return status.answered
end


--- Text stays text where the schema wants a string: `zip=01234`.
local function is_text(tool)
  local properties = type(tool.schema) == "table" and tool.schema.properties or {}
  return function(key)
    return type(properties[key]) == "table" and properties[key].type == "string"
  end
end


--- Calls the tool as the only turn of an agent; the result is what the model would see.
local function call(tool, arguments, values)
  local script = require "rille.script"
  local agent = require("rille.agent").new {
    model = script.new { script.call(tool.name, arguments), script.text("done") }, tools = { tool },
  }
  local content, ok
  local shown = {}
  function shown.event(_, event)
    if event.type == "tool_result" then content, ok = event.content, event.ok end
    if event.type == "tool_progress" and not values.quiet then
      terminal.note(tostring(event.value))
    end
  end
  local handler, asked = approve.watched((approve.handler(values.approve)))
  local reply, problem = run.show(agent, "call it", { approve = handler }, shown)
  if not reply then return nil, problem end
  if type(content) ~= "string" then content = json.encode(content) end
  return content, ok and status.answered or asked.denied and status.approval or status.failed
end


function verbs.call(values, words)
  local paths, name, pairs_given = split(words)
  if not name then return status.misused("tools call: FILE… NAME key=value… expected") end
  local list, problem = loader.tools(paths)
  if not list then return nil, problem end
  local tool, arguments
  tool, problem = find(list, name)
  if not tool then return nil, problem end
  arguments, problem = loader.pairs(pairs_given, is_text(tool))
  if not arguments then return nil, problem end
  local content, outcome = call(tool, arguments, values)
  if not content then return nil, outcome end
  if outcome == status.answered then
    terminal.answer(content .. "\n")
  else
    terminal.note(("rille: %s: %s"):format(tool.name, content))
  end
  return outcome
end


---@async
---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function tools.run(values, operands)
  local verb = verbs[operands[1]]
  if not verb then
    return status.misused("tools: list, schema or call expected" ..
      options.hint(operands[1] or "", { "list", "schema", "call" }))
  end
  if not operands[2] then return status.misused(("tools %s: FILE expected"):format(operands[1])) end
  return verb(values, table.move(operands, 2, #operands, 1, {}))
end


return tools
