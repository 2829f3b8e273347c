local rille = require "rille"

--- What the function raises, with the position, which luassert would take away.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return err
end


describe("rille", function()
  it("says its version", function()
    assert.matches("^%d+%.%d+%.%d+$", rille.version)
  end)

  local functions = { "all", "map", "race", "timeout", "sleep", "now", "spawn" }
  for _, name in ipairs(functions) do
    it("has the function " .. name, function()
      assert.equal(require "rille.task"[name], rille[name])
    end)
  end

  for _, name in ipairs { "process", "fs", "uv", "log", "failure" } do
    it("has the module " .. name, function()
      assert.equal(require("rille." .. name), rille[name])
    end)
  end

  --- What a script does with each of the other names.
  local callable = { "agent", "models", "parts", "script", "tool", "transcript" }
  for _, name in ipairs(callable) do
    it("has " .. name .. ", which can be called", function()
      assert.is_true(require("rille.options").is_callable(rille[name]))
    end)
  end

  it("has the names of the API reference", function()
    assert.is_function(rille.chat.completions.create)
    assert.equal(rille.chat, rille.chat)
    assert.is_function(rille.http.get)
    assert.is_function(rille.json.encode)
    assert.is_function(rille.mock.serve)
    assert.is_function(rille.script.text)
  end)

  it("returns the same value each time", function()
    assert.is_true(rawequal(rille.fs, rille.fs))
    assert.equal(rille.fs, rawget(rille, "fs"))
  end)

  it("blames the caller for a name that does not exist and names the nearest", function()
    assert.matches("^spec/init_spec.lua:%d+: rille has no 'spwan' %(did you mean 'spawn'%?%)$",
      raised(function() return rille.spwan end))
    assert.matches("^spec/init_spec.lua:%d+: rille has no 'chats' %(did you mean 'chat'%?%)$",
      raised(function() return rille.chats end))
  end)

  it("guesses nothing when nothing is near", function()
    assert.error_matches(function() return rille.zebra end, "rille has no 'zebra'$")
    assert.error_matches(function() return rille[5] end, "rille has no '5'$")
  end)

  it("loads nothing before it is used", function()
    local build = os.getenv("RILLE_BUILD")
    local code = [[
      require "rille"
      local names = {}
      for name in pairs(package.loaded) do
        if name:match "^rille" then names[#names + 1] = name end
      end
      table.sort(names)
      io.write(table.concat(names, " "))]]
    local command = ("LD_PRELOAD=\"$RILLE_PRELOAD\" LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lua/?.so;;' %s -e '%s'")
      :format(build, arg[-1] or "lua5.4", code)
    local pipe = assert(io.popen(command))
    local loaded = pipe:read("a")
    pipe:close()
    assert.equal("rille rille.core rille.failure rille.printable", loaded)
  end)
end)
