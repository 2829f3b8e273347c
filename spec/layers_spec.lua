--- layers_spec.lua -- arrows point down: reads the #include, require and lazy lines and the rooms of ARCHITECTURE.md.
local source = require "spec.support.source"

-- ---------------------------------------------------------------------------------- C

--- Files that are named stand in their room; every other file of runtime/ is wire.
local c_rooms <const> = {
  main = "program", rille = "host", rille_agent = "host", host = "host", module = "seam",
  task = "engine", wait = "engine", stop = "engine", engine = "engine", shield = "engine", interrupt = "engine", sandbox = "engine",
  buf = "base", err = "base", blocks = "base",
}

local c_below <const> = {
  program = { "host" },
  host = { "host", "seam", "engine", "base" },
  seam = { "seam", "engine", "wire", "base" },
  engine = { "engine", "base" },
  wire = { "wire", "base" },
  base = { "base" },
}

--- Which libraries a room may see, besides libc.
local c_libraries <const> = {
  program = {}, host = { "lua" }, seam = { "lua", "luv", "uv", "pcre2", "cjson" },
  engine = { "lua", "uv" }, wire = { "uv", "curl", "cjson" }, base = {},
}

local function c_room(path)
  local name = path:match "([%w_]+)%.[ch]$"
  if name:find "^lua_" then return "seam" end
  return c_rooms[name] or "wire"
end

local function library_of(header)
  if header:find "^lua" and header ~= "luv/luv.h" and not header:find "^luv/" then return "lua" end
  return header:match "^(luv)/" or header:match "^(curl)/" or header:match "^(cjson)/"
    or header:match "^(uv)%.h$" or header:match "^(pcre2)%.h$"
end

