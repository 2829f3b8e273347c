--- rille.rewrite -- walk 2: everything that a profile changes in a request, behind one door.
---
--- The transcript stays neutral: what a server wants otherwise is made here, on the way out, as the
--- wire form of each message, kept with the message under `rewrite.key(profile)` and made once.
--- Wire forms and Transcript:set_wire: the form of a neutral message is the JSON text of its wire
--- messages joined by commas; "" when it has none of its own (it was merged into the next one); nil
--- when the neutral bytes serve. Plain messages are not even looked at where they always do,
--- and ordinary answers get their forms from core.chat, by rules that stand here (rules_of).
--- Source: wire contract §1.3–1.7, §4e; the echo fixtures.

local ids = require "rille.rewrite.ids"
local json = require "rille.json"
local lazy = require "rille.lazy"
local message = require "rille.rewrite.message"
local params = require "rille.rewrite.params"
local sequence = require "rille.rewrite.sequence"
local tools = require "rille.rewrite.tools"
local images = lazy "rille.rewrite.images"   ---@module "rille.rewrite.images"

local rewrite = {}

--- Flags that messages depend on, and the flags that pick models for them.
local MESSAGE_FLAGS <const> = {
  "alternate", "assistant_after_tool", "audio", "content_null", "custom_tools", "data_images",
  "developer_role", "echo", "echo_always", "echo_call", "echo_except", "names", "no_system",
  "refusal",
  "text_only", "tool_id_exact", "tool_id_max", "tool_images",
}

--- Bytes that the id of a call in a plain message has at most.
local PLAIN_ID <const> = 40

--- Is the wire form the same for all models of the profile?
local MODEL_FLAGS <const> = { "no_system", "echo_except" }

local keys = setmetatable({}, { __mode = "k" })   -- flags → {name, plain, rules, silent}

---@class rille.FormRules           what core.chat needs to make the form of an ordinary answer (runtime/form.h)
---@field keeps string              names that message.rewrite minds; lists begin and end with a blank
---@field echo? string              … that go back
---@field always? string
---@field null_content? string      JSON
---@field echoes_calls boolean


