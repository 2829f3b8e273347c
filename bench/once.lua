--- once.lua -- beside the walk: the script of a cold start, as a user would write it: an agent with one tool, one answer.
--- Usage: rille once.lua http://127.0.0.1:PORT/r1c0

local rille = require "rille"

local weather = rille.tool {
  name = "get_weather",
  description = "Get the current weather in a given city.",
  parameters = { { "city", "string", "The city" } },
  run = function(args) return "5 degrees in " .. args.city end,
}

local agent = rille.agent {
  model = "bench", base_url = arg[1], api_key = "sk-bench", instructions = "You are a helpful weather assistant.",
  tools = { weather }, params = { stream = false },
}

print(assert(agent:run "What's the weather like in Oslo today?").text)
