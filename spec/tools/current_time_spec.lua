local toolbox = require "spec.support.toolbox"

local tool = toolbox.load "current_time"


describe("tools/current_time", function()
  it("tells the time in several forms that agree", function()
    local before = os.time()
    local now = toolbox.call(tool)
    assert.is_true(now.unix >= before and now.unix <= os.time())
    assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", now.unix), now.utc)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[+-]%d%d:%d%d$", now.localtime)
    assert.equal(os.date("%A", now.unix), now.weekday)
  end)

  it("tells a time that JSON Schema calls one", function()
    local is_date_time = require("rille.schema.format").of("date-time").fits
    local now = toolbox.call(tool)
    assert.is_true(is_date_time(now.utc))
    assert.is_true(is_date_time(now.localtime))
  end)

  it("takes no arguments, whatever a model invents", function()
    assert.is_table(toolbox.call(tool, { timezone = "Mars" }))
  end)
end)
