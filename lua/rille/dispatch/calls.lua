--- rille.dispatch.calls -- walk 11: what the calls of a message are, made fit to be stored and sent.
---
--- Models invent names, repeat ids, wrap several calls in one and send arguments that are no JSON; servers
--- refuse a history that holds any of it. Here the message is put right and each call becomes a record
--- that says what to run, or why it cannot be run.
--- Invariant: after `calls.read` every call of the message has an id of its own, a name that servers take, and
--- arguments that are a JSON object; valid arguments keep their bytes.
--- Source: wire contract §2.4, §3.5, T14, T20–T23, R17.

local core = require "rille.core"
local json = require "rille.json"
local time = require "rille.time"

local calls = {}

local MOST_CALLS <const> = 128            -- of one message; the others are answered with an error
local LONGEST_ARGUMENTS <const> = 1 << 20 -- bytes
local QUOTED <const> = 200                -- bytes of wrong arguments that an error message repeats
local BRACE <const> = ("{"):byte()
local UNIQUE_KEYS <const> = { unique_keys = true }

---@class rille.CallRecord
---@field id string
---@field name string         as the model wrote it
---@field kind "function"|"custom"
---@field arguments string    the bytes: a JSON object, or the free text of a custom call
---@field decoded? table      of a function call whose arguments were readable; once they are frozen: what the tool gets
---@field problem? string     why it cannot be run
---@field wire table          its entry in message.tool_calls
---@field wrong_arguments? boolean
---@field ran? number         when its tool began to run
---@field task? rille.Task    of its tool
---@field content? string|table    of its result


-- ---------------------------------------------------------------- ids and names

local ALPHANUMERIC <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


