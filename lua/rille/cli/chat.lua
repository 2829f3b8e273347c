--- rille.cli.chat -- beside the walk: `rille chat`, a conversation in the terminal.
---
--- Invariant: the transcript stays sendable: a failed or cancelled run does not end the
--- conversation.

local approve = require "rille.cli.approve"
local interrupt = require "rille.cli.interrupt"
local kept = require "rille.cli.kept"
local run = require "rille.cli.run"
local setup = require "rille.cli.setup"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local chat = {
  usage = "rille chat [flags]",
  summary = "a conversation in the terminal; /help lists its commands",
  flags = setup.flags,
}

local commands <const> = {
  { "/help", "lists these commands" },
  { "/new", "starts again with an empty transcript" },
  { "/undo", "forgets the last exchange" },
  { "/usage", "tokens used so far" },
  { "/exit", "ends the conversation (Ctrl-D does too)" },
}


--- Drops everything from the last user message on.
local function undo(transcript)
  for i = #transcript, 1, -1 do
    if transcript[i].role == "user" then return transcript:truncate(i - 1) end
  end
end


--- Writes the file of --transcript; trouble with it is no reason to end the conversation.
local function save(state)
  local saved, problem = kept.save(state.path, state.transcript)
  if not saved then status.report(problem) end
end


local function show_help()
  for _, row in ipairs(commands) do terminal.note(("%-8s %s"):format(row[1], row[2])) end
  terminal.note("\\        at the end of a line: it goes on in the next")
end


--- Obeys a line that begins with a slash. Returns false when the conversation is over.
local function command(state, line)
  local word = line:match("^/%S+")
  if word == "/exit" or word == "/quit" then return false end
  if word == "/new" then
    state.transcript = require("rille.transcript").new()
  elseif word == "/undo" then
    if undo(state.transcript) then save(state) end
  elseif word == "/usage" then
    terminal.note(("%d tokens in %d requests"):format(state.tokens, state.requests))
  elseif word == "/help" then
    show_help()
  else
    terminal.note(("unknown command %s; /help lists them"):format(terminal.clean(word)))
  end
  return true
end


local function answer(state, line)
  state.options.transcript = state.transcript
  local prompt, problem = setup.prompt(line, state.files)
  if not prompt then return status.report(problem) end
  state.files = nil
  state.printer:reset()
  local reply
  reply, problem = run.show(state.agent, prompt, state.options, state.printer)
  local usage = reply and reply.usage or problem.reply and problem.reply.usage or {}
  state.tokens = state.tokens + (usage.total_tokens or 0)
  state.requests = state.requests + (usage.requests or 0)
  if not reply then status.report(problem) end
  save(state)
end


--- The next line of the person; nil at the end of input or at Ctrl-C.
local function read_line(state, prompt)
  if terminal.is_tty(0) then io.stderr:write(state.paint("bold", prompt)) end
  local guard <close> = interrupt.guard(function() state.lines:close() end)
  local line = state.lines:next()
  state.interrupted = guard.hit
  if not line and terminal.is_tty(0) then terminal.note("") end
  return line
end


--- What the person says next: a line, and further ones as long as they end with a backslash.
local function read_message(state)
  local message = read_line(state, "> ")
  while message and message:sub(-1) == "\\" do
    local line = read_line(state, ". ")
    message = line and message:sub(1, -2) .. "\n" .. line
  end
  return message
end


local function converse(state)
  for line in read_message, state do
    if line:sub(1, 1) == "/" then
      if not command(state, line) then break end
    elseif line:find("%S") then
      answer(state, line)
    end
  end
  state.lines:close()
  return state.interrupted and status.interrupted or status.answered
end


---@async
---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function chat.run(values, operands)
  if operands[1] then return status.misused("chat takes no prompt; use rille ask") end
  local agent, options = setup.prepare(values)
  if not agent then return nil, options end
  local transcript, unread = kept.load(values.transcript)
  if not transcript then return nil, unread end
  local lines = terminal.lines()
  options.approve = approve.handler(values.approve, lines, agent)
  return converse {
    agent = agent, options = options, lines = lines, files = values.file, tokens = 0, requests = 0,
    transcript = transcript, path = values.transcript, paint = terminal.painter(values["no-color"]),
    printer = setup.printer(values, agent),
  }
end


return chat
