local base_url = require "rille.provider.base_url"
local profiles = require "rille.profiles"


describe("rille.provider.base_url", function()
  describe("parse", function()
    local texts <const> = {
      ["https://api.openai.com/v1"] = "https://api.openai.com/v1",
      ["https://api.openai.com/v1/"] = "https://api.openai.com/v1",
      ["https://api.openai.com/v1///"] = "https://api.openai.com/v1",
      ["https://api.openai.com:443/v1"] = "https://api.openai.com/v1",
      ["HTTPS://API.OpenAI.com/v1"] = "https://api.openai.com/v1",
      ["http://localhost:80"] = "http://localhost",
      ["http://localhost:443/v1"] = "http://localhost:443/v1",
      ["https://localhost:80/v1"] = "https://localhost:80/v1",
      ["http://h/v1/chat/completions"] = "http://h/v1",
      ["http://h/v1/chat/completions/"] = "http://h/v1",
      ["http://h/chat/completions"] = "http://h",
      ["http://h/Path/Kept"] = "http://h/Path/Kept",
      ["  http://h/v1\n"] = "http://h/v1",
      ["http://[::1]:8080/v1"] = "http://[::1]:8080/v1",
      ["http://[FE80::1]/v1"] = "http://[fe80::1]/v1",
      ["http://h/v1?a=b"] = "http://h/v1",
      ["http://h/v1#part"] = "http://h/v1",
    }
    for text, expected in pairs(texts) do
      it("reads " .. text:gsub("\n", "\\n"), function()
        assert.equal(expected, assert(base_url.parse(text)).text)
      end)
    end

    it("reads a text once, and again after many others", function()
      local first = assert(base_url.parse("http://h/v1?once"))
      assert.equal(first, base_url.parse("http://h/v1?once"))
      for i = 1, 200 do assert.equal("http://h/" .. i, base_url.parse("http://h/" .. i).text) end
      assert.same(first, base_url.parse("http://h/v1?once"))
      assert.is_nil((base_url.parse("h")))
      assert.is_nil((base_url.parse("h")))
    end)

    for _, text in ipairs({
      "", "h", "h:80", "/v1", "//h/v1", "ftp://h/v1", "file:///etc", "http:", "http:/h", "http://",
      "http:///v1",
      "http://h /v1", "http://h\t/v1", "http://h/a\nb", "http://user@h/v1", "http://user:pass@h/v1",
      "http://h:x/v1",
    }) do
      it("refuses " .. ("%q"):format(text), function()
        local parsed, reason = base_url.parse(text)
        assert.is_nil(parsed)
        assert.equal("string", type(reason))
      end)
    end

    it("shows no credentials in what it says", function()
      local _, reason = base_url.parse("http://user:pass@h/v1")
      assert.is_nil(reason:find("pass", 1, true))
    end)

    it("tells the parts", function()
      local parsed = assert(base_url.parse("http://Host.Example:8080/v1?x=1"))
      assert.same({ "http", "host.example", 8080, "x=1", false },
        { parsed.scheme, parsed.host, parsed.port, parsed.query, parsed.loopback })
    end)
  end)

  describe("loopback", function()
    local function is_loopback(host)
      return assert(base_url.parse("http://" .. host .. "/v1")).loopback
    end

    it("is what stays on the machine", function()
      for _, host in ipairs(
        { "localhost", "LOCALHOST:9", "a.localhost", "127.0.0.1", "127.255.0.9:1", "[::1]:7" }) do
        assert.is_true(is_loopback(host), host)
      end
    end)

    it("is nothing else, however it looks", function()
      for _, host in ipairs({
        "example.org", "10.0.0.1", "localhost.example", "127.0.0.1.nip.io", "1270.0.0.1", "127.0.0",
        "[::2]",
        "0.0.0.0", "host.docker.internal", "[::ffff:127.0.0.1]",
      }) do
        assert.is_false(is_loopback(host), host)
      end
    end)
  end)

  describe("belongs_to", function()
    local function owner(text)
      local parsed = assert(base_url.parse(text))
      local found = {}
      for name, row in pairs(profiles.rows) do
        if base_url.belongs_to(parsed, row) then found[#found + 1] = name end
      end
      assert.is_true(#found <= 1)
      return found[1]
    end

    it("knows hosts", function()
      assert.equal("openai", owner "https://api.openai.com/v1")
      assert.equal("openai", owner "https://eu.api.openai.com/v1")
      assert.equal("azure", owner "https://acme.openai.azure.com")
      assert.equal("azure", owner "https://acme.services.ai.azure.com/x")
      assert.equal("dashscope", owner "https://dashscope.aliyuncs.com/compatible-mode/v1")
      assert.equal("copilot", owner "https://api.individual.githubcopilot.com")
    end)

    it("knows ports on the loopback", function()
      assert.equal("ollama", owner "http://127.0.0.1:11434")
      assert.equal("litellm", owner "http://localhost:4000")
      assert.is_nil(owner "http://192.168.0.1:11434")
      assert.is_nil(owner "http://localhost:9")
    end)

    it("is not taken in by a resemblance", function()
      for _, text in ipairs({
        "https://api.openai.com.example.org/v1", "https://xapi.openai.com/v1",
        "https://openai.azure.com/v1",
        "https://example.org/api.openai.com", "https://example.org/?api.groq.com",
        "https://api.groq.com.",
      }) do
        assert.is_nil(owner(text), text)
      end
    end)
  end)

  it("reads the members of a query", function()
    assert.same({ a = "1", b = "x y", c = "", ["d e"] = "&=" },
      base_url.query_table("a=1&b=x+y&c&d%20e=%26%3D"))
    assert.same({}, base_url.query_table(""))
  end)
end)
