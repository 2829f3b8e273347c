--- http_contract_spec.lua -- the C contract of http.h, through spec/support/http_check.c.


--- LD_PRELOAD is the sanitizer's, which the compiler does not want.
local function sh(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD sh -c '" .. command .. "' 2>&1"))
  local printed = pipe:read("a")
  return pipe:close(), printed
end


describe("the C contract of http.h", function()
  local sources <const> = {
    "http", "http_clock", "http_error", "http_head", "http_multi", "http_receive", "http_request", "http_transfer",
    "canned", "buf", "err",
  }
  local program

  setup(function()
    program = os.tmpname()
    local files = "runtime/" .. table.concat(sources, ".c runtime/") .. ".c"
    local ok, printed = sh(("${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -Wall -Wextra -Iruntime "
      .. "-Dmalloc=check_malloc -Dcalloc=check_calloc -Drealloc=check_realloc -Dfree=check_free "
      .. "$(pkg-config --cflags libcurl libuv) spec/support/http_check.c %s -o %s "
      .. "$(pkg-config --libs libcurl libuv) -lm -pthread"):format(files, program))
    assert(ok and printed == "", printed)
  end)

  teardown(function() os.remove(program) end)

  for name, behaviour in pairs {
    head = "reads heads line by line",
    head_limits = "bounds heads, and reads no number where none stands",
    clock = "knows the nearest deadline in every phase",
    clock_sentences = "says which limit was broken, how long it was, and whose address it is",
    words = "shows addresses without what may be secret",
    sentences = "has a sentence for every result of libcurl",
    fields = "lists header fields as libcurl wants them",
    transfers = "tells the end of a transfer once, whatever it is",
    closing = "ends what runs when a pool is closed",
    faults = "survives the failure of every allocation, once and for ever",
    canned = "tells canned responses as if they came from a wire",
  } do
    it(behaviour, function()
      local ok, printed = sh(program .. " " .. name)
      assert.equal("", printed)
      assert.is_true(ok)
    end)
  end
end)
