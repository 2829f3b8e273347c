// ai.mjs -- beside the walk: a peer: the AI SDK. See common.mjs.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { countingFetch, instructions, key, MANY, measure, prompt, seen, streams, url, weather } from "./common.mjs";

const provider = createOpenAICompatible({ name: "bench", baseURL: url, apiKey: key, fetch: countingFetch });
const request = {
  model: provider("bench"), system: instructions, prompt, stopWhen: stepCountIs(MANY),
  tools: {
    [weather.name]: tool({
      description: weather.description, inputSchema: z.object({ city: z.string().describe(weather.city) }), execute: weather.run,
    }),
  },
};

await measure(async () => {
  if (!streams) return void await generateText(request);
  for await (const part of streamText(request).fullStream) if (part.type === "text-delta") seen.chunks++;
});
