#!/usr/bin/env rille
-- 13 -- an agent as another agent's tool; limits and events are those of the outer run.
local rille = require "rille"

local translator = rille.agent {
  name = "translator",
  model = "gpt-5.4",
  instructions = "Translate the text to French. Answer with the translation only.",
}

local editor = rille.agent {
  name = "editor",
  model = "gpt-5.4",
  instructions = "Have texts translated by the translator.",
  tools = { translator:as_tool { name = "translate", description = "Translates to French." } },
  limits = { turns = 10, seconds = 120 },
  on = {
    tool_call = function(event)
      io.stderr:write(table.concat(event.path, "/"), " calls ", event.call.name, "\n")
    end,
  },
}

print(assert(editor:run "How do the French say 'good morning'?").text)
