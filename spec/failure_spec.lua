local core = require "rille.core"
local failure = require "rille.failure"

--- What the function raises, with the position, which luassert would take away.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return err
end


describe("failure.new", function()
  it("makes a table with code, message and the fields", function()
    local made = failure.new("rate_limit", "slow down", { status = 429, retryable = true })
    assert.equal("rate_limit", made.code)
    assert.equal("slow down", made.message)
    assert.equal(429, made.status)
    assert.is_true(made.retryable)
  end)

  it("copies the fields", function()
    local fields = { status = 500 }
    local made = failure.new("server_error", "oops", fields)
    fields.status = 200
    assert.equal(500, made.status)
  end)

  it("lets no field replace code and message", function()
    local made = failure.new("timeout", "late", { code = "x", message = "y" })
    assert.equal("timeout", made.code)
    assert.equal("late", made.message)
  end)

  it("takes codes of its users", function()
    assert.equal("my_tool", failure.new("my_tool", "no").code)
  end)

  it("blames the caller for a wrong argument", function()
    assert.matches("^spec/failure_spec.lua:%d+: failure.new: code: string expected, got nil$",
      raised(function() failure.new(nil, "x") end))
    assert.matches("^spec/failure_spec.lua:%d+: failure.new: message: string expected, got table$",
      raised(function() failure.new("timeout", {}) end))
  end)
end)

describe("failure.codes", function()
  it("lists every code once", function()
    local seen = {}
    for _, code in ipairs(failure.codes) do
      assert.is_nil(seen[code], code)
      assert.matches("^[a-z_]+$", code)
      seen[code] = true
    end
    for _, code in ipairs { "timeout", "cancelled", "not_found", "permission", "internal" } do
      assert.is_true(seen[code], code)
    end
  end)
end)

describe("a failure as text", function()
  local cases = {
    { "code and message", { "timeout", "no answer" }, "timeout: no answer" },
    { "the status", { "server_error", "oops", { status = 503 } }, "server_error: oops (status 503)" },
    { "the request id", { "quota", "empty", { request_id = "req_1" } },
      "quota: empty (request req_1)" },
    { "both", { "authentication", "bad key", { status = 401, request_id = "req_1" } },
      "authentication: bad key (status 401, request req_1)" },
    { "no line end", { "internal", "a\nb" }, "internal: a\\nb" },
    { "no escape sequence", { "internal", "\27[2J" }, "internal: \\x1b[2J" },
    { "nothing of the detail", { "internal", "x", { detail = { secret = 1 } } }, "internal: x" },
  }
  for _, case in ipairs(cases) do
    it("shows " .. case[1], function()
      local made = failure.new(table.unpack(case[2]))
      assert.equal(case[3], tostring(made))
    end)
  end

  it("survives fields of any type", function()
    local odd = setmetatable({ code = 5, message = false, status = {} }, core.failure_metatable)
    assert.matches("^5: false %(status table: ", tostring(odd))
  end)

  it("joins texts on both sides", function()
    local made = failure.new("timeout", "late")
    assert.equal("cannot: timeout: late", "cannot: " .. made)
    assert.equal("timeout: late!", made .. "!")
    assert.equal("timeout: latetimeout: late", made .. made)
  end)

  it("is what an uncaught error prints", function()
    local ok, err = pcall(error, failure.new("timeout", "late"))
    assert.is_false(ok)
    assert.equal("timeout: late", tostring(err))
  end)
end)

describe("failure.is", function()
  it("knows failures made in Lua", function()
    assert.is_true(failure.is(failure.new("timeout", "late")))
  end)

  it("knows failures made in C", function()
    local _, made = core.op():wait(0)
    assert.is_true(failure.is(made))
    assert.equal("timeout", made.code)
    assert.matches("^timeout: ", tostring(made))
  end)

  it("takes nothing else for one", function()
    for _, value in ipairs { "timeout", 5, true, {}, { code = "x", message = "y" }, print } do
      assert.is_false(failure.is(value))
    end
    assert.is_false(failure.is(nil))
    assert.is_false(failure.is(setmetatable({}, {})))
  end)
end)

describe("failure.from", function()
  it("takes the words of an error object, unless that has some of its own", function()
    assert.equal("no such city", failure.from({ message = "no such city", code = 7 }).message)
    local object = setmetatable({ message = "x" }, { __tostring = function() return "mine" end })
    assert.equal("mine", failure.from(object).message)
    assert.equal("5", failure.from(5).message)
  end)

  it("says what was raised rather than its address when there are no words, in a task, too", function()
    for _, wordless in ipairs { { message = 5 }, print, true } do
      local said <const> = ("(error object is a %s value)"):format(type(wordless))
      assert.equal(said, failure.from(wordless).message)
      local _, made = core.spawn(function() error(wordless) end):join()
      assert.equal(said, made.message)
      assert.equal(type(wordless) == "table" and wordless or nil, made.detail)
    end
  end)

  it("finds the same words for what a task raised", function()
    local object = setmetatable({}, { __tostring = function() return "mine" end })
    for _, thrown in ipairs { { message = "no such city" }, object, "text", 7 } do
      local _, made = core.spawn(function() error(thrown, 0) end):join()
      assert.equal(failure.from(thrown).message, made.message)
    end
    local _, made = core.spawn(function() error() end):join()
    assert.equal("internal: unknown error", tostring(made))
  end)

  it("returns a failure as it is", function()
    local made = failure.new("timeout", "late")
    assert.equal(made, failure.from(made))
    assert.equal(made, failure.from(made, "internal"))
  end)

  it("makes one of a text", function()
    local made = failure.from("agent.lua:3: boom")
    assert.equal("internal", made.code)
    assert.equal("agent.lua:3: boom", made.message)
  end)

  it("takes the code that is asked for", function()
    assert.equal("schema", failure.from("bad", "schema").code)
  end)

  it("makes one of nil", function()
    assert.equal("internal: unknown error", tostring(failure.from(nil)))
  end)

  it("keeps an error object in the detail", function()
    local object = setmetatable({ kind = "mine" }, { __tostring = function() return "my error" end })
    local made = failure.from(object)
    assert.equal("my error", made.message)
    assert.equal(object, made.detail)
  end)
end)

describe("failure.traced", function()
  it("adds the traceback of where the error was raised", function()
    local function deep() error("boom") end
    local ok, made = xpcall(deep, failure.traced)
    assert.is_false(ok)
    assert.matches("failure_spec.lua:%d+: boom$", made.message)
    assert.matches("stack traceback", made.traceback)
    assert.matches("failure_spec.lua:%d+: in ", made.traceback)
  end)

  it("leaves a failure as it is", function()
    local first = failure.new("cancelled", "stop")
    local _, made = xpcall(error, failure.traced, first)
    assert.equal(first, made)
    assert.is_nil(made.traceback)
  end)
end)
