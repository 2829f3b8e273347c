#!/usr/bin/env rille
-- 12 -- a tool that must be approved cannot run any other way; with nobody to ask it is denied.
local rille = require "rille"

local deleted = {}

local delete_file = rille.tool {
  name = "delete_file",
  description = "Deletes a file.",
  parameters = { { "path", "string", "The file" } },
  approve = true,
  run = function(args)
    deleted[#deleted + 1] = args.path
    return "deleted"
  end,
}

local agent = rille.agent {
  model = "gpt-5.4",
  tools = { delete_file },
  approve = function(call)
    if call.arguments.path:match "^/tmp/" then return true end
    return false, "only files in /tmp may be deleted"
  end,
}

print(assert(agent:run "Delete /tmp/a and /etc/passwd.").text)
print("really deleted: " .. table.concat(deleted, ", "))
