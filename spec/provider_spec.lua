local config = require "rille.config"
local log = require "rille.log"
local profiles = require "rille.profiles"
local provider = require "rille.provider"
local world = require "spec.support.world"

--- Every row with the base URL that its server documents.
local BASES <const> = {
  openai = "https://api.openai.com/v1",
  openrouter = "https://openrouter.ai/api/v1",
  ollama = "http://localhost:11434/v1",
  llamacpp = "http://localhost:8080/v1",
  vllm = "http://localhost:8000/v1",
  lmstudio = "http://localhost:1234/v1",
  groq = "https://api.groq.com/openai/v1",
  deepseek = "https://api.deepseek.com",
  mistral = "https://api.mistral.ai/v1",
  gemini = "https://generativelanguage.googleapis.com/v1beta/openai",
  together = "https://api.together.xyz/v1",
  xai = "https://api.x.ai/v1",
  anthropic = "https://api.anthropic.com/v1",
  litellm = "http://localhost:4000/v1",
  cerebras = "https://api.cerebras.ai/v1",
  fireworks = "https://api.fireworks.ai/inference/v1",
  moonshot = "https://api.moonshot.ai/v1",
  dashscope = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
  minimax = "https://api.minimax.io/v1",
}


describe("rille.provider", function()
  local variables, restore, directory, level

  --- Writes the configuration file of this test.
  local function configure(text)
    directory = os.tmpname()
    os.remove(directory)
    os.execute(("mkdir -p '%s/rille'"):format(directory))
    local file = assert(io.open(directory .. "/rille/config.lua", "w"))
    file:write(text)
    file:close()
    variables.XDG_CONFIG_HOME = directory
  end

  local function resolve(wanted)
    return assert(provider.resolve(wanted))
  end

  local function refused(wanted)
    local profile, failure = provider.resolve(wanted)
    assert.is_nil(profile)
    return failure
  end

  before_each(function()
    variables = { OPENAI_API_KEY = "sk-test-key" }
    restore = world.environment(variables)
    level = log.level("off")
    config.reset()
  end)

  after_each(function()
    restore()
    log.level(level)
    config.reset()
    if directory then os.execute(("rm -rf '%s'"):format(directory)) end
    directory = nil
  end)

  describe("resolve", function()
    it("takes OpenAI when nothing is said", function()
      local profile = resolve { model = "gpt-5.4" }
      assert.equal("openai", profile.name)
      assert.equal("https://api.openai.com/v1", profile.base_url)
      assert.equal("gpt-5.4", profile.model)
      assert.equal("sk-test-key", profile.api_key)
    end)

    for name, base in pairs(BASES) do
      it("knows where " .. name .. " lives, and by its address what it is", function()
        local row = profiles.rows[name]
        variables[row.key_env] = "key-of-" .. name
        assert.equal(base, resolve { model = "m", provider = name }.base_url)
        local found = resolve { model = "m", base_url = base .. "/", api_key = "k-e-y" }
        assert.equal(name, found.name)
        assert.equal(base, found.base_url)
      end)

      it("finds the key of " .. name .. " in its own variable", function()
        local row = profiles.rows[name]
        variables.OPENAI_API_KEY = nil
        if row.keyless then
          assert.is_nil(resolve { model = "m", provider = name }.api_key)
        else
          local failure = refused { model = "m", provider = name }
          assert.equal("authentication", failure.code)
          assert.truthy(failure.message:find(row.key_env, 1, true), failure.message)
        end
        variables[row.key_env] = "key-of-" .. name
        assert.equal("key-of-" .. name, resolve { model = "m", provider = name }.api_key)
      end)
    end

    it("reads the provider from the model", function()
      local profile = resolve { model = "ollama:qwen3:8b" }
      assert.equal("ollama", profile.name)
      assert.equal("qwen3:8b", profile.model)
      assert.is_nil(profile.api_key)
    end)

    it("leaves a model alone whose first word is no provider", function()
      variables.RILLE_PROVIDER = "ollama"
      local profile = resolve { model = "qwen3:8b" }
      assert.equal("ollama", profile.name)
      assert.equal("qwen3:8b", profile.model)
      assert.equal("ft:gpt-4o:acme",
        resolve { model = "ft:gpt-4o:acme", provider = "openai" }.model)
    end)

    it("takes its own prefix away beside an explicit provider, and no other", function()
      assert.equal("qwen3", resolve { model = "ollama:qwen3", provider = "ollama" }.model)
      assert.equal("qwen3", resolve { model = "ollama:qwen3", provider = { name = "ollama" } }.model)
      assert.equal("openai:gpt-4o", resolve { model = "openai:gpt-4o", provider = "vllm" }.model)
    end)

    it("prefers the explicit provider to the prefix, the prefix to RILLE_PROVIDER", function()
      variables.RILLE_PROVIDER = "vllm"
      assert.equal("lmstudio", resolve { model = "x", provider = "lmstudio" }.name)
      assert.equal("ollama", resolve { model = "ollama:x" }.name)
      assert.equal("vllm", resolve { model = "x" }.name)
    end)

    it("goes to OPENAI_BASE_URL and knows who lives there", function()
      variables.OPENAI_BASE_URL = "http://127.0.0.1:11434/v1/"
      local profile = resolve { model = "x" }
      assert.equal("ollama", profile.name)
      assert.equal("http://127.0.0.1:11434/v1", profile.base_url)
      variables.OPENAI_BASE_URL = "http://127.0.0.1:49152/v1"
      assert.equal("generic", resolve { model = "x" }.name)
      assert.equal("sk-test-key", resolve { model = "x" }.api_key)
    end)

    it("uses OPENAI_API_KEY for whatever OPENAI_BASE_URL names", function()
      variables.OPENAI_BASE_URL = "https://api.groq.com/openai/v1"
      assert.equal("sk-test-key", resolve { model = "x" }.api_key)
      variables.OPENAI_API_KEY = nil
      variables.GROQ_API_KEY = "gsk-own"
      assert.equal("gsk-own", resolve { model = "x" }.api_key)
    end)

    it("does not hand OPENAI_API_KEY to a provider that has a variable of its own", function()
      assert.equal("authentication", refused({ model = "x", provider = "groq" }).code)
      assert.equal("authentication",
        refused({ model = "x", base_url = "https://api.groq.com/openai/v1" }).code)
    end)

    it("keeps the flags of an explicit provider at another address", function()
      local profile = resolve { model = "x", provider = "mistral",
        base_url = "http://127.0.0.1:9/v1" }
      assert.equal("mistral", profile.name)
      assert.equal(9, profile.flags.tool_id_exact)
      assert.equal("http://127.0.0.1:9/v1", profile.base_url)
    end)

    it("needs no key on the loopback", function()
      variables.OPENAI_API_KEY = nil
      for _, host in ipairs({ "localhost", "127.0.0.1", "127.8.9.1", "[::1]", "box.localhost" }) do
        assert.is_nil(resolve({ model = "x", base_url = "http://" .. host .. ":7/v1" }).api_key)
      end
      assert.is_nil(resolve({ model = "x", base_url = "https://localhost:7/v1" }).api_key)
    end)

    it("needs no key on a plain http server in the house", function()
      variables.OPENAI_API_KEY = nil
      assert.is_nil(resolve({ model = "x", base_url = "http://192.168.1.9:8000/v1" }).api_key)
    end)

    it("names the variable when a remote provider has no key", function()
      variables.OPENAI_API_KEY = nil
      local failure = refused { model = "x" }
      assert.equal("authentication", failure.code)
      assert.equal("no API key for openai: set OPENAI_API_KEY", failure.message)
      assert.equal("openai", failure.provider)
    end)

    it("counts an empty key as none", function()
      variables.OPENAI_API_KEY = ""
      assert.equal("authentication", refused({ model = "x" }).code)
    end)

    it("sends no key when told so", function()
      assert.is_nil(resolve({ model = "x", api_key = false }).api_key)
      assert.is_nil(resolve({ model = "x", provider = { api_key = false } }).api_key)
    end)

    it("trims the newline that a key file leaves", function()
      assert.equal("sk-file-key", resolve({ model = "x", api_key = "sk-file-key\n" }).api_key)
      assert.equal("authentication", refused({ model = "x", api_key = "sk\r\nx: y" }).code)
    end)

    it("keeps keys off plain http", function()
      for _, base in ipairs(
        { "http://example.org/v1", "http://10.0.0.1:8000/v1", "http://127.0.0.1.nip.io/v1" }) do
        local failure = refused { model = "x", base_url = base }
        assert.equal("authentication", failure.code)
        assert.truthy(failure.message:find("insecure", 1, true))
        assert.is_nil(failure.message:find("sk-test", 1, true))
      end
    end)

    it("allows plain http where the user insists", function()
      assert.equal("sk-test-key",
        resolve({ model = "x", base_url = "http://example.org/v1", insecure = true }).api_key)
      local spec = { base_url = "http://example.org/v1", insecure = true, api_key = "own-key" }
      assert.equal("own-key", resolve({ model = "x", provider = spec }).api_key)
    end)

    it("registers the key as a secret", function()
      resolve { model = "x", api_key = "sk-very-secret-1" }
      assert.equal("a [secret] b", log.redact("a sk-very-secret-1 b"))
    end)

    it("names the nearest provider for an unknown one", function()
      local failure = refused { model = "x", provider = "olama" }
      assert.equal("invalid_request", failure.code)
      assert.equal("unknown provider 'olama' (did you mean 'ollama'?)", failure.message)
      variables.RILLE_PROVIDER = "grok"
      assert.equal("invalid_request", refused({ model = "x" }).code)
    end)

    it("raises for a table with a wrong member", function()
      local ok, message = pcall(provider.resolve, { provider = { base_ur1 = "x" } })
      assert.is_false(ok)
      assert.truthy(tostring(message):find("base_url", 1, true))
    end)

    it("takes the model from RILLE_MODEL, then OPENAI_MODEL", function()
      assert.is_nil(resolve({}).model)
      variables.OPENAI_MODEL = "gpt-a"
      assert.equal("gpt-a", resolve({}).model)
      variables.RILLE_MODEL = "ollama:gpt-b"
      assert.equal("gpt-b", resolve({}).model)
      assert.equal("ollama", resolve({}).name)
    end)
  end)

  describe("flags", function()
    it("are one table for all requests to a row", function()
      local one = resolve { model = "ollama:a" }
      assert.equal(one.flags, resolve({ model = "ollama:b" }).flags)
      assert.not_equal(one.flags, resolve({ model = "vllm:b" }).flags)
    end)

    it("of one's own are laid over a copy", function()
      local plain = resolve { model = "ollama:a" }
      local own = resolve { model = "a", provider = { name = "ollama", flags = { strict = false } } }
      assert.is_false(own.flags.strict)
      assert.is_true(plain.flags.strict)
      assert.is_true(resolve({ model = "ollama:a" }).flags.strict)
    end)
  end)

  describe("base URLs", function()
    local function base_of(text)
      return resolve({ model = "x", base_url = text }).base_url
    end

    it("lose a slash too many and the endpoint somebody pasted", function()
      assert.equal("http://localhost:9/v1", base_of("http://localhost:9/v1//"))
      assert.equal("http://localhost:9/v1", base_of("http://localhost:9/v1/chat/completions"))
      assert.equal("http://localhost:9", base_of(" http://localhost:9/ "))
      assert.equal("https://localhost/v1", base_of("HTTPS://LOCALHOST:443/v1"))
    end)

    it("get no second /v1, and no first one", function()
      local profile = resolve { model = "x", base_url = "http://localhost:9/v1" }
      assert.equal("http://localhost:9/v1/chat/completions",
        provider.url(profile, "/chat/completions"))
      profile = resolve { model = "x", base_url = "http://localhost:9" }
      assert.equal("http://localhost:9/models", provider.url(profile, "/models"))
    end)

    it("keep their query, with the caller's", function()
      local profile = resolve { model = "x", base_url = "http://localhost:9/v1?b=2%20x",
        query = { a = "1&1" } }
      assert.equal("http://localhost:9/v1/models?a=1%261&b=2%20x", provider.url(profile, "/models"))
    end)

    it("are refused when they are none", function()
      for _, text in ipairs(
        { "localhost:9", "ftp://x/v1", "http://", "http://a b/", "http://u:p@host/v1", "" }) do
        assert.equal("invalid_request", refused({ model = "x", base_url = text }).code, text)
      end
    end)

    it("may be IPv6", function()
      assert.equal("http://[::1]:8080/v1", base_of("http://[::1]:8080/v1"))
      assert.equal("llamacpp", resolve({ model = "x", base_url = "http://[::1]:8080/v1" }).name)
    end)

    it("mean a local server by their port on the loopback only", function()
      assert.equal("vllm", resolve({ model = "x", base_url = "http://localhost:8000/v1" }).name)
      assert.equal("generic",
        resolve({ model = "x", base_url = "https://example.org:8000/v1" }).name)
    end)

    it("belong to no provider whose host they merely resemble", function()
      assert.equal("generic",
        resolve({ model = "x", base_url = "https://api.openai.com.evil.example/v1" }).name)
      assert.equal("generic",
        resolve({ model = "x", base_url = "https://notapi.groq.com.x/v1" }).name)
    end)

    it("come from a variable of the provider", function()
      variables.OLLAMA_BASE_URL = "http://10.1.1.1:11434/v1"
      assert.equal("http://10.1.1.1:11434/v1", resolve({ model = "ollama:x" }).base_url)
    end)
  end)

  describe("Azure", function()
    before_each(function()
      variables.AZURE_OPENAI_API_KEY = "azure-key"
      variables.AZURE_OPENAI_ENDPOINT = "https://acme.openai.azure.com/"
    end)

    it("is the v1 endpoint of the resource", function()
      local profile = resolve { model = "azure:my-gpt" }
      assert.equal("https://acme.openai.azure.com/openai/v1/chat/completions",
        provider.url(profile, "/chat/completions"))
      assert.equal("my-gpt", profile.model)
    end)

    it("sends its key in api-key", function()
      local lines = provider.header_lines(resolve { model = "azure:my-gpt" })
      assert.truthy(table.concat(lines, "\n"):find("api-key: azure-key", 1, true))
      assert.is_nil(table.concat(lines, "\n"):lower():find("authorization", 1, true))
    end)

    it("is the classic endpoint of the deployment when a version is asked for", function()
      variables.OPENAI_API_VERSION = "2024-10-21"
      local profile = resolve { model = "azure:my gpt" }
      assert.equal(
        "https://acme.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        provider.url(profile, "/chat/completions"))
      assert.equal("https://acme.openai.azure.com/openai/models?api-version=2024-10-21",
        provider.url(profile, "/models"))
      assert.is_true(profile.flags.stream_usage)
    end)

    it("knows no stream_options in old versions (R25)", function()
      local profile = resolve { model = "azure:g", query = { ["api-version"] = "2024-06-01" } }
      assert.is_false(profile.flags.stream_usage)
      assert.is_true(resolve({ model = "azure:g", query = { ["api-version"] = "2024-10-21" } }).flags.stream_usage)
    end)

    it("is recognised by its host", function()
      local profile = resolve { model = "g", base_url = "https://acme.openai.azure.com/openai/v1" }
      assert.equal("azure", profile.name)
      assert.equal("https://acme.openai.azure.com/openai/v1", profile.base_url)
    end)
  end)

  describe("header_lines", function()
    it("say who we are and carry the key", function()
      local lines = provider.header_lines(resolve { model = "x" },
        { ["content-type"] = "application/json" })
      assert.equal("authorization: Bearer sk-test-key", lines[1])
      assert.equal("content-type: application/json", lines[2])
      assert.truthy(lines[3]:find("^user%-agent: rille/"))
      assert.equal(3, #lines)
    end)

    it("name organisation and project to OpenAI and to what may pass them on to it, not to others", function()
      variables.OPENAI_ORG_ID, variables.OPENAI_PROJECT_ID = "org-1", "proj-1"
      local text = table.concat(provider.header_lines(resolve { model = "x" }), "\n")
      assert.truthy(text:find("openai-organization: org-1", 1, true))
      assert.truthy(text:find("openai-project: proj-1", 1, true))
      text = table.concat(provider.header_lines(resolve { model = "x", base_url = "http://127.0.0.1:9/v1" }), "\n")
      assert.truthy(text:find("openai-organization: org-1", 1, true))
      for _, model in ipairs { "ollama:x", "mistral:x" } do
        text = table.concat(provider.header_lines(resolve { model = model, api_key = "k" }), "\n")
        assert.is_nil(text:find("openai-", 1, true))
      end
    end)

    it("let the caller's win, whatever their case, and false takes one away", function()
      local profile = resolve { model = "x",
        headers = { ["User-Agent"] = "mine/1", Authorization = false, ["X-Title"] = "t" } }
      assert.same({ "user-agent: mine/1", "x-title: t" }, provider.header_lines(profile))
    end)

    it("cannot be broken out of", function()
      assert.equal("invalid_request", refused({ model = "x", headers = { a = "b\r\nx: y" } }).code)
      assert.equal("invalid_request", refused({ model = "x", headers = { ["a: b"] = "c" } }).code)
    end)
  end)

  describe("the configuration file", function()
    it("defines providers that inherit flags from a profile", function()
      configure [[return { providers = { house = {
        profile = "ollama", base_url = "http://127.0.0.1:7/v1", headers = { ["x-team"] = "a" },
        flags = { names = false },
      } } }]]
      local profile = resolve { model = "house:qwen3" }
      assert.equal("house", profile.name)
      assert.equal("qwen3", profile.model)
      assert.equal("", profile.flags.content_null)
      assert.is_false(profile.flags.names)
      assert.equal("a", profile.headers["x-team"])
    end)

    it("may change a provider that we know", function()
      configure [[return { providers = { ollama = { base_url = "http://127.0.0.1:8/v1" } } }]]
      local profile = resolve { model = "ollama:x" }
      assert.equal("http://127.0.0.1:8/v1", profile.base_url)
      assert.equal("", profile.flags.content_null)
    end)

    it("names the model and the provider to use", function()
      configure [[return { model = "qwen3:8b", provider = "ollama" }]]
      local profile = resolve {}
      assert.equal("ollama", profile.name)
      assert.equal("qwen3:8b", profile.model)
    end)

    it("gives way to the environment", function()
      configure [[return { model = "a", provider = "ollama" }]]
      variables.RILLE_MODEL, variables.RILLE_PROVIDER = "b", "vllm"
      local profile = resolve {}
      assert.equal("vllm", profile.name)
      assert.equal("b", profile.model)
    end)

    it("reads a provider's key from a variable of its name, from env, or from a function",
      function()
      configure [[return { providers = {
        one = { base_url = "https://one.example/v1" },
        two = { base_url = "https://two.example/v1", api_key = env "SOME_KEY" },
        three = { base_url = "https://three.example/v1",
          api_key = function() return "made-key" end },
        four = { base_url = "https://four.example/v1", key_env = "OTHER_KEY" },
      } }]]
      variables.ONE_API_KEY, variables.SOME_KEY, variables.OTHER_KEY = "one-key", "some-key",
        "other-key"
      assert.equal("one-key", resolve({ model = "one:m" }).api_key)
      assert.equal("some-key", resolve({ model = "two:m" }).api_key)
      assert.equal("made-key", resolve({ model = "three:m" }).api_key)
      assert.equal("other-key", resolve({ model = "four:m" }).api_key)
    end)

    it("asks whatever can be called for the key", function()
      local vault = setmetatable({}, { __call = function() return "made-key" end })
      local spec = { name = "one", base_url = "https://one.example/v1", api_key = vault }
      assert.equal("made-key", resolve({ model = "m", provider = spec }).api_key)
      assert.equal("made-key", resolve({ model = "m", base_url = "https://two.example/v1", api_key = vault }).api_key)
    end)

    it("does not give OpenAI's key to a provider of the user's own", function()
      configure [[return { providers = { one = { base_url = "https://one.example/v1" } } }]]
      local failure = refused { model = "one:m" }
      assert.equal("authentication", failure.code)
      assert.truthy(failure.message:find("ONE_API_KEY", 1, true))
    end)

    it("knows an own provider by the address it has", function()
      configure [[return { providers = { mine = { base_url = "https://api.mistral.ai/v1", api_key = "k-e-y-s" } } }]]
      assert.equal(9, resolve({ model = "mine:m" }).flags.tool_id_exact)
    end)

    for name, case in pairs({
      ["a syntax error"] = { "return {", "config.lua:1:" },
      ["an error"] = { "error('no')", "no" },
      ["no table"] = { "return 1", "must return a table" },
      ["providers that are none"] = { "return { providers = { a = 1 } }", "providers" },
      ["an unknown member"] = { "return { providers = { a = { base = 'http://x/' } } }",
        "base_url" },
      ["an unknown profile"] = { "return { providers = { a = { profile = 'olama' } } }", "ollama" },
      ["an unknown flag"] = {
        "return { providers = { a = { base_url = 'http://x/', flags = { nams = true } } } }",
        "names" },
      ["no base URL"] = { "return { providers = { a = {} } }", "A_BASE_URL" },
    }) do
      it("says what is wrong with it: " .. name, function()
        configure(case[1])
        local failure = refused { model = "a:m" }
        assert.equal("invalid_request", failure.code)
        assert.truthy(failure.message:find(case[2], 1, true), failure.message)
      end)
    end

    it("cannot open, run or load anything", function()
      configure [[return { providers = { a = { base_url = tostring(io or load or require or os.execute or "http://x/") } } }]]
      assert.equal("http://x", resolve({ model = "a:m" }).base_url)
    end)

    it("is not needed", function()
      variables.XDG_CONFIG_HOME = "/nonexistent"
      assert.equal("openai", resolve({ model = "x" }).name)
      variables.XDG_CONFIG_HOME, variables.HOME = nil, "/nonexistent"
      config.reset()
      assert.equal("/nonexistent/.config/rille/config.lua", config.path())
      assert.equal("openai", resolve({ model = "x" }).name)
    end)

    it("is read once", function()
      configure [[return { model = "a" }]]
      assert.equal("a", resolve({}).model)
      local file = assert(io.open(config.path(), "w"))
      file:write("return { model = 'b' }")
      file:close()
      assert.equal("a", resolve({}).model)
      config.reset()
      assert.equal("b", resolve({}).model)
    end)
  end)
end)


describe("rille.profiles", function()
  it("uses flags that profiles.base knows, of its types", function()
    for name, row in pairs(profiles.rows) do
      for flag, value in pairs(row.flags or {}) do
        local base = profiles.base[flag]
        assert.is_true(base ~= nil or profiles.optional[flag] == true, name .. ": " .. flag)
        if type(base) == "table" then assert.equal("table", type(value), name .. ": " .. flag) end
      end
    end
  end)

  it("is data: no functions in it", function()
    local function look(value, path)
      assert.not_equal("function", type(value), path)
      if type(value) == "table" then
        for key, inner in pairs(value) do look(inner, path .. "." .. tostring(key)) end
      end
    end
    look(profiles.rows, "rows")
    look(profiles.base, "base")
  end)

  it("gives no host to two rows", function()
    local seen = {}
    for name, row in pairs(profiles.rows) do
      for _, host in ipairs(row.hosts or {}) do
        assert.is_nil(seen[host], name .. " and " .. tostring(seen[host]))
        seen[host] = name
      end
    end
  end)
end)
