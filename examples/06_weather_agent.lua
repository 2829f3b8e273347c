#!/usr/bin/env rille
-- 06 -- an agent that calls a tool until it can answer. `rille 06_weather_agent.lua [BASE_URL]`
local rille = require "rille"

local weather = rille.tool {
  name = "get_current_weather",
  description = "Get the current weather in a given location",
  parameters = {
    { "location", "string", "The city and state, e.g. San Francisco, CA" },
    { "unit", { "celsius", "fahrenheit" }, "Unit of the temperature", optional = true },
  },
  run = function(args)   -- a real one would ask a service: rille.http.get(…)
    local unit = args.unit or "celsius"
    local temperature = unit == "celsius" and 22 or 72
    return { location = args.location, temperature = temperature, unit = unit, sky = "sunny" }
  end,
}

local agent = rille.agent {
  model = os.getenv "OPENAI_MODEL" or "gpt-5.4",
  base_url = ...,
  instructions = "You are a helpful weather assistant.",
  tools = { weather },
}

for event in agent:stream "What's the weather like in Boston today?" do
  if event.type == "text" then
    io.write(event.delta)
    io.flush()
  elseif event.type == "tool_call" then
    io.stderr:write("→ ", event.call.name, " ", rille.json.encode(event.call.arguments), "\n")
  elseif event.type == "failed" then
    error(event.failure, 0)
  end
end
print()
