#!/usr/bin/env rille
-- 15 -- expected trouble is returned, never raised: a code to branch on and one line to show.
local rille = require "rille"

local busy = rille.script { rille.script.failure { status = 400, message = "No such parameter." } }
local agent = rille.agent { model = busy }

local reply, failure = agent:run "Hello?"
assert(reply == nil)
print(failure.code, failure.status)
print(failure)

local late
reply, late = rille.timeout(0.05, function() rille.sleep(60) end)
assert(reply == nil)
print(late.code)
