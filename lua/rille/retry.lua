--- rille.retry -- walk 2: may this failed request be sent again, and when?
---
--- Pure decisions; rille.chat does the waiting, rille.endpoint keeps what all agents of the process
--- share. Backoff is min(0.5·2^n, 8) s minus up to a quarter of it: a wait near zero would throw
--- the attempt away, and storms are held back by the retry budget, not by the spread.
--- Source: wire contract §3.1–3.3, reliability §4.2.

local core = require "rille.core"
local time = require "rille.time"

local retry = {}

--- How long a server may ask us to wait before its failure goes to the caller instead, in seconds.
retry.LONGEST_WAIT = 60

local UNITS <const> = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }


--- Reads "6m0s", "800ms", "1.57s", or a plain number of seconds.
---@param text? string
---@return number? seconds
function retry.duration(text)
  if not text then return nil end
  local plain = text:match("^%s*(%d+%.?%d*)%s*$")
  if plain then return tonumber(plain) end
  local total, rest = 0, text:gsub("%s", "")
  while rest ~= "" do
    local number, unit, after = rest:match("^(%d+%.?%d*)(%a+)(.*)$")
    if not number or not UNITS[unit] then return nil end
    total, rest = total + tonumber(number) * UNITS[unit], after
  end
  return text:find("%d") and total or nil
end


--- How long the server asks us to wait: retry-after-ms, or Retry-After as seconds or date.
---@param headers table<string, string>   lower-case names
---@return number? seconds    nil: it says nothing that can be understood
function retry.after(headers)
  return core.retry_after(headers, time.wall())
end


--- The wait before retry n when the server does not name one.
---@param n integer     1 for the first retry
---@return number seconds
function retry.backoff(n)
  return math.min(0.5 * 2.0 ^ (n - 1), 8) * (1 - time.random() * 0.25)
end


--- How often each kind of trouble below HTTP is worth another try.
local MOST <const> = {
  connection = math.huge, timeout = math.huge, incomplete_stream = math.huge,
  bad_chunk = 1, empty_response = 1, bad_body = 1,
}


--- Would the same request have a chance a little later?
---@param trouble rille.Failure     detail.kind says where it comes from; retryable what status and
---  headers say
---@param headers table<string, string>
---@return boolean
function retry.is_retryable(trouble, headers)
  local kind = trouble.detail.kind
  if kind == "http_error" then
    local insists = (headers["x-should-retry"] or ""):lower() == "true"
    return trouble.retryable == true and (insists or trouble.code ~= "quota")
  elseif kind == "stream_error" then
    return trouble.code == "rate_limit" or trouble.code == "server_error"
  end
  return MOST[kind] ~= nil and not trouble.detail.hint
end


--- Decides about one failed attempt.
---@param trouble rille.Failure
---@param headers table<string, string>
---@param n integer           number of the retry that would follow, 1 for the first
---@param limit integer       retries allowed
---@return number? delay      seconds; nil: give it to the caller
function retry.decide(trouble, headers, n, limit)
  local kind = trouble.detail.kind
  if n > limit or kind == "stream_error" or n > (MOST[kind] or math.huge) then return nil end
  if not retry.is_retryable(trouble, headers) then return nil end
  local wait = retry.after(headers)
  if not wait then return retry.backoff(n) end
  trouble.detail.retry_after = wait
  if wait > retry.LONGEST_WAIT then return nil end
  return wait
end


return retry
