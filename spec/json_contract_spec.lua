--- json_contract_spec.lua -- the C contract of json.h through spec/support/json_check.c, processes with
--- other seeds and locales, and the public JSONTestSuite where it stands beside the project.
local core = require "rille.core"
local entries = require "spec.support.entries"
local json = require "rille.json"
local uv = core.uv()

local encode, decode = json.encode, json.decode


--- The interpreter that runs this spec.
local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end


--- Runs a chunk in a process of its own and returns what it printed.
local function run_chunk(chunk, environment)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(chunk)
  file:close()
  local line <const> = "LD_PRELOAD=\"$RILLE_PRELOAD\" %s ASAN_OPTIONS=detect_leaks=0 '%s' '%s'"
  local pipe = assert(io.popen(line:format(environment or "", interpreter(), path)))
  local printed = pipe:read("a")
  pipe:close()
  os.remove(path)
  return printed
end


describe("rille.json.encode", function()
  it("gives the same bytes in every process", function()
    local chunk = [[
      local json = require "rille.json"
      local t = {}
      for i = 1, 60 do t["key" .. i] = { b = i, a = { z = 1, y = 2, x = { i } } } end
      io.write(json.encode(t))
    ]]
    local first = run_chunk(chunk)
    assert.matches('^{"key1":{"a":{"x":%[1%],"y":2,"z":1},"b":1},"key10":', first)
    assert.equal(first, run_chunk(chunk))
    assert.equal(first, run_chunk(chunk))
  end)
end)


--- LD_PRELOAD is the sanitizer's, which the compiler does not want.
local function sh(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD sh -c '" .. command .. "' 2>&1"))
  local printed = pipe:read("a")
  return pipe:close(), printed
end


--- Compiles a driver of spec/support together with files of runtime, their malloc renamed. Returns its path.
local function compile(driver, names, libraries)
  local program, sources = os.tmpname(), {}
  for name in names:gmatch("%S+") do sources[#sources + 1] = "runtime/" .. name .. ".c" end
  local ok, printed = sh(("${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -Iruntime "
    .. "-Dmalloc=check_malloc -Drealloc=check_realloc -Dfree=check_free $(pkg-config --cflags %s) "
    .. "spec/support/%s.c %s -o %s $(pkg-config --libs %s) -lm")
    :format(libraries, driver, table.concat(sources, " "), program, libraries))
  assert(ok, printed)
  return program
end


local SOURCES <const> = "json json_build names json_write tree text guard utf8 decimal base64 transcript buf err"


describe("the C contract of json.h", function()
  local driver

  setup(function() driver = compile("json_check", SOURCES, "libcjson") end)

  teardown(function() os.remove(driver) end)

  for name, behaviour in pairs {
    carried = "carries what cJSON cannot, and writes it plain",
    integers = "reads and makes exact integers",
    first = "finds the first of several values",
    prefixes = "looks at no byte beyond the end",
    limits = "keeps the limits it was given",
    text = "turns plain bytes into carried text and back",
    duplicates = "finds duplicate keys in small and large objects",
    base64 = "decodes base64 byte by byte",
    trees = "builds the trees that cJSON would build",
    passing = "copies what is kept of a block that goes soon",
    names = "knows the names that nearly every reply has",
    mixed = "mixes items of a block with items of their own",
    ends = "reads no number beyond the end",
    faults = "survives the failure of every allocation, once and for ever",
  } do
    it(behaviour, function()
      local ok, printed = sh(driver .. " " .. name)
      assert.equal("", printed)
      assert.is_true(ok)
    end)
  end
end)


describe("JSON and transcripts between Lua and C", function()
  it("lose no block when any allocation fails", function()
    local _, lua_package = sh "for p in lua5.4 lua-5.4 lua54 lua; do pkg-config --exists $p && echo $p && break; done"
    local driver = compile("lua_json_check", SOURCES .. " span lua_json lua_json_encode lua_plain lua_transcript",
      "libcjson libuv " .. lua_package:match("%S+"))
    local ok, printed = sh(driver)
    os.remove(driver)
    assert.equal("", printed)
    assert.is_true(ok)
  end)
end)


describe("rille.json under a locale with a decimal comma", function()
  local directory

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(uv.fs_mkdir(directory, 448))
    os.execute(("localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1"):format(directory))
  end)

  teardown(function() os.execute("rm -rf '" .. directory .. "'") end)

  it("reads and writes numbers with a point", function()
    local printed = run_chunk([[
      if not os.setlocale("de_DE.UTF-8") then return print "none" end
      local json = require "rille.json"
      local value = json.decode("[0.5,-1.25e-3,1]")
      print(string.format("%.1f", 0.5), json.encode(value), value[1] == 1 / 2, json.encode { 0.1, 1e300, 5e-324 },
        json.decode("0." .. ("3"):rep(100)) == 1 / 3, json.decode("1e-400") == 0)
    ]], ("LOCPATH='%s'"):format(directory))
    if printed == "none\n" then return pending("no locale with a comma can be made here") end
    assert.equal("0,5\t[0.5,-0.00125,1]\ttrue\t[0.1,1e+300,5e-324]\ttrue\ttrue\n", printed)
  end)
end)


describe("JSONTestSuite", function()
  local directory = (os.getenv "RILLE_SHARED" or "../shared") .. "/json-tests"
  if not entries(directory)() then
    pending("stands at " .. directory .. " (RILLE_SHARED says where else)")
    return
  end

  local function read(name)
    local file = assert(io.open(directory .. "/" .. name, "rb"))
    local text = file:read("a")
    file:close()
    return text
  end

  local names = { y = {}, n = {}, i = {} }
  for name in entries(directory) do
    local kind = name:match "^([yni])_.*%.json$"
    if kind then table.insert(names[kind], name) end
  end

  it("accepts every y_ and reads its own text back as the same value", function()
    assert.is_true(#names.y > 90)
    for _, name in ipairs(names.y) do
      local value, failure = decode(read(name))
      assert(failure == nil, name .. ": " .. tostring(failure))
      assert.same(value, decode(encode(value)))
    end
  end)

  it("rejects every n_", function()
    assert.is_true(#names.n > 180)
    for _, name in ipairs(names.n) do
      local _, failure = decode(read(name))
      assert(failure ~= nil, name .. " was accepted")
    end
  end)

  it("survives every i_", function()
    assert.is_true(#names.i > 30)
    for _, name in ipairs(names.i) do
      local value, failure = decode(read(name))
      assert(failure ~= nil or value ~= nil, name)
    end
  end)
end)
