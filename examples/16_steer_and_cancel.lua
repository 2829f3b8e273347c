#!/usr/bin/env rille
-- 16 -- a run is a value: talk to it while it works, stop it when it is enough.
local rille = require "rille"

local agent = rille.agent { model = "gpt-5.4", instructions = "Tell stories." }
local run = agent:start "Tell me a story without end."

local heard = ""
for event in run:events() do
  if event.type == "text" then
    heard = heard .. event.delta
    if #heard > 20 then run:cancel "that will do" end
  end
end

local reply, failure = run:wait()
print(reply == nil, failure.code)
print(failure.reply.transcript ~= nil)
