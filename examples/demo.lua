#!/usr/bin/env rille
-- demo -- the weather agent, with a real model when there is one and a scripted one when not.
local rille = require "rille"

local here = arg[0]:match "^(.*/)" or ""
local weather_agent = assert(loadfile(here .. "06_weather_agent.lua"))

if os.getenv "OPENAI_API_KEY" or os.getenv "OPENAI_BASE_URL" then
  return weather_agent()
end

local step = rille.script
local model = step {
  step.call("get_current_weather", { location = "Boston, MA", unit = "celsius" }),
  function(request)
    local seen = rille.json.decode(request.messages[#request.messages].content)
    return step.text(("It is %s in %s today, with a temperature of %d °C. Enjoy the day!"):format(
      seen.sky, seen.location, seen.temperature), { pause = 0.03 })
  end,
}

local server <close> = assert(rille.mock.serve(model))
io.stderr:write("demo: no OPENAI_API_KEY or OPENAI_BASE_URL, so a scripted model answers at ",
  server.url, "\n")
weather_agent(server.url)
