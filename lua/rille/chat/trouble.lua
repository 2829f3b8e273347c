--- rille.chat.trouble -- walk 2: the canonical error of a reply becomes a failure with a code of
--- ours.
---
--- Invariant: one failure for every shape of error, with status, request id and what the server
--- said in `detail`; no secret in its message, whatever the server echoed.
--- Source: wire contract §3.1, §3.4, §3.6, §4d; the public contract's list of codes.

local failure = require "rille.failure"
local json = require "rille.json"
local log = require "rille.log"

local trouble = {}

local LONGEST_EXCERPT <const> = 200   -- characters
local BY_STATUS <const> = {
  [401] = "authentication", [402] = "quota", [403] = "permission", [404] = "not_found",
  [408] = "timeout",
  [409] = "server_error", [425] = "server_error", [429] = "rate_limit", [498] = "rate_limit",
  [499] = "connection",
}
local BY_KIND <const> = {
  connection = "connection", timeout = "timeout", cancelled = "cancelled",
  incomplete_stream = "incomplete_stream",
  bad_chunk = "bad_response", bad_body = "bad_response", empty_response = "bad_response",
  invalid_request = "invalid_request", internal = "internal",
}
--- Words of `type` or `code` that say more than the status does.
local BY_WORD <const> = {
  { "context_length", "context_length" }, { "exceed_context_size", "context_length" },
  { "insufficient_quota", "quota" }, { "credit_balance", "quota" }, { "billing", "quota" },
  { "insufficient_balance", "quota" }, { "insufficient_credit", "quota" },
  { "content_filter", "content_filter" }, { "content_policy", "content_filter" },
  { "responsibleaipolicy", "content_filter" }, { "data_inspection_failed", "content_filter" },
  { "moderation", "content_filter" },
  { "resource_exhausted", "rate_limit" },   -- Gemini's limits per minute, in OpenAI's words for a spent quota
}
local BY_MESSAGE <const> = {
  { "maximum context length", "context_length" },
  { "context size has been exceeded", "context_length" },
  { "available context size", "context_length" }, { "context window", "context_length" },
  { "context length exceeded", "context_length" }, { "prompt is too long", "context_length" },
  { "context overflow", "context_length" }, { "max context length", "context_length" },
  { "maximum prompt length", "context_length" }, { "input is too long", "context_length" },
  { "exceeds the maximum number of tokens", "context_length" },
  { "exceeded model token limit", "context_length" },
  { "reduce the length of the messages", "context_length" },
  { "when context the overflows", "context_length" },   -- LM Studio writes it so
  { "api key not valid", "authentication" }, { "invalid api key", "authentication" },
  { "incorrect api key", "authentication" },
  { "exceeded your current quota", "quota" }, { "credit balance is too low", "quota" },
  { "insufficient balance", "quota" }, { "insufficient credits", "quota" },
}
--- … and words that matter only where no status says anything: errors inside a 200.
local IN_STREAM <const> = {
  { "rate_limit", "rate_limit" }, { "too_many_requests", "rate_limit" },
  { "overloaded", "server_error" },
  { "authentication", "authentication" }, { "invalid_api_key", "authentication" },
  { "unauthorized", "authentication" }, { "permission", "permission" },
  { "not_found", "not_found" },
  { "invalid_request", "invalid_request" }, { "bad_request", "invalid_request" },
  { "tool_use_failed", "invalid_request" },
}
--- … or where only the message does: MiniMax numbers its errors itself, others send a string.
local IN_STREAM_MESSAGE <const> = {
  { "rate limit", "rate_limit" }, { "too many requests", "rate_limit" },
  { "login fail", "authentication" },
}
--- What to say where the server said nothing.
local KIND_TEXT <const> = {
  empty_response = "the response holds no answer",
  incomplete_stream = "the answer broke off before its end",
  bad_chunk = "a part of the stream cannot be read",
  bad_body = "the response is not JSON",
  stream_error = "the server ended the answer with an error, and says nothing of it",
}
local STATUS_TEXT <const> = {
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden",
  [404] = "Not Found", [408] = "Request Timeout", [413] = "Payload Too Large",
  [422] = "Unprocessable Content",
  [429] = "Too Many Requests", [500] = "Internal Server Error", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [529] = "Overloaded",
}


