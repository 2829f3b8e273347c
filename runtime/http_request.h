/* http_request.h -- walk 5: a request in libcurl's terms: the house rules, the method, the fields.
 */
#ifndef RL_HTTP_REQUEST_H
#define RL_HTTP_REQUEST_H

#include "http.h"

#include <curl/curl.h>

/* What holds for every transfer: no signals, no redirects, no netrc, TLS checked and at least 1.2,
 * HTTP/2 where TLS offers it, bodies decoded though nobody asked for compression. */
void rl_http_set_house_rules(CURL *easy);

/* One block, and the address beside it. Behind the list for CURLOPT_HTTPHEADER lie the lines;
 * besides the caller's it tells libcurl to leave out fields of its own. */
struct rl_http_template {
    size_t refs;
    CURLU *parts; /* of the address; NULL: libcurl is to say itself what it thinks of it */
    char *url;    /* the address, whole again: with a scheme, which it repeats requests by */
    bool names_agent;
    struct curl_slist list[];
};

/* Sets all that differs between requests, so that an easy handle is used again without a reset.
 * Body and <template> are not copied: they stay until the transfer has ended. */
CURLcode rl_http_set_request(CURL *easy, const struct rl_http_request *request,
                             struct rl_http_template *template);

/* Frees the bytes of a body unless they are borrowed; the body then has none. */
void rl_http_body_free(struct rl_http_body *body);

/* Easy handles without a transfer, kept for the next one: 5 KB each, dressed by the house rules. */
enum { RL_HTTP_SPARES = 64 };
struct rl_http_spares {
    CURL *easy[RL_HTTP_SPARES];
    size_t count;
};

/* NULL when there is none. */
CURL *rl_http_spares_take(struct rl_http_spares *spares);

/* Keeps <easy> without anything of its last request, or cleans it up. */
void rl_http_spares_keep(struct rl_http_spares *spares, CURL *easy);
void rl_http_spares_free(struct rl_http_spares *spares);

#endif
