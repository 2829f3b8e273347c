--- rille.approval -- beside the walk, inside 11: may this call run?
---
--- The tool's policy decides, or somebody is asked: the `approve` function of the run, or else of the
--- nearest run around it, and everybody who sees the "approval" event. The first answer counts.
--- Invariants: asked is for the very bytes that will run; who is not asked cannot approve; nobody to
--- ask, an answer that is none, and a policy that fails all mean no.
--- Source: reliability contract §3 rows 1 and 13.

local core = require "rille.core"
local failure = require "rille.failure"
local log = require "rille.log"
local lookup = require "rille.dispatch.lookup"
local printable = require "rille.printable"

local approval = {}

local SHOWN <const> = 4000   -- bytes of escaped arguments; of longer ones head and tail are shown
local ALLOWED <const> = { allowed = true }


--- `name {"path":"a.txt"}` on one line, nothing in it that a terminal would obey.
---@param name string
---@param arguments string    the bytes that will run
---@return string
function approval.describe(name, arguments)
  local text = printable.line(arguments)
  if #text > SHOWN then
    local head = utf8.offset(text, 0, SHOWN // 2 + 1) - 1
    local tail = utf8.offset(text, 0, #text - SHOWN // 2)
    text = ("%s … %d bytes not shown … %s"):format(text:sub(1, head), tail - head - 1, text:sub(tail))
  end
  return ("%s %s"):format(printable.line(name), text)
end


-- ---------------------------------------------------------------- the question

---@class rille.ApprovalEvent: rille.Event
---@field id integer       of this question, in this process: ids of calls may repeat
---@field call {id: string, name: string, arguments: table}   a copy: changing it changes nothing
---@field shown string     the call on one line, safe for a terminal
---@field reason? string   why the tool's policy asks
local Question = {}
Question.__index = Question


--- Lets the call run, once.
---@param changed? table|string    arguments (or their JSON) to run with instead; checked like the model's
---@return true|nil ok             nil when they break the schema (still unanswered), or somebody was faster
---@return rille.Failure? failure
function Question:approve(changed)
  if self._answer then return nil, failure.new("approval", "this call was answered before") end
  local arguments
  if changed ~= nil then
    local checked, problem = self._check(changed)
    if not checked then return nil, failure.new("invalid_request", problem) end
    arguments = checked
  end
  self:_settle { allowed = true, arguments = arguments }
  return true
end


--- Refuses the call.
---@param reason? string    the model is told
---@return true|nil ok      nil when somebody was faster
---@return rille.Failure? failure
function Question:deny(reason)
  if self._answer then return nil, failure.new("approval", "this call was answered before") end
  self:_settle { allowed = false, reason = reason and tostring(reason) }
  return true
end


--- Says that this listener will answer later: after its handler returned, or after it asked for
--- further events. Without it a listener that goes on has not answered.
function Question:defer()
  self._deferred = true
end


function Question:_settle(answer)
  self._answer = answer
  self._op:complete(true)
end


--- A reader asks for more, or leaves. The last one to do so leaves nobody who could answer.
---@param reader? rille.EventReader
---@param reason? string    why the answer is no
function Question:_pass(reader, reason)
  if reader then self._waits_for[reader] = nil end
  local is_open = self._telling or self._asking or self._deferred or next(self._waits_for) ~= nil
  if self._answer or is_open then return end
  self:_settle { allowed = false, reason = reason or "nobody answered" }
end


local questions = 0


local function new_question(call, context, reason, check)
  questions = questions + 1
  return setmetatable({
    id = questions,
    call = context:shown_call(), shown = approval.describe(call.name, call.arguments), reason = reason,
    _op = core.op(), _check = check, _waits_for = {},
  }, Question)
end


-- ---------------------------------------------------------------- asking

--- What the program's own function says. `why`: the reason of the tool's policy.
local function ask_function(approve, call, context, why)
  local shown = context:shown_call()
  shown.reason = why
  local ok, allowed, reason = xpcall(approve, failure.traced, shown, context)
  if ok then return { allowed = allowed == true, reason = reason and tostring(reason) } end
  if allowed.traceback then
    log.error("approval of '%s' failed: %s", call.name, allowed)
    log.debug("%s", allowed.traceback)
  end
  return { allowed = false, reason = "the approval could not be asked for" }
end


--- Asks it in a task of its own: a person may be thinking, while somebody else answers.
local function ask_beside(question, approve, call, context)
  question._asking = core.spawn(function()
    local answer = ask_function(approve, call, context, question.reason)
    if not question._answer then question:_settle(answer) end
  end)
end


--- When the question is settled, or the run stops while somebody thinks: a late answer is told so.
local function retract(question)
  question._answer = question._answer or { allowed = false }
  if question._asking then question._asking:cancel("answered elsewhere") end
end


local question_metatable <const> = { __close = function(holder) retract(holder.question) end }


local function ask(run, call, context, reason)
  local question = new_question(call, context, reason, function(changed)
    return lookup.check(call, changed)
  end)
  local _ <close> = setmetatable({ question = question }, question_metatable)
  local approve = run:approver()
  for _, reader in ipairs(run.bus:all_readers()) do question._waits_for[reader] = true end
  question._telling = true   -- handlers have their say before silence counts
  run.bus:emit("approval", question)
  question._telling = false
  if approve and not question._answer then ask_beside(question, approve, call, context) end
  question:_pass(nil, "there is nobody to ask")
  if not question._answer then question._op:wait() end
  return question._answer
end


--- allow, deny or ask, and why; what is none of them is a question.
local function policy(call, context)
  local approve = call.tool.approve
  if approve == nil or approve == false then return "allow" end
  if approve == true then return "ask" end
  local ok, verdict, reason = xpcall(approve, failure.traced, context:shown_call().arguments, context)
  if ok then return verdict, reason and tostring(reason) end
  if not verdict.traceback then error(verdict, 0) end   -- a failure: the run is being cancelled
  log.error("the approval policy of '%s' failed: %s", call.name, verdict)
  log.debug("%s", verdict.traceback or "")
  return "deny", "its approval policy failed"
end


--- Decides about one call whose arguments are valid and frozen.
---@async
---@param run rille.Run
---@param call rille.CallRecord    with tool, and arguments as canonical JSON
---@param context rille.Context    what tool and policy see
---@return {allowed: boolean, reason?: string, arguments?: string} answer
function approval.decide(run, call, context)
  local verdict, reason = policy(call, context)
  if verdict == "allow" then return ALLOWED end
  if verdict == "deny" then return { allowed = false, reason = reason } end
  return ask(run, call, context, reason)
end


return approval
