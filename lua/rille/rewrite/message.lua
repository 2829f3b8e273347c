--- rille.rewrite.message -- walk 2: one message of the neutral transcript, as one profile wants to
--- read it.
---
--- Invariant: the neutral message is never changed; what comes back is it (nothing to change) or a
--- copy. What depends on neighbouring messages is in rille.rewrite.sequence.
--- Source: wire contract §1.3, §1.7, §4e (R numbers below); the echo fixtures.

local ids = require "rille.rewrite.ids"
local json = require "rille.json"

local message = {}

--- What a request may say of an assistant message; all else came with a response and stays here.
local ASSISTANT <const> = {
  "role", "content", "refusal", "name", "audio", "tool_calls", "function_call",
  "prefix", "partial", "cache_control",
}
--- The same as C reads it (runtime/form.h).
message.KEPT = " " .. table.concat(ASSISTANT, " ") .. " "


local function is_absent(value)
  return value == nil or value == json.null
end


local function matches(model, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if (model or ""):lower():find(pattern) then return true end
  end
  return false
end


--- Does a model name match one of the patterns?
message.matches = matches


local function copy(t)
  local made = {}
  for key, value in pairs(t) do made[key] = value end
  return setmetatable(made, getmetatable(t))
end


--- The text of content parts when they are nothing but plain text; nil otherwise.
local function text_of(content)
  if type(content) ~= "table" then return nil end
  local texts = {}
  for i, part in ipairs(content) do
    if type(part) ~= "table" or part.type ~= "text" or part.cache_control ~= nil
      or part.prompt_cache_breakpoint ~= nil then
      return nil
    end
    texts[i] = tostring(part.text or "")
  end
  return table.concat(texts, "\n")
end


--- Arguments in history: always the text of a JSON object (R17, R18).
local function arguments_text(arguments)
  if type(arguments) == "table" then return json.encode(arguments) end
  if type(arguments) == "string" and arguments:find("^%s*{") then
    local value = json.decode(arguments)
    if type(value) == "table" then return arguments end
  end
  return "{}"
end


--- A call of a custom tool, for servers that know functions only.
local function as_function(call)
  local custom = call.custom or {}
  return {
    id = call.id, type = "function",
    ["function"] = { name = custom.name, arguments = json.encode({ input = custom.input or "" }) },
  }
end


local function rewrite_call(call, flags)
  if call.type == "custom" and not flags.custom_tools then call = as_function(call) end
  local made = { id = ids.fit(call.id, flags), type = call.type or "function" }
  if call.type == "custom" then
    made.custom = call.custom
  else
    local called = call["function"] or {}
    made["function"] = { name = called.name, arguments = arguments_text(called.arguments) }
  end
  for _, key in ipairs(flags.echo_call) do made[key] = call[key] end
  return made
end


local function rewrite_calls(calls, flags)
  if type(calls) ~= "table" or #calls == 0 then return nil end
  local made = json.array {}
  for i, call in ipairs(calls) do made[i] = rewrite_call(call, flags) end
  return made
end


--- What of the reasoning goes back (C3–C6).
local function echo(made, received, flags, model)
  if matches(model, flags.echo_except) then return end
  for _, key in ipairs(flags.echo) do
    if not is_absent(received[key]) then made[key] = received[key] end
  end
  local always = flags.echo_always
  if always and made[always] == nil then made[always] = "" end
end


--- An answer that consists of a refusal, or of sound, for servers that know text only.
local function fallback_text(received)
  if type(received.refusal) == "string" then return received.refusal end
  local audio = received.audio
  return type(audio) == "table" and type(audio.transcript) == "string" and audio.transcript or nil
end


--- Content of an assistant message: text, or what the profile takes for none (R8–R10).
local function assistant_content(received, made, flags)
  local content = received.content
  local joined = text_of(content)
  if joined then content = joined end
  if not is_absent(content) then return content end
  local said = fallback_text(received)
  if said and not made.refusal and not made.audio then return said end
  if made.tool_calls or made.refusal or made.audio or made.function_call then
    return flags.content_null or json.null
  end
  return ""
end


local function rewrite_assistant(received, flags, model)
  local made = {}
  for _, key in ipairs(ASSISTANT) do
    if not is_absent(received[key]) then made[key] = received[key] end
  end
  made.tool_calls = rewrite_calls(received.tool_calls, flags)
  if not flags.refusal then made.refusal = nil end
  made.audio = flags.audio and type(received.audio) == "table" and received.audio.id
    and { id = received.audio.id } or nil
  if not flags.names then made.name = nil end
  made.content = assistant_content(received, made, flags)
  echo(made, received, flags, model)
  return made
end


--- Splits the content of a tool message into what may stay and the images that may not (R11, R12).
local function split_images(content)
  local texts, images = {}, {}
  for _, part in ipairs(content) do
    local list = type(part) == "table" and part.type == "image_url" and images or texts
    list[#list + 1] = part
  end
  return texts, images
end


local function rewrite_tool(received, flags)
  local made, images = copy(received), nil
  made.tool_call_id = ids.fit(received.tool_call_id, flags)
  if type(received.content) == "table" then
    local parts = received.content
    if not flags.tool_images then parts, images = split_images(parts) end
    made.content = text_of(parts) or parts
    if images and #images > 0 and made.content == "" then
      made.content = #images == 1 and "The image follows." or "The images follow."
    end
  elseif is_absent(received.content) then
    made.content = ""
  end
  return made, images
end


local function role_of(received, flags, model)
  local role = received.role
  if role == "developer" then role = flags.developer_role end
  if role == "system" and matches(model, flags.no_system) then role = "user" end
  return role
end


local function rewrite_other(received, flags, model)
  local made = copy(received)
  made.role = role_of(received, flags, model)
  if not flags.names then made.name = nil end
  if flags.text_only or made.role == "system" and received.role ~= "user" then
    made.content = text_of(made.content) or made.content
  end
  return made
end


--- Rewrites one message.
---@param received table        neutral; null as json.null or nil
---@param flags rille.Flags
---@param model? string
---@return table made           never the same table
---@return table[]? images      parts of a tool message that must follow in a user message
function message.rewrite(received, flags, model)
  if received.role == "assistant" then return rewrite_assistant(received, flags, model) end
  if received.role == "tool" then return rewrite_tool(received, flags) end
  return rewrite_other(received, flags, model)
end


return message