local function contains(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then return true end
  end
  return false
end

--- Includes of a C file that its room does not allow.
local function c_complaints(path, text)
  local complaints, room = {}, c_room(path)
  for header in text:gmatch '#%s*include%s+"([^"]+)"' do
    local other = c_room(header)
    if not contains(c_below[room], other) then
      complaints[#complaints + 1] = ("%s (%s) includes %s (%s)"):format(path, room, header, other)
    end
  end
  for header in text:gmatch "#%s*include%s+<([^>]+)>" do
    local library = library_of(header)
    if library and not contains(c_libraries[room], library) then
      complaints[#complaints + 1] = ("%s (%s) includes <%s>"):format(path, room, header)
    end
  end
  return complaints
end


-- -------------------------------------------------------------------------------- Lua

--- Modules that are named stand in their room, with everything below their name; every other module is domain.
local lua_rooms <const> = {
  [0] = { "rille.core" },
  { "failure", "lazy", "log", "options", "printable", "time", "uv", "await", "task", "process", "fs",
    "http", "json", "transcript" },
  {},   -- domain
  { "script", "mock", "httpd" },
  { "cli", "embed", "init", "testing" },
}

local room_names <const> = { [0] = "core", "basics", "domain", "protocols", "programs" }

local function lua_room(module)
  if module == "rille" then return 4 end
  local noun = module:match "^rille%.([%w_]+)"
  if noun == "core" then return 0 end
  for number = 1, 4 do
    if contains(lua_rooms[number], noun) then return number end
  end
  return 2
end

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

--- Requires of a Lua module that point up. The public table loads its modules by name, which is its purpose.
local function lua_complaints(path, text)
  if path:find "/_meta/" then return {} end   -- declarations: no program loads them
  local complaints, module = {}, module_of(path)
  local room = lua_room(module)
  text = text:gsub("%-%-[^\n]*", "")
  for _, word in ipairs { "require", "lazy" } do
    for other in text:gmatch("%f[%w_]" .. word .. '%s*%(?%s*"(rille[%w_.]*)"') do
      if lua_room(other) > room then
        complaints[#complaints + 1] = ("%s (%s) requires %s (%s)"):format(module, room_names[room], other,
          room_names[lua_room(other)])
      end
    end
  end
  return complaints
end

--- Every complaint of `check` about the files below a directory.
local function complaints_of(directory, pattern, check)
  local all = {}
  for _, path in ipairs(source.files(directory, pattern)) do
    table.move(check(path, source.read(path)), 1, 1000, #all + 1, all)
  end
  return all
end


describe("the rooms of runtime/", function()
  it("include only what is below them", function()
    assert.same({}, complaints_of("runtime", "%.[ch]$", c_complaints))
  end)

  it("would fail on an arrow that points up", function()
    assert.same({ "runtime/http.c (wire) includes task.h (engine)" },
      c_complaints("runtime/http.c", '#include "buf.h"\n#include "task.h"\n'))
    assert.same({ "runtime/sse.h (wire) includes <lua.h>" }, c_complaints("runtime/sse.h", "#include <lua.h>\n"))
    assert.same({ "runtime/main.c (program) includes lua_core.h (seam)" },
      c_complaints("runtime/main.c", '#include "rille.h"\n#include "lua_core.h"'))
    assert.same({ "runtime/buf.h (base) includes json.h (wire)" }, c_complaints("runtime/buf.h", '#include "json.h"'))
    assert.same({}, c_complaints("runtime/lua_http.c", '#include "http.h"\n#include <lua.h>\n#include <uv.h>'))
  end)

  it("let an embedder include rille.h alone", function()
    for header in source.read("runtime/rille.h"):gmatch "#%s*include%s+(%S+)" do
      assert.truthy(header:find "^<std", header)
    end
  end)
end)


describe("the rooms of lua/rille/", function()
  it("require only what is below them", function()
    assert.same({}, complaints_of("lua/rille", "%.lua$", lua_complaints))
  end)

  it("would fail on an arrow that points up", function()
    assert.same({ "rille.json (basics) requires rille.agent (domain)" },
      lua_complaints("lua/rille/json.lua", 'local agent = require "rille.agent"'))
    assert.same({ "rille.dispatch.calls (domain) requires rille.mock (protocols)" },
      lua_complaints("lua/rille/dispatch/calls.lua", 'require("rille.mock").serve()'))
    assert.same({ "rille.agent (domain) requires rille (programs)" },
      lua_complaints("lua/rille/agent.lua", 'local rille = require "rille"'))
    assert.same({ "rille.json (basics) requires rille.agent (domain)" },
      lua_complaints("lua/rille/json.lua", 'local agent = lazy "rille.agent"'))
    assert.same({}, lua_complaints("lua/rille/cli/ask.lua", 'require "rille.agent" require "rille.cli.run"'))
  end)
end)


--- The code of a C file without comments and texts.
local function bare(path)
  local text = source.read(path):gsub("/%*.-%*/", ""):gsub('"[^"\n]*"', '""')
  return text
end

--- Files below runtime/ that call a function, and how often in all.
local function callers(name)
  local files, count = {}, 0
  for _, path in ipairs(source.files("runtime", "%.[ch]$")) do
    local _, found = bare(path):gsub("%f[%w_]" .. name .. "%s*%(", "")
    if found > 0 then files[#files + 1] = path end
    count = count + found
  end
  return files, count
end


describe("the invariants", function()
  it("have one lua_resume in the whole program", function()
    local files, count = callers "lua_resume"
    assert.same({ "runtime/task.c" }, files)
    assert.equal(1, count)
  end)

  it("let only the program print and exit", function()
    for _, name in ipairs { "printf", "puts", "fputs", "exit", "abort", "perror" } do
      for _, path in ipairs((callers(name))) do assert.equal("runtime/main.c", path, name) end
    end
    for _, path in ipairs((callers "fprintf")) do assert.equal("runtime/main.c", path) end
  end)

  it("let only rille.log write to stderr, and nobody in the library to stdout", function()
    for _, path in ipairs(source.files("lua/rille", "%.lua$")) do
      if not path:find "^lua/rille/cli" and not path:find "/_meta/" then
        local text = source.read(path):gsub("%-%-[^\n]*", "")
        assert.falsy(text:find "%f[%w_.]print%s*%(", path)
        assert.falsy(text:find "io%.write" or text:find "io%.stdout" or text:find "os%.exit", path)
        if path ~= "lua/rille/log.lua" then assert.falsy(text:find "io%.stderr", path) end
      end
    end
  end)

  it("keep curl_multi in one file", function()
    for _, path in ipairs(source.files("runtime", "%.c$")) do
      if bare(path):find "curl_multi_" then assert.equal("runtime/http_multi.c", path) end
    end
  end)
end)
