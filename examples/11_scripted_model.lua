#!/usr/bin/env rille
-- 11 -- an agent under test: the model is a script, so nothing leaves this process.
local rille = require "rille"
local step = rille.script

local function double(args) return args.number * 2 end

local model = step {
  step.call("double", { number = 21 }),
  function(request)   -- what the model was told is there to be looked at
    local last = request.messages[#request.messages]
    assert(last.role == "tool" and last.content == "42")
    return "It is " .. last.content .. "."
  end,
}

local agent = rille.agent {
  model = model,
  tools = { rille.tool { name = "double", parameters = { { "number", "integer" } }, run = double } },
}

local reply = assert(agent:run "What is twice 21?")
assert(reply.text == "It is 42.")
assert(#reply.turns == 2)
model:assert_done()
print "passed"
