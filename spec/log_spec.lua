local log = require "rille.log"

--- What the function raises, with the position, which luassert would take away.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return err
end


--- Runs a program in a stock interpreter and returns what it wrote to stderr.
local function stderr_of(code, environment)
  local build = os.getenv("RILLE_BUILD")
  local command = ("LD_PRELOAD=\"$RILLE_PRELOAD\" %s "
    .. "LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lua/?.so;;' %s -e '%s' 2>&1 >/dev/null")
    :format(environment or "", build, arg[-1] or "lua5.4", code)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return text
end


describe("rille.log", function()
  local lines, level

  before_each(function()
    lines, level = {}, log.level("debug")
    log.sink(function(_, line) lines[#lines + 1] = line end)
  end)

  after_each(function()
    log.sink(nil)
    log.level(level)
  end)

  it("hands every level to the sink", function()
    local seen = {}
    log.sink(function(name, line) seen[#seen + 1] = name .. "|" .. line end)
    log.debug("a")
    log.info("b")
    log.warn("c")
    log.error("d")
    assert.same({ "debug|debug: a", "info|info: b", "warn|warn: c", "error|error: d" }, seen)
  end)

  it("shows nothing below its level", function()
    log.level("warn")
    log.debug("a")
    log.info("b")
    log.warn("c")
    assert.same({ "warn: c" }, lines)
  end)

  it("shows nothing when it is off", function()
    log.level("off")
    log.error("lost")
    assert.same({}, lines)
  end)

  it("returns the level before", function()
    assert.equal("debug", log.level("info"))
    assert.equal("info", log.level())
    assert.equal("info", log.level("debug"))
  end)

  it("refuses an unknown level", function()
    assert.matches("log_spec.lua:%d+: log%.level: ", raised(function() log.level("loud") end))
  end)

  it("says whether a level is shown", function()
    log.level("info")
    assert.is_false(log.is_enabled("debug"))
    assert.is_true(log.is_enabled("info"))
    assert.is_true(log.is_enabled("error"))
  end)

  it("formats when there are values", function()
    log.info("%d of %s", 3, "x")
    log.info("100%")
    log.info("100%d")
    assert.same({ "info: 3 of x", "info: 100%", "info: 100%d" }, lines)
  end)

  it("takes anything that has a text", function()
    log.info(5)
    log.info(nil)
    log.info(setmetatable({}, { __tostring = function() return "object" end }))
    log.info("%s", setmetatable({}, { __tostring = function() return "object" end }))
    assert.same({ "info: 5", "info: nil", "info: object", "info: object" }, lines)
  end)

  it("formats nothing that is not shown", function()
    log.level("error")
    log.info("%s", setmetatable({}, { __tostring = function() error("made") end }))
    assert.same({}, lines)
  end)

  it("blames a wrong format on its author", function()
    assert.has_error(function() log.info("%d", "x") end)
  end)

  it("writes one printable line", function()
    log.warn("a\nb\27[31m\u{202e}\xff")
    assert.same({ "warn: a\\nb\\x1b[31m\\u{202e}\\xff" }, lines)
  end)

  it("cuts a line that is too long between characters", function()
    log.warn(("é"):rep(10000))
    assert.is_true(#lines[1] < 17000)
    assert.is_truthy(utf8.len(lines[1]))
    assert.matches("… %(%d+ bytes more%)$", lines[1])
  end)

  it("drops what a sink raises", function()
    log.sink(function() error("broken") end)
    assert.has_no_error(function() log.error("x") end)
  end)

  it("refuses a sink that is no function", function()
    assert.matches("log_spec.lua:%d+: log%.sink: function", raised(function() log.sink("stderr") end))
  end)
end)

describe("log.secret", function()
  it("replaces a registered value wherever it stands", function()
    log.secret("sk-test-0123456789")
    assert.equal("key [secret], again [secret]!",
      log.redact("key sk-test-0123456789, again sk-test-0123456789!"))
    assert.equal("[secret][secret]", log.redact(("sk-test-0123456789"):rep(2)))
  end)

  it("takes magic characters for what they are", function()
    log.secret("a.b*c%d+e[f")
    assert.equal("<[secret]>", log.redact("<a.b*c%d+e[f>"))
    assert.equal("aXbXc%d+e[f", log.redact("aXbXc%d+e[f"))
  end)

  it("replaces the longer of two nested values whole", function()
    log.secret("nested-secret")
    log.secret("nested-secret-and-more")
    assert.equal("[secret]!", log.redact("nested-secret-and-more!"))
  end)

  it("finds each of many, whatever their order and length", function()
    local keys = {}
    for i = 1, 3000 do keys[i] = ("sk-%d-%s"):format(i, ("k%"):rep(i * 7919 % 30)) end
    for _, key in ipairs(keys) do log.secret(key) end
    for i = 1, 3000, 97 do assert.equal("<[secret]>", log.redact("<" .. keys[i] .. ">")) end
    assert.equal("[secret][secret] and nothing", log.redact(keys[9] .. keys[2999] .. " and nothing"))
  end)

  it("does not loop on a secret that occurs in the replacement", function()
    log.secret("secret")
    assert.equal("[secret] [secret]", log.redact("secret secret"))
  end)

  it("keeps no value so short that it would garble every text", function()
    log.secret("")
    log.secret("a")
    log.secret("abcde")
    assert.equal("abcde a", log.redact("abcde a"))
  end)

  it("is applied to lines, also to formatted values", function()
    local lines = {}
    log.secret("sk-line-0123456789")
    log.sink(function(_, line) lines[#lines + 1] = line end)
    log.error("got %s", "sk-line-0123456789")
    log.error("sk-line-0123456789")
    log.sink(nil)
    assert.same({ "error: got [secret]", "error: [secret]" }, lines)
  end)

  it("refuses other values than texts", function()
    assert.matches("log_spec.lua:%d+: log%.secret: string", raised(function() log.secret(nil) end))
  end)
end)

describe("RILLE_LOG", function()
  local code = [[local log = require "rille.log" log.debug "d" log.info "i" log.warn "w" log.error "e"]]
  local cases = {
    { "unset RILLE_LOG;", "rille: warn: w\nrille: error: e\n" },
    { "RILLE_LOG=debug", "rille: debug: d\nrille: info: i\nrille: warn: w\nrille: error: e\n" },
    { "RILLE_LOG=error", "rille: error: e\n" },
    { "RILLE_LOG=off", "" },
    { "RILLE_LOG=nonsense", "rille: warn: w\nrille: error: e\n" },
  }
  for _, case in ipairs(cases) do
    it("with " .. case[1] .. " shows that and nothing below", function()
      assert.equal(case[2], stderr_of(code, case[1]))
    end)
  end
end)
