// agents.mjs -- beside the walk: a peer: @openai/agents. See common.mjs.
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";
import { countingFetch, instructions, key, MANY, measure, prompt, seen, streams, url, weather } from "./common.mjs";

setTracingDisabled(true);
const client = new OpenAI({ baseURL: url, apiKey: key, fetch: countingFetch });
const agent = new Agent({
  name: "weather", instructions, model: new OpenAIChatCompletionsModel(client, "bench"),
  tools: [tool({
    name: weather.name, description: weather.description,
    parameters: z.object({ city: z.string().describe(weather.city) }), execute: weather.run,
  })],
});

await measure(async () => {
  const result = await run(agent, prompt, { stream: streams, maxTurns: MANY });
  if (!streams) return;
  for await (const event of result) if (event.type === "raw_model_stream_event") seen.chunks++;
  await result.completed;
});
