--- rille.schema.explain and branch: sentences about what broke.
local branch = require "rille.schema.branch"
local explain = require "rille.schema.explain"
local json = require "rille.json"


describe("rille.schema.explain.cut", function()
  it("leaves short texts alone", function()
    assert.equal("", explain.cut("", 5))
    assert.equal("abcde", explain.cut("abcde", 5))
    assert.equal("ää", explain.cut("ää", 4))
  end)

  it("cuts at a character, at every length", function()
    local text = "aä日😀" .. ("bü本😁"):rep(10)
    for max = 1, #text - 1 do
      local short = explain.cut(text, max)
      assert.is_truthy(utf8.len(short), max)
      assert.equal("…", short:sub(-3))
      assert.is_true(#short - 3 <= max and #short - 3 > max - 4)
      assert.equal(text:sub(1, #short - 3), short:sub(1, -4))
    end
  end)

  it("cuts what is no UTF-8 somewhere", function()
    assert.equal("…", explain.cut(("\x80"):rep(50), 10))
    assert.equal("\xff\xff…", explain.cut(("\xff"):rep(50), 2))
  end)
end)


describe("rille.schema.explain.json and describe", function()
  it("show scalars with their type", function()
    local rows = {
      { "five", 'string "five"' }, { "", 'string ""' }, { 'a"b\n', [[string "a\"b\n"]] }, { 5, "integer 5" },
      { 5.0, "integer 5" }, { -0.5, "number -0.5" }, { true, "boolean true" }, { false, "boolean false" },
      { json.null, "null" }, { math.maxinteger, "integer 9223372036854775807" },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], explain.describe(row[1])) end
    assert.equal("null", explain.describe(nil))
  end)

  it("show how much a table holds", function()
    assert.equal("array of 0 items", explain.describe(json.array()))
    assert.equal("array of 1 item", explain.describe { 1 })
    assert.equal("array of 3 items", explain.describe { 1, 2, 3 })
    assert.equal("object", explain.describe { a = 1 })
    assert.equal("object", explain.describe {})
  end)

  it("show what JSON does not know by its Lua type", function()
    assert.equal("function", explain.describe(print))
    assert.equal("userdata", explain.describe(io.stdout))
    assert.equal("number inf", explain.describe(1 / 0))
  end)

  it("show texts in part, as valid JSON and UTF-8", function()
    local shown = explain.json(("ä"):rep(1000))
    assert.is_true(#shown < 100)
    assert.is_truthy(utf8.len(shown))
    assert.is_string(json.decode(shown))
  end)

  it("show invalid UTF-8 as replacement characters", function()
    assert.equal('"a\u{FFFD}b"', explain.json "a\xffb")
    assert.is_truthy(utf8.len(explain.json(("\xff"):rep(500))))
  end)

  it("show tables as short JSON", function()
    assert.equal('{"a":[1,null]}', explain.json { a = { 1, json.null } })
    assert.is_true(#explain.json { ("x"):rep(50), ("y"):rep(50), ("z"):rep(50) } <= 83)
  end)

  it("show what cannot be encoded by its type", function()
    assert.equal("table", explain.json { print })
    assert.equal("function", explain.json(print))
  end)
end)


describe("rille.schema.explain.join", function()
  it("joins as one speaks", function()
    assert.equal("", explain.join {})
    assert.equal("a", explain.join { "a" })
    assert.equal("a or b", explain.join { "a", "b" })
    assert.equal("a, b or c", explain.join { "a", "b", "c" })
    assert.equal("a, b and c", explain.join({ "a", "b", "c" }, "and"))
  end)

  it("leaves out what nobody reads", function()
    local many = {}
    for i = 1, 41 do many[i] = tostring(i) end
    assert.matches("39, 40 … %(41 in all%)$", explain.join(many))
  end)

  it("quotes names", function()
    assert.same({ '"a"', [["b\"c"]] }, explain.quoted { "a", 'b"c' })
  end)
end)


describe("rille.schema.explain.hint", function()
  it("names the nearest", function()
    assert.equal(' (did you mean "location"?)', explain.hint("loction", { "unit", "location" }))
    assert.equal(' (did you mean "maxItems"?)', explain.hint("max_items", { "maxItems", "minItems" }))
  end)

  it("says nothing when nothing is near", function()
    assert.equal("", explain.hint("zebra", { "unit", "location" }))
    assert.equal("", explain.hint("x", { "y" }))
    assert.equal("", explain.hint("", { "y" }))
    assert.equal("", explain.hint(5, { "y" }))
    assert.equal("", explain.hint("word", {}))
    assert.equal("", explain.hint(("x"):rep(5000), { "y" }))
  end)
end)


describe("rille.schema.explain, errors", function()
  it("carry their way to the root", function()
    local errors = explain.mismatch("string", 5)
    explain.under(explain.under(explain.under(errors, "name"), 0), "items")
    assert.same({ {
      path = "$.items[0].name", expected = "string", got = "integer 5", message = "expected string, got integer 5",
    } }, explain.finish(errors))
  end)

  it("write any name", function()
    local rows = {
      { "a", "$.a" }, { "_a1", "$._a1" }, { "$ref", "$.$ref" }, { "x-y", "$.x-y" }, { "a b", '$["a b"]' }, { "", '$[""]' },
      { "1", '$["1"]' }, { 'q"q', [=[$["q\"q"]]=] }, { "ä", '$["ä"]' }, { "a.b", '$["a.b"]' }, { 0, "$[0]" }, { 12, "$[12]" },
    }
    for _, row in ipairs(rows) do
      assert.equal(row[2], explain.finish(explain.under(explain.mismatch("x", 1), row[1]))[1].path)
    end
  end)

  it("are joined up to twenty", function()
    local errors
    for _ = 1, 50 do errors = explain.add(errors, explain.mismatch("x", 1)) end
    assert.equal(20, #errors)
  end)

  it("are told one a line", function()
    local errors = explain.finish(explain.add(explain.under(explain.mismatch("x", 1), "a"), explain.mismatch("y", 2)))
    assert.equal("$.a: expected x, got integer 1\n$: expected y, got integer 2", explain.text(errors))
    assert.equal("", explain.text {})
  end)
end)


describe("rille.schema.branch", function()
  local function broken(expected, ...)
    local errors = explain.mismatch(expected, 1)
    for _, segment in ipairs { ... } do explain.under(errors, segment) end
    return errors
  end

  local function choice(text, segment)
    local errors = explain.mismatch(text, 1)
    errors[1].choices = { text }
    return explain.under(errors, segment)
  end

  it("joins what was expected of the value itself", function()
    local errors = branch.explain(1, { broken "string", broken "null", broken "string" })
    assert.equal("expected string or null, got integer 1", errors[1].message)
    assert.equal(1, #errors)
  end)

  it("tells of the branch that broke deep inside", function()
    local deep = broken("x", "c", "b", "a")
    assert.equal(deep, branch.explain({}, { broken "string", broken("y", "a"), deep, broken("z", "b", "a") }))
  end)

  it("tells of the branch with fewest errors among equals", function()
    local two = explain.add(broken("x", "a"), broken("y", "b"))
    local one = broken("z", "c")
    assert.equal(one, branch.explain({}, { two, one }))
  end)

  it("passes over branches that were not meant", function()
    local meant = explain.add(broken("x", "a"), broken("y", "b"))
    assert.equal(meant, branch.explain({}, { choice('"circle"', "kind"), meant, choice('"line"', "kind") }))
  end)

  it("takes one wrong choice for less than a wrong shape", function()
    local function shape(name)
      local errors = broken("no such property", name)
      errors[1].is_shape = true
      return errors
    end
    local wrong = explain.add(explain.add(shape "field", shape "op"), shape "value")
    local meant = choice('"="', "op")
    meant[1].choices = { '"="', '"<"' }
    assert.equal(meant, branch.explain({}, { wrong, meant }))
  end)

  it("joins the choices when every branch wants another", function()
    local errors = branch.explain({}, { choice('"a"', "kind"), choice('"b"', "kind") })
    assert.same({ {
      path = "$.kind", expected = 'one of "a" or "b"', got = "integer 1", message = 'expected one of "a" or "b", got integer 1',
    } }, explain.finish(errors))
  end)

  it("does not join choices of different members", function()
    local first, second = choice('"a"', "kind"), choice('"b"', "type")
    assert.equal(first, branch.explain({}, { first, second }))
  end)
end)
