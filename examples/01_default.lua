#!/usr/bin/env rille
-- 01 -- a chat completion, as the API reference has it.
local rille = require "rille"

local completion = assert(rille.chat.completions.create {
  messages = { { role = "developer", content = "You are a helpful assistant." } },
  model = "gpt-5.4",
  store = true,
})

print(rille.json.encode(completion.choices[1]))
