local core = require "rille.core"
local rille = require "rille"

--- Raises the signal, and lets the loop hear of it.
local function interrupt()
  assert(rille.uv.kill(rille.uv.os_getpid(), "sigint"))
  rille.sleep(0.01)
end


describe("core.on_sigint", function()
  it("calls back outside every task", async(function()
    local heard, inside = 0, "unknown"
    local handle = core.on_sigint(function() heard, inside = heard + 1, core.running() end)
    interrupt()
    handle:close()
    assert.equal(1, heard)
    assert.is_nil(inside)
  end))

  it("serves several at a time, until each is closed", async(function()
    local first, second = 0, 0
    local one = core.on_sigint(function() first = first + 1 end)
    local other = core.on_sigint(function() second = second + 1 end)
    one:close()
    one:close()
    local third = core.on_sigint(function() second = second + 10 end)
    interrupt()
    other:close()
    third:close()
    assert.same({ 0, 11 }, { first, second })
  end))

  it("makes an error of the callback a warning", async(function()
    local heard = 0
    local handle = core.on_sigint(function()
      heard = heard + 1
      error "spoilt"
    end)
    interrupt()
    handle:close()
    assert.equal(1, heard)
  end))

  it("is let go when it is collected", async(function()
    local before = core.counts()
    do core.on_sigint(print) end
    collectgarbage()
    collectgarbage()
    rille.sleep(0)
    local now = core.counts()
    assert.equal(before.handles, now.handles)
    assert.equal(before.registry, now.registry)
  end))

  it("leaves the second one to the system", function()
    local build = os.getenv "RILLE_BUILD" or "build"
    local code = "local uv = require 'rille'.uv require 'rille.core'.on_sigint(print) "
      .. "for _ = 1, 9 do uv.kill(uv.os_getpid(), 'sigint') end"
    local _, how, number = os.execute(("%s/rille -e \"%s\" 2>&1"):format(build, code))
    assert.truthy(how == "signal" and number == 2 or number == 130)
  end)

  it("wants a function", function()
    assert.error_matches(function() core.on_sigint(1) end, "function expected")
  end)

  it("does not keep a program, nor does its end lose it", function()
    local build = os.getenv "RILLE_BUILD" or "build"
    for _, ending in ipairs { "", "os.exit(0, true)", "require 'rille'.uv.new_timer()" } do
      local code = ("kept = require 'rille.core'.on_sigint(print) %s"):format(ending)
      assert.is_true(os.execute(("%s/rille -e \"%s\""):format(build, code)))
    end
  end)
end)
