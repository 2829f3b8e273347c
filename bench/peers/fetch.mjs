// fetch.mjs -- beside the walk: a peer: a hand-written loop on Node's fetch, no framework. See common.mjs.
import { countingFetch, instructions, key, measure, prompt, seen, streams, url, weather } from "./common.mjs";

const tools = [{ type: "function", function: {
  name: weather.name, description: weather.description,
  parameters: { type: "object", properties: { city: { type: "string", description: weather.city } }, required: ["city"] },
} }];

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
      seen.chunks++;
      add(message, JSON.parse(line.slice(6)).choices[0]?.delta ?? {});
    }
  }
  return message;
}

async function ask(messages) {
  const response = await countingFetch(url + "/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer " + key },
    body: JSON.stringify({ model: "bench", messages, tools, ...(streams && { stream: true }) }),
  });
  if (!response.ok) throw new Error("status " + response.status);
  return streams ? await readStream(response) : (await response.json()).choices[0].message;
}

await measure(async () => {
  const messages = [{ role: "system", content: instructions }, { role: "user", content: prompt }];
  for (;;) {
    const message = await ask(messages);
    messages.push(message);
    if (!message.tool_calls) return;
    messages.push(...await Promise.all(message.tool_calls.map(async (call) => {
      JSON.parse(call.function.arguments);
      return { role: "tool", tool_call_id: call.id, content: await weather.run() };
    })));
  }
});
