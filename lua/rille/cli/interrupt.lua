--- rille.cli.interrupt -- beside the walk: Ctrl-C. Once cancels, twice quits.
---
--- Only the program installs signal handlers; the library never does.
--- Invariant: the handler does not keep the loop alive, and is gone when the guard is closed.

local core = require "rille.core"

local interrupt = {}

local Guard = {}
Guard.__index = Guard


--- Calls `cancel` at the first SIGINT (main.c makes one of a SIGTERM); the second has its default again.
---@param cancel fun()
---@return table guard    to be closed; `guard.hit` says whether the signal came
function interrupt.guard(cancel)
  local self = setmetatable({ hit = false, _signal = nil }, Guard)
  self._signal = core.on_sigint(function()
    self.hit = true
    cancel()
  end)
  return self
end


--- Gives the signal back to its default.
function Guard:close()
  self._signal:close()
end


Guard.__close = Guard.close


return interrupt