--- Do plain messages (core's word: runtime/lua_plain.h) go to a server with these flags each by itself, with no other
--- ids? What a flag changes in other messages only is not asked.
local function takes_singly(flags)
  return not (flags.alternate or flags.assistant_after_tool or flags.tool_id_exact)
    and (flags.tool_id_max or PLAIN_ID) >= PLAIN_ID
end


--- Names as C reads them; nil when one is no ordinary word: a user may have set the flags.
local function listed(names)
  for _, name in ipairs(names) do
    if type(name) ~= "string" or not name:find "^[%w_.-]+$" or name == "tool_calls" then return nil end
  end
  return " " .. table.concat(names, " ") .. " "
end


--- What C makes answers of, as message.rewrite would. Another server may learn nothing of their reasoning.
local function rules_of(flags, echoes)
  local echo, always = echoes and flags.echo or {}, echoes and flags.echo_always or nil
  local names = listed(echo)
  if not names or always and not listed { always } then return nil end
  return {
    keeps = message.KEPT, echo = names, always = always,
    null_content = flags.content_null and json.encode(flags.content_null) or nil, echoes_calls = #flags.echo_call > 0,
  }
end


--- A short name for what the flags say: it stands beside every message.
local function flags_key(flags)
  local known = keys[flags]
  if known then return known end
  local parts = {}
  for i, name in ipairs(MESSAGE_FLAGS) do
    local value = flags[name]
    parts[i] = value and (type(value) == "boolean" and "+" or json.encode(value)) or "-"
  end
  known = { name = ids.short(table.concat(parts, " ")), plain = false }
  if takes_singly(flags) then
    known.plain = not (flags.content_null or flags.echo_always)
    known.rules, known.silent = rules_of(flags, true), rules_of(flags, false)
  end
  keys[flags] = known
  return known
end


--- Under which name the wire forms for this profile are kept: profiles that want the same share
--- them.
---@param profile rille.Profile
---@param has_opening? boolean   see rewrite.transcript
---@return string key
---@return boolean plain_serves   do plain messages need no form?
---@return rille.FormRules? rules  by which core.chat makes ordinary ones
function rewrite.key(profile, has_opening)
  local flags, model = profile.flags, profile.model
  local known = flags_key(flags)
  local key, plain_serves, rules = known.name, known.plain, known.rules
  if rules and message.matches(model, flags.echo_except) then rules = known.silent end
  if message.matches(model, flags.no_system) then plain_serves, rules = false, nil end
  if has_opening and flags.alternate then key = key .. " opened" end
  for _, name in ipairs(MODEL_FLAGS) do
    if flags[name] then return key .. " " .. tostring(model), plain_serves, rules end
  end
  return key, plain_serves, rules
end


--- The same messages with their images, where the server cannot reach them. What a tool names is
--- not fetched.
local function reachable(messages, flags)
  local whole = {}
  for i, one in ipairs(messages) do
    local made, trouble = images.inline(one, flags.data_images and not sequence.is_from_tools(one))
    if not made then return nil, trouble end
    whole[i] = made
  end
  return whole
end


--- The wire messages of a list of neutral ones.
---@async
---@param list table[]
---@param profile rille.Profile
---@return table[]? messages
---@return rille.Failure? failure   "invalid_request": a local image that cannot be sent
function rewrite.messages(list, profile)
  local self = sequence.new(function(i) return list[i] end, profile.flags, profile.model)
  local out = json.array {}
  for i = 1, #list do
    local whole, trouble = reachable(sequence.form(self, i), profile.flags)
    if not whole then return nil, trouble end
    table.move(whole, 1, #whole, #out + 1, out)
  end
  return out
end


local function encode_form(messages, flags)
  local texts = {}
  local whole, trouble = reachable(messages, flags)
  if not whole then return nil, trouble end
  for i, one in ipairs(whole) do texts[i] = json.encode(one) end
  return table.concat(texts, ",")
end


--- The message that opens a request without being part of the transcript, as JSON.
---@param instructions string
---@param profile rille.Profile
---@return string
function rewrite.opening(instructions, profile)
  local said = { role = "system", content = instructions }
  local self = sequence.new(function(i) return i == 1 and said or nil end, profile.flags, profile.model)
  return json.encode(sequence.form(self, 1)[1])
end


--- Makes the wire forms that are missing in a transcript. Those that neighbours change are made
--- again.
---@param transcript rille.Transcript
---@param profile rille.Profile
---@param has_opening? boolean      will rewrite.opening stand before it?
---@return string? key              for Transcript:wire
---@return rille.Failure? failure
function rewrite.transcript(transcript, profile, has_opening)
  local key, plain_serves = rewrite.key(profile, has_opening)
  local first = transcript:unwired(key, 1, plain_serves)
  if not first then return key end
  local count = #transcript
  local self = sequence.new(function(i) return i <= count and transcript[i] or nil end,
    profile.flags, profile.model, has_opening)
  for i = sequence.start(self, first), count do
    local text, trouble = encode_form(sequence.form(self, i), profile.flags)
    if not text then return nil, trouble end
    transcript:set_wire(i, key, text)
  end
  return key
end


--- Everything of the body but model and messages.
---@param given table              parameters as the caller wrote them
---@param definitions? table[]     tools, as {type = "function", ["function"] = {…}}
---@param profile rille.Profile
---@return table body              without tools
---@return table[]? tools          those that the choice leaves, as they were given; nil when there
---  are none
function rewrite.body(given, definitions, profile)
  local flags, model = profile.flags, profile.model
  local body = params.rewrite(given, flags, model)
  local list = definitions or {}
  if #list == 0 then
    body.tools, body.tool_choice, body.parallel_tool_calls = nil, nil, nil
    return body
  end
  body.tool_choice, list = tools.choice(body.tool_choice, list, given, flags, model)
  return body, list
end


--- One tool, as JSON.
---@param definition table
---@param flags rille.Flags
---@return string
function rewrite.tool(definition, flags)
  return json.encode(tools.definition(definition, flags))
end


return rewrite
