--- http_url_spec.lua -- rille.http.url: references, origins, queries. Pure.
local url = require "rille.http.url"


describe("url.resolve", function()
  -- RFC 3986 §5.4.1 and §5.4.2; the fragment is dropped, because it is never sent
  local base <const> = "http://a/b/c/d;p?q"
  local normal <const> = {
    ["g:h"] = "g:h", ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/",
    ["/g"] = "http://a/g", ["//g"] = "http://g", ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y",
    ["#s"] = "http://a/b/c/d;p?q", ["g#s"] = "http://a/b/c/g", ["g?y#s"] = "http://a/b/c/g?y",
    [";x"] = "http://a/b/c/;x", ["g;x"] = "http://a/b/c/g;x", ["g;x?y#s"] = "http://a/b/c/g;x?y",
    [""] = "http://a/b/c/d;p?q", ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/",
    ["../"] = "http://a/b/", ["../g"] = "http://a/b/g", ["../.."] = "http://a/", ["../../"] = "http://a/",
    ["../../g"] = "http://a/g",
  }
  local abnormal <const> = {
    ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g", ["/./g"] = "http://a/g", ["/../g"] = "http://a/g",
    ["g."] = "http://a/b/c/g.", [".g"] = "http://a/b/c/.g", ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g", ["./g/."] = "http://a/b/c/g/", ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h", ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y",
    ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x", ["g#s/../x"] = "http://a/b/c/g",
    ["http:g"] = "http:g",
  }

  for _, cases in ipairs { normal, abnormal } do
    for reference, expected in pairs(cases) do
      it(("reads %q as the RFC does"):format(reference), function()
        assert.equal(expected, url.resolve(base, reference))
      end)
    end
  end

  it("starts at the root where the base has no path", function()
    assert.equal("http://a/g", url.resolve("http://a", "g"))
    assert.equal("http://a?x", url.resolve("http://a", "?x"))
  end)

  it("keeps user and port of the base for a path, and drops them for a host", function()
    assert.equal("http://u:p@a:81/g", url.resolve("http://u:p@a:81/x", "/g"))
    assert.equal("http://b/g", url.resolve("http://u:p@a:81/x", "//b/g"))
  end)

  it("keeps doubled slashes", function()
    assert.equal("http://a//b//c", url.resolve("http://a/x", "//a//b//c"))
  end)
end)


describe("url.parse", function()
  it("takes a URL apart and join puts it together", function()
    for _, text in ipairs {
      "http://user:word@host:1/a/b?c=d&e#f", "https://[::1]:8/x", "http://a", "mailto:x@y", "/a?b", "?q", "#", "a/b",
      "HTTP://a/", "http://a/?", "http://a/b?#",
    } do
      local parts = url.parse(text)
      assert.equal((text:gsub("^HTTP", "http")), url.join(parts))
    end
  end)

  it("knows an empty query from none", function()
    assert.equal("", url.parse("http://a/?").query)
    assert.is_nil(url.parse("http://a/").query)
    assert.equal("", url.parse("http://a/#").fragment)
    assert.is_nil(url.parse("http://a/").fragment)
  end)
end)


describe("url.host", function()
  it("is lower case, with the port of the scheme where none is written", function()
    assert.same({ "example.org", 443 }, { url.host("https://Example.ORG/x") })
    assert.same({ "example.org", 80 }, { url.host("http://example.org") })
    assert.same({ "example.org", 81 }, { url.host("http://u:p@example.org:81/x@y:5") })
    assert.same({ "[::1]", 80 }, { url.host("http://[::1]/x") })
    assert.same({ "[::1]", 9 }, { url.host("http://[::1]:9") })
  end)

  it("is nil where there is none", function()
    assert.is_nil((url.host("/x")))
    assert.is_nil((url.host("http://")))
    assert.is_nil((url.host("http://a:b:c/")))
  end)
end)


describe("url.same_origin", function()
  it("compares scheme, host and port", function()
    assert.is_true(url.same_origin("http://a/x", "http://A:80/y?z"))
    assert.is_true(url.same_origin("https://a", "https://a:443/"))
    assert.is_true(url.same_origin("http://user@a/", "http://a/"))
    for _, other in ipairs { "https://a/", "http://b/", "http://a:81/", "http://a.b/", "http://a@b/", "/x", "http://" } do
      assert.is_false(url.same_origin("http://a/", other), other)
    end
  end)
end)


describe("url.is_loopback", function()
  it("judges by the text of the host", function()
    for _, text in ipairs {
      "http://localhost/", "http://LOCALHOST:8/", "http://x.localhost", "http://127.0.0.1", "http://127.9.9.9:1/",
      "http://[::1]/",
    } do
      assert.is_true(url.is_loopback(text), text)
    end
    for _, text in ipairs {
      "http://example.org/", "http://localhost.example.org/", "http://10.0.0.1/", "http://127.0.0.1.example.org/",
      "http://[::2]/", "http://", "localhost",
    } do
      assert.is_false(url.is_loopback(text), text)
    end
  end)
end)


describe("url.query", function()
  it("sorts keys, repeats lists, keeps integers whole", function()
    assert.equal("a=1&b=x&b=y&c=true&d=2.5&e=3", url.query { c = true, b = { "x", "y" }, a = 1, d = 2.5, e = 3.0 })
    assert.equal("", url.query {})
    assert.equal("", url.query { a = {} })
  end)

  it("encodes all but the unreserved characters", function()
    assert.equal("k%26=a%20b%2Bc%25-._~%2F%C3%A4", url.query { ["k&"] = "a b+c%-._~/ä" })
    assert.equal("%00%0A%FF", url.escape("\0\n\255"))
  end)
end)


describe("url.with_query", function()
  it("adds to what is there, before the fragment", function()
    assert.equal("http://a/?x=1", url.with_query("http://a/", "x=1"))
    assert.equal("http://a/?y=2&x=1", url.with_query("http://a/?y=2", "x=1"))
    assert.equal("http://a/?x=1", url.with_query("http://a/?", "x=1"))
    assert.equal("http://a/?x=1#f", url.with_query("http://a/#f", "x=1"))
    assert.equal("http://a/#f", url.with_query("http://a/#f", ""))
    assert.equal("http://a/", url.with_query("http://a/", nil))
  end)
end)
