--- rille.repeats -- beside the walk: notices a model that goes round in circles.
---
--- Counted is the same call with the same result, once a turn however often the turn holds it, within
--- a window of turns: neither a parallel fan-out nor a file that is read again much later is a loop,
--- and two calls that alternate are one. Turns in which nothing could be run are counted as well.
--- Invariant: memory is bounded by the window, not by the length of the run.

local failure = require "rille.failure"

---@class rille.Repeats
---@field refused integer    turns in a row in which no call could be run
local Repeats = {}
Repeats.__index = Repeats

local repeats = {}

local NUDGE_AT <const> = 3
local WINDOW <const> = 3     -- times `most` (20 at most), in turns
local SAMPLE <const> = 256   -- bytes of head and tail that stand for a result
local NONE <const> = {}

--- What is kept of a call: what stands for its last result, and the turns in which that came.
---@alias rille.RepeatEntry {[1]: string, [integer]: integer}


---@param most number   this many end the run; the model is told at 3
---@return rille.Repeats
function repeats.new(most)
  return setmetatable({
    most = most, window = WINDOW * (most < 20 and most or 20), turn = 0, seen = {}, refused = 0,
  }, Repeats)
end


--- What stands for a result that is long, or no text: it is not kept alive.
local function digest(content)
  if type(content) ~= "string" then return tostring(content) end
  return ("%d\0%s\0%s"):format(#content, content:sub(1, SAMPLE), content:sub(-SAMPLE))
end


--- How often a call gave the same result in the window, this turn included, which is entered.
function Repeats:_recount(entry)
  while entry[2] and entry[2] <= self.turn - self.window do table.remove(entry, 2) end
  if entry[#entry] ~= self.turn then entry[#entry + 1] = self.turn end
  return #entry - 1
end


function Repeats:_forget()
  for key, entry in pairs(self.seen) do
    if entry[#entry] <= self.turn - self.window then self.seen[key] = nil end
  end
end


--- Takes note of a turn. A call is `{name, arguments (the bytes), content, ran, denied}`.
---@param calls table[]
---@return table<integer, integer> again   index of a call → how often it gave this result, from 3 on
---@return rille.Failure? stop             code "loop", or "approval" for a call that is denied again and again
function Repeats:observe(calls)
  local turn, seen = self.turn + 1, self.seen
  self.turn = turn
  local again, stop, any_ran = NONE, nil, false
  for i = 1, #calls do
    local call = calls[i]
    local key, result, count = call.name .. "\0" .. call.arguments, call.content, 1
    if type(result) ~= "string" or #result > 2 * SAMPLE then result = digest(result) end
    local entry = seen[key]
    any_ran = any_ran or call.ran
    if entry and entry[1] == result then
      count = self:_recount(entry)
    else
      seen[key] = { result, turn }
    end
    if count >= NUDGE_AT then
      again = again ~= NONE and again or {}
      again[i] = count
    end
    if count >= NUDGE_AT or count >= self.most then stop = stop or self:_verdict(call, count) end
  end
  self.refused = any_ran and 0 or self.refused + 1
  if turn % self.window == 0 then self:_forget() end
  if not stop and self.refused >= self.most then
    stop = failure.new("loop", ("no call could be run in %d turns in a row"):format(self.refused))
  end
  return again, stop
end


function Repeats:_verdict(call, count)
  if call.denied and count >= NUDGE_AT then
    return failure.new("approval", ("'%s' was asked for %d times and denied each time"):format(call.name, count))
  end
  if count >= self.most then
    return failure.new("loop", ("'%s' gave the same result %d times"):format(call.name, count))
  end
end


return repeats
