// common.mjs -- beside the walk: what all peers of the benchmark share: options, the conversation, and what it cost.
//
// The same conversations and the same line as bench/agent.lua and bench/floor.c.
// Usage: node PEER.mjs url=http://127.0.0.1:PORT/r2c0 runs=300 at_once=64 result=100 warm=64 [wait=MS] [sample=1]

const options = { runs: 1, at_once: 1, result: 100, warm: 0, wait: 0 };
for (const word of process.argv.slice(2)) {
  const at = word.indexOf("=");
  const value = word.slice(at + 1);
  options[word.slice(0, at)] = /^\d+$/.test(value) ? Number(value) : value;
}

export const url = options.url;
export const key = "sk-bench";
export const streams = !/c0/.test(url);
export const instructions = "You are a helpful weather assistant.";
export const prompt = "What's the weather like in Oslo today?";
const result = "x".repeat(options.result);
export const weather = {
  name: "get_weather", description: "Get the current weather in a given city.", city: "The city",
  run: async () => {
    if (options.wait > 0) await new Promise((resolve) => setTimeout(resolve, options.wait));
    return result;
  },
};
export const MANY = 1_000_000; // turns that a conversation may take
export const seen = { requests: 0, chunks: 0, answered: false };

// For libraries that send their requests themselves.
export async function countingFetch(...given) {
  seen.requests++;
  const response = await fetch(...given);
  seen.answered = true;
  return response;
}

async function have(converse, count) {
  let left = count;
  const lane = async () => { while (left-- > 0) await converse(); };
  await Promise.all(Array.from({ length: Math.min(options.at_once, count) }, lane));
}

// Has all conversations and prints what they cost this process.
export async function measure(converse) {
  if (options.warm > 0) await have(converse, options.warm);
  Object.assign(seen, { requests: 0, chunks: 0, answered: false });
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  const sampler = options.sample && setInterval(() => {
    if (!seen.answered) most = Math.max(most, process.memoryUsage.rss());
  }, 10);
  const cpu = process.cpuUsage();
  const started = performance.now();
  await have(converse, options.runs);
  const used = process.cpuUsage(cpu);
  clearInterval(sampler);
  console.log(`requests=${seen.requests} chunks=${seen.chunks} cpu_us=${used.user + used.system} ` +
    `wall_us=${Math.round((performance.now() - started) * 1000)} peak_kb=${process.resourceUsage().maxRSS} ` +
    `suspended_kb=${Math.round((most - before) / 1024)}`);
  process.exit(0);
}
