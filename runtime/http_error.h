/* http_error.h -- walk 5: why a transfer failed, as one sentence with the address and what to do.
 */
#ifndef RL_HTTP_ERROR_H
#define RL_HTTP_ERROR_H

#include "err.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RL_HTTP_SHOWN_MAX = 120 }; /* bytes of an address in a sentence, NUL included */

/* Writes <url> without user, password, query and fragment: they may hold secrets. */
void rl_http_shown_url(char shown[RL_HTTP_SHOWN_MAX], const char *url);

/* Fills <err> for libcurl's <result> of <easy>; <in_head>: was it reading the response's head?
 * <detail> is what CURLOPT_ERRORBUFFER holds, <received> the bytes of the body so far. */
void rl_http_explain(struct rl_err *err, CURL *easy, CURLcode result, bool in_head,
                     const char *detail, int64_t received);

/* Fills <err> for a response whose <part> passed its <limit> in bytes (RL_ETOOBIG) or our memory
 * (RL_ENOMEM). */
void rl_http_explain_size(struct rl_err *err, CURL *easy, int code, const char *part,
                          int64_t limit);

/* The address that <easy> was given, shown. */
void rl_http_shown_easy(char shown[RL_HTTP_SHOWN_MAX], CURL *easy);

#endif
