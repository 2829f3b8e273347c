--- rille.chat.body -- walk 2: transcript, tools and parameters become the bytes of one request.
---
--- The body is head .. messages .. tail. Head and tail are its frame, the same for every transcript;
--- the messages' bytes stand already in the transcript, so a turn encodes what is new. Invariants:
--- the same request gives the same bytes (members sorted, tools in the caller's order), and nothing
--- is sent that the caller did not set, except model, messages, stream and tools.
--- Source: wire contract §1, §1.2; design invariants 6 and 9.

local heal = require "rille.heal"
local json = require "rille.json"
local profiles = require "rille.profiles"
local rewrite = require "rille.rewrite"

local body = {}

---@class rille.Frame
---@field profile rille.Profile    with the flags that made it
---@field members table            all members but messages and tools, for rille.heal
---@field head string
---@field tail string
---@field key? string              of the wire forms; nil: the neutral bytes
---@field plain_serves? boolean    plain messages need no form
---@field rules? rille.FormRules   by which core makes forms of ordinary messages
---@field opened boolean           will a message stand before the transcript?
---@field whole? string            the whole text, when the caller brought messages of his own in
---  `extra`
---@field stream boolean
---@field n integer
---@field sifted boolean           answers hold more than the answer: a repeated prefix, thoughts

--- Flags that change nothing.
local PLAIN <const> = heal.apply(profiles.base, {
  max_tokens_key = false, developer_role = "developer", refusal = true, audio = true,
  custom_tools = true,
  allowed_tools = true, tool_images = true,
})
--- Differences of flags that concern messages: then a verbatim request is rewritten after all.
local MESSAGE_FLAGS <const> = { "developer_role", "no_system", "names", "echo", "echo_always" }

local encoded = setmetatable({}, { __mode = "k" })   -- definition → dialect → JSON


local function touches_messages(learned)
  for _, name in ipairs(MESSAGE_FLAGS) do
    if learned[name] ~= nil then return true end
  end
  return false
end


--- The profile as this request sees it: with what was learned, and plain where the caller wants his
--- words kept.
local function effective(profile, is_verbatim, heals)
  local learned = heals ~= false and heal.known(profile) or nil
  local flags = heal.apply(is_verbatim and PLAIN or profile.flags, learned)
  if flags == profile.flags then return profile, is_verbatim end
  local made = {}
  for name, value in pairs(profile) do made[name] = value end
  made.flags = flags
  return made, is_verbatim and not (learned and touches_messages(learned))
end


local function definitions_of(list)
  local made = {}
  for i, tool in ipairs(list or {}) do made[i] = tool.definition or tool end
  return made
end


--- One tool as JSON. Definitions of tools never change, so theirs are encoded once per dialect.
local function encode_tool(definition, flags, keep)
  if not keep then return rewrite.tool(definition, flags) end
  local dialect = (flags.schema or "") .. (flags.strict and "+" or "-")
    .. (flags.custom_tools and "+" or "-")
  local known = encoded[definition] or {}
  encoded[definition] = known
  known[dialect] = known[dialect] or rewrite.tool(definition, flags)
  return known[dialect]
end


local function encode_tools(list, flags, keep)
  local texts = {}
  for i, definition in ipairs(list) do texts[i] = encode_tool(definition, flags, keep) end
  return "[" .. table.concat(texts, ",") .. "]"
end


--- Lays `extra` over the members; json.absent takes one away.
local function merge_extra(members, extra)
  for name, value in pairs(extra or {}) do
    if value == json.absent then members[name] = nil else members[name] = value end
  end
end


local function encode_members(members, texts)
  local names, out = {}, {}
  for name in pairs(members) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    out[i] = json.encode(name) .. ":" .. (texts[name] or json.encode(members[name]))
  end
  return out
end


local function join(model, others)
  local head = "{" .. (model and '"model":' .. json.encode(model) .. "," or "") .. '"messages":'
  local tail = #others > 0 and "," .. table.concat(others, ",") .. "}" or "}"
  return head, tail
end


local function given_members(request, flags)
  local given = {}
  for name, value in pairs(request.params or {}) do given[name] = value end
  if request.stream then given.stream = true end
  if request.stream and request.usage ~= false and flags.stream_usage
    and given.stream_options == nil then
    given.stream_options = { include_usage = true }
  end
  return given
end


--- Makes the frame of requests to one provider.
---@param request table          as chat.start takes it; its messages do not matter
---@param profile rille.Profile
---@return rille.Frame frame
function body.frame(request, profile)
  local neutral_bytes
  profile, neutral_bytes = effective(profile, request.verbatim and profile.flags.verbatim,
    request.heal)
  local members, list = rewrite.body(given_members(request, profile.flags),
    definitions_of(request.tools), profile)
  members.model, members.tools = profile.model, list
  merge_extra(members, request.extra)
  local texts = {}
  if list and members.tools == list then
    texts.tools = encode_tools(list, profile.flags, not request.verbatim)
  end
  local made = {
    profile = profile, stream = members.stream == true, n = math.tointeger(members.n) or 1,
    sifted = profile.flags.repeats_prefix or profile.flags.think_tags,
  }
  if members.messages ~= nil then
    made.whole = "{" .. table.concat(encode_members(members, texts), ",") .. "}"
  elseif not neutral_bytes then
    made.opened = request.opened == true
    made.key, made.plain_serves, made.rules = rewrite.key(profile, made.opened)
  end
  local model = members.model
  members.model = nil
  made.head, made.tail = join(model, encode_members(members, texts))
  made.members = members
  return made
end


--- Makes the wire forms that a transcript lacks for this frame.
---@async
---@param frame rille.Frame
---@param transcript rille.Transcript
---@return rille.Failure? failure   "invalid_request": a local image that cannot be sent
function body.fill(frame, transcript)
  local key = frame.key
  if not key or not transcript:unwired(key, 1, frame.plain_serves) then return nil end
  local _, trouble = rewrite.transcript(transcript, frame.profile, frame.opened)
  return trouble
end


---@class rille.Opening             instructions, and what is made of them: kept by whom they belong to
---@field text string
---@field json? string
---@field frame? rille.Frame        for which that was made


--- The message before the transcript, as JSON; nil when there is none.
---@param frame rille.Frame
---@param opening? rille.Opening
---@return string?
function body.opening(frame, opening)
  if not opening or not frame.opened then return nil end
  if opening.frame ~= frame then
    opening.json, opening.frame = rewrite.opening(opening.text, frame.profile), frame
  end
  return opening.json
end


--- The whole text of a request.
---@param frame rille.Frame
---@param transcript rille.Transcript   filled
---@param opening? rille.Opening
---@return string
function body.text(frame, transcript, opening)
  if frame.whole then return frame.whole end
  local messages, first = transcript:wire(frame.key), body.opening(frame, opening)
  if first then
    messages = "[" .. first .. (#messages > 2 and "," or "") .. messages:sub(2)
  end
  return frame.head .. messages .. frame.tail
end


return body
