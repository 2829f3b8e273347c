--- wire_faults_spec.lua -- the decoder when memory is missing: every allocation of every recorded reply fails once.
local entries = require "spec.support.entries"

local SOURCES <const> = "message again response response_again choice delta calls calls_end arguments extras text span tree reply_error "
  .. "error_body reply_head canonical base64 sse json json_build names json_write guard utf8 decimal buf err"

local DIRECTORY <const> = "spec/fixtures/wire"


--- LD_PRELOAD is the sanitizer's, which the compiler does not want.
local function sh(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD sh -c '" .. command .. "' 2>&1"))
  local printed = pipe:read "a"
  return pipe:close(), printed
end


--- Compiles spec/support/message_check.c with the decoder. Returns the program's path.
local function compile()
  local program, files = os.tmpname(), {}
  for name in SOURCES:gmatch "%S+" do files[#files + 1] = "runtime/" .. name .. ".c" end
  local ok, printed = sh(("${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -Iruntime -Dmalloc=check_malloc "
    .. "-Drealloc=check_realloc -Dcalloc=check_calloc -Dfree=check_free $(pkg-config --cflags libcjson) "
    .. "spec/support/message_check.c %s -o %s $(pkg-config --libs libcjson) -lm"):format(table.concat(files, " "), program))
  assert(ok, printed)
  return program
end


--- The recorded replies that end like this.
local function replies(pattern)
  local out = {}
  for name in entries(DIRECTORY) do
    local is_reply = not name:find "%.expected%." and not name:find "%.splits%." and not name:find "%.md$"
    if is_reply and not name:find "large" and name:find(pattern) then out[#out + 1] = DIRECTORY .. "/" .. name end
  end
  table.sort(out)
  return out
end


describe("the decoder without memory", function()
  local program

  setup(function() program = compile() end)
  teardown(function() os.remove(program) end)

  local function check(status, files)
    assert.is_true(#files > 10)
    local ok, printed = sh(("%s %d %s"):format(program, status, table.concat(files, " ")))
    assert.equal("", printed)
    assert.is_true(ok)
  end

  it("says so or decodes the stream, and keeps no block", function() check(200, replies "%.sse$") end)

  it("says so or decodes the body, and keeps no block", function() check(200, replies "^body_") end)

  it("says so or reads the error, and keeps no block", function() check(429, replies "^error_") end)
end)
