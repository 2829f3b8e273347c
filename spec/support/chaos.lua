--- chaos.lua -- a model that misbehaves in every way that we know of, and tools that do, too. Everything is drawn from one
--- seed, so that a run can be repeated.
local agents = require "spec.support.agents"
local json = require "rille.json"
local rille = require "rille"

local S <const> = rille.script
local chaos = {}

-- ---------------------------------------------------------------------------------- dice

--- Dice of their own (xorshift), so that runs side by side do not disturb each other.
--- @param seed integer
--- @return fun(n: integer): integer   1 … n
function chaos.dice(seed)
  local state = (seed * 2654435761 + 88172645463325252) | 1
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 1) % n + 1
  end
end

local function pick(dice, list) return list[dice(#list)] end

-- --------------------------------------------------------------------------------- tools

--- Tools of every kind. `dice` decides what they do.
--- @return rille.Tool[]
function chaos.tools(dice)
  local text <const> = { { "text", "string", optional = true } }
  return {
    agents.echo,
    agents.tool("wait", function() rille.sleep(dice(4) / 1000) end),
    agents.tool("hang", function() rille.sleep(60) end, { timeout = 0.003 }),
    agents.tool("stubborn", function()
      local ok = pcall(rille.sleep, 60)
      rille.sleep(0.001)
      return ok
    end, { timeout = 0.003 }),
    agents.tool("crash", function()
      error(pick(dice, { "text", { code = 5 }, rille.failure.new("quota", "none left"), 7 }), 0)
    end),
    agents.tool("refuse", function() return nil, "not today" end),
    agents.tool("bytes", function() return "\xff\xfe\0" .. ("\u{10FFFF}"):rep(dice(100)) end, { max_result_bytes = 50 }),
    agents.tool("unsendable", function() return { print } end),
    agents.tool("ask", function() return "asked" end, { approve = true, parameters = text }),
    agents.tool("perhaps", function() return "maybe" end,
      { approve = function() return pick(dice, { "allow", "deny", "ask", "x" }) end }),
    agents.tool("alone", function() rille.sleep(0.001) end, { sequential = true }),
    agents.tool("spread", function()
      rille.map({ 1, 2, 3 }, function(i) rille.sleep(i / 2000) end)
      return "spread"
    end),
    agents.tool("tell", function(_, context) context:progress { n = dice(9) } end),
    rille.tool { name = "free", type = "custom", run = function(input) return input end },
    agents.new({ loop = true, function() return chaos.step(dice, 1) end },
      { name = "inner", tools = { agents.echo }, limits = { turns = 2 } }):as_tool(),
  }
end

-- --------------------------------------------------------------------------------- model

local names <const> = {
  "echo", "wait", "hang", "stubborn", "crash", "refuse", "bytes", "unsendable", "ask", "perhaps", "alone", "spread", "tell",
  "free", "inner", "nope", "", "../x", "functions.echo", "multi_tool_use.parallel", "final_answer", ("n"):rep(100),
}

local arguments <const> = {
  "", "null", "{}", "[]", "{", '{"text":', '{"text":5}', '{"text":"a"}', '{"text":"\\ud83d"}', '{"text":"\xff"}',
  '{"text":"a","text":"b"}', '{"prompt":"go"}', '"{\\"text\\":\\"a\\"}"', '{"n":1}', "{'a':1}", "nonsense", '{"x":' .. ("["):rep(200),
  '{"tool_uses":[{"recipient_name":"functions.echo","parameters":{"text":"w"}},{"recipient_name":"nope"}]}', '{"text":"\\u0000"}',
}

local finish_reasons <const> = { "stop", "tool_calls", "length", "content_filter", "eos", "function_call" }

local texts <const> = { "done", "", '{"n":1}', '{"n":"x"}', "\xff bytes", "\u{202e}" }

local function random_call(dice)
  local call = { name = pick(dice, names), arguments = pick(dice, arguments), id = pick(dice, { "same", "a", "b", nil }) }
  if dice(12) == 1 then
    call.type, call.input, call.arguments = "custom", "text", nil
  end
  return call
end

local function random_calls(dice)
  local calls = {}
  for i = 1, dice(4) do calls[i] = random_call(dice) end
  return S.calls(calls, { finish_reason = pick(dice, finish_reasons), text = pick(dice, { nil, "Let me see." }),
    usage = dice(3) > 1 and { total_tokens = dice(50) } or false })
end

local broken <const> = {
  'data: {"choices":[{"index":0,"delta":{"content":"half', "data: [DONE]\n\n", "", "<html>no</html>", '{"error":{"message":"x"}}',
  'data: {"choices":[{"index":0,"delta":{"content":"half a"}}]}\n\n', "data: {]\n\n",
  'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"q","function":{"name":"echo","arguments":"{\\"te"}}]'
    .. "}}]}\n\ndata: [DONE]\n\n",
  json.encode { choices = { { index = 0, finish_reason = "tool_calls", message = { role = "assistant", content = json.null,
    function_call = { name = "echo", arguments = "{}" } } } } },
  json.encode { choices = { { index = 0, message = { role = "assistant", tool_calls = { { ["function"] = { name = "echo" } }, {} } } } } },
}

--- One answer of the model.
--- @param dice fun(n: integer): integer
--- @param depth? integer
function chaos.step(dice, depth)
  local roll = dice(20)
  if roll <= 11 then return random_calls(dice) end
  if roll <= 14 then return S.text(pick(dice, texts), { finish_reason = pick(dice, finish_reasons) }) end
  if roll == 15 then return S.text("", { refusal = "No." }) end
  if roll == 16 then return S.failure { status = pick(dice, { 400, 401, 429, 500, 503 }) } end
  if roll == 17 then return S.raw { body = pick(dice, broken) } end
  if roll == 18 then return S.text("late", { delay = dice(3) / 1000 }) end
  return depth and S.text "inner" or random_calls(dice)
end

return chaos
