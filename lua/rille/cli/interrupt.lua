--- rille.cli.interrupt -- beside the walk: Ctrl-C. Once cancels, twice quits.
---
--- Only the program installs signal handlers; the library never does.
--- Invariant: the handler does not keep the loop alive, and is gone when the guard is closed.
--- Source: https://docs.libuv.org/en/v1.x/signal.html

local status = require "rille.cli.status"
local uv = require "rille.uv"

local interrupt = {}

local Guard = {}
Guard.__index = Guard


--- The second signal ends the program.
local function quit()
  os.exit(status.interrupted)
end


--- Calls `cancel` at the first SIGINT (main.c makes one of a SIGTERM); the second ends the program. The
--- first is waited for with a handler that the system itself takes away: when Lua code spins and the
--- loop does not turn, a second Ctrl-C ends the program all the same.
---@param cancel fun()
---@return table guard    to be closed; `guard.hit` says whether the signal came
function interrupt.guard(cancel)
  local self = setmetatable({ hit = false, _signal = uv.new_signal() }, Guard)
  uv.signal_start_oneshot(self._signal, "sigint", function()   -- luv has no method of this name
    self._signal:start("sigint", quit)
    self.hit = true
    cancel()
  end)
  self._signal:unref()
  return self
end


--- Gives the signal back to its default.
function Guard:close()
  if not self._signal:is_closing() then self._signal:close() end
end


Guard.__close = Guard.close


return interrupt
