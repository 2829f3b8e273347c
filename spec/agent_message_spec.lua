local json = require "rille.json"
local message = require "rille.agent.message"
local rille = require "rille"

describe("rille.agent.message", function()
  it("sees calls in both forms", function()
    assert.is_true(message.has_calls { tool_calls = { {} } })
    assert.is_true(message.has_calls { function_call = {} })
    assert.is_false(message.has_calls { tool_calls = {} })
    assert.is_false(message.has_calls { content = "a" })
  end)

  it("sees whether anything was said", function()
    for _, given in ipairs { {}, { content = "" }, { content = {} }, { tool_calls = {} }, { refusal = "" } } do
      assert.is_true(message.is_empty(given))
    end
    for _, given in ipairs { { content = " " }, { content = { {} } }, { tool_calls = { {} } }, { refusal = "no" }, { audio = {} } } do
      assert.is_false(message.is_empty(given))
    end
  end)

  it("keeps null where there is no content, without changing the message", function()
    local given = { role = "assistant", tool_calls = { {} } }
    assert.equal(json.null, message.kept(given).content)
    assert.is_nil(given.content)
    local said = { role = "assistant", content = "a" }
    assert.equal(said, message.kept(said))
  end)

  it("appends all messages or none", function()
    local transcript = rille.transcript { { role = "user", content = "a" } }
    message.append_all(transcript, { { role = "user", content = "b" }, { role = "user", content = "c" } })
    assert.equal(3, #transcript)
    assert.has_error(function()
      message.append_all(transcript, { { role = "user", content = "d" }, { role = "user", content = print } })
    end)
    assert.equal(3, #transcript)
    assert.equal("c", transcript[-1].content)
  end)
end)
