/* reply_error.h -- beside the walk: what a server says went wrong, in one form.
 *
 * Every provider has its own shape for errors: in an error body, in an event, in a body with status
 * 200. All become one object {kind, message, type, code, param, detail}: message, type, code and
 * param are strings or null, detail is the JSON as received or null. Source: the wire contract,
 * section 3.4.
 */
#ifndef RL_REPLY_ERROR_H
#define RL_REPLY_ERROR_H

#include "reply_head.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Is this payload of a status 200 reply an error? <is_named>: it came in an event named "error". */
bool rl_reply_is_error(const cJSON *payload, bool is_named);

/* Each returns a new error object, or NULL without memory. */

/* From a payload, which is taken; NULL when there was no memory for it. */
cJSON *rl_reply_error_json(const char *kind, cJSON *payload);

/* From plain text, of which the first 500 characters are kept; NULL when nothing was said. */
cJSON *rl_reply_error_text(const char *kind, const char *bytes, size_t len);

/* From an HTML page: its title, or its text. */
cJSON *rl_reply_error_page(const char *kind, const char *bytes, size_t len);

/* From a document without an answer, which is kept as detail; <len> may be 0. */
cJSON *rl_reply_error_empty(const char *bytes, size_t len);

/* From the body of a response with an error status, whatever it is; with status and retryable. */
cJSON *rl_reply_error_body(const struct rl_reply_head *head, const char *bytes, size_t len);

/* Adds the one sentence that helps a person. False without memory. */
bool rl_reply_error_hint(cJSON *error, const char *hint);

#endif
