--- blocks_spec.lua -- the C contract of blocks.h through spec/support/blocks_check.c, and a runtime that lives on it.
local process = require "rille.process"
local program = require "spec.support.program"


--- LD_PRELOAD is the sanitizer's, which the compiler does not want.
local function sh(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD sh -c '" .. command .. "' 2>&1"))
  local printed = pipe:read("a")
  return pipe:close(), printed
end


describe("the C contract of blocks.h", function()
  local driver

  setup(function()
    driver = os.tmpname()
    local ok, printed = sh(("${CC:-cc} -std=c11 -O1 -Iruntime -Dmalloc=check_malloc -Drealloc=check_realloc "
      .. "-Dfree=check_free spec/support/blocks_check.c runtime/blocks.c -o %s"):format(driver))
    assert(ok, printed)
  end)

  teardown(function() os.remove(driver) end)

  for name, behaviour in pairs {
    churn = "keeps the bytes of every block, whatever size it takes",
    faults = "leaves a block as it is when memory is missing",
    reuse = "takes what was freed last",
    bound = "holds no more than was ever alive at once",
    growth = "keeps a block in its place while it has the room",
    shrink = "never refuses to make a block smaller",
  } do
    it(behaviour, function()
      local ok, printed = sh(driver .. " " .. name)
      assert.equal("", printed)
      assert.is_true(ok)
    end)
  end
end)


describe("the memory of a program", function()
  --- The most memory that a script had, in KB.
  local function peak_of(lines)
    local result = assert(process.run { program.path, "-e", lines .. ' print(require("rille").uv.getrusage().maxrss)',
      env = { ASAN_OPTIONS = "quarantine_size_mb=1:detect_leaks=0" } })   -- a sanitizer keeps what was freed
    assert.equal("", result.stderr)
    return tonumber(result.stdout)
  end

  it("does not grow with the objects that were made and dropped", async(function()
    local churn = 'for i = 1, %d do local t = { tostring(i), { i, i }, function() return i end } assert(t[2][1] == i) end'
    local few, many = peak_of(churn:format(100000)), peak_of(churn:format(3000000))
    assert.is_true(many < few + 1500, ("%d KB, then %d KB"):format(few, many))
  end))
end)
