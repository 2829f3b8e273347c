#!/usr/bin/env rille
-- 09 -- a tool that runs a program. No shell is involved, and the program dies with the run.
local rille = require "rille"

local kernel = rille.tool {
  name = "kernel_name",
  description = "Name and release of this machine's kernel.",
  timeout = 5,
  run = function()
    local result, failure = rille.process.run { "uname", "-sr", timeout = 3 }
    if not result then return nil, failure.message end
    if result.code ~= 0 then return nil, result.stderr end
    return result.stdout
  end,
}

local agent = rille.agent { model = "gpt-5.4", tools = { kernel } }
print(assert(agent:run "Which kernel is this?").text)
