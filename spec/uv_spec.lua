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

  --- Runs code in a stock interpreter; returns what it printed and whether it ended well.
  local function in_interpreter(code)
    local build = os.getenv "RILLE_BUILD" or "build"
    local command = ("LD_PRELOAD=\"$RILLE_PRELOAD\" LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lua/?.so;;' %s -e '%s'")
      :format(build, arg[-1] or "lua5.4", code)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local text = pipe:read "a"
    return text, (pipe:close())
  end

  it("lets a stock interpreter end while its handles are closing", function()
    local text, ended_well = in_interpreter [[
      local uv = require("rille").uv
      local kept = {}
      for i = 1, 8 do
        kept[i] = uv.new_timer()
        kept[i]:start(60000, 0, print)
        if i % 2 == 0 then kept[i]:close() end
      end
      local pipe = uv.new_pipe(false)
      pipe:close(function() print "closed" end)
    ]]
    assert.equal("closed\n", text)
    assert.is_true(ended_well)
  end)

  it("lets it end right after a server was closed, through os.exit too", function()
    local serve = "local rille = require \"rille\" rille.mock.serve(rille.script {}, { port = 0 }):close() "
    for _, ending in ipairs { "", "os.exit(true, true)" } do
      local text, ended_well = in_interpreter(serve .. ending)
      assert.equal("", text)
      assert.is_true(ended_well)
    end
  end)

  it("collects handles that have closed, and the loop goes on", function()
    for _ = 1, 3 do
      for _ = 1, 50 do rille.uv.new_timer():close() end
      rille.sleep(0.001)
      collectgarbage()
    end
    local fired = false
    local timer = rille.uv.new_timer()
    timer:start(1, 0, function() fired = true timer:close() end)
    rille.sleep(0.02)
    assert.is_true(fired)
  end)
end)
