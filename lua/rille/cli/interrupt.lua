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


--- Calls `cancel` at the first SIGINT or SIGTERM; the second ends the program. The first is waited
--- for with a handler that the system itself takes away: when Lua code spins and the loop does not
--- turn, a second Ctrl-C ends the program all the same.
---@param cancel fun()
---@return table guard    to be closed; `guard.hit` says whether the signal came
function interrupt.guard(cancel)
  local self = setmetatable({ hit = false, _signals = {} }, Guard)
  for i, name in ipairs { "sigint", "sigterm" } do
    local signal = uv.new_signal()
    uv.signal_start_oneshot(signal, name, function()   -- luv has no method of this name
      signal:start(name, quit)
      if self.hit then quit() end
      self.hit = true
      cancel()
    end)
    signal:unref()
    self._signals[i] = signal
  end
  return self
end


--- Gives the signals back to their default.
function Guard:close()
  for _, signal in ipairs(self._signals) do
    if not signal:is_closing() then signal:close() end
  end
end


Guard.__close = Guard.close


return interrupt
