#!/usr/bin/env rille
-- 02 -- a question about a picture.
local rille = require "rille"

local response = assert(rille.chat.completions.create {
  model = "gpt-5.4",
  messages = {
    {
      role = "user",
      content = {
        { type = "text", text = "What's in this image?" },
        {
          type = "image_url",
          image_url = {
            url = "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/"
              .. "Gfp-wisconsin-madison-the-nature-boardwalk.jpg/"
              .. "2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg",
          },
        },
      },
    },
  },
})

print(rille.json.encode(response.choices[1]))
