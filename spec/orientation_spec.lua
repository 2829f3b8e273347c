--- orientation_spec.lua -- what a newcomer is shown: make help, make walk, make install, what an editor sees, the licence.
local json = require "rille.json"
local process = require "rille.process"
local rille = require "rille"
local source = require "spec.support.source"
local temporary = require "spec.support.temporary"

--- Runs make and returns what it printed.
local function make(...)
  local line = { "make", "-s", "--no-print-directory", ... }
  line.env, line.timeout = { MAKEFLAGS = false, MAKELEVEL = false, DESTDIR = false, PREFIX = false }, 60
  local result = assert(process.run(line))
  assert.equal(0, result.code, result.stderr)
  return result.stdout
end

local function exists(path)
  local handle = io.open(path, "rb")
  if handle then handle:close() end
  return handle ~= nil
end


describe("make help", function()
  it("names every target that says what it does", async(function()
    local help = make "help"
    for target, what in source.read("Makefile"):gmatch "\n([a-z]+):[^\n]*  ## ([^\n]+)" do
      assert.truthy(help:find(("  make %-8s %s\n"):format(target, what), 1, true), target)
    end
  end))

  it("names every target of .PHONY but those that only make calls", async(function()
    local help, inner = make "help", { ["host-libs"] = true }
    for target in source.read("Makefile"):match("\n%.PHONY: ([^\n]+)"):gmatch "%S+" do
      if not inner[target] then assert.truthy(help:find("make " .. target .. " ", 1, true), target) end
    end
  end))
end)


