// fetch.mjs -- beside the walk: the peer: a hand-written loop on Node's fetch, no framework.
//
// The same conversations and the same line as bench/agent.lua and bench/floor.c.
// Usage: node fetch.mjs url=http://127.0.0.1:PORT/r2c0 runs=300 at_once=64 result=100 warm=64 [sample=1]

const options = { runs: 1, at_once: 1, result: 100, warm: 0 };
for (const word of process.argv.slice(2)) {
  const at = word.indexOf("=");
  const value = word.slice(at + 1);
  options[word.slice(0, at)] = /^\d+$/.test(value) ? Number(value) : value;
}

const result = "x".repeat(options.result);
const streams = !/c0/.test(options.url);
const tools = [{ type: "function", function: {
  name: "get_weather", description: "Get the current weather in a given city.",
  parameters: { type: "object", properties: { city: { type: "string", description: "The city" } }, required: ["city"] },
} }];
let requests = 0, chunks = 0, answered = false;

function add(message, delta) {
  if (delta.content) message.content = (message.content ?? "") + delta.content;
  for (const part of delta.tool_calls ?? []) {
    message.tool_calls ??= [];
    const call = message.tool_calls[part.index] ??= { id: part.id, type: "function", function: { name: "", arguments: "" } };
    call.function.name += part.function?.name ?? "";
    call.function.arguments += part.function?.arguments ?? "";
  }
}

async function readStream(response) {
  const message = { role: "assistant", content: null };
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      chunks++;
      add(message, JSON.parse(line.slice(6)).choices[0]?.delta ?? {});
    }
  }
  return message;
}

async function ask(messages) {
  requests++;
  const response = await fetch(options.url + "/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
    body: JSON.stringify({ model: "bench", messages, tools, ...(streams && { stream: true }) }),
  });
  if (!response.ok) throw new Error("status " + response.status);
  const message = streams ? await readStream(response) : (await response.json()).choices[0].message;
  answered = true;
  return message;
}

async function converse() {
  const messages = [
    { role: "system", content: "You are a helpful weather assistant." },
    { role: "user", content: "What's the weather like in Oslo today?" },
  ];
  for (;;) {
    const message = await ask(messages);
    messages.push(message);
    if (!message.tool_calls) return;
    for (const call of message.tool_calls) {
      JSON.parse(call.function.arguments);
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
  }
}

async function have(count) {
  let left = count;
  const lane = async () => { while (left-- > 0) await converse(); };
  await Promise.all(Array.from({ length: Math.min(options.at_once, count) }, lane));
}

if (options.warm > 0) await have(options.warm);
requests = chunks = 0;
answered = false;
globalThis.gc?.();
const before = process.memoryUsage.rss();
let most = before;
const sampler = options.sample && setInterval(() => {
  if (!answered) most = Math.max(most, process.memoryUsage.rss());
}, 10);
const cpu = process.cpuUsage();
const started = performance.now();
await have(options.runs);
const used = process.cpuUsage(cpu);
clearInterval(sampler);
console.log(`requests=${requests} chunks=${chunks} cpu_us=${used.user + used.system} ` +
  `wall_us=${Math.round((performance.now() - started) * 1000)} peak_kb=${process.resourceUsage().maxRSS} ` +
  `suspended_kb=${Math.round((most - before) / 1024)}`);
process.exit(0);
