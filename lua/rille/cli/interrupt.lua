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


--- Calls `cancel` at the first SIGINT or SIGTERM; the second ends the program.
---@param cancel fun()
---@return table guard    to be closed; `guard.hit` says whether the signal came
function interrupt.guard(cancel)
  local self = setmetatable({ hit = false, _signals = {} }, Guard)
  for i, name in ipairs { "sigint", "sigterm" } do
    local signal = uv.new_signal()
    signal:start(name, function()
      if self.hit then os.exit(status.interrupted) end
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
