#!/usr/bin/env rille
-- 10 -- an agent holds no history: the transcript does, and it can be continued, forked, saved.
local rille = require "rille"

local agent = rille.agent { model = "gpt-5.4", instructions = "Answer in one sentence." }

local first = assert(agent:run "My name is Ada. Say hello.")
local fork = first.transcript:clone()

local second = assert(agent:run("What is my name?", { transcript = first.transcript }))
local other = assert(agent:run("Say goodbye.", { transcript = fork }))

print(first.text)
print(second.text)
print(other.text)
print(#first.transcript, #fork)
