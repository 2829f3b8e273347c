--- What holds for every ready-made tool.
local json = require "rille.json"
local schema = require "rille.schema"
local tool = require "rille.tool"
local toolbox = require "spec.support.toolbox"
local uv = require "rille.uv"

local names = {}
local scan = uv.fs_scandir "tools"
for name in uv.fs_scandir_next, scan do names[#names + 1] = name:match "^(.*)%.lua$" end
table.sort(names)


--- The tool of a file, with default options.
local function default(name)
  local made = toolbox.load(name)
  return type(made) == "function" and made() or made
end


describe("every file in tools/", function()
  it("is one that we know of", function()
    assert.same({ "current_time", "edit_file", "fetch_url", "list_files", "read_file", "run_command", "search_files",
      "write_file" }, names)
  end)

  it("gives a tool of its own name", function()
    for _, name in ipairs(names) do
      local made = default(name)
      assert.is_true(tool.is(made), name)
      assert.equal(name, made.name)
    end
  end)

  it("makes a new tool each time, with options of its own", function()
    for _, name in ipairs(names) do
      local maker = toolbox.load(name)
      if type(maker) == "function" then assert.not_equal(maker(), maker()) end
    end
  end)

  it("raises for an option that it does not have, at the caller", function()
    for _, name in ipairs(names) do
      local maker = toolbox.load(name)
      if type(maker) == "function" then
        local ok, message = pcall(function()
          local made = maker { no_such_option = 1 }
          return made
        end)
        assert.is_false(ok)
        assert.matches("all_spec.lua:%d+: " .. name .. ": unknown option 'no_such_option'", message)
      end
    end
  end)

  it("tells the model what it is for, briefly", function()
    for _, name in ipairs(names) do
      local made = default(name)
      assert.is_true(#made.description > 20 and #made.description <= 1024, name)
      for parameter, member in pairs(made.schema.properties) do
        assert.is_string(member.description, name .. "." .. parameter)
      end
    end
  end)

  it("has parameters that are valid JSON Schema", function()
    local meta = schema.compile { ["$ref"] = "https://json-schema.org/draft/2020-12/schema" }
    for _, name in ipairs(names) do
      local _, errors = meta:validate(json.decode(json.encode(default(name).schema)))
      assert.is_nil(errors and schema.explain(errors), name)
    end
  end)

  it("has parameters that strict mode can express", function()
    for _, name in ipairs(names) do
      local strict, reason = schema.compile(json.encode(default(name).schema)):strict()
      assert.is_nil(reason, name)
      assert.is_false(strict.additionalProperties)
    end
  end)

  it("asks first when it changes something", function()
    local asks = {}
    for _, name in ipairs(names) do
      if default(name).approve then asks[#asks + 1] = name end
    end
    assert.same({ "edit_file", "run_command", "write_file" }, asks)
  end)
end)
