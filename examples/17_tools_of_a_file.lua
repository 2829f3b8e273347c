#!/usr/bin/env rille
-- 17 -- tools stand in files of their own: one file, one tool. This one is kept inside a directory.
local rille = require "rille"

local root = (arg[0]:match "^(.*/)" or "./") .. ".."
local read_file = dofile(root .. "/tools/read_file.lua")

local agent = rille.agent {
  model = "gpt-5.4",
  instructions = "Answer questions about files.",
  tools = { read_file { root = root } },
}

print(assert(agent:run "How does LICENSE begin?").text)
