--- rille.profiles -- beside the walk: what each server calls itself compatible with. Data, no code.
---
--- One row per provider: where it lives, how it is recognised, which variable holds its key, and
--- the flags in which it differs from `profiles.base`. The flags are read by rille.rewrite (what a
--- profile changes in a request) and rille.provider (where the request goes), and nowhere else.
--- Source: the wire contract, base URLs §1.1, flags §1.7, request quirks §4e (R numbers below).

local profiles = {}

---@class rille.Flags
---@field verbatim boolean          plain completions are sent as the caller wrote them
---@field max_tokens_key string|false  the one name this server knows for the limit; false: leave it
---@field developer_role string     what role "developer" is called here
---@field no_system? string[]       models (patterns) that reject role "system": it becomes "user"
---@field stream_usage boolean      may stream_options be sent?
---@field stream_false boolean      send `"stream": false` instead of nothing
---@field content_null string|false  what stands for a null assistant content; false: null
---@field text_only boolean         content must be a string wherever it holds only text
---@field names boolean             may messages carry `name`?
---@field refusal boolean           does it know `refusal` (else its text becomes the content)?
---@field audio boolean             does it know `audio` on assistant messages?
---@field custom_tools boolean      does it know tools of type "custom"?
---@field echo string[]             response members that go back on assistant messages
---@field echo_call string[]        … and on their tool calls
---@field echo_always string|false  an echoed member that must stand there, "" when there was none
---@field echo_except? string[]     models (patterns) to which nothing is echoed
---@field tool_id_exact integer|false  tool call ids are exactly this long, alphanumeric
---@field tool_id_max integer|false    … or at most this long
---@field tool_images boolean       may tool messages hold images?
---@field data_images boolean       images only as data URLs
---@field assistant_after_tool boolean  no user message may follow a tool message directly
---@field alternate boolean         neighbours of one role are merged; system only at the start
---@field cumulative boolean        every delta of a stream says the whole text so far (C11)
---@field think_tags boolean        answers begin with reasoning as <think>…</think>: told apart (C8)
---@field repeats_prefix boolean    continues a given text by saying it again first
---@field strict boolean            does it know `strict` in tools?
---@field schema string|false       dialect that tool schemas are reduced to
---@field allowed_tools boolean     does tool_choice know "allowed_tools"?
---@field required_choice string    what tool_choice "required" is called
---@field named_choice "object"|"filter"  a tool chosen by name: as object, or as the only tool left
---@field thinking_choice? string[] models (patterns) that take no forced tool_choice while thinking
---@field json_schema boolean       does response_format json_schema do what it says, with tools and
---  streams?
---@field response_format table<string, string>  a kind of response_format → the kind it becomes
---@field rename table<string, string>  body members under another name
---@field drop string[]             body members never sent
---@field only? string[]            the only body members that may be sent
---@field clamp table<string, number[]>  lowest and highest value
---@field sampling table[]          {models, except, drop, unless_effort_none, effort_models}

---@class rille.ProfileRow
---@field base_url? string
---@field key_env? string           variable of the API key
---@field keyless? boolean          works without a key
---@field auth? "bearer"|"api-key"
---@field hosts? string[]           host of the base URL, or a suffix that starts with "."
---@field port? integer             on the loopback
---@field flags? table              differences from profiles.base

--- Flags that most rows leave unset.
profiles.optional = { no_system = true, echo_except = true, thinking_choice = true, only = true }

--- What to expect of a server that calls itself compatible and is known for nothing else.
profiles.base = {
  verbatim = false,
  max_tokens_key = "max_tokens",
  developer_role = "system",
  stream_usage = true,
  stream_false = false,
  content_null = false,
  text_only = false,
  names = true,
  refusal = false,
  audio = false,
  custom_tools = false,
  echo = {}, echo_call = {}, echo_always = false,
  tool_id_exact = false, tool_id_max = false,
  tool_images = false, data_images = false,
  assistant_after_tool = false,
  alternate = false,
  cumulative = false,
  think_tags = false,
  repeats_prefix = false,
  strict = true,
  schema = false,
  allowed_tools = false,
  required_choice = "required",
  named_choice = "object",
  json_schema = true,
  response_format = {}, rename = {}, drop = {}, clamp = {}, sampling = {},
}

