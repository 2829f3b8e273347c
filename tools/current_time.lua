--- current_time -- walk 12: what time it is, which no model knows.
---
---     rille.agent { tools = { dofile "tools/current_time.lua" } }
local rille = require "rille"


--- `+02:00` for the local time zone at this moment.
local function offset_of(now)
  local text = os.date("%z", now)
  return text:sub(1, 3) .. ":" .. text:sub(4, 5)
end


return rille.tool {
  name = "current_time",
  description = "The current date and time, in the local time zone and in UTC, with the day of the week.",
  run = function()
    local now = os.time()
    return {
      localtime = os.date("%Y-%m-%dT%H:%M:%S", now) .. offset_of(now),
      utc = os.date("!%Y-%m-%dT%H:%M:%SZ", now),
      weekday = os.date("%A", now),
      unix = now,
    }
  end,
}
