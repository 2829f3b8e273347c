--- run.lua -- beside the walk: `make bench`: the program against its floor and its peers, one table.
---
--- Runs with the program itself: rille run.lua BUILD_DIRECTORY WORKLOADS [quick]; WORKLOADS are letters from a to h. Every figure is the
--- median of rounds in which the clients take turns against the same server, so that ratios hold on a busy machine, too. Nothing is
--- asserted. Peers are measured where Node is, frameworks where they were installed: npm install --prefix bench/peers
--- What the rows mean stands in docs/numbers.md.

local rille = require "rille"

local BUILD <const>, WORKLOADS <const>, QUICK <const> = arg[1], arg[2], arg[3] == "quick"
local ROUNDS <const> = QUICK and 1 or 5
local SCALE <const> = QUICK and 0.15 or 1      -- of the conversations
local NODE_SHARE <const> = 0.5                 -- of the conversations, for a slow client
local NODE_WARM <const> = QUICK and 150 or 1000   -- requests before it is measured: it compiles as it goes
local CHUNKS <const> = 20000
local TOOL_MS <const> = 100
local PEERS <const> = { fetch = "node", agents = "bench/peers/node_modules/@openai/agents", ai = "bench/peers/node_modules/ai" }


-- ---------------------------------------------------------------- running clients

local function run(argv)
  local result = assert(rille.process.run(argv))
  if result.code ~= 0 then error(("%s: exit status %d: %s"):format(argv[1], result.code, result.stderr), 0) end
  return result.stdout
end


local function has(program)
  return rille.process.run({ program, "--version" }) ~= nil
end


--- "cpu_us=12 peak_kb=34" → { cpu_us = 12, peak_kb = 34 }
local function figures(line)
  local found = {}
  for key, value in line:gmatch("([%w_]+)=(%S+)") do found[key] = tonumber(value) or value end
  return found
end


local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end


local server <close> = assert(rille.process.open { BUILD .. "/bench/server" })
local address <const> = "http://127.0.0.1:" .. assert(server:read(5)):match("%d+") .. "/"