local PENALTIES <const> = { "frequency_penalty", "presence_penalty" }
local UNSAMPLED <const> = {
  "temperature", "top_p", "logprobs", "top_logprobs", "logit_bias",
  "frequency_penalty", "presence_penalty",
}
--- Reasoning models of OpenAI take the default sampling only (R3).
local OPENAI_SAMPLING <const> = {
  { models = { "^o%d" }, drop = UNSAMPLED },
  { models = { "^o3", "^o4%-mini" }, drop = { "stop" } },
  { models = { "^gpt%-[5-9]", "^gpt%-%d%d" }, except = { "chat" }, drop = UNSAMPLED,
    effort_models = { "^gpt%-5%.[1-9]", "^gpt%-[6-9]", "^gpt%-%d%d" },
    unless_effort_none = { "temperature", "top_p", "logprobs" } },
}
local OPENAI <const> = {
  verbatim = true,
  max_tokens_key = "max_completion_tokens",
  developer_role = "developer",
  no_system = { "^o1%-mini", "^o1%-preview" },
  refusal = true, audio = true, custom_tools = true, allowed_tools = true,
  tool_id_max = 40,
  sampling = OPENAI_SAMPLING,
}
--- The members that Mistral's validator lets through; all others are 422 extra_forbidden (R16).
local MISTRAL_BODY <const> = {
  "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "stream",
  "stop", "temperature", "top_p", "max_tokens", "n", "random_seed", "frequency_penalty",
  "presence_penalty", "prediction", "prompt_mode", "reasoning_effort", "safe_prompt", "guardrails",
}

