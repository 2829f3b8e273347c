#!/usr/bin/env rille
-- 07 -- an answer that is data: validated before you see it.
local rille = require "rille"

local agent = rille.agent {
  model = "gpt-5.4",
  instructions = "Extract the event.",
  output = {
    { "name", "string", "What happens" },
    { "day", "string", "Day of the week" },
    { "people", "array", "Who takes part", items = "string" },
  },
}

local reply = assert(agent:run "Alice and Bob are going to a science fair on Friday.")
print(reply.output.name, reply.output.day, table.concat(reply.output.people, ", "))
