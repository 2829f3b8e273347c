--- rille.script -- beside the walk: a model that says what a list of steps tells it to say.
---
--- Give it as `model =` to an agent or a completion, or serve it with rille.mock. One step answers
--- one request; the response is made of real bytes (JSON, or SSE when the request streams), so that
--- what reads the wire in production reads it in a test.
--- Invariant: a request beyond the last step is answered, by a 400 that names the script.

local failure = require "rille.failure"
local options = require "rille.options"
local steps = require "rille.script.step"

---@class rille.Script
---@field name string          for messages; by default the place where it was made
---@field model? string        the model's name in responses; by default the one that was asked for
---@field requests table[]     the request bodies, decoded, in the order of their arrival
---@overload fun(steps: rille.ScriptStep[]): rille.Script
local script = {}

local Script = {}
Script.__index = Script

---@alias rille.ScriptStep string|table|fun(request: table): rille.ScriptStep


--- Its callers call it without a tail call (the parentheses), so that level 3 is whoever wrote the
--- step.
local function make(name, step, more)
  for key, value in pairs(more or {}) do step[key] = value end
  steps.check(step, name, 3)
  return step
end


--- A step that answers with text.
---@param text string
---@param more? table    delta (characters per chunk), chunks (the pieces themselves),
---                      finish_reason, usage (table or false), reasoning, refusal, logprobs, id,
---                      created, model, message (members added to it), headers, delay (seconds
---                      before the answer), pause (seconds between chunks)
---@return rille.ScriptStep
function script.text(text, more)
  if type(text) ~= "string" then error("script.text: string expected, got " .. type(text), 2) end
  return (make("script.text", { text = text }, more))
end


--- A step that calls one tool.
---@param name string
---@param arguments? table|string    a string is sent as these very bytes; default {}
---@param more? table                as for script.text, and `text` for what is said beside the call
---@return rille.ScriptStep
function script.call(name, arguments, more)
  if type(name) ~= "string" then
    error("script.call: name: string expected, got " .. type(name), 2)
  end
  return (make("script.call", { calls = { { name, arguments } } }, more))
end


--- A step that calls several tools at once.
---@param calls table[]    each `{name, arguments}`, a name alone, or with names `{name=, arguments=, id=, type=}`
---@param more? table      as for script.call
---@return rille.ScriptStep
function script.calls(calls, more)
  if type(calls) ~= "table" then error("script.calls: list expected, got " .. type(calls), 2) end
  return (make("script.calls", { calls = calls }, more))
end


--- A step that fails as a server does.
---@param fields? table    status (default 500), message, type, code, param, headers, retry_after
---                        (seconds), delay (seconds)
---@return rille.ScriptStep
function script.failure(fields)
  return (make("script.failure", { failure = fields or {} }))
end


--- A step that answers with these very bytes.
---@param fields table    body, status (default 200), headers, cuts (offsets of the pieces, or their
---                       size), delay, pause (seconds between the pieces), abort (true: the
---                       connection breaks after the body)
---@return rille.ScriptStep
function script.raw(fields)
  return (make("script.raw", { raw = fields }))
end


-- ---------------------------------------------------------------------------- the model itself

local script_options <const> = {
  ["..."] = { "string", "table", "function" }, name = "string", model = "string", loop = "boolean",
  created = "integer", delta = "integer", pause = "number",
}


--- `spec/agent_spec.lua:12`: whoever called the function at this level.
local function place(level)
  local info = debug.getinfo(level + 1, "Sl")
  return info and ("%s:%d"):format(info.short_src, info.currentline) or "?"
end


--- `level`: whose line is blamed, counted from here.
local function build(list, level)
  if type(list) ~= "table" then error("rille.script: a list of steps expected, got " .. type(list), level) end
  list = options.check(list, script_options, "rille.script", level)
  for i, step in ipairs(list) do
    steps.check(steps.read(step), ("rille.script: step %d"):format(i), level)
  end
  return setmetatable({
    name = list.name or place(level), model = list.model, requests = {},
    _steps = table.move(list, 1, #list, 1, {}), _loop = list.loop or false, _errors = {},
    _settings = { number = 0, calls = 0, model = list.model, created = list.created or 1700000000,
      delta = list.delta, pause = list.pause },
  }, Script)
end


--- Makes a scripted model. `rille.script{…}` is the same.
---
--- A step is a text, a table as the makers above return it, a message or completion as the API has them,
--- or a function that is given the request and returns one. Besides the steps: name, model, loop (start again after the last step),
--- created, delta and pause (defaults for every step).
---@param list table     the steps
---@return rille.Script
function script.new(list)
  return (build(list, 3))
end


--- Is this value a scripted model, or anything else that answers requests?
---@param value any
---@return boolean
function script.is(value)
  return type(value) == "table" and type(value.respond) == "function"
end


function Script:_step(number)
  local count = #self._steps
  if self._loop and count > 0 then number = (number - 1) % count + 1 end
  return self._steps[number]
end


--- The answer that says that the script, not the model, is at fault.
local function refusal(self, code, message)
  return { failure = { status = 400, code = code,
    message = ("script %s: %s"):format(self.name, message) } }
end


local function exhausted(self, number)
  local count = #self._steps
  return refusal(self, "script_exhausted", ("has %d step%s and this is request %d"):format(count,
    count == 1 and "" or "s", number))
end


--- A step that cannot be used is answered all the same, and remembered for assert_done.
local function broken(self, number, problem)
  local message = ("step %d: %s"):format(number, tostring(problem))
  self._errors[#self._errors + 1] = message
  return refusal(self, "script_error", message)
end


--- Asks function steps until one gives something to say.
local function resolve(self, step, request, number)
  while type(step) == "function" do
    local ok, value = pcall(step, request)
    if not ok then
      if failure.is(value) and value.code == "cancelled" then error(value, 0) end
      return broken(self, number, value)
    end
    if value == nil then return broken(self, number, "the function returned nothing") end
    step = value
  end
  step = steps.read(step)
  local ok, problem = pcall(steps.check, step, "answer", 0)
  return ok and step or broken(self, number, problem)
end


--- Answers one request. A function step may wait.
---@async
---@param request table    the decoded body of a completion request
---@return table response  {status, headers (lines), body, cuts, delay, pause, abort}
function Script:respond(request)
  local number = #self.requests + 1
  self.requests[number] = request
  local step = self:_step(number) or exhausted(self, number)
  step = resolve(self, step, request, number)
  self._settings.number = number
  return steps.respond(step, request, self._settings)
end


--- Raises unless every step was used and none went wrong.
function Script:assert_done()
  if self._errors[1] then error(("script %s: %s"):format(self.name, self._errors[1]), 2) end
  local used, count = #self.requests, #self._steps
  if used < count or used > count and not self._loop then
    error(("script %s: %d of %d steps used"):format(self.name, used, count), 2)
  end
end


function Script:__tostring()
  return ("rille.Script (%s)"):format(self.name)
end


--- Reads a script from a file: a Lua file that returns a script, a list of steps, or a table of
--- scripts by model name; or a JSON file with a list of steps, or `{"steps": […], "model": …}`.
---@param path string
---@return rille.Script|table<string, rille.Script>|nil script
---@return rille.Failure? failure    names the file and, where there is one, the line
function script.load(path)
  return require("rille.script.file").load(path)
end


return setmetatable(script, { __call = function(_, list) return (build(list, 3)) end })
