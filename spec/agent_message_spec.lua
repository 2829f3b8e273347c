local message = require "rille.agent.message"

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
end)
