--- watched.lua -- beside the walk: what it costs a tool to be watched by its timeout.
---
--- The same work is done in a plain task and in a tool whose timeout can stop it anywhere, in turns; prints CPU microseconds of
--- the medians, one line for each kind of work. The cost of the call around the tool is not in it.
--- Usage: rille watched.lua [rounds]

local rille = require "rille"

local ROUNDS <const> = math.tointeger(tonumber(arg[1])) or 9

local work = {}


function work.numbers()
  local sum = 0
  for i = 1, 6000000 do sum = sum + i % 7 * 2 end
  return sum
end


function work.strings()
  local kept = {}
  for i = 1, 250000 do kept[i % 64 + 1] = ("item %d"):format(i):upper() .. #kept end
  return #kept
end


function work.coroutines()
  local function count(n)
    return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
  end
  local sum = 0
  for _ = 1, 100 do
    for i in count(2000) do sum = sum + i end
  end
  return sum
end


local function cpu_us_of(kind)
  collectgarbage()
  local started = os.clock()
  work[kind]()
  return (os.clock() - started) * 1e6
end


local measure = rille.tool {
  name = "measure",
  parameters = { { "kind", "string" } },
  timeout = 600,
  run = function(args) return tostring(cpu_us_of(args.kind)) end,
}

local agent = rille.agent { model = rille.script { "hello" }, tools = { measure } }


local function unwatched(kind)
  return assert(rille.spawn(cpu_us_of, kind):join())
end


local function watched(kind)
  agent.model = rille.script { rille.script.call("measure", { kind = kind }), "done" }
  local reply = assert(agent:run "measure")
  return tonumber(reply.turns[1].results[1].content)
end


local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end


for _, kind in ipairs { "numbers", "strings", "coroutines" } do
  local plain, seen = {}, {}
  for round = 1, ROUNDS do
    plain[round], seen[round] = unwatched(kind), watched(kind)
  end
  print(("name=%s unwatched_us=%d watched_us=%d"):format(kind, median(plain) // 1, median(seen) // 1))
end
