/* names.c -- beside the walk: the member names that nearly every reply has. See names.h. */
#include "names.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 26, SIZE = LONGEST + 1 };

/* By length. */
static const char names[RL_NAMES][SIZE] = {
    "id",
    "name",
    "role",
    "type",
    "text",
    "index",
    "model",
    "usage",
    "delta",
    "object",
    "content",
    "choices",
    "message",
    "created",
    "refusal",
    "function",
    "logprobs",
    "reasoning",
    "arguments",
    "tool_calls",
    "annotations",
    "total_tokens",
    "audio_tokens",
    "service_tier",
    "finish_reason",
    "prompt_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "completion_tokens",
    "reasoning_content",
    "system_fingerprint",
    "prompt_tokens_details",
    "completion_tokens_details",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
};

/* Those of <len> bytes stand from first[len] to first[len + 1]. */
static const uint8_t first[LONGEST + 2] = {
    [2] = 0,   [3] = 1,   [4] = 1,   [5] = 5,   [6] = 9,   [7] = 10,  [8] = 15,
    [9] = 17,  [10] = 19, [11] = 20, [12] = 21, [13] = 24, [14] = 27, [15] = 27,
    [16] = 27, [17] = 28, [18] = 30, [19] = 31, [20] = 31, [21] = 31, [22] = 32,
    [23] = 32, [24] = 32, [25] = 32, [26] = 33, [27] = 35,
};


const char *rl_name_find(const char *bytes, size_t len)
{
    if (len > LONGEST)
        return NULL;
    for (size_t i = first[len]; i < first[len + 1]; i++)
        if (names[i][0] == bytes[0] && memcmp(names[i], bytes, len) == 0)
            return names[i];
    return NULL;
}


int rl_name_number(const char *name)
{
    uintptr_t offset = (uintptr_t)name - (uintptr_t)names;
    return offset < sizeof(names) ? (int)(offset / SIZE) : -1;
}


const char *rl_name_at(int n)
{
    return names[n];
}
