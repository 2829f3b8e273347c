--- rille.agent.usage -- beside the walk: what requests cost, added up.
---
--- Invariant: only numbers of 0 or more are added; members that some servers leave out count as 0, members that
--- only some know are added under their own names.

local core = require "rille.core"

local usage = {}

local BYTES_PER_TOKEN <const> = 4   -- a rough guess, for servers that do not say
local MOST <const> = 2 ^ 53         -- and no more: beyond it numbers are not exact


---@return table    {requests = 0, prompt_tokens = 0, completion_tokens = 0, total_tokens = 0}
function usage.new()
  return {   -- what is nil comes later: the table need not grow for it
    requests = 0, prompt_tokens = 0, completion_tokens = 0, total_tokens = 0, prompt_tokens_details = nil,
  }
end


local function is_count(value)
  return type(value) == "number" and value >= 0 and value < MOST
end


--- Adds the usage of one request.
---@param sum table
---@param used? any    as the server sent it; a table says something
function usage.add(sum, used)
  sum.requests = sum.requests + 1
  if used ~= nil then core.add_counts(sum, used) end
end


--- The tokens of one request: as the server counted, or guessed from bytes when it did not.
---@param used? table
---@param bytes fun(): integer    of request and reply; asked only when needed
---@return number
function usage.tokens(used, bytes)
  if type(used) == "table" then
    if is_count(used.total_tokens) and used.total_tokens > 0 then return used.total_tokens end
    local prompt, completion = used.prompt_tokens, used.completion_tokens
    if is_count(prompt) and is_count(completion) and prompt + completion > 0 then return prompt + completion end
  end
  return math.ceil(bytes() / BYTES_PER_TOKEN)
end


return usage
