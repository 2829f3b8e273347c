local agents = require "spec.support.agents"
local core = require "rille.core"
local events = require "rille.events"
local world = require "spec.support.world"

local function types_of(reader)
  return agents.types(agents.read(reader))
end

describe("rille.events", function()
  it("gives each event its type, path and time", function()
    local clock = world.clock()
    local seen
    local bus = events.new("outer", nil, { text = function(event) seen = event end })
    local given = { delta = "a" }
    bus:emit("text", given)
    clock.restore()
    assert.equal(given, seen)
    assert.same({ type = "text", path = { "outer" }, time = 1000, delta = "a" }, seen)
  end)

  it("calls handlers of the type only, in the order in which they were given", function()
    local order = {}
    local function note(name) return function() order[#order + 1] = name end end
    local bus = events.new("a", nil, { text = note "agent" }, nil, { text = note "run", turn = note "turn" })
    bus:emit("text", {})
    assert.same({ "agent", "run" }, order)
  end)

  it("builds nothing where nobody listens", function()
    local bus = events.new("a", nil, { turn = function() end })
    assert.is_nil(bus:emit("text", {}))
    assert.is_false(bus:has_listener("text", "reasoning"))
    assert.is_true(bus:has_listener("text", "turn"))
  end)

  it("raises what a handler raises", function()
    local bus = events.new("a", nil, { text = function() error("broken", 0) end })
    assert.error_matches(function() bus:emit("text", {}) end, "broken")
  end)

  describe("of a nested run", function()
    it("are told further out, with the path that leads there", function()
      local seen = {}
      local outer = events.new("outer", nil, { text = function(event) seen[#seen + 1] = table.concat(event.path, "/") end })
      local inner = events.new("innermost", events.new("inner", outer))
      inner:emit("text", {})
      outer:emit("text", {})
      assert.same({ "outer/inner/innermost", "outer" }, seen)
      assert.is_true(inner:has_listener "text")
    end)

    it("stay there when they are the last", async(function()
      local outer_done, inner_done = 0, 0
      local outer = events.new("outer", nil, { done = function() outer_done = outer_done + 1 end })
      local inner = events.new("inner", outer, { done = function() inner_done = inner_done + 1 end })
      local reader = outer:reader()
      inner:finish("done", {})
      assert.same({ 0, 1 }, { outer_done, inner_done })
      outer:finish("done", {})
      assert.equal("done", types_of(reader))
    end))

    it("follow a hand-over", function()
      local path
      local outer = events.new("outer", nil, { text = function(event) path = event.path end })
      local inner = events.new("a", outer)
      inner:rename "b"
      inner:emit("text", {})
      assert.same({ "outer", "b" }, path)
    end)
  end)

  describe("readers", function()
    it("see what happens from now on, and the last event", async(function()
      local bus = events.new("a")
      bus:emit("request", {})
      local early = bus:reader()
      bus:emit("text", {})
      local late = bus:reader()
      bus:emit("turn", {})
      bus:finish("done", {})
      assert.equal("text turn done", types_of(early))
      assert.equal("turn done", types_of(late))
      assert.equal("done", types_of(bus:reader()))
    end))

    it("wait for the next event", async(function()
      local bus = events.new("a")
      local reader = bus:reader()
      local task = core.spawn(function() return types_of(reader) end)
      core.sleep(0.005)
      bus:emit("text", {})
      core.sleep(0.005)
      bus:finish("failed", {})
      assert.equal("text failed", task:join())
    end))

    it("give nil after the last event, again and again", async(function()
      local bus = events.new("a")
      local reader = bus:reader()
      bus:finish("done", {})
      assert.equal("done", reader().type)
      assert.is_nil(reader())
      assert.is_nil(reader())
    end))

    it("that were left see nothing more, and say so", async(function()
      local bus, left = events.new("a"), 0
      local reader = bus:reader(function() left = left + 1 end)
      bus:emit("text", {})
      for event in reader, nil, nil, reader do
        if event.type == "text" then break end
      end
      assert.equal(1, left)
      bus:emit("text", {})
      assert.same({}, bus.readers)
      assert.is_nil(reader())
    end))

    it("are told by how many there are for a question", function()
      local outer = events.new("outer")
      local inner = events.new("inner", outer)
      local a, b = outer:reader(), inner:reader()
      assert.same({ b, a }, inner:all_readers())
      assert.same({ a }, outer:all_readers())
    end)

    it("look again whether anybody is left to tell them", async(function()
      local asked = 0
      local bus = events.new("a")
      local reader = bus:reader(nil, function()
        asked = asked + 1
        if asked == 3 then bus:finish("failed", {}) end
        return 0.001
      end)
      assert.equal("failed", reader().type)
    end))
  end)

  it("tell the last one once, however often they are finished", async(function()
    local told = 0
    local bus = events.new("a", nil, { done = function() told = told + 1 end })
    local reader = bus:reader()
    bus:finish("done", { reply = 1 })
    bus:finish("failed", { failure = 2 })
    assert.equal("done", types_of(reader))
    assert.equal(1, told)
    assert.equal("done", bus:reader()().type)
  end))

  it("logs what a handler of the last event raises: the outcome stands", async(function()
    local bus = events.new("a", nil, { done = function() error("too late", 0) end })
    local lines = {}
    local log = require "rille.log"
    log.sink(function(_, line) lines[#lines + 1] = line end)
    bus:finish("done", {})
    log.sink(nil)
    assert.matches("a handler of 'done' raised: internal: too late", lines[1])
    assert.equal("done", bus:reader()().type)
  end))
end)