local clients = { floor = { BUILD .. "/bench/floor" }, rille = { BUILD .. "/rille", "bench/agent.lua" } }
local columns = { "floor", "rille" }
for _, name in ipairs { "fetch", "agents", "ai" } do
  if has("node") and (PEERS[name] == "node" or rille.fs.stat(PEERS[name])) then
    clients[name] = { "node", "bench/peers/" .. name .. ".mjs" }
    columns[#columns + 1] = name
  end
end


--- Conversations that make up as many requests as it takes Node to get warm; a long stream warms by itself.
local function warm_up(work)
  local rounds = math.tointeger(tonumber(work.script:match("^r(%d+)")))
  return work.chunks and 0 or NODE_WARM // (rounds + 1)
end


--- One client, one workload → its figures.
local function converse(name, work)
  local is_peer = PEERS[name] ~= nil
  local share = SCALE * (is_peer and NODE_SHARE or 1)
  local argv = { table.unpack(clients[name]) }
  local function add(key, value) argv[#argv + 1] = key .. "=" .. tostring(value) end
  add("url", address .. work.script)
  add("at_once", work.at_once or 1)
  add("runs", work.fixed and work.runs or math.max(work.at_once or 1, math.ceil(work.runs * share)))
  add("warm", work.fixed and 0 or math.max(work.at_once or 1, 2, is_peer and warm_up(work) or 0))
  if work.result then add("result", work.result) end
  if work.wait then add("wait", work.wait) end
  if work.want and name == "rille" then add("want", work.want) end
  if work.sample then add("sample", 1) end
  return figures(run(argv))
end


-- ---------------------------------------------------------------- the table

local function shown(value, format)
  if not value then return "–" end
  return (format or "%.1f"):format(value)
end


local function print_row(title, cells)
  io.write(title, (" "):rep(math.max(0, 66 - utf8.len(title))))
  for _, cell in ipairs(cells) do io.write((" "):rep(math.max(0, 9 - utf8.len(cell))), cell) end
  io.write("\n")
  io.flush()
end


--- One row: values by client, each with its ratio to the floor.
local function print_values(title, values, format)
  local cells = { shown(values.floor, format) }
  for i = 2, #columns do
    local value = values[columns[i]]
    cells[#cells + 1] = shown(value, format)
    cells[#cells + 1] = value and values.floor and ("%.2f×"):format(value / values.floor) or ""
  end
  print_row(title, cells)
end


local function print_head()
  local cells = { "floor" }
  for i = 2, #columns do
    cells[#cells + 1] = columns[i]
    cells[#cells + 1] = ""
  end
  print_row("", cells)
end


--- Measures one workload with every client, in turns. `work.rows`: { title, function(figures) → value, format }.
local function measure(work)
  local seen = {}
  for _ = 1, work.fixed and 1 or ROUNDS do
    for _, name in ipairs(columns) do
      if not (work.only and work.only ~= name) then
        local found = converse(name, work)
        for i, row in ipairs(work.rows) do
          local at = seen[i] or {}
          seen[i], at[name] = at, at[name] or {}
          table.insert(at[name], row[2](found))
        end
      end
    end
  end
  local medians = {}
  for i, row in ipairs(work.rows) do
    local values = {}
    for name, list in pairs(seen[i]) do values[name] = median(list) end
    medians[i] = values
    if row[1] then print_values(row[1], values, row[3]) end
  end
  return medians
end


-- ---------------------------------------------------------------- a. start

local function cost(argv)
  return figures(run { BUILD .. "/bench/cost", QUICK and 10 or 50, table.unpack(argv) })
end


--- Milliseconds on the wall, by somebody else's stop-watch.
local function hyperfine(argv)
  local path <const> = BUILD .. "/bench/hyperfine.json"
  run { "hyperfine", "-N", "--style", "none", "--warmup", 10, "--runs", QUICK and 30 or 200, "--export-json", path,
    table.concat(argv, " ") }
  return rille.json.decode(assert(rille.fs.read(path))).results[1].median * 1000
end


local function start()
  local empty, ours = { BUILD .. "/bench/empty" }, { BUILD .. "/rille", "-e", "''" }
  local ours_plain = { BUILD .. "/rille", "-e", "" }
  local node = clients.fetch and { "node", "-e", "0" }
  local of_empty, of_ours, of_node = cost(empty), cost(ours_plain), node and cost(node) or {}
  print_values("a. start and end, nothing to do: CPU ms (floor: empty program)", {
    floor = of_empty.cpu_us / 1000, rille = of_ours.cpu_us / 1000, fetch = node and of_node.cpu_us / 1000 })
  if has("hyperfine") then
    print_values("a. the same: ms on the wall (hyperfine, median)", {
      floor = hyperfine(empty), rille = hyperfine(ours), fetch = node and not QUICK and hyperfine(node) or nil })
  else
    print("a. hyperfine is not there: no wall times")
  end
  local values, peaks = {}, {}
  for name, argv in pairs(clients) do
    local url = address .. "r1c0"
    local once = name == "rille" and { argv[1], "bench/once.lua", url } or { argv[1], argv[2] or "url=" .. url, "url=" .. url }
    local found = cost(once)
    values[name], peaks[name] = found.cpu_us / 1000, found.peak_kb / 1024
  end
  print_values("a. start, 2 requests with 1 tool call, end: CPU ms", values)
  print_values("a. the same: peak MB", peaks)
end


-- ---------------------------------------------------------------- b. to f.

local function cpu_per_request(found) return found.cpu_us / found.requests end
local function chunk_rate(found) return CHUNKS * found.requests / found.cpu_us end


local function requests()
  for _, at_once in ipairs { 1, 64, 1000 } do
    measure { script = "r2c0", at_once = at_once, runs = 2000, rows = {
      { ("b. 3 requests, 2 tool calls, %d at a time: CPU µs per request"):format(at_once), cpu_per_request } } }
  end
  measure { script = "r2c16", at_once = 64, runs = 2000, rows = {
    { "b. streamed, answer in 16 chunks, 64 at a time: CPU µs per request", cpu_per_request } } }
end


local function streams(chunk_bytes)
  local format <const> = "%.2f"
  for _, want in ipairs { "nothing", "deltas", "chunks" } do
    local only = want ~= "nothing" and "rille" or nil
    local title <const> = ("c. 20,000 chunks, reader wants %s: M chunks per CPU second"):format(want)
    local rates = measure { script = "r0c" .. CHUNKS, chunks = true, runs = 10, want = want, only = only,
      rows = { { title, chunk_rate, format } } }[1]
    for name, rate in pairs(rates) do rates[name] = rate * chunk_bytes end
    print_values("c. the same: MB per CPU second", rates, "%.0f")
  end
end


local function slow_streams()
  for _, want in ipairs { "nothing", "deltas" } do
    measure { script = "r0c20s50", at_once = 1000, runs = 1000, fixed = true, sample = true, want = want,
      only = want ~= "nothing" and "rille" or nil, rows = {
        { ("c. 1,000 slow streams, reader wants %s: KB each"):format(want), function(found)
          return found.suspended_kb / 1000
        end } } }
  end
end


local parser_titles <const> = {
  sse = "events alone", guard = "JSON guard alone", guard_and_tree = "guard and cJSON tree",
  message = "bytes to message", message_deltas = "the same, deltas told", message_chunks = "the same, chunks told",
  message_arguments = "bytes to message, one long call",
}


--- → bytes per chunk
local function parsers()
  local bytes
  for line in run({ BUILD .. "/bench/parsers", QUICK and 3 or 20 }):gmatch("[^\n]+") do
    local found = figures(line)
    bytes = bytes or found.bytes_per_chunk
    local title = parser_titles[found.name]
    print_values(("c. parsers: %s: M chunks per CPU second"):format(title), { rille = found.chunks_s / 1e6 }, "%.2f")
    print_values("c. the same: MB per CPU second", { rille = found.mb_s }, "%.0f")
  end
  return bytes
end


local function history()
  measure { script = "r100c0", runs = 40, result = 2000, rows = {
    { "d. 100 rounds, results of 2 KB: CPU µs per request", cpu_per_request } } }
  local few = measure { script = "r100c0", runs = 40, rows = { { nil, cpu_per_request } } }[1]
  local many = measure { script = "r400c0", runs = 10, rows = { { nil, cpu_per_request } } }[1]
  local slope = {}
  for name, value in pairs(many) do slope[name] = (value - few[name]) / 150 end
  print_values("d. results of 100 bytes: µs per request for each extra round", slope, "%.3f")
end


local function parallel()
  measure { script = "r1p8c0", wait = TOOL_MS, runs = 20, rows = {
    { "e. 8 parallel tools of 100 ms, 2 requests: ms over", function(found)
      return found.wall_us * 2 / found.requests / 1000 - TOOL_MS
    end, "%.2f" } } }
end


local function crowds()
  for _, count in ipairs { 1000, 10000 } do
    measure { script = "r0c0h" .. count, at_once = count, runs = count, fixed = true, sample = true, rows = {
      { ("f. %d suspended agents: KB each"):format(count), function(found) return found.suspended_kb / count end } } }
  end
  measure { script = "r2c16", at_once = 1000, runs = 1000, fixed = true, rows = {
    { "f. 1,000 agents at once, 2 tool rounds each: finished", function(found) return found.requests / 3 end, "%d" },
    { "f. the same: peak MB", function(found) return found.peak_kb / 1024 end } } }
end


--- What a timeout costs the tool that it watches: the floor is the same work in a plain task.
local function watching()
  for line in run({ BUILD .. "/rille", "bench/watched.lua", QUICK and 3 or 9 }):gmatch("[^\n]+") do
    local found = figures(line)
    print_values(("g. a tool that works with %s, watched by its timeout: CPU ms"):format(found.name),
      { floor = found.unwatched_us / 1000, rille = found.watched_us / 1000 })
  end
end


--- How cost grows with history, agents, chunks and parallel calls.
local function growth()
  for _, rounds in ipairs { 10, 50, 100, 200, 400 } do
    measure { script = ("r%dc0"):format(rounds), runs = 4000 // rounds, rows = {
      { ("h. %d rounds of history at the end, results of 100 bytes: CPU µs per request"):format(rounds), cpu_per_request } } }
  end
  for _, at_once in ipairs { 1, 8, 64, 512, 4000 } do
    measure { script = "r2c0", at_once = at_once, runs = 4000, rows = {
      { ("h. %d agents at a time: CPU µs per request"):format(at_once), cpu_per_request } } }
  end
  for _, chunks in ipairs { 4, 16, 256, 4096, 65536 } do
    measure { script = "r0c" .. chunks, chunks = true, runs = math.max(5, 8192 // chunks), rows = {
      { ("h. an answer of %d chunks: CPU µs"):format(chunks), cpu_per_request } } }
  end
  for _, calls in ipairs { 1, 2, 4, 8, 16, 32 } do
    measure { script = ("r1p%dc0"):format(calls), runs = 500, rows = {
      { ("h. %d calls side by side: CPU µs per turn"):format(calls), cpu_per_request } } }
  end
end


local workloads <const> = {
  a = start, b = requests, c = function()
    streams(parsers())
    slow_streams()
  end, d = history, e = parallel, f = crowds, g = watching, h = growth,
}

print_head()
for letter in WORKLOADS:gmatch "%a" do
  if not workloads[letter] then error(("no workload '%s': a to h"):format(letter), 0) end
  workloads[letter]()
end
