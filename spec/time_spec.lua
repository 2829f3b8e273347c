local core = require "rille.core"
local time = require "rille.time"

local function both(name, body)
  it(name .. ", in a task", async(body))
  it(name .. ", outside a task", body)
end


describe("time.now", function()
  it("does not go back", function()
    local before = time.now()
    for _ = 1, 1000 do
      local now = time.now()
      assert(now >= before)
      before = now
    end
  end)
end)

describe("time.sleep", function()
  both("waits at least as long as it was told", function()
    local before = time.now()
    assert.is_true(time.sleep(0.02))
    local waited = time.now() - before
    assert.is_true(waited >= 0.019, waited)
    assert.is_true(waited < 1, waited)
  end)

  it("with 0 lets the others have a turn", async(function()
    local order = {}
    local other = core.spawn(function() order[#order + 1] = "other" end)
    time.sleep(0)
    order[#order + 1] = "me"
    other:join()
    assert.same({ "other", "me" }, order)
  end))
end)

describe("time.wall", function()
  it("is the time of day, with fractions", function()
    local wall = time.wall()
    assert.is_true(math.abs(wall - os.time()) <= 2)
    assert.equal("float", math.type(wall))
    local fractions = false
    for _ = 1, 20 do
      fractions = fractions or time.wall() % 1 ~= 0
      core.sleep(0.001)
    end
    assert.is_true(fractions)
  end)
end)

describe("time.random", function()
  it("is at least 0 and below 1, and differs", function()
    local seen, different = {}, 0
    for _ = 1, 1000 do
      local x = time.random()
      assert(x >= 0 and x < 1)
      if not seen[x] then different = different + 1 end
      seen[x] = true
    end
    assert.is_true(different > 900)
  end)
end)

describe("the seam", function()
  it("is where a virtual clock goes", function()
    local task = require "rille.task"
    local sleep, now = time.sleep, time.now
    local clock = 1000
    time.sleep = function(seconds) clock = clock + seconds return true end
    time.now = function() return clock end
    local before = task.now()
    task.sleep(3600)
    local passed = task.now() - before
    time.sleep, time.now = sleep, now
    assert.equal(3600, passed)
  end)

  it("is the only place of the library that asks the system", function()
    local found = {}
    local pipe = assert(io.popen("grep -rlE 'math\\.random|os\\.time|core\\.sleep' lua"))
    for line in pipe:lines() do
      if not line:find("_meta") and not line:find("/cli/") then found[#found + 1] = line end
    end
    pipe:close()
    assert.same({ "lua/rille/time.lua" }, found)
  end)
end)
