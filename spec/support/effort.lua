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

return effort
