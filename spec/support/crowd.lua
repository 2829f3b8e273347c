--- crowd.lua -- how many of something a spec may have at once.

--- As many as the limit on open files allows with both ends in this process, at most `most`; few where all is slow.
--- @param most integer
--- @return integer
return function(most)
  if os.getenv "RILLE_GC" then return math.min(most, 8) end
  if os.getenv "RILLE_SLOW" then return math.min(most, 50) end
  local handle <close> = io.popen "ulimit -n"
  return math.min(most, ((handle:read "n" or 1024) - 100) // 2)
end
