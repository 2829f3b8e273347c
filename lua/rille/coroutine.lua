--- rille.coroutine -- beside the walk: makes deadlines reach coroutines of the script's own.
---
--- A task's deadline stops the code that runs; when that is a coroutine inside the task, the runtime has to know
--- it. So coroutine.resume and coroutine.wrap say who runs. They behave as Lua's own otherwise.
--- Source: Lua 5.4 reference manual, section 6.2.

local core = require "rille.core"

local create, resume, running = coroutine.create, coroutine.resume, coroutine.running

local replaced = {}


--- Gives control back to the coroutine that resumed.
local function back(...)
  core.switch((running()))
  return ...
end


--- @see coroutine.resume in the reference manual
function replaced.resume(thread, ...)
  if type(thread) ~= "thread" then return resume(thread, ...) end -- its own error
  core.switch(thread)
  return back(resume(thread, ...))
end


--- What a wrapped coroutine yielded or returned; what it raised is raised, with the caller's position.
local function unwrap(thread, ok, ...)
  if ok then return ... end
  local err = ...
  if coroutine.status(thread) == "dead" then
    local closed, close_error = coroutine.close(thread)
    if not closed then err = close_error end
  end
  if type(err) == "string" then error(err, 3) end
  error(err, 0)
end


--- @see coroutine.wrap in the reference manual
function replaced.wrap(fn)
  local thread = create(fn)
  return function(...)
    return unwrap(thread, replaced.resume(thread, ...))
  end
end

for name, fn in pairs(replaced) do rawset(coroutine, name, fn) end

return replaced
