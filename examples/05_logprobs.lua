#!/usr/bin/env rille
-- 05 -- how sure the model was of every token.
local rille = require "rille"

local completion = assert(rille.chat.completions.create {
  messages = { { role = "user", content = "Hello!" } },
  model = "gpt-5.4",
  logprobs = true,
  top_logprobs = 2,
})

print(rille.json.encode(completion.choices[1]))
