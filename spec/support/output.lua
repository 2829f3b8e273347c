--- output.lua -- busted's output for people and for CI: dots, what failed, and one last line
--- `N passed, N failed`.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)

  --- Counts hooks and files that failed, too: nothing that broke may look like a pass.
  function handler.closing()
    local failed = handler.failuresCount + handler.errorsCount
    io.write(("%d passed, %d failed\n"):format(handler.successesCount, failed))
    io.flush()
    return nil, true
  end

  busted.subscribe({ "exit" }, handler.closing, { priority = 1000 })
  return handler
end