describe("make walk", function()
  --- { step, path, what it is } of every line.
  local function walk()
    local rows = {}
    for line in make("walk"):gmatch "[^\n]+" do
      local step, path, what = line:match "^%s*(%d+)  (%S+)%s+(%S.*)$"
      assert.truthy(step, line)
      rows[#rows + 1] = { tonumber(step), path, what }
    end
    return rows
  end

  it("goes through all thirteen steps in order", async(function()
    local last = 0
    for _, row in ipairs(walk()) do
      assert.is_true(row[1] == last or row[1] == last + 1, ("step %d after %d"):format(row[1], last))
      last = row[1]
    end
    assert.equal(13, last)
  end))

  it("names files that exist, each with a whole sentence", async(function()
    for _, row in ipairs(walk()) do
      assert.is_true(exists(row[2]), row[2])
      for _, word in ipairs { "a", "the", "of", "any", "and", "with" } do
        assert.falsy(row[3]:find("%s" .. word .. "$"), row[3])
      end
    end
  end))

  it("passes the files of the thirteen lines in README.md at the same steps", async(function()
    local at, count = {}, 0
    for _, row in ipairs(walk()) do at[row[1] .. " " .. row[2]] = true end
    for step, path in source.read("README.md"):gmatch "\n%s+(%d+)  ([%w_/.*]+)" do
      count = count + 1
      if path:find "%*" then
        assert.equal("tools/*.lua", path)
        path = "tools/read_file.lua"
      end
      assert.is_true(exists(path), path)
      assert.is_true(at[step .. " " .. path], ("make walk has no %s at step %s"):format(path, step))
    end
    assert.equal(13, count)
  end))
end)


describe("make install", function()
  it("puts everything that a user needs below one directory", async(function()
    local root <close> = temporary.directory()
    local prefix <const> = root.path .. "/opt/rille/"
    local variables <const> = { "DESTDIR=" .. root.path, "PREFIX=/opt/rille", "B=" .. (os.getenv "RILLE_BUILD" or "build") }
    local plan = make("-n", "install", table.unpack(variables))
    assert.truthy(plan:find("install -d " .. prefix .. "bin", 1, true), plan)   -- nowhere else
    make("install", table.unpack(variables))
    for _, path in ipairs { "bin/rille", "lib/librille.a", "lib/librille.so", "lib/lua/5.4/rille/core.so",
      "lib/lua/5.4/rille.so", "include/rille.h", "share/rille/tools/read_file.lua", "share/rille/lua/rille/init.lua",
      "share/rille/lua/rille/_meta/rille.lua" } do
      assert.is_true(exists(prefix .. path), path)
    end
    local installed = assert(process.run { prefix .. "bin/rille", "--version", cwd = "/" })
    assert.equal(("rille %s\n"):format(rille.version), installed.stdout)
    local tools = assert(process.run { prefix .. "bin/rille", "tools", "list", prefix .. "share/rille/tools/read_file.lua",
      cwd = "/" })
    assert.truthy(tools.stdout:find("^read_file"), tools.stderr)
    local flags = assert(process.run { "pkg-config", "--cflags", "--libs", "rille = " .. rille.version,
      env = { PKG_CONFIG_PATH = prefix .. "lib/pkgconfig" } })
    assert.equal(0, flags.code, flags.stderr)
    assert.truthy(flags.stdout:find("-I/opt/rille/include -L/opt/rille/lib -lrille", 1, true), flags.stdout)
    local server <close> = assert(rille.mock.serve(rille.script { "It is late." }))
    local function ask(tool)
      return assert(process.run { prefix .. "bin/rille", "ask", "--base-url", server.url, "-m", "m", "-T", tool, "hi",
        cwd = "/" })
    end
    assert.equal("It is late.\n", ask("current_time").stdout)
    assert.equal("current_time", server.requests[1].json.tools[1]["function"].name)
    assert.same({ 2, "rille: there is neither a file nor a ready-made tool 'curent_time'\n" },
      { ask("curent_time").code, ask("curent_time").stderr })
    rille.sleep(0)
  end))
end)


-- ------------------------------------------------------------------------------- what an editor sees

local META <const> = "lua/rille/_meta/rille.lua"

--- Names of the `@field` lines of a class.
local function fields_of(class)
  local names, inside = {}, false
  for _, line in ipairs(source.lines(META)) do
    local field = inside and line:match "^%-%-%-@field ([%w_]+)%??%s"
    if line:find "^%-%-%-@class" then
      inside = line:match "^%-%-%-@class (%S+)" == class
    elseif field then
      names[#names + 1] = field
    elseif not line:find "^%-%-%-" then
      inside = false
    end
  end
  table.sort(names)
  return names
end

--- Keys of a table of options in lua/rille/agent.lua.
local function options_of(name)
  local body = source.read("lua/rille/agent.lua"):match("local " .. name .. " <const> = (%b{})")
  local names = {}
  for key in body:sub(2, -2):gsub("%b{}", "{}"):gmatch "([%w_]+) = " do names[#names + 1] = key end
  table.sort(names)
  return names
end

describe(META, function()
  local declared = assert(loadfile(META))()

  it("has every public name, with the value that scripts get", function()
    for name in source.read("lua/rille/init.lua"):match("local public <const> = {(.-)\n}"):gmatch "\n  ([%w_]+) = " do
      assert.is_true(rawequal(rille[name], declared[name]), "rille." .. name)
    end
    assert.is_true(rawequal(rille.chat.completions, declared.chat.completions))
  end)

  it("has no name that is not public", function()
    for name in pairs(declared) do assert.truthy(rille[name], name) end
  end)

  it("has every option of an agent and of a run", function()
    assert.same(options_of "agent_types", fields_of "rille.AgentOptions")
    assert.same(options_of "run_types", fields_of "rille.RunOptions")
  end)

  it("names classes that are declared somewhere", function()
    local classes = {}
    for _, path in ipairs(source.files("lua", "%.lua$")) do
      for class in source.read(path):gmatch "%-%-%-@class (rille[%w_.]*)" do classes[class] = true end
    end
    for class in source.read(META):gmatch "%f[%w](rille%.%u[%w_]*)" do assert.is_true(classes[class], class) end
  end)
end)


describe(".luarc.json", function()
  it("leads a language server to the modules", function()
    local settings = assert(json.decode(source.read ".luarc.json"))
    assert.equal("Lua 5.4", settings["runtime.version"])
    local found = false
    for _, pattern in ipairs(settings["runtime.path"]) do
      found = found or exists((pattern:gsub("%?", "rille")))
    end
    assert.is_true(found)
  end)
end)


describe("LICENSE", function()
  it("is the MIT licence, and README.md says so", function()
    local licence = source.read "LICENSE"
    assert.truthy(licence:find "^MIT License\n\nCopyright %(c%) %d+ ")
    assert.truthy(licence:find("Permission is hereby granted, free of charge", 1, true))
    assert.truthy(licence:find('THE SOFTWARE IS PROVIDED "AS IS"', 1, true))
    assert.truthy(source.read("README.md"):find("[MIT](LICENSE)", 1, true))
  end)
end)
