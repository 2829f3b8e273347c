--- rille.agent.final -- walk 10: is this turn the last one, and what comes of it?
---
--- Invariant: whatever a model does (answers, is cut, says nothing, refuses, breaks its schema) is followed by
--- another turn that tells it so, or by a reply, or by one failure.

local failure = require "rille.failure"
local json = require "rille.json"
local lazy = require "rille.lazy"
local messages = require "rille.agent.message"
local output = lazy "rille.output"   ---@module "rille.output"

local final = {}

local EMPTY <const> = "Your last message was empty. Answer, or call a tool."
local CUT <const> = {
  length = "cut off: the message reached the length limit, so nothing of it was run; do it in smaller steps",
  content_filter = "cut off by the content filter, so nothing of the message was run; do it differently",
}
local MOST_CUTS <const> = 1   -- in a row; one more ends the run


--- Why none of the calls of a turn may run, or nil. A cut message may hold half of what was meant.
---@param turn rille.Turn   that has some
---@return string?
function final.cut_reason(turn)
  return CUT[turn.finish_reason]
end


local function after_cut(run, turn)
  run.cuts = run.cuts + 1
  if run.cuts <= MOST_CUTS then return false end
  return nil, failure.new(turn.finish_reason, "the model's calls were cut off again")
end


local function after_calls(run, turn)
  if turn.cut then return after_cut(run, turn) end
  if run.cuts > 0 then run.cuts = 0 end   -- an ordinary run has neither of its own
  if run.silences > 0 then run.silences = 0 end
  if run.answer then return true end
  local broken = run.agent.output_spec and output.check_calls(run, run.records)
  if broken then return nil, broken end
  local stop_when = run.agent.stop_when
  if run.next_agent then
    run:hand_over(run.next_agent)
    run.next_agent = nil
  end
  return stop_when ~= nil and stop_when(turn) == true
end


--- Nothing was said: the model is asked once more.
local function after_silence(run)
  run.silences = run.silences + 1
  if run.silences > 1 then return nil, failure.new("bad_response", "the model sent an empty message twice") end
  run.transcript:append { role = "user", content = EMPTY }
  return false
end


local function after_output(run, message)
  local answer, broken, repair = output.check(run, message)
  if broken then return nil, broken end
  if repair then
    run.transcript:append { role = "user", content = repair }
    return false
  end
  run.answer = answer
  return true
end


local function after_message(run, turn)
  if run.cuts > 0 then run.cuts = 0 end
  if #run.steering > 0 then return false end
  if messages.is_empty(turn.message) then
    if turn.finish_reason == "content_filter" then
      return nil, failure.new("content_filter", "the content filter stopped the answer")
    end
    if turn.finish_reason == "length" then
      return nil, failure.new("length", "the length limit was reached before anything was said")
    end
    return after_silence(run)
  end
  if run.silences > 0 then run.silences = 0 end
  if run.agent.output_spec then return after_output(run, turn.message) end
  return true
end


--- Decides after a turn.
---@async
---@param run rille.Run
---@param turn rille.Turn     as it stands in the transcript
---@return boolean? done      false: the model is asked again
---@return rille.Failure? failure
function final.judge(run, turn)
  if turn.results[1] then return after_calls(run, turn) end
  return after_message(run, turn)
end


-- ---------------------------------------------------------------- guards

local function guarded(guard, what, ...)
  if not guard then return nil end
  local ok, reason = guard(...)
  if ok == false then
    return failure.new("guard", reason and tostring(reason) or ("the %s was refused by a guard"):format(what))
  end
end


--- Asks the input guard, before the prompt enters the transcript.
---@async
---@param run rille.Run
---@param prompt any    as it came
---@return rille.Failure?
function final.guard_input(run, prompt)
  return guarded(run.agent.guard and run.agent.guard.input, "prompt", prompt, run)
end


--- The reply of a run that is done, unless the output guard refuses it.
---@async
---@param run rille.Run
---@return rille.Reply? reply
---@return rille.Failure? failure
function final.reply(run)
  local reply = run:partial()
  if run.answer then
    reply.output = run.answer.value
    if run.turns[#run.turns].results[1] then reply.text = json.encode(reply.output) end
  end
  local refused = guarded(run.agent.guard and run.agent.guard.output, "answer", reply, run)
  if refused then return nil, refused end
  return reply
end


return final
