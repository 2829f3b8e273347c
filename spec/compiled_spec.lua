--- compiled_spec.lua -- the Lua library inside the program: all of it, with its lines, and replaceable.
local process = require "rille.process"
local program = require "spec.support.program"
local source = require "spec.support.source"

--- Runs code in the program; the first error ends it.
local function out_of(code, more)
  local result = program.run({ "-e", code }, more)
  assert.equal("", result.stderr)
  return result.stdout
end


--- The arrays of a C file: name → bytes.
local function arrays_of(text)
  local arrays = {}
  for name, numbers in text:gmatch "static const unsigned char ([%w_]+)%[%] = {(.-)};" do
    local bytes = {}
    for number in numbers:gmatch "%d+" do bytes[#bytes + 1] = string.char(number) end
    bytes[#bytes] = nil   -- the NUL
    arrays[name] = table.concat(bytes)
  end
  return arrays
end


describe("the library that is compiled in", function()
  it("has every module", async(function()
    local names = {}
    for _, path in ipairs(source.files("lua/rille", "%.lua$")) do
      if not path:find "/_meta/" then
        names[#names + 1] = ("%q"):format(path:gsub("^lua/", ""):gsub("%.lua$", "")
          :gsub("/init$", ""):gsub("/", "."))
      end
    end
    local code = "for _, name in ipairs { %s } do require(name) end io.write 'all'"
    assert.equal("all", out_of(code:format(table.concat(names, ","))))
  end))

  it("keeps names and lines for messages", async(function()
    local code = [[
      local info = debug.getinfo(require("rille.options").check, "Sl")
      print(info.short_src, info.linedefined)
      print(select(2, pcall(require("rille.options").check, { x = 1 }, {}, "f", 0)))
    ]]
    local line
    for i, text in ipairs(source.lines "lua/rille/options.lua") do
      if text:find("function options.check(", 1, true) then line = i end
    end
    local where, message = out_of(code):match "^(.-)\n(.-)\n"
    assert.equal("rille/options.lua\t" .. line, where)
    assert.matches("^rille/options%.lua:%d+: f: unknown option 'x'", message)
  end))

  it("keeps the names of upvalues, and drops those of locals", async(function()
    local code = [[
      local check = require("rille.options").check
      print(debug.getupvalue(check, 1), debug.getlocal(check, 1))
    ]]
    assert.matches("^[%a_]+\t", out_of(code))
    assert.matches("\tnil\n$", out_of(code))
    assert.matches("\tt\n$", out_of(code, { env = { RILLE_PATH = "lua" } }))
  end))

  it("loads without a collection", async(function()
    local code = [[
      local collected
      setmetatable({}, { __gc = function() collected = true end })
      require "rille.agent"
      print(collected)
    ]]
    assert.equal("nil\n", out_of(code))
  end))

  it("gives way to RILLE_PATH", async(function()
    local code = "print(debug.getinfo(require('rille.options').check, 'S').short_src)"
    assert.equal("lua/rille/options.lua\n", out_of(code, { env = { RILLE_PATH = "lua" } }))
    assert.equal("rille/options.lua\n", out_of(code, { env = { RILLE_PATH = "/nonexistent" } }))
  end))

  it("stands there compiled and as text", async(function()
    local made = assert(process.run { arg[-1] or "lua5.4", "runtime/embed.lua", "lua/rille/json.lua",
      max_bytes = 1 << 24 })
    local arrays = arrays_of(made.stdout)
    assert.equal(table.concat(source.lines "lua/rille/json.lua", "\n") .. "\n", arrays.text_1)
    local chunk = assert(load(arrays.code_1, "", "b"))
    assert.equal("@rille/json.lua", debug.getinfo(chunk, "S").source)
    assert.matches('{"rille.json", "@rille/json.lua", code_1, %d+, text_1, %d+},', made.stdout)
  end))

  it("does what the text says", async(function()
    local paths = { "lua/rille/agent.lua", "lua/rille/limits.lua", "lua/rille/schema/value.lua" }   -- with every kind of constant
    local made = assert(process.run { arg[-1] or "lua5.4", "runtime/embed.lua", paths[1], paths[2], paths[3],
      max_bytes = 1 << 24 })
    local arrays = arrays_of(made.stdout)
    for i = 1, #paths do
      local code, text = assert(load(arrays["code_" .. i], "", "b")), assert(load(arrays["text_" .. i], "", "t"))
      assert.equal(string.dump(text, true), string.dump(code, true))
    end
  end))

  it("keeps chunks whole that are written in another way than known", async(function()
    local other_lua = [[
      local dump, read, place = string.dump, load, 33   -- a byte more behind the header
      function string.dump(f, strip)
        local code = dump(f, strip)
        return code:sub(1, place - 1) .. "\x81" .. code:sub(place)
      end
      function load(code, ...)
        if code:byte() == 27 then
          if code:byte(place) ~= 0x81 then return nil, "bad binary format" end
          code = code:sub(1, place - 1) .. code:sub(place + 1)
        end
        return read(code, ...)
      end
    ]]
    local made = assert(process.run { arg[-1] or "lua5.4", "-e", other_lua, "runtime/embed.lua", "lua/rille/json.lua",
      max_bytes = 1 << 24 })
    assert.equal("", made.stderr)
    local code = assert(arrays_of(made.stdout).code_1)
    local text = table.concat(source.lines "lua/rille/json.lua", "\n") .. "\n"
    assert.equal(string.dump(assert(load(text, "@rille/json.lua", "t"))), code:sub(1, 32) .. code:sub(34))
  end))
end)


describe("the libraries of the program", function()
  --- How the program would be linked.
  local function link_line(more)
    local made = assert(process.run { "env", "-u", "LD_PRELOAD", "-u", "MAKEFLAGS", "make", "-s", "-n", "B=build/nowhere",
      "build/nowhere/rille", table.unpack(more or {}) })
    assert.equal(0, made.code, made.stderr)
    return assert(made.stdout:match "[^\n]*%-Wl,%-E[^\n]*")
  end

  it("are those of the directories that somebody names", async(function()
    assert.is_nil(link_line { "LDFLAGS=-L/nonexistent" }:find "%S+%.a%f[%s\0]")
    assert.is_nil(link_line { "INNER=" }:find "%S+%.a%f[%s\0]")
  end))

  it("are for itself, but for Lua's", async(function()
    local line = link_line()
    for _, name in ipairs { "libpcre2-8.a", "libcjson.a" } do
      assert.equal(line:find("/" .. name, 1, true) ~= nil, line:find("--exclude-libs," .. name, 1, true) ~= nil)
    end
  end))
end)
