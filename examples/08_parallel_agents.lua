#!/usr/bin/env rille
-- 08 -- many runs side by side on one thread; the results stand in the order of the list.
local rille = require "rille"

local guide = rille.agent {
  model = "gpt-5.4",
  instructions = "Name one sight of the city. Answer with its name only.",
}

local cities = { "Oslo", "Rome", "Lima" }
local replies, failures = rille.map(cities, function(city)
  return guide:run(city)
end, { concurrency = 8 })

for i, reply in ipairs(replies) do   -- false where there is none: one's trouble is nobody else's
  print(cities[i] .. ": " .. (reply and reply.text or tostring(failures[i])))
end
