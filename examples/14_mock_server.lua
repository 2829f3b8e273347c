#!/usr/bin/env rille
-- 14 -- a scripted model behind a real port: any client of the API can be tried against it.
local rille = require "rille"

local model = rille.script { "Hello over HTTP!", model = "parrot" }
local server <close> = assert(rille.mock.serve(model))

local stream = assert(rille.chat.completions.create({
  model = "parrot",
  messages = { { role = "user", content = "Hello?" } },
  stream = true,
}, { base_url = server.url }))

for chunk in stream do
  io.write(chunk.choices[1] and chunk.choices[1].delta.content or "")
end
print()
print(server.requests[1].path)
