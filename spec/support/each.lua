--- each.lua -- runs every spec file in a process of its own, as many at a time as there are processors: lua each.lua [directory|file].
---
--- For collectors so eager that what other files leave in memory would slow down every step of a test.
local rille = require "rille"
local source = require "spec.support.source"

local LONGEST <const> = 1800   -- seconds for one file

local passed, failed = 0, 0

local function run(path)
  local started = rille.now()
  local result, failure = rille.process.run { arg[-1], "spec/support/run.lua", path, timeout = LONGEST }
  local text = result and result.stdout .. result.stderr or tostring(failure)
  local good, bad = text:match "(%d+) passed, (%d+) failed%s*$"
  passed, failed = passed + (math.tointeger(good) or 0), failed + (math.tointeger(bad) or 1)
  local verdict = bad == "0" and good .. " passed" or text
  print(("%s: %s, %.0f s"):format(path, verdict, rille.now() - started))
end

io.stdout:setvbuf "line"
local where <const> = arg[1] or "spec"
local paths = where:find "%.lua$" and { where } or source.files(where, "_spec%.lua$")
rille.map(paths, run, { concurrency = rille.uv.available_parallelism() })
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
