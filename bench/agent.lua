--- agent.lua -- beside the walk: the client of the benchmark as a user would write it.
---
--- Has `runs` conversations, `at_once` at a time, with the scripted server, and prints what they cost this process: the same line as
--- bench/floor.c and bench/fetch.mjs.
--- Usage: rille agent.lua url=http://127.0.0.1:PORT/r2c0 runs=300 at_once=64 result=100 warm=64
---        [want=deltas|chunks] [wait=MS] [sample=1]

local rille = require "rille"

local SAMPLE <const> = 0.01   -- seconds

local options = { runs = 1, at_once = 1, result = 100, warm = 0, wait = 0, want = "nothing" }
for _, word in ipairs(arg) do
  local key, value = word:match("^([%w_]+)=(.*)$")
  options[key] = math.tointeger(tonumber(value)) or value
end

local result = ("x"):rep(options.result)
local requests, chunks = 0, 0


local weather = rille.tool {
  name = "get_weather",
  description = "Get the current weather in a given city.",
  parameters = { { "city", "string", "The city" } },
  run = function()
    if options.wait > 0 then rille.sleep(options.wait / 1000) end
    return result
  end,
}

local agent = rille.agent {
  model = "bench",
  base_url = options.url,
  api_key = "sk-bench",
  instructions = "You are a helpful weather assistant.",
  tools = { weather },
  params = { stream = not options.url:match("c0") },
  limits = { turns = math.huge, repeats = math.huge },
}

local PROMPT <const> = "What's the weather like in Oslo today?"


-- ---------------------------------------------------------------- conversations

local function run()
  local reply = assert(agent:run(PROMPT))
  requests = requests + reply.usage.requests
end


local function run_and_listen()
  for event in agent:stream(PROMPT) do
    if event.type == "text" then
      chunks = chunks + 1
    elseif event.type == "done" then
      requests = requests + event.reply.usage.requests
    elseif event.type == "failed" then
      error(event.failure)
    end
  end
end


local function read_chunks()
  local stream = assert(rille.chat.completions.create({
    model = "bench", messages = { { role = "user", content = PROMPT } }, stream = true,
  }, { base_url = options.url, api_key = "sk-bench" }))
  for chunk in stream do
    if chunk.choices[1] then chunks = chunks + 1 end
  end
  assert(stream:completion())
  requests = requests + 1
end


local converse = ({ nothing = run, deltas = run_and_listen, chunks = read_chunks })[options.want]


--- Lanes that take the next conversation when one has ended: what a pool of workers does.
local function have(count)
  local left, lanes = count, {}
  for i = 1, math.min(options.at_once, count) do
    lanes[i] = i
  end
  local _, failures = rille.map(lanes, function()
    while left > 0 do
      left = left - 1
      converse()
    end
  end)
  if failures then error(select(2, next(failures)), 0) end
end


-- ---------------------------------------------------------------- what it cost

local function cpu_us()
  local used = rille.uv.getrusage()
  return (used.utime.sec + used.stime.sec) * 1e6 + used.utime.usec + used.stime.usec
end


--- The most memory that this process had while all agents waited for their first answer.
local function sample(before)
  local most = 0
  local watcher = rille.spawn(function()
    while true do
      most = math.max(most, rille.uv.resident_set_memory() - before)
      rille.sleep(SAMPLE)
    end
  end)
  agent.on = { message = function() watcher:cancel() end }
  return function() return most end
end


if options.warm > 0 then have(options.warm) end
requests, chunks = 0, 0
collectgarbage()
local most = options.sample and sample(rille.uv.resident_set_memory()) or function() return 0 end
local cpu, started = cpu_us(), rille.now()
have(options.runs)
cpu = cpu_us() - cpu
print(("requests=%d chunks=%d cpu_us=%d wall_us=%d peak_kb=%d suspended_kb=%d"):format(requests, chunks, cpu // 1,
  (rille.now() - started) * 1e6 // 1, rille.uv.getrusage().maxrss, most() // 1024))
