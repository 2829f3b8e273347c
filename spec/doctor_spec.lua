local config = require "rille.config"
local doctor = require "rille.doctor"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local mock = require "rille.mock"
local script = require "rille.script"
local world = require "spec.support.world"


--- A model that can all that the doctor asks for.
local function healthy(request)
  local format = request.response_format and request.response_format.type
  if request.tools and request.messages[#request.messages].role ~= "tool" then
    local both = request.messages[1].content:find("Rome", 1, true)
    return script.calls(both
      and { { "get_weather", { city = "Oslo" } }, { "get_weather", { city = "Rome" } } }
      or { { "get_weather", { city = "Oslo" } } })
  elseif request.max_tokens or request.max_completion_tokens then
    return script.text("one two three", { finish_reason = "length" })
  end
  return script.text(format and '{"city":"Oslo"}' or "Hello.")
end


--- The same with refusals: `refuses(request)` returns the message of a 400, or nil.
local function refusing(refuses)
  return function(request)
    local message = refuses(request)
    if message then return script.failure { status = 400, message = message } end
    return healthy(request)
  end
end


describe("rille.doctor", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function()
    restore()
    endpoint.reset()
    heal.reset()
  end)

  local function examined(step, given)
    local server = assert(mock.serve(script { step, loop = true }))
    local options = { base_url = server.url, model = "m" }
    for name, value in pairs(given or {}) do options[name] = value end
    local diagnosis, trouble = doctor.examine(options)
    server:close()
    return diagnosis, trouble
  end

  local function by_name(diagnosis)
    local found = {}
    for _, finding in ipairs(diagnosis.findings) do found[finding.name] = finding.ok end
    return found
  end

  it("finds nothing wrong with a healthy server", async(function()
    local diagnosis = assert(examined(healthy))
    for name, ok in pairs(by_name(diagnosis)) do assert.is_true(ok, name) end
    assert.equal(14, #diagnosis.findings)
    assert.same({}, diagnosis.flags)
    assert.is_false(diagnosis.changed)
    assert.equal("m", diagnosis.model)
    assert.equal(1, diagnosis.models)
  end))

  local quirks <const> = {
    { "max_completion_tokens is unknown", { max_tokens_key = "max_tokens" },
      function(r) return r.max_completion_tokens
        and "max_completion_tokens: Extra inputs are not permitted" end },
    { "max_tokens is unknown", { max_tokens_key = "max_completion_tokens" },
      function(r) return r.max_tokens and "use the other" end },
    { "role developer is unknown", { developer_role = "system" },
      function(r) return r.messages[1].role == "developer" and "Unexpected role: developer" end },
    { "stream_options are unknown", { stream_usage = false }, function(r) return r.stream_options
      and "unknown field stream_options" end },
    { "null content is refused", { content_null = "" },
      function(r) return r.messages[2] and r.messages[2].content == nil
        and "invalid message content type: <nil>" end },
    { "a forced choice is refused", { thinking_choice = { "." } }, function(r) return r.tool_choice
      and "not with thinking" end },
    { "only strings are choices", { named_choice = "filter" },
      function(r) return type(r.tool_choice) == "table" and "invalid type" end },
    { "the temperature is fixed", { drop = { "temperature", "top_p" } },
      function(r) return r.temperature and "only the default" end },
    { "schemas are unknown", { json_schema = false },
      function(r) return r.response_format and r.response_format.type == "json_schema"
        and "unknown variant" end },
    { "objects are unknown", { response_format = { json_object = "json_schema" } },
      function(r) return r.response_format and r.response_format.type == "json_object"
        and "must be json_schema or text" end },
  }
  for _, quirk in ipairs(quirks) do
    it("asks for a flag when " .. quirk[1], async(function()
      local diagnosis = assert(examined(refusing(quirk[3])))
      assert.same(quirk[2], diagnosis.flags)
      assert.is_true(diagnosis.changed)
    end))
  end

  it("sees that a limit is taken and ignored", async(function()
    local diagnosis = assert(examined(function(request)
      if request.max_completion_tokens then
        return script.text("x",
          { usage = { prompt_tokens = 1, completion_tokens = 900, total_tokens = 901 } })
      end
      return healthy(request)
    end))
    assert.is_false(by_name(diagnosis).max_completion_tokens)
    assert.equal("max_tokens", diagnosis.flags.max_tokens_key)
  end))

  it("does not ask what an earlier no makes pointless", async(function()
    local asked = 0
    local diagnosis = assert(examined(refusing(function(request)
      if request.tool_choice then asked = asked + 1 end
      return request.tools and "does not support tools"
    end)))
    local found = by_name(diagnosis)
    assert.is_false(found.tools)
    assert.is_nil(found.parallel_calls)
    assert.is_nil(found.tool_choice_named)
    assert.equal(0, asked)
  end))

  it("is content with a profile that knows already", async(function()
    local diagnosis = assert(examined(refusing(function(r)
      return r.messages[1].role == "developer" and "Unexpected role: developer"
    end), { provider = "vllm" }))
    assert.equal("vllm", diagnosis.provider)
    assert.same({ developer_role = "system" }, diagnosis.flags)
    assert.is_false(diagnosis.changed)
  end))

  it("tells each finding as it comes", async(function()
    local names = {}
    assert(examined(healthy,
      { on_finding = function(finding) names[#names + 1] = finding.name end }))
    assert.equal("answer", names[1])
    assert.equal(14, #names)
  end))

  it("gives up where nobody is, and where no key is", async(function()
    local diagnosis, trouble = doctor.examine { base_url = "http://127.0.0.1:1/v1", model = "m" }
    assert.is_nil(diagnosis)
    assert.equal("connection", trouble.code)
    diagnosis, trouble = examined(script.failure { status = 401, message = "bad key" })
    assert.is_nil(diagnosis)
    assert.equal("authentication", trouble.code)
    diagnosis, trouble = doctor.examine { provider = "groq", model = "m" }
    assert.is_nil(diagnosis)
    assert.equal("authentication", trouble.code)
    diagnosis, trouble = doctor.examine { base_url = "http://127.0.0.1:1/v1" } -- no model is named, but that is not why
    assert.is_nil(diagnosis)
    assert.equal("connection", trouble.code)
  end))

  it("writes the entry of the configuration file", async(function()
    local diagnosis = assert(
      examined(refusing(function(r) return r.tool_choice and "no" end), { provider = "vllm" }))
    local source = doctor.source(diagnosis, "house")
    local written = assert(load(source, "=config", "t", {}))()
    assert.same({ providers = { house = {
      profile = "vllm", base_url = diagnosis.base_url, flags = { thinking_choice = { "." } },
    } } }, written)
  end))

  it("writes the flags of a provider that is there already, beside those that it has", async(function()
    local diagnosis = assert(
      examined(refusing(function(r) return r.tool_choice and "no" end), { provider = "vllm" }))
    local source = doctor.flags_source(diagnosis, { alternate = true, thinking_choice = false })
    assert.equal('flags = { alternate = true, thinking_choice = { "." } }', source)
  end))
end)
