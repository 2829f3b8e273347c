#!/usr/bin/env rille
-- 04 -- a model that asks for a function to be called.
local rille = require "rille"

local messages = { { role = "user", content = "What's the weather like in Boston today?" } }
local tools = {
  {
    type = "function",
    ["function"] = {
      name = "get_current_weather",
      description = "Get the current weather in a given location",
      parameters = {
        type = "object",
        properties = {
          location = {
            type = "string",
            description = "The city and state, e.g. San Francisco, CA",
          },
          unit = { type = "string", enum = { "celsius", "fahrenheit" } },
        },
        required = { "location" },
      },
    },
  },
}

local response = assert(rille.chat.completions.create {
  model = "gpt-5.4",
  messages = messages,
  tools = tools,
  tool_choice = "auto",
})

print(rille.json.encode(response))
