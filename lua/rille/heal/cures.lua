--- rille.heal.cures -- walk 2: what a refused request can do without, by what the server said.
---
--- One signature per row of the contract's table.
--- Invariant: nothing that carries meaning of its own (messages, tools, the schema of an answer) is
--- dropped.
--- Source: wire contract §3.6.

local cures = {}

--- Members that an answer can do without.
local DROPPABLE <const> = {
  temperature = true, top_p = true, top_k = true, min_p = true, stop = true, seed = true,
  user = true, n = false,
  presence_penalty = true, frequency_penalty = true, logit_bias = true, logprobs = true,
  top_logprobs = true,
  metadata = true, store = true, service_tier = true, parallel_tool_calls = true,
  safety_identifier = true,
  prompt_cache_key = true, prompt_cache_retention = true, prompt_cache_options = true,
  verbosity = true,
  reasoning_effort = true, prediction = true,
}
--- Members that a server may call extra, and that we could not leave out all the same.
local ESSENTIAL <const> = {
  model = true, messages = true, tools = true, tool_choice = true, functions = true, function_call = true,
  response_format = true, stream = true, n = true, max_tokens = true, max_completion_tokens = true, modalities = true,
  audio = true,
}


local function with(list, value)
  local made = { table.unpack(list or {}) }
  made[#made + 1] = value
  return made
end


local function has(text, ...)
  for _, words in ipairs({ ... }) do
    if text:find(words, 1, true) then return true end
  end
  return false
end


local function is_refused(text, code)
  return code == "unsupported_parameter" or code == "unsupported_value"
    or code == "unknown_parameter"
    or has(text, "unsupported", "not supported", "does not support",
      "extra inputs are not permitted",
      "extra_forbidden", "unrecognized", "unknown", "not permitted", "unexpected", "not allowed",
      "only the default", "invalid field", "instead")
end


--- "Use 'max_completion_tokens' instead", and the other way round.
local function limit_key(case)
  local text = case.text
  if case.body.max_tokens ~= nil
    and (case.param == "max_tokens" or has(text, "max_completion_tokens")) then
    return { max_tokens_key = "max_completion_tokens" }, "max_tokens → max_completion_tokens"
  elseif case.body.max_completion_tokens ~= nil and has(text, "max_completion_tokens")
    and not has(text, "instead") then
    return { max_tokens_key = "max_tokens" }, "max_completion_tokens → max_tokens"
  end
end


local function stream_options(case)
  if case.body.stream_options ~= nil and has(case.text, "stream_options", "include_usage") then
    return { stream_usage = false }, "without stream_options"
  end
end


local function developer_role(case)
  local text = case.text
  if has(text, "support 'system'", "support \"system\"", "support system") then
    return { no_system = { "." }, developer_role = "user" }, "role system → user"
  elseif has(text, "developer") and case.flags.developer_role == "developer"
    and has(text, "role", "not one of", "unexpected", "invalid", "unsupported", "support") then
    return { developer_role = "system" }, "role developer → system"
  end
end


local function reasoning_echo(case)
  if not has(case.text, "reasoning_content") then return end
  if has(case.text, "passed back", "missing") then
    return { echo = { "reasoning_content" }, echo_always = "reasoning_content", echo_except = {} },
      "reasoning_content goes back"
  elseif #case.flags.echo > 0 then
    return { echo = {}, echo_always = false }, "reasoning_content stays here"
  end
end


local function tool_choice(case)
  local choice = case.body.tool_choice
  if choice ~= nil and choice ~= "auto" and choice ~= "none" and has(case.text, "tool_choice") then
    return { thinking_choice = { "." } }, "tool_choice → auto"
  end
end


--- May the request go without this member? One that the server does not know at all may go, whatever it means there.
local function is_droppable(name, case)
  return DROPPABLE[name] or case.is_extra and not ESSENTIAL[name]
end


--- The members of the body that the error speaks of, sorted.
local function named_members(case)
  local names = {}
  for name in pairs(case.body) do
    local word = "%f[%w_]" .. name:gsub("%W", "%%%0") .. "%f[^%w_]"
    if is_droppable(name, case) and (case.param == name or case.text:find(word)) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end


local function drop_members(case)
  local names = named_members(case)
  if #names == 0 then return end
  local drop = case.flags.drop
  for _, name in ipairs(names) do drop = with(drop, name) end
  return { drop = drop }, "without " .. table.concat(names, ", ")
end


local function message_names(case)
  if case.flags.names and case.text:find("messages%S*%.name%f[^%w_]") then
    return { names = false }, "messages without name"
  end
end


local CURES <const> = {
  reasoning_echo, limit_key, stream_options, developer_role, tool_choice, message_names,
  drop_members,
}


--- Looks for a cure.
---@param trouble rille.Failure   with detail.code, detail.param
---@param body table              what was sent, without messages
---@param flags rille.Flags       with which it was made
---@return table? differences     of flags
---@return string? what           for people
function cures.find(trouble, body, flags)
  if trouble.status ~= 400 and trouble.status ~= 422 then return nil end
  local detail = trouble.detail or {}
  local case = {
    text = trouble.message:lower(), code = detail.code, param = detail.param, body = body,
    flags = flags,
  }
  case.is_extra = detail.type == "extra_forbidden" or detail.code == "extra_forbidden"
    or has(case.text, "extra_forbidden", "extra inputs are not permitted")
  if not is_refused(case.text, case.code)
    and not has(case.text, "reasoning_content", "role", "tool_choice") then
    return nil
  end
  for _, cure in ipairs(CURES) do
    local differences, what = cure(case)
    if differences then return differences, what end
  end
end


return cures
