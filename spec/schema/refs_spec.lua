--- rille.schema.refs: resources, anchors, pointers and URIs.
local refs = require "rille.schema.refs"
local schema = require "rille.schema"

local function valid(given, v)
  return schema.compile(given):is_valid(v)
end


describe("rille.schema.refs.resolve_uri", function()
  --- RFC 3986, section 5.4
  local base = "http://a/b/c/d;p?q"
  local rows = {
    { "g:h", "g:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" }, { "g/", "http://a/b/c/g/" },
    { "/g", "http://a/g" }, { "//g", "http://g" }, { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
    { "#s", "http://a/b/c/d;p?q", "s" }, { "g#s", "http://a/b/c/g", "s" }, { "g?y#s", "http://a/b/c/g?y", "s" },
    { ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" }, { "", "http://a/b/c/d;p?q" },
    { ".", "http://a/b/c/" }, { "./", "http://a/b/c/" }, { "..", "http://a/b/" }, { "../", "http://a/b/" },
    { "../g", "http://a/b/g" }, { "../..", "http://a/" }, { "../../", "http://a/" }, { "../../g", "http://a/g" },
    { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" }, { "/../g", "http://a/g" },
    { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" }, { "g..", "http://a/b/c/g.." }, { "./../g", "http://a/b/g" },
    { "./g/.", "http://a/b/c/g/" }, { "g/./h", "http://a/b/c/g/h" }, { "g/../h", "http://a/b/c/h" },
    { "http:g", "http:g" },
  }
  it("joins as the examples of the standard do", function()
    for _, row in ipairs(rows) do
      local uri, fragment = refs.resolve_uri(base, row[1])
      assert.equal(row[2], uri, row[1])
      assert.equal(row[3] or "", fragment, row[1])
    end
  end)

  it("joins to a base without path", function()
    assert.equal("http://a/g", (refs.resolve_uri("http://a", "g")))
    assert.equal("g", (refs.resolve_uri("", "g")))
    assert.equal("", (refs.resolve_uri("", "")))
    assert.equal("urn:x:y", (refs.resolve_uri("urn:x:y", "#a")))
  end)
end)


describe("$ref", function()
  it("points into the schema", function()
    local given = { ["$defs"] = { a = { type = "integer" } }, ["$ref"] = "#/$defs/a" }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("points to the root", function()
    local given = { properties = { child = { ["$ref"] = "#" } }, additionalProperties = false }
    assert.is_true(valid(given, { child = { child = {} } }))
    assert.is_false(valid(given, { child = { other = 1 } }))
  end)

  it("points into lists", function()
    local given = { prefixItems = { { type = "integer" }, { ["$ref"] = "#/prefixItems/0" } } }
    assert.is_true(valid(given, { 1, 2 }))
    assert.is_false(valid(given, { 1, "2" }))
  end)

  it("reads escapes in pointers", function()
    local given = {
      ["$defs"] = { ["a/b"] = { type = "integer" }, ["c~d"] = { type = "integer" }, ["e%f"] = { type = "integer" },
        ['g"h'] = { type = "integer" }, ["i j"] = { type = "integer" }, [""] = { [""] = { type = "integer" } } },
      properties = {
        a = { ["$ref"] = "#/$defs/a~1b" }, c = { ["$ref"] = "#/$defs/c~0d" }, e = { ["$ref"] = "#/$defs/e%25f" },
        g = { ["$ref"] = "#/$defs/g%22h" }, i = { ["$ref"] = "#/$defs/i%20j" }, k = { ["$ref"] = "#/$defs//" },
      },
    }
    for _, name in ipairs { "a", "c", "e", "g", "i", "k" } do
      assert.is_true(valid(given, { [name] = 1 }), name)
      assert.is_false(valid(given, { [name] = "1" }), name)
    end
  end)

  it("points to anchors", function()
    local given = { ["$defs"] = { a = { ["$anchor"] = "here", type = "integer" } }, ["$ref"] = "#here" }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("points to the anchors of older drafts", function()
    local given = { definitions = { a = { ["$id"] = "#here", type = "integer" } }, ["$ref"] = "#here" }
    assert.is_false(valid(given, "1"))
  end)

  it("points to definitions of older drafts", function()
    local given = { definitions = { a = { type = "integer" } }, items = { ["$ref"] = "#/definitions/a" } }
    assert.is_false(valid(given, { "1" }))
  end)

  it("points to schemas by their $id", function()
    local given = {
      ["$id"] = "https://x.org/root", ["$ref"] = "item",
      ["$defs"] = { item = { ["$id"] = "item", type = "integer" } },
    }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("resolves against the nearest $id", function()
    local given = {
      ["$id"] = "https://x.org/a/", items = { ["$id"] = "b/", properties = { p = { ["$ref"] = "c" } } },
      ["$defs"] = {
        right = { ["$id"] = "b/c", type = "integer" }, wrong = { ["$id"] = "c", type = "string" },
      },
    }
    assert.is_true(valid(given, { { p = 1 } }))
    assert.is_false(valid(given, { { p = "x" } }))
  end)

  it("keeps anchors of different resources apart", function()
    local given = {
      ["$id"] = "https://x.org/r", ["$ref"] = "in#here",
      ["$defs"] = {
        outer = { ["$anchor"] = "here", type = "string" },
        inner = { ["$id"] = "in", ["$defs"] = { x = { ["$anchor"] = "here", type = "integer" } } },
      },
    }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("points through a URN", function()
    local given = {
      ["$id"] = "urn:uuid:deadbeef-1234-00ff-ff00-4321feebdaed",
      ["$ref"] = "urn:uuid:deadbeef-1234-00ff-ff00-4321feebdaed#/$defs/a", ["$defs"] = { a = { type = "integer" } },
    }
    assert.is_false(valid(given, "1"))
  end)

  it("points to places that are no schemas by themselves", function()
    local given = { ["x-mine"] = { a = { type = "integer" } }, ["$ref"] = "#/x-mine/a" }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("points to true and false", function()
    assert.is_true(valid({ ["$defs"] = { a = true }, ["$ref"] = "#/$defs/a" }, 1))
    assert.is_false(valid({ ["$defs"] = { a = false }, ["$ref"] = "#/$defs/a" }, 1))
  end)

  it("is a property like any other below properties", function()
    local given = { properties = { ["$ref"] = { type = "string" } } }
    assert.is_true(valid(given, { ["$ref"] = "a" }))
    assert.is_false(valid(given, { ["$ref"] = 1 }))
  end)

  it("does not see an $id inside of an enum", function()
    local given = {
      ["$defs"] = { e = { enum = { { ["$id"] = "https://x.org/e", type = "null" } } },
        real = { ["$id"] = "https://x.org/e", type = "string" } },
      ["$ref"] = "https://x.org/e",
    }
    assert.is_true(valid(given, "a"))
    assert.is_false(valid(given, 1))
  end)

  it("serves a list of a tree", function()
    local given = {
      ["$id"] = "https://x.org/tree", type = "object", required = { "nodes" },
      properties = { nodes = { type = "array", items = { ["$ref"] = "node" } } },
      ["$defs"] = { node = {
        ["$id"] = "node", type = "object", required = { "value" },
        properties = { value = { type = "number" }, subtree = { ["$ref"] = "tree" } },
      } },
    }
    assert.is_true(valid(given, { nodes = { { value = 1, subtree = { nodes = { { value = 2 } } } } } }))
    local _, errors = schema.compile(given):validate { nodes = { { value = 1, subtree = { nodes = { { value = "2" } } } } } }
    assert.equal("$.nodes[0].subtree.nodes[0].value", errors[1].path)
  end)

  it("names the place of what it cannot find", function()
    local ok, message = pcall(schema.compile, { properties = { a = { items = { ["$ref"] = "#/nope" } } } })
    assert.is_false(ok)
    assert.equal('schema: properties.a.items: $ref: "#/nope" points to nothing', message)
  end)
end)


describe("$dynamicRef", function()
  it("is an ordinary reference where nothing is dynamic", function()
    local given = { ["$defs"] = { a = { ["$anchor"] = "x", type = "integer" } }, ["$dynamicRef"] = "#x" }
    assert.is_true(valid(given, 1))
    assert.is_false(valid(given, "1"))
  end)

  it("means the outermost resource that has the anchor", function()
    local given = {
      ["$id"] = "https://x.org/strings", ["$ref"] = "list",
      ["$defs"] = {
        item = { ["$dynamicAnchor"] = "item", type = "string" },
        list = { ["$id"] = "list", items = { ["$dynamicRef"] = "#item" },
          ["$defs"] = { any = { ["$dynamicAnchor"] = "item" } } },
      },
    }
    assert.is_true(valid(given, { "a" }))
    assert.is_false(valid(given, { 1 }))
  end)

  it("lets a strict schema close a recursive one", function()
    local tree = {
      ["$id"] = "https://x.org/tree", ["$dynamicAnchor"] = "node", type = "object",
      properties = { data = true, children = { type = "array", items = { ["$dynamicRef"] = "#node" } } },
    }
    local strict = schema.compile({
      ["$id"] = "https://x.org/strict", ["$dynamicAnchor"] = "node", ["$ref"] = "tree", unevaluatedProperties = false,
    }, { documents = { ["https://x.org/tree"] = tree } })
    assert.is_true(strict:is_valid { children = { { data = 1 } } })
    assert.is_false(strict:is_valid { children = { { daat = 1 } } })
    assert.is_true(schema.compile(tree):is_valid { children = { { daat = 1 } } })
  end)
end)
