local prompt = require "rille.agent.prompt"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local function call(id)
  return { id = id, type = "function", ["function"] = { name = "now", arguments = "{}" } }
end

local function result(id, content)
  return { role = "tool", tool_call_id = id, content = content or "r" }
end

local function roles(messages)
  local list = {}
  for i, message in ipairs(messages) do list[i] = message.role end
  return table.concat(list, " ")
end

describe("rille.agent.prompt", function()
  describe("read", function()
    it("takes a text", function()
      assert.same({ { role = "user", content = "hi" } }, prompt.read("hi", 1))
    end)

    it("takes content parts, one or several", function()
      local part = { type = "text", text = "hi" }
      assert.same({ { role = "user", content = { part } } }, prompt.read(part, 1))
      assert.same({ { role = "user", content = { part, part } } }, prompt.read({ part, part }, 1))
      local parts = rille.parts { "hi" }
      assert.equal(parts, prompt.read(parts, 1)[1].content)
    end)

    it("takes messages, one or several", function()
      local message = { role = "user", content = "hi" }
      assert.same({ message }, prompt.read(message, 1))
      assert.same({ { role = "system", content = "s" }, message }, prompt.read({ { role = "system", content = "s" }, message }, 1))
    end)

    it("takes nothing", function()
      assert.same({}, prompt.read(nil, 1))
    end)

    it("raises for what is none of these", function()
      for _, given in ipairs { 5, true, {}, { "a", "b" }, { { x = 1 } } } do
        assert.error_matches(function() prompt.read(given, 1) end, "prompt: a string, content parts or messages expected")
      end
    end)

    it("raises for what JSON cannot hold", function()
      assert.error_matches(function() prompt.read({ { role = "user", content = print } }, 1) end, "prompt: .*function")
    end)

    it("raises for a message with a role that no server knows", function()
      assert.error_matches(function() prompt.read({ { role = "user", content = "a" }, { role = "robot" } }, 1) end,
        "prompt: message 2: role .* expected, got robot")
    end)
  end)

  describe("repaired", function()
    it("leaves alone what is whole", function()
      local messages = {
        { role = "user", content = "a" }, { role = "assistant", tool_calls = { call "1", call "2" } },
        result "1", result "2", { role = "assistant", content = "b" },
      }
      assert.same(messages, prompt.repaired(messages))
    end)

    it("answers calls without results", function()
      local repaired = prompt.repaired {
        { role = "assistant", tool_calls = { call "1", call "2" } }, result "2", { role = "user", content = "a" },
      }
      assert.equal("assistant tool tool user", roles(repaired))
      assert.same({ "1", "2" }, { repaired[2].tool_call_id, repaired[3].tool_call_id })
      assert.matches("interrupted", repaired[2].content)
      assert.equal("r", repaired[3].content)
    end)

    it("puts results in call order and keeps the first of two", function()
      local repaired = prompt.repaired {
        { role = "assistant", tool_calls = { call "1", call "2" } }, result("2", "x"), result("1", "y"), result("1", "z"),
      }
      assert.same({ "y", "x" }, { repaired[2].content, repaired[3].content })
      assert.equal(3, #repaired)
    end)

    it("drops results without a call", function()
      assert.equal("user user", roles(prompt.repaired {
        result "0", { role = "user", content = "a" }, result "1", { role = "user", content = "b" }, result "2",
      }))
    end)

    it("is idempotent", function()
      local once = prompt.repaired { { role = "assistant", tool_calls = { call "1" } }, result "9" }
      assert.same(once, prompt.repaired(once))
    end)
  end)

  describe("enter", function()
    local function entered(messages)
      local transcript = rille.transcript(messages)
      prompt.enter(transcript, { { role = "user", content = "next" } })
      return transcript
    end

    it("appends to an empty transcript", function()
      assert.equal(1, #entered {})
    end)

    it("answers calls that were left open at the end", function()
      for kept = 0, 2 do
        local messages = { { role = "user", content = "a" },
          { role = "assistant", tool_calls = { call "1", call "2", call "3" } } }
        for i = 1, kept do messages[#messages + 1] = result(tostring(i)) end
        local transcript = entered(messages)
        sendable.check(transcript)
        assert.equal(6, #transcript)
        assert.equal("next", transcript[-1].content)
      end
    end)

    it("changes nothing of what is whole", function()
      local messages = { { role = "user", content = "a" }, { role = "assistant", tool_calls = { call "1" } }, result "1" }
      local before = rille.transcript(messages):encode()
      local transcript = entered(messages)
      assert.equal(before, transcript:truncate(3):encode())
    end)

    it("drops results at the very beginning", function()
      assert.equal(1, #entered { result "1" })
    end)
  end)
end)
