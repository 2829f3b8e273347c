--- init.lua -- busted's helper: every spec that make runs is under the harness.
---
--- After each test the runtime must be as it was: no task, transfer or handle left, no registry slot taken. A test
--- that waits is written `it("…", async(function() … end))`: its body runs as a task.
local harness = require "spec.support.harness"

if os.getenv "RILLE_GC" == "aggressive" then
  collectgarbage("incremental", 1, 1000)
  collectgarbage("setpause", 0)
end

-- A sanitizer that was preloaded into this process is no business of the programs that specs start; interpreters
-- that load the module ask for it again with LD_PRELOAD="$RILLE_PRELOAD".
local uv = require("rille.core").uv()
uv.os_setenv("RILLE_PRELOAD", os.getenv "LD_PRELOAD" or "")
uv.os_unsetenv "LD_PRELOAD"

-- make says where the build is. Without it a stranger may be running specs of his own, which open what they like.
if os.getenv "RILLE_BUILD" then harness.install(require "busted") end