--- Nine letters and digits: the one form that every server takes (R13).
local function new_id(taken)
  local id
  repeat
    local letters = {}
    for i = 1, 9 do
      local at = math.floor(time.random() * #ALPHANUMERIC) + 1
      letters[i] = ALPHANUMERIC:sub(at, at)
    end
    id = table.concat(letters)
  until not taken[id]
  return id
end


local function claim_id(id, taken)
  if type(id) ~= "string" or id == "" or taken[id] then id = new_id(taken) end
  taken[id] = true
  return id
end


--- A name that servers accept in a history, whatever the model made up (R24).
local function storable_name(name)
  local clean = name:gsub("[^%w_-]", "_"):sub(1, 64)
  return clean ~= "" and clean or "unnamed"
end


--- "functions.get_weather" is what some models call get_weather.
local function known_name(name, tools)
  if tools:find(name) then return name end
  local bare = name:match("^functions?[.:](.+)$")
  return bare and tools:find(bare) and bare or name
end


-- ---------------------------------------------------------------- arguments

local function quote(text)
  if #text <= QUOTED then return text end
  local cut = utf8.offset(text, 0, QUOTED + 1) - 1
  return ("%s… (%d bytes)"):format(text:sub(1, cut), #text)
end


--- The object, or nil and why there is none. Some servers encode the object twice.
local function decode_object(text)
  local value, trouble = core.json_decode(text, UNIQUE_KEYS)
  if type(value) == "string" then
    local inner = core.json_decode(value, UNIQUE_KEYS)
    if type(inner) == "table" then value, text = inner, value end
  end
  if trouble then
    return nil, "arguments are not valid JSON: " .. quote(text)
  end
  if type(value) ~= "table" or getmetatable(value) == core.array_metatable then
    return nil, "the arguments must be a JSON object, not " .. quote(text)
  end
  return value, text
end


local function is_nothing(text)
  text = text:match("^%s*(.-)%s*$")
  return text == "" or text == "null"
end


--- Reads the arguments of a function call into its record; what cannot be read never enters the history.
local function read_arguments(record, given)
  if type(given) == "table" then given = json.encode(given) end
  if type(given) ~= "string" then given = "" end
  if given:byte() ~= BRACE and is_nothing(given) then given = "{}" end
  local value, bytes
  if #given > LONGEST_ARGUMENTS then
    bytes = ("the arguments are too long: %d bytes, %d at most"):format(#given, LONGEST_ARGUMENTS)
  else
    value, bytes = decode_object(given)
  end
  if value then
    record.decoded, record.arguments = value, bytes
  else
    record.problem, record.wrong_arguments, record.arguments = bytes, true, "{}"
  end
end


-- ---------------------------------------------------------------- entries of a message

--- What is nil here comes later, or never: the table need not grow for it.
local function new_record(kind, name, arguments)
  return {
    kind = kind, name = name, arguments = arguments, decoded = nil, id = nil, wire = nil, problem = nil, tool = nil,
    context = nil, ran = nil, task = nil, content = nil, ok = nil,
  }
end


local function read_function(entry, tools)
  local called = type(entry["function"]) == "table" and entry["function"] or {}
  local name = type(called.name) == "string" and called.name or ""
  local record = new_record("function", known_name(name, tools))
  read_arguments(record, called.arguments)
  called.name, called.arguments = tools:find(record.name) and record.name or storable_name(record.name), record.arguments
  entry.type, entry["function"] = "function", called
  return record
end


local function read_custom(entry)
  local called = type(entry.custom) == "table" and entry.custom or {}
  local name = type(called.name) == "string" and called.name or ""
  local input = type(called.input) == "string" and called.input or ""
  called.name, called.input = storable_name(name), input
  entry.custom = called
  return new_record("custom", name, input)
end


local function read_entry(entry, tools, taken)
  local record = entry.type == "custom" and read_custom(entry) or read_function(entry, tools)
  record.id = claim_id(entry.id, taken)
  record.wire, entry.id = entry, record.id
  return record
end


local parallel_names <const> = { ["multi_tool_use.parallel"] = true, ["multi_tool_use_parallel"] = true }


--- The calls inside a `multi_tool_use.parallel`, or nil when it is none.
local function unwrap(entry, tools)
  local called = entry["function"]
  if type(called) ~= "table" or not parallel_names[called.name] or tools:find(called.name) then return nil end
  local value = type(called.arguments) == "string" and core.json_decode(called.arguments) or called.arguments
  local uses = type(value) == "table" and value.tool_uses
  if type(uses) ~= "table" or #uses == 0 then return nil end
  local entries = {}
  for i, use in ipairs(uses) do
    use = type(use) == "table" and use or {}
    entries[i] = { type = "function",
      ["function"] = { name = use.recipient_name or use.name, arguments = use.parameters or use.arguments } }
  end
  return entries
end


--- The entries of a message: the old `function_call` is one, what was wrapped is unwrapped.
local function entries_of(message, tools)
  local entries = {}
  for _, entry in ipairs(type(message.tool_calls) == "table" and message.tool_calls or {}) do
    local inner = type(entry) == "table" and unwrap(entry, tools)
    if inner then
      table.move(inner, 1, #inner, #entries + 1, entries)
    elseif type(entry) == "table" then
      entries[#entries + 1] = entry
    end
  end
  if #entries == 0 and type(message.function_call) == "table" then
    entries[1] = { type = "function", ["function"] = message.function_call }
  end
  message.function_call = nil
  return entries
end


--- Puts the calls of a message right, in place, and says what they are. Where there is nothing to put right C has read
--- them, and checked and frozen their arguments: then their tools are in the records.
---@param message table         an assistant message
---@param tools rille.Toolset
---@return rille.CallRecord[]
function calls.read(message, tools)
  local ready = message.function_call == nil and core.read_calls(message.tool_calls, tools.by_name, true)
  if ready then return ready end
  local records, taken = {}, {}
  message.tool_calls = entries_of(message, tools)
  for i, entry in ipairs(message.tool_calls) do
    local record = read_entry(entry, tools, taken)
    if i > MOST_CALLS then
      record.problem = ("not run: at most %d calls at once are possible"):format(MOST_CALLS)
    end
    records[i] = record
  end
  if #records == 0 then message.tool_calls = nil end
  return records
end


--- Runs with other arguments than the model's: the history says what was run.
---@param record rille.CallRecord
---@param arguments string    a JSON object, or the text of a custom call
function calls.change(record, arguments)
  record.arguments, record.decoded = arguments, nil
  if record.wire.custom then
    record.wire.custom.input = arguments
  elseif record.kind == "custom" then
    record.wire["function"].arguments = json.encode({ input = arguments })
  else
    record.wire["function"].arguments = arguments
  end
end


return calls
