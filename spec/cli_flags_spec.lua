--- cli_flags_spec.lua -- rille.cli.flags: the command line by a table.
local flags = require "rille.cli.flags"

local rows <const> = {
  { "model", short = "m", value = "NAME", help = "model" },
  { "tool", short = "T", value = "FILE", many = true, help = "tool" },
  { "port", value = "N", type = "integer", help = "port" },
  { "timeout", value = "SECONDS", type = "number", help = "time" },
  { "format", value = "FORM", type = "choice", choices = { "text", "json", "stream-json" }, help = "form" },
  { "quiet", short = "q", help = "quiet" },
  { "verbose", short = "v", help = "verbose" },
}

local function parse(...) return flags.parse(rows, { ... }) end

local function refusal(...)
  local values, message = parse(...)
  assert.is_nil(values)
  return message
end


describe("rille.cli.flags.parse", function()
  it("reads every form of a flag with a value", function()
    for _, words in ipairs { { "--model", "x" }, { "--model=x" }, { "-m", "x" }, { "-mx" } } do
      local values, operands = flags.parse(rows, words)
      assert.same({ model = "x" }, values)
      assert.same({}, operands)
    end
  end)

  it("reads switches, alone and joined", function()
    assert.same({ quiet = true, verbose = true }, (parse("-qv")))
    assert.same({ quiet = true, verbose = true }, (parse("-q", "--verbose")))
    assert.same({ quiet = true, model = "x" }, (parse("-qmx")))
    assert.same({ quiet = true, model = "x" }, (parse("-qm", "x")))
  end)

  it("keeps every value of a flag that repeats, and the last one of the others", function()
    assert.same({ tool = { "a", "b", "c" } }, (parse("-T", "a", "--tool", "b", "--tool=c")))
    assert.same({ model = "y" }, (parse("-m", "x", "-m", "y")))
  end)

  it("collects operands wherever they stand", function()
    local values, operands = parse("one", "-q", "two", "-m", "x", "three")
    assert.same({ quiet = true, model = "x" }, values)
    assert.same({ "one", "two", "three" }, operands)
  end)

  it("takes everything after -- as operands, and a lone dash, too", function()
    local values, operands = parse("-", "-q", "--", "-m", "--nonsense")
    assert.same({ quiet = true }, values)
    assert.same({ "-", "-m", "--nonsense" }, operands)
  end)

  it("takes empty values and values with equals signs", function()
    assert.same({ model = "" }, (parse("--model=")))
    assert.same({ model = "a=b" }, (parse("--model=a=b")))
    assert.same({ model = "--quiet" }, (parse("--model", "--quiet")))
  end)

  it("reads numbers", function()
    assert.same({ port = 8080, timeout = 0.5 }, (parse("--port", "8080", "--timeout", "0.5")))
    assert.equal("integer", math.type(parse("--port", "8080").port))
  end)

  it("begins where it is told to", function()
    assert.same({ quiet = true }, (flags.parse(rows, { "ask", "-q" }, 2)))
  end)

  it("names the nearest flag to an unknown one", function()
    assert.equal("unknown flag '--modle' (did you mean '--model'?)", refusal("--modle", "x"))
    assert.equal("unknown flag '--zzzzzzzz'", refusal("--zzzzzzzz"))
    assert.equal("unknown flag '-x'", refusal("-qx"))
  end)

  it("says which value is missing or wrong", function()
    assert.equal("--model: NAME is missing", refusal("--model"))
    assert.equal("-m: NAME is missing", refusal("-m"))
    assert.equal("--quiet takes no value", refusal("--quiet=yes"))
    assert.equal("--port: a whole number expected, got 'x'", refusal("--port", "x"))
    assert.equal("--port: a whole number expected, got '-1'", refusal("--port=-1"))
    assert.equal("--timeout: a number, 0 or more expected, got 'inf'", refusal("--timeout", "inf"))
    assert.equal("--format: text, json or stream-json expected, got 'xml'", refusal("--format", "xml"))
  end)
end)


describe("rille.cli.flags.describe", function()
  it("lines the help up", function()
    local lines = {}
    for line in flags.describe(rows):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("  -m, --model NAME       model", lines[1])
    assert.equal("      --timeout SECONDS  time", lines[4])
    assert.equal(#rows, #lines)
  end)
end)
