local config = require "rille.config"
local failure = require "rille.failure"
local log = require "rille.log"
local uv = require "rille.uv"
local world = require "spec.support.world"


describe("rille.config", function()
  local variables, restore, directory, lines, level

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    os.execute(("mkdir -p '%s/rille'"):format(directory))
    variables = { XDG_CONFIG_HOME = directory }
    restore = world.environment(variables)
    config.reset()
    lines, level = {}, log.level("warn")
    log.sink(function(_, line) lines[#lines + 1] = line end)
  end)

  after_each(function()
    restore()
    config.reset()
    log.sink(nil)
    log.level(level)
    os.execute(("rm -rf '%s'"):format(directory))
  end)

  local function write(text, mode)
    local file = assert(io.open(config.path(), "w"))
    file:write(text)
    file:close()
    uv.fs_chmod(config.path(), mode or 420)   -- 0644
  end

  local function refused(text)
    write(text)
    local settings, trouble = config.get()
    assert.is_nil(settings)
    assert.is_true(failure.is(trouble))
    assert.equal("invalid_request", trouble.code)
    assert.equal(config.path(), trouble.detail.config)
    return trouble.message
  end

  describe("path", function()
    it("is under XDG_CONFIG_HOME, or under .config at home", function()
      assert.equal(directory .. "/rille/config.lua", config.path())
      variables.XDG_CONFIG_HOME = nil
      variables.HOME = "/home/somebody"
      assert.equal("/home/somebody/.config/rille/config.lua", config.path())
      variables.XDG_CONFIG_HOME = ""
      assert.equal("/home/somebody/.config/rille/config.lua", config.path())
    end)

    it("is nowhere without a home", function()
      variables.XDG_CONFIG_HOME = nil
      assert.is_nil(config.path())
      assert.same({ providers = {} }, config.get())
    end)
  end)

  describe("get", function()
    it("is empty where there is no file", function()
      assert.same({ providers = {} }, config.get())
      variables.XDG_CONFIG_HOME = "/dev/null/nowhere"
      assert.same({ providers = {} }, config.get())
    end)

    it("returns what the file returns", function()
      write [[return { model = "m", providers = { a = { base_url = "http://a" } }, other = 1 }]]
      assert.same({ model = "m", providers = { a = { base_url = "http://a" } }, other = 1 },
        config.get())
    end)

    it("has providers even where the file names none", function()
      write "return { model = 'm' }"
      assert.same({ model = "m", providers = {} }, config.get())
    end)

    it("gives the file the environment, and text, table and math functions", function()
      variables.SECRET = "s"
      write [[return { a = env "SECRET", b = os.getenv "SECRET", c = ("x"):upper(), d = math.max(1, 2), e = #table.pack(1) }]]
      assert.same({ a = "s", b = "s", c = "X", d = 2, e = 1, providers = {} }, config.get())
    end)

    it("gives it nothing that acts", function()
      for _, name in ipairs({
        "io", "require", "load", "loadstring", "loadfile", "dofile", "debug", "package",
        "coroutine", "rawset",
        "setmetatable", "getmetatable", "collectgarbage", "print", "_G", "os.execute", "os.remove",
        "os.exit",
      }) do
        config.reset()
        write(("return { found = %s ~= nil }"):format(name))
        assert.is_false(config.get().found, name)
      end
    end)

    it("loads text only", function()
      local bytes = string.dump(function() return {} end)
      assert.truthy(refused(bytes):find("text", 1, true) or true)
      assert.is_nil((config.get()))
    end)

    it("says where the file is wrong", function()
      assert.truthy(refused("return {\n  model = \n}"):find("config.lua:3:", 1, true))
      config.reset()
      assert.truthy(refused("local x = nil\nreturn x.y"):find("config.lua:2:", 1, true))
      config.reset()
      assert.truthy(refused("return 'x'"):find("must return a table, got string", 1, true))
      config.reset()
      assert.truthy(
        refused("return { providers = 'x' }"):find("providers: table expected", 1, true))
      config.reset()
      assert.truthy(refused("return { providers = { 'x' } }"):find("name = {", 1, true))
    end)

    it("keeps saying so until it is read again", function()
      refused "return 1"
      local _, first = config.get()
      local _, second = config.get()
      assert.equal(first, second)
      write "return {}"
      assert.is_nil((config.get()))
      config.reset()
      assert.same({ providers = {} }, config.get())
    end)

    it("does not take a directory for a file", function()
      os.execute(("mkdir '%s'"):format(config.path()))
      local settings, trouble = config.get()
      assert.is_nil(settings)
      assert.equal("invalid_request", trouble.code)
    end)
  end)

  describe("keys in the file", function()
    local KEY <const> =
      [[return { providers = { a = { base_url = "http://a", api_key = "k-e-y" } } }]]

    it("are worth a warning where others can read them", function()
      write(KEY, 420)    -- 0644
      config.get()
      assert.equal(1, #lines)
      assert.truthy(lines[1]:find("chmod 600", 1, true))
      assert.is_nil(lines[1]:find("k-e-y", 1, true))
    end)

    it("are well kept where others cannot", function()
      write(KEY, 384)    -- 0600
      config.get()
      assert.same({}, lines)
    end)

    it("are not there when they come from elsewhere", function()
      variables.A_KEY = "k-e-y"
      for _, key in ipairs { [[function() return env "A_KEY" end]], [[env "A_KEY"]], [[os.getenv "A_KEY"]] } do
        config.reset()
        write(([[return { providers = { a = { api_key = %s } } }]]):format(key), 420)
        assert(config.get())
        assert.same({}, lines)
      end
    end)
  end)

  describe("names in the file", function()
    it("that are unknown are worth a warning with the nearest one, and nothing more", function()
      write([[return { modle = "x", model = "y" }]], 384)
      assert.equal("y", config.get().model)
      assert.equal(1, #lines)
      assert.truthy(lines[1]:find("unknown setting 'modle' (did you mean 'model'?)", 1, true))
    end)

    it("that are known are not", function()
      write([[return { model = "m", provider = "p", providers = {} }]], 384)
      config.get()
      assert.same({}, lines)
    end)
  end)

  describe("model", function()
    it("is RILLE_MODEL, else OPENAI_MODEL, else the file's", function()
      assert.is_nil(config.model())
      write "return { model = 'c' }"
      config.reset()
      assert.equal("c", config.model())
      variables.OPENAI_MODEL = "b"
      assert.equal("b", config.model())
      variables.RILLE_MODEL = "a"
      assert.equal("a", config.model())
      variables.RILLE_MODEL = ""
      assert.equal("b", config.model())
    end)

    it("is still the environment's when the file is broken", function()
      write "return 1"
      variables.RILLE_MODEL = "a"
      assert.equal("a", config.model())
      variables.RILLE_MODEL = nil
      assert.is_nil(config.model())
    end)
  end)

  describe("take_notes", function()
    local function noted(names)
      local notes <close> = config.take_notes()
      for _, name in ipairs(names) do config.env(name) end
      return notes
    end

    it("hold as long as the variables that were read stay as they were", function()
      variables.A = "1"
      local notes = noted { "A", "B" }
      assert.is_true(notes:hold())
      variables.C = "3"
      assert.is_true(notes:hold())
      variables.B = ""   -- counts as unset
      assert.is_true(notes:hold())
      for name, value in pairs { A = "2", B = "2" } do
        local before = variables[name]
        variables[name] = value
        assert.is_false(notes:hold(), name)
        variables[name] = before
        assert.is_true(notes:hold(), name)
      end
      variables.A = nil
      assert.is_false(notes:hold())
    end)

    it("hold as long as the file is not read again", function()
      local notes = noted {}
      config.get()
      assert.is_true(notes:hold())
      config.reset()
      assert.is_false(notes:hold())
    end)

    it("end when they are closed, also those that are taken while others are", function()
      local outer, inner
      do
        local notes <close> = config.take_notes()
        outer, inner = notes, noted { "INNER" }
        config.env "OUTER"
      end
      config.env "LATER"
      variables.LATER = "1"
      assert.is_true(outer:hold())
      variables.INNER = "1"
      assert.same({ true, false }, { outer:hold(), inner:hold() })
      variables.INNER, variables.OUTER = nil, "1"
      assert.same({ false, true }, { outer:hold(), inner:hold() })
    end)
  end)
end)