---@type table<string, rille.ProfileRow>
profiles.rows = {
  openai = {
    base_url = "https://api.openai.com/v1", key_env = "OPENAI_API_KEY",
    hosts = { "api.openai.com", ".api.openai.com" }, flags = OPENAI,
  },
  --- base_url: AZURE_OPENAI_ENDPOINT; rille.provider builds the deployment path (R26).
  azure = {
    key_env = "AZURE_OPENAI_API_KEY", auth = "api-key",
    hosts = { ".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com" },
    flags = {
      max_tokens_key = "max_completion_tokens", developer_role = "developer",
      refusal = true, audio = true, custom_tools = true, allowed_tools = true,
      tool_id_max = 40, sampling = OPENAI_SAMPLING,
    },
  },
  openrouter = {
    base_url = "https://openrouter.ai/api/v1", key_env = "OPENROUTER_API_KEY",
    hosts = { "openrouter.ai" },
    flags = { max_tokens_key = "max_completion_tokens", echo = { "reasoning_details" } },
  },
  ollama = {
    base_url = "http://localhost:11434/v1", key_env = "OLLAMA_API_KEY", keyless = true,
    hosts = { "ollama.com" }, port = 11434,
    flags = { content_null = "", data_images = true },
  },
  llamacpp = {
    base_url = "http://localhost:8080/v1", key_env = "LLAMACPP_API_KEY", keyless = true,
    port = 8080,
    flags = { alternate = true },
  },
  vllm = {
    base_url = "http://localhost:8000/v1", key_env = "VLLM_API_KEY", keyless = true, port = 8000,
  },
  lmstudio = {
    base_url = "http://localhost:1234/v1", key_env = "LMSTUDIO_API_KEY", keyless = true,
    port = 1234,
    flags = {
      content_null = "", named_choice = "filter",
      response_format = { json_object = "json_schema" },
    },
  },
  groq = {
    base_url = "https://api.groq.com/openai/v1", key_env = "GROQ_API_KEY",
    hosts = { "api.groq.com" },
    flags = { max_tokens_key = "max_completion_tokens", content_null = "", json_schema = false },
  },
  deepseek = {
    base_url = "https://api.deepseek.com", key_env = "DEEPSEEK_API_KEY",
    hosts = { "api.deepseek.com" },
    flags = {
      text_only = true, strict = false,
      echo = { "reasoning_content" }, echo_always = "reasoning_content", echo_except = { "r1" },
      thinking_choice = { "reasoner", "thinking", "r1" }, json_schema = false,
      response_format = { json_schema = "json_object" },
    },
  },
  mistral = {
    base_url = "https://api.mistral.ai/v1", key_env = "MISTRAL_API_KEY",
    hosts = { "api.mistral.ai", "codestral.mistral.ai" },
    flags = {
      names = false, stream_usage = false, tool_id_exact = 9, assistant_after_tool = true,
      required_choice = "any", named_choice = "filter", repeats_prefix = true,
      rename = { seed = "random_seed" },
      only = MISTRAL_BODY,
    },
  },
  gemini = {
    base_url = "https://generativelanguage.googleapis.com/v1beta/openai",
    key_env = "GEMINI_API_KEY",
    hosts = { "generativelanguage.googleapis.com" },
    flags = {
      echo = { "extra_content" }, echo_call = { "extra_content" }, strict = false,
      schema = "gemini",
    },
  },
  together = {
    base_url = "https://api.together.xyz/v1", key_env = "TOGETHER_API_KEY",
    hosts = { "api.together.xyz", "api.together.ai" }, flags = { content_null = "" },
  },
  xai = {
    base_url = "https://api.x.ai/v1", key_env = "XAI_API_KEY", hosts = { "api.x.ai", ".api.x.ai" },
    flags = {
      max_tokens_key = "max_completion_tokens",
      sampling = {
        { models = { "^grok%-3%-mini", "^grok%-[4-9]", "^grok%-code" },
          except = { "non%-reasoning" },
          drop = { "stop", table.unpack(PENALTIES) } },
      },
    },
  },
  anthropic = {
    base_url = "https://api.anthropic.com/v1", key_env = "ANTHROPIC_API_KEY",
    hosts = { "api.anthropic.com" },
    flags = { clamp = { temperature = { 0, 1 } }, json_schema = false },
  },
  litellm = {
    base_url = "http://localhost:4000/v1", key_env = "LITELLM_API_KEY", keyless = true, port = 4000,
    flags = {
      max_tokens_key = "max_completion_tokens",
      echo = { "thinking_blocks" }, echo_call = { "provider_specific_fields" },
    },
  },
  cerebras = {
    base_url = "https://api.cerebras.ai/v1", key_env = "CEREBRAS_API_KEY",
    hosts = { "api.cerebras.ai" },
    flags = { max_tokens_key = "max_completion_tokens", text_only = true, drop = PENALTIES },
  },
  fireworks = {
    base_url = "https://api.fireworks.ai/inference/v1", key_env = "FIREWORKS_API_KEY",
    hosts = { "api.fireworks.ai" },
  },
  moonshot = {
    base_url = "https://api.moonshot.ai/v1", key_env = "MOONSHOT_API_KEY",
    hosts = { "api.moonshot.ai", "api.moonshot.cn" },
    flags = {
      echo = { "reasoning_content" }, thinking_choice = { "thinking" },
      clamp = { temperature = { 0, 1 } },
      sampling = { { models = { "^kimi%-k2%.%d" }, drop = { "temperature" } } },
    },
  },
  dashscope = {
    base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    key_env = "DASHSCOPE_API_KEY",
    hosts = { "dashscope-intl.aliyuncs.com", "dashscope.aliyuncs.com",
      "dashscope-us.aliyuncs.com" },
    flags = { thinking_choice = { "thinking", "^qwq" } },
  },
  minimax = {
    base_url = "https://api.minimax.io/v1", key_env = "MINIMAX_API_KEY",
    hosts = { "api.minimax.io", "api.minimaxi.com", "api.minimax.chat" },
    flags = { echo = { "reasoning_details" }, clamp = { temperature = { 0.01, 1 } } },
  },
  copilot = {
    base_url = "https://api.githubcopilot.com", key_env = "COPILOT_API_KEY",
    hosts = { "api.githubcopilot.com", ".githubcopilot.com" },
    flags = { echo = { "reasoning_text", "reasoning_opaque" }, tool_id_max = 40 },
  },
  --- Nobody we know: nothing is renamed before the server has said that it must be.
  generic = {
    key_env = "OPENAI_API_KEY",
    flags = {
      verbatim = true, max_tokens_key = false, developer_role = "developer", custom_tools = true,
    },
  },
}

return profiles