local function look_up(rows, text)
  text = text:lower()
  for _, row in ipairs(rows) do
    if text:find(row[1], 1, true) then return row[2] end
  end
end


local function from_status(status)
  if BY_STATUS[status] then return BY_STATUS[status] end
  if status >= 500 then return "server_error" end
  return status < 400 and "bad_response" or "invalid_request"
end


local function code_of(reply)
  local words = tostring(reply.code or "") .. " " .. tostring(reply.type or "")
  local message = tostring(reply.message or "")
  if reply.kind ~= "http_error" and reply.kind ~= "stream_error" then
    return BY_KIND[reply.kind] or "bad_response"
  end
  local said = look_up(BY_WORD, words) or look_up(BY_MESSAGE, message)
  if said then return said end
  if reply.kind == "http_error" then return from_status(reply.status) end
  local upstream = math.tointeger(tonumber(reply.code))
  if upstream and upstream >= 400 and upstream < 600 then return from_status(upstream) end
  return look_up(IN_STREAM, words) or look_up(IN_STREAM_MESSAGE, message) or "server_error"
end


--- A 404 that is a page: nobody's API, as a rule because of the base URL.
local function hint_of(reply, headers)
  if reply.hint then return reply.hint end
  if reply.status == 404 and (headers["content-type"] or ""):find("text/html", 1, true) then
    return "no API is there: does the base URL end in /v1?"
  end
end


--- Text or a page in place of an API's answer: whoever is at that address may not be the server that was meant.
local function is_foreign(reply)
  return reply.detail == nil and (reply.kind == "http_error" or reply.kind == "bad_body")
end


--- The beginning of what a server said in place of an answer.
local function excerpt(said)
  local ok, text = pcall(json.encode, said)   -- a number beyond a double cannot be written
  if not ok then return "…" end
  return text:sub(1, (utf8.offset(text, LONGEST_EXCERPT + 1) or 0) - 1)
end


local function words_of(reply, hint)
  local message = type(reply.message) == "string" and reply.message:gsub("%s+$", "") or ""
  local status = reply.status
  if message == "" then
    if reply.kind == "empty_response" and reply.detail then
      return KIND_TEXT.empty_response .. ": " .. excerpt(reply.detail)
    end
    if not status or reply.kind == "bad_body" then return KIND_TEXT[reply.kind] or tostring(reply.kind) end
    return "HTTP " .. status .. (STATUS_TEXT[status] and " " .. STATUS_TEXT[status] or "")
  end
  if reply.kind == "bad_body" and reply.detail == nil and not hint then return KIND_TEXT.bad_body .. ": " .. message end
  return message
end


local function message_of(reply, hint, profile)
  local message = words_of(reply, hint)
  if hint then
    message = ("%s; %s It is %s"):format(message, hint, profile.base_url)
  elseif is_foreign(reply) and profile.base_url:find("^https?:") then
    message = ("%s; from %s"):format(message, profile.base_url)
  end
  return log.redact(message)
end


--- What the server announced of its limits, by header: x-ratelimit-remaining-requests, retry-after …
local function announced(headers)
  local said = {}
  for name, value in pairs(headers) do
    if name:find("ratelimit", 1, true) or name:find("^retry%-after") then said[name] = value end
  end
  return next(said) and said or nil
end


--- Makes the failure of a reply.
---@param reply table              canonical error {kind, message, type, code, param, status,
---  partial}
---@param info rille.core.ChatInfo
---@param profile rille.Profile
---@return rille.Failure           retryable as status and headers have it; rille.retry knows more
function trouble.from_reply(reply, info, profile)
  local headers = info.headers or {}
  local hint = hint_of(reply, headers)
  local has_status = reply.kind ~= "stream_error" and reply.kind ~= "connection"
  return failure.new(code_of(reply), message_of(reply, hint, profile), {
    status = reply.status or has_status and info.status or nil,
    request_id = info.request_id, provider = profile.name, partial = reply.partial,
    retryable = reply.retryable == true,
    detail = {
      kind = reply.kind, type = reply.type, code = reply.code, param = reply.param,
      model = profile.model,
      error = reply.detail, hint = hint, headers = announced(headers),
    },
  })
end


return trouble
