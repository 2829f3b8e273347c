#!/usr/bin/env rille
-- 03 -- the answer as it is written.
local rille = require "rille"

local completion = assert(rille.chat.completions.create {
  model = "gpt-5.4",
  messages = {
    { role = "developer", content = "You are a helpful assistant." },
    { role = "user", content = "Hello!" },
  },
  stream = true,
})

for chunk in completion do
  print(chunk.choices[1].delta.content)
end
