--- docs_spec.lua -- the documentation is there and true as far as a machine can tell.
local core = require "rille.core"
local source = require "spec.support.source"

local function lua_files()
  local files = {}
  for _, path in ipairs(source.files("lua/rille", "%.lua$")) do
    if not path:find "/_meta/" then files[#files + 1] = path end
  end
  return files
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

--- Names that are in one set and not in the other.
local function difference(a, b)
  local missing = {}
  for name in pairs(a) do
    if b[name] == nil and not name:find "^__" then missing[#missing + 1] = name end
  end
  table.sort(missing)
  return missing
end


-- ------------------------------------------------------------------------------- rille.core

--- What _meta/core.lua declares: { [""] = names of the module, Task = methods, … }.
local function declared()
  local names = { [""] = {} }
  for _, line in ipairs(source.lines "lua/rille/_meta/core.lua") do
    local field = line:match "^function core%.([%w_]+)%(" or line:match "^core%.([%w_]+) ="
    if field then names[""][field] = true end
    local class, method = line:match "^function ([%w_]+):([%w_]+)%("
    if class then
      names[class] = names[class] or {}
      names[class][method] = true
    end
  end
  return names
end

--- Names of methods that an object has not, among those that are declared for its class.
local function missing_methods(class, object)
  local missing = {}
  for name in pairs(declared()[class]) do
    if type(object[name]) ~= "function" then missing[#missing + 1] = name end
  end
  return missing
end

describe("lua/rille/_meta/core.lua", function()
  it("declares everything that rille.core has", function()
    assert.same({}, difference(core, declared()[""]))
  end)

  it("declares nothing that rille.core has not", function()
    local present = {}
    for name in pairs(core) do present[name] = true end
    assert.same({}, difference(declared()[""], present))
  end)

  it("declares the methods of its objects", async(function()
    local task = core.spawn(function() end)
    local objects = { Task = task, Op = core.op(), Transcript = core.transcript() }
    for class, object in pairs(objects) do
      assert.same({}, missing_methods(class, object), class)
      local methods = debug.getmetatable(object).__index   -- of tasks it is hidden
      if type(methods) == "table" then assert.same({}, difference(methods, declared()[class]), class) end
    end
    task:join()
  end))
end)


-- ------------------------------------------------------------------------- the public Lua functions

--- Functions of a file with the comment above them and their body.
local function functions_of(path)
  local found, comment, current = {}, {}, nil
  for number, line in ipairs(source.lines(path)) do
    local name, arguments = line:match "^function ([%w_.:]+)%((.-)%)"
    if name then
      current = { name = name, arguments = arguments, comment = comment, body = {}, place = path .. ":" .. number }
      found[#found + 1] = current
      if line:find "%f[%w_]end%s*$" then
        current.body[1] = line
        current = nil
      end
    elseif line == "end" then
      current = nil
    elseif current then
      current.body[#current.body + 1] = line
    end
    if line:find "^%-%-%-" then
      comment[#comment + 1] = line
    else
      comment = {}
    end
  end
  return found
end

--- Is this a function for users: of the module, or a method of a class that the API names?
local function is_public(entry, text)
  local owner, last = entry.name:match "^([%w_]+)[.:]([%w_]+)$"
  if not owner or last:find "^_" then return false end
  return owner:find "^%l" or text:find("@class rille%." .. owner .. "%f[^%w_]")
end

--- What a function's comment lacks.
local function gaps(entry)
  local comment, missing = table.concat(entry.comment, "\n"), {}
  if not comment:find "%-%-%-%s*[^@%s]" then missing[#missing + 1] = "says nothing" end
  for argument in entry.arguments:gmatch "[%w_.]+" do
    local pattern = argument == "..." and "@param %.%.%." or "@param " .. argument .. "%f[^%w_]"
    if argument ~= "_" and argument ~= "self" and not comment:find(pattern) then
      missing[#missing + 1] = "no @param " .. argument
    end
  end
  local returns = false
  for _, line in ipairs(entry.body) do
    if line:find "^  return [^%s]" or line:find "^    return [^%s]" then returns = true end
  end
  if returns and not comment:find "@return" then missing[#missing + 1] = "no @return" end
  return missing
end

local function complaints(paths)
  local list = {}
  for _, path in ipairs(paths) do
    local text = source.read(path)
    for _, entry in ipairs(functions_of(path)) do
      local missing = is_public(entry, text) and gaps(entry) or {}
      if #missing > 0 then
        list[#list + 1] = ("%s %s: %s"):format(entry.place, entry.name, table.concat(missing, ", "))
      end
    end
  end
  return list
end

--- Files of the modules that `require "rille"` hands out.
local function public_files()
  local files, seen = {}, {}
  for module in source.read("lua/rille/init.lua"):gmatch '"rille%.([%w_]+)"' do
    local path = "lua/rille/" .. module .. ".lua"
    if not seen[path] and module ~= "core" then files[#files + 1] = path end
    seen[path] = true
  end
  return files
end

describe("public Lua functions", function()
  it("say what they do, what they take and what they return", function()
    assert.same({}, complaints(public_files()))
  end)

  it("would be complained about without", function()
    local entry = { name = "x.f", arguments = "a, ...", comment = { "--- Does it." }, body = { "  return 1" } }
    assert.same({ "no @param a", "no @param ...", "no @return" }, gaps(entry))
    entry.comment = { "--- Does it.", "---@param a any", "---@param ... any", "---@return integer" }
    assert.same({}, gaps(entry))
  end)
end)


-- ------------------------------------------------------------------------------------ C headers

--- Declarations of a header that no comment stands on: a comment covers the group right below it.
local function bare_declarations(path)
  local list, covered, in_comment, in_body = {}, false, false, 0
  for number, line in ipairs(source.lines(path)) do
    if line:find "^%s*/%*" then
      in_comment, covered = true, true
    elseif not in_comment and in_body == 0 and line:find "^[%a]" and line:find "rille" and not line:find "^extern" then
      if not covered then list[#list + 1] = ("%s:%d: %s"):format(path, number, line) end
    elseif line == "" and in_body == 0 then
      covered = false
    end
    if line:find "%*/" then in_comment = false end
    if not in_comment then
      in_body = in_body + select(2, line:gsub("{", "")) - select(2, line:gsub("}", ""))
      if line:find '^extern "C"' then in_body = in_body - 1 end
      if in_body < 0 then in_body = 0 end
    end
  end
  return list
end

describe("runtime/rille.h", function()
  it("comments every declaration", function()
    assert.same({}, bare_declarations "runtime/rille.h")
  end)
end)


-- ---------------------------------------------------------------------------------- every file

--- The comment that opens a C file, as lines.
local function c_head(lines)
  local head = {}
  for _, line in ipairs(lines) do
    head[#head + 1] = line
    if line:find "%*/" then break end
  end
  return head
end

local function lua_head(lines)
  local head = {}
  for i, line in ipairs(lines) do
    if not line:find "^%-%-" and not (i == 1 and line:find "^#!") then break end
    head[#head + 1] = line
  end
  return head
end

--- Files that are allowed more, with how much: the public header opens with an example.
local longer_head <const> = { ["runtime/rille.h"] = 20, ["runtime/task.h"] = 18 }

describe("every source file", function()
  it("opens with its name and what it is, in at most 12 lines", function()
    local bad = {}
    for _, path in ipairs(source.files("runtime", "%.[ch]$")) do
      local head, name = c_head(source.lines(path)), path:match "[^/]+$"
      if not head[1]:find("/* " .. name .. " -- ", 1, true) or #head > (longer_head[path] or 12) then
        bad[#bad + 1] = path
      end
    end
    for _, path in ipairs(lua_files()) do
      local head = lua_head(source.lines(path))
      if #head == 0 or #head > 12 or not head[1]:find "^%-%-%- [%w_./]+ %-%- " then bad[#bad + 1] = path end
    end
    assert.same({}, bad)
  end)

  it("is short: C at most 500 lines, Lua at most 300", function()
    local bad = {}
    for _, path in ipairs(source.files("runtime", "%.[ch]$")) do
      local count = #source.lines(path)
      if count > 500 then bad[#bad + 1] = ("%s: %d"):format(path, count) end
    end
    for _, path in ipairs(lua_files()) do
      local count = #source.lines(path)
      if count > 300 then bad[#bad + 1] = ("%s: %d"):format(path, count) end
    end
    assert.same({}, bad)
  end)
end)

--- Functions of more than 60 lines: from a line that opens one to the line that closes it.
local function long_functions(path, opens, closes)
  local list, from = {}, nil
  for number, line in ipairs(source.lines(path)) do
    if line:find(opens) then
      from = number
    elseif from and line:find(closes) then
      if number - from + 1 > 60 then list[#list + 1] = ("%s:%d: %d lines"):format(path, from, number - from + 1) end
      from = nil
    end
  end
  return list
end

describe("every function", function()
  it("has at most 60 lines", function()
    local bad = {}
    for _, path in ipairs(source.files("runtime", "%.c$")) do
      table.move(long_functions(path, "^{", "^}"), 1, 100, #bad + 1, bad)
    end
    for _, path in ipairs(lua_files()) do
      table.move(long_functions(path, "^local function ", "^end"), 1, 100, #bad + 1, bad)
      table.move(long_functions(path, "^function ", "^end"), 1, 100, #bad + 1, bad)
    end
    assert.same({}, bad)
  end)
end)


-- ------------------------------------------------------------------------------------- the manual

local function pages()
  local list = { "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md" }
  table.move(source.files("docs", "%.md$"), 1, 1000, #list + 1, list)
  return list
end

--- Fenced blocks of a page in one language, with the line they begin at.
local function snippets(path, language)
  local list, current = {}, nil
  for number, line in ipairs(source.lines(path)) do
    if current and line:find "^```%s*$" then
      list[#list + 1] = current
      current = nil
    elseif current then
      current.text = current.text .. line .. "\n"
    elseif line:find("^```" .. language .. "%s*$") then
      current = { line = number, text = "" }
    end
  end
  return list
end

describe("the manual", function()
  it("has Lua snippets that parse", function()
    local count = 0
    for _, path in ipairs(pages()) do
      for _, snippet in ipairs(snippets(path, "lua")) do
        local text = snippet.text
        local chunk, message = load(text, ("=%s:%d"):format(path, snippet.line))
        assert.truthy(chunk, message)
        count = count + 1
      end
    end
    assert.is_true(count > 10)
  end)

  it("has links that lead somewhere", function()
    for _, path in ipairs(pages()) do
      local directory = path:match "^(.*/)" or ""
      for link in source.read(path):gmatch "%]%(([^)%s]+)%)" do
        local target = link:match "^[^#]*"
        if target ~= "" and not target:find "^%a+:" then
          local handle = io.open(directory .. target, "rb")
          assert.truthy(handle, ("%s links to %s"):format(path, link))
          handle:close()
        end
      end
    end
  end)

  it("names both commands at the top of README.md", function()
    local top = source.read("README.md"):sub(1, 1500)
    assert.truthy(top:find("make demo", 1, true))
    assert.truthy(top:find("make test", 1, true))
  end)

  it("has a page about every public name", function()
    local manual = ""
    for _, path in ipairs(source.files("docs", "%.md$")) do manual = manual .. source.read(path) end
    local init = source.read "lua/rille/init.lua"
    for name in init:match("local public <const> = {(.-)\n}"):gmatch "\n  ([%w_]+) = " do
      assert.truthy(manual:find("rille." .. name, 1, true), "rille." .. name)
    end
    assert.truthy(manual:find("rille.chat.completions.create", 1, true))
  end)

  it("names every command and every flag of the program", function()
    local cli, page = require "rille.cli", source.read "docs/cli.md"
    for _, name in ipairs(cli.order) do
      assert.truthy(page:find("rille " .. name, 1, true), name)
      for _, row in ipairs(cli.command(name).flags) do
        assert.truthy(page:find("--" .. row[1], 1, true), ("%s --%s"):format(name, row[1]))
      end
    end
  end)

  it("names every failure code", function()
    local page = source.read "docs/errors.md"
    for _, code in ipairs(require("rille.failure").codes) do
      assert.truthy(page:find("`" .. code .. "`", 1, true), code)
    end
  end)

  it("names every provider", function()
    local page = source.read "docs/providers.md"
    for _, name in ipairs(sorted_keys(require("rille.profiles").rows)) do
      assert.truthy(page:find("`" .. name .. "`", 1, true), name)
    end
  end)

  it("names no source file that does not exist", function()
    local count = 0
    for _, path in ipairs(pages()) do
      for file in source.read(path):gmatch "%f[%w_/.][%w_/]+%.[ch]%f[^%w_.]" do
        local room = file:match "^(%l+)/"
        if room == "runtime" or room == "spec" or room == "examples" then
          count = count + 1
          assert.truthy(io.open(file, "rb"), path .. ": " .. file)
        end
      end
      for file in source.read(path):gmatch "%f[%w_/.]lua/rille/[%w_/]+%.lua" do
        count = count + 1
        assert.truthy(io.open(file, "rb"), path .. ": " .. file)
      end
    end
    assert.is_true(count >= 10, count .. " files named")
  end)
end)
