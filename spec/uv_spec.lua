local core = require "rille.core"
local rille = require "rille"

describe("rille.uv", function()
  it("is luv", function()
    assert.is_function(rille.uv.new_timer)
    assert.equal(rille.uv, require "rille.uv")
  end)

  it("turns with the runtime's own loop", function()
    local fired = false
    local timer = rille.uv.new_timer()
    timer:start(1, 0, function() fired = true timer:close() end)
    rille.sleep(0.03)
    assert.is_true(fired)
  end)

  it("runs its callbacks outside every task", async(function()
    local op, inside = core.op(), "unknown"
    local timer = rille.uv.new_timer()
    timer:start(1, 0, function()
      inside = core.running()
      timer:close()
      op:complete()
    end)
    op:wait()
    assert.is_nil(inside)
  end))
end)
