--- effort.lua -- how much a spec tries and how long it may take. Under an aggressive collector each allocation costs a walk
--- through all that is alive: a sample has to do, and what is quick otherwise is not.
local GC <const> = os.getenv "RILLE_GC" == "aggressive"

local effort = {}

--- So many tries, or fewer of them.
--- @param tries integer
--- @return integer
function effort.some(tries)
  return GC and math.max(1, tries // 50) or tries
end

--- Seconds that something may take.
--- @param seconds number
--- @return number
function effort.within(seconds)
  return GC and seconds * 100 or seconds
end

--- Raises unless four times the work takes about four times as long, far from sixteen times: the best of a few tries, since a
--- machine may be busy with something else.
--- @param seconds fun(times: integer): number   does that much of the work and says what it took
function effort.expect_linear(seconds)
  local small, large
  for _ = 1, 5 do
    small, large = math.max(seconds(1), 0.002), seconds(4)
    if large < small * 10 then return end
  end
  error(("%g s, then %g s for four times as much"):format(small, large), 2)
end

return effort
