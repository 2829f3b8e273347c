--- rille.coroutine -- beside the walk: makes deadlines reach coroutines of the script's own.
---
--- A task's deadline stops the code that runs; when that is a coroutine inside the task, the runtime has to know
--- it. So coroutine.resume, wrap and close say who runs. They behave as Lua's own otherwise. Loaded with the library
--- where deadlines can stop code, so that scripts find these when they look for them.
--- Source: Lua 5.4 reference manual, section 6.2.

local core = require "rille.core"

local close, create, resume, status = coroutine.close, coroutine.create, coroutine.resume, coroutine.status
local switch <const> = core.switch

local replaced = {}


--- The coroutine that resumed another runs again.
local function back(...)
  switch()
  return ...
end


--- @see coroutine.resume in the reference manual
function replaced.resume(thread, ...)
  if not switch(thread) then return resume(thread, ...) end
  return back(resume(thread, ...))
end


--- @see coroutine.close in the reference manual
function replaced.close(thread)
  local can_close = type(thread) == "thread" and status(thread) ~= "running" and status(thread) ~= "normal"
  if not can_close or not switch(thread) then return close(thread) end   -- what is to be closed in it runs in it
  return back(close(thread))
end


--- What a wrapped coroutine yielded or returned; what it raised is raised, with the caller's position.
local function unwrap(thread, ok, ...)
  if ok then return ... end
  local err = ...
  if status(thread) == "dead" then
    local closed, close_error = replaced.close(thread)
    if not closed then err = close_error end
  end
  if type(err) == "string" then error(err, 3) end
  error(err, 0)
end


--- @see coroutine.wrap in the reference manual
function replaced.wrap(fn)
  local thread = create(fn)
  return function(...)
    if not switch(thread) then return unwrap(thread, resume(thread, ...)) end
    return unwrap(thread, back(resume(thread, ...)))
  end
end

for name, fn in pairs(replaced) do rawset(coroutine, name, fn) end

return replaced
