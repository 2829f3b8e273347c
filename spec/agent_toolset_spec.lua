local agents = require "spec.support.agents"
local rille = require "rille"
local toolset = require "rille.agent.toolset"

local function named(...)
  local list = {}
  for i, name in ipairs { ... } do list[i] = agents.tool(name, function() end) end
  return list
end

local function names(set)
  local list = {}
  for i, tool in ipairs(set.list) do list[i] = tool.name end
  return table.concat(list, " ")
end

describe("rille.agent.toolset", function()
  it("keeps the order in which tools were given, lists inside lists too", function()
    local set = toolset.new({ named("z", "a"), agents.tool("m", function() end), { named("b") } }, "spec", 1)
    assert.equal("z a m b", names(set))
    assert.equal("z", set.definitions[1]["function"].name)
  end)

  it("takes one tool for a list of one", function()
    assert.equal("a", names(toolset.new(named("a")[1], "spec", 1)))
  end)

  it("makes tools of agents", function()
    local agent = rille.agent { name = "deep thought", model = rille.script {} }
    assert.equal("deep_thought", names(toolset.new({ agent }, "spec", 1)))
  end)

  it("takes the same tool twice for one, and two of one name for a mistake", function()
    local a = named("a")[1]
    assert.equal("a", names(toolset.new({ a, a }, "spec", 1)))
    assert.error_matches(function() toolset.new({ a, named("a") }, "spec", 1) end, "spec: two tools are called 'a'")
  end)

  it("raises for what is no tool", function()
    assert.error_matches(function() toolset.new({ "read_file" }, "spec", 1) end,
      "spec: tools%[1%]: a tool, an agent or a list of them expected, got string")
    assert.error_matches(function() toolset.new({ { name = "x" } }, "spec", 1) end, "tools%[1%]: a tool")
  end)

  it("adds one that wins over another of its name", function()
    local set = toolset.new(named("a", "b"), "spec", 1)
    local other = named("a")[1]
    local more = set:with(other)
    assert.equal("b a", names(more))
    assert.equal(other, more:find "a")
    assert.equal("a b", names(set))
  end)

  describe("unknown", function()
    it("names the valid tools, nearest first", function()
      local set = toolset.new(named("read_file", "write_file", "list_files"), "spec", 1)
      assert.equal("there is no tool 'write_fil' (did you mean 'write_file'?); available are"
        .. " 'write_file', 'read_file', 'list_files'", set:unknown "write_fil")
    end)

    it("says when there are none", function()
      assert.equal("there is no tool 'x'; no tools are available", toolset.new({}, "spec", 1):unknown "x")
    end)

    it("does not name hundreds", function()
      local many = {}
      for i = 1, 300 do many[i] = "tool_" .. i end
      local text = toolset.new(named(table.unpack(many)), "spec", 1):unknown "tool"
      assert.matches("and 26%d more$", text)
      assert.is_true(#text < 1000)
    end)
  end)

  it("explains where arguments break the schema", function()
    local tool = agents.tool("w", function() end, { parameters = { { "city", "string" }, { "days", "integer", minimum = 1 } } })
    local valid, problem = toolset.validate(tool, { city = 5, days = 0 })
    assert.is_nil(valid)
    assert.matches("^the arguments of 'w' do not fit:\n%- ", problem)
    assert.matches("city", problem)
    assert.matches("days", problem)
  end)
end)
