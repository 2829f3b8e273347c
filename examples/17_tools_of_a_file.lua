#!/usr/bin/env rille
-- 17 -- tools stand in files of their own: one file, one tool.
local rille = require "rille"

local root = (arg[0]:match "^(.*/)" or "./") .. "../"
local read_file = dofile(root .. "tools/read_file.lua")

local agent = rille.agent {
  model = "gpt-5.4",
  instructions = "Answer questions about files.",
  tools = { read_file },
}

local question = "How does " .. root .. "LICENSE begin?"
print(assert(agent:run(question)).text)
