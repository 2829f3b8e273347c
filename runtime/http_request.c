/* http_request.c -- walk 5: a request in libcurl's terms. See http_request.h. */
#include "http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const long CONNECT_DAY_MS = 86400000; /* libcurl's own limit, out of the way of ours */


void rl_http_set_house_rules(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* cancelling waits for no resolver thread */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_DAY_MS);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* decodes what comes; see own_fields */
}


/* Fields that libcurl would add by itself; an empty one says: do not. */
static const char *const own_fields[] = {"Expect:", "Accept-Encoding:", "Content-Type:"};
enum { OWN_FIELDS = sizeof(own_fields) / sizeof(*own_fields) };


static bool has_field(const char *const *lines, size_t count, const char *name_and_colon)
{
    size_t len = strlen(name_and_colon);
    for (size_t i = 0; i < count; i++)
        if (strncasecmp(lines[i], name_and_colon, len) == 0)
            return true;
    return false;
}


/* Copies a line to <to>. "Name:" alone would mean to libcurl: do not send; it is written "Name;".
 */
static char *copy_line(char *to, const char *line, bool ours)
{
    size_t len = strlen(line);
    size_t used = len;
    while (used > 0 && (line[used - 1] == ' ' || line[used - 1] == '\t'))
        used--;
    memcpy(to, line, len + 1);
    if (!ours && used > 0 && line[used - 1] == ':' && memchr(line, ':', used) == line + used - 1) {
        to[used - 1] = ';';
        to[used] = '\0';
    }
    return to + len + 1;
}


static size_t sum_of_lines(const char *const *lines, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(lines[i]) + 1;
    return size;
}


/* Taking an address apart, and putting it together as libcurl likes it, costs a tenth of what
 * libcurl does for a small request: once is enough. The flags are those of libcurl itself. */
static void take_apart(struct rl_http_template *template, const char *url)
{
    template->url = NULL;
    template->parts = curl_url();
    if (curl_url_set(template->parts, CURLUPART_URL, url,
                     CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(template->parts, CURLUPART_URL, &template->url, 0) == CURLUE_OK)
        return;
    curl_url_cleanup(template->parts);
    template->parts = NULL;
}


struct rl_http_template *rl_http_template_new(const char *url, const char *const *lines,
                                              size_t line_count)
{
    size_t count = line_count + OWN_FIELDS;
    size_t list_size = count * sizeof(struct curl_slist);
    size_t size = sum_of_lines(lines, line_count) + sum_of_lines(own_fields, OWN_FIELDS);
    struct rl_http_template *template = malloc(sizeof(*template) + list_size + size);
    if (template == NULL)
        return NULL;
    template->refs = 1;
    take_apart(template, url);
    template->names_agent = has_field(lines, line_count, "User-Agent:");
    char *text = (char *)(template->list + count);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        bool ours = i >= line_count;
        const char *line = ours ? own_fields[i - line_count] : lines[i];
        if (ours && has_field(lines, line_count, line))
            continue;
        template->list[used] = (struct curl_slist){text, NULL};
        text = copy_line(text, line, ours);
        if (used > 0)
            template->list[used - 1].next = &template->list[used];
        used++;
    }
    return template;
}


struct rl_http_template *rl_http_template_share(struct rl_http_template *template)
{
    template->refs++;
    return template;
}


void rl_http_template_unref(struct rl_http_template *template)
{
    if (template == NULL || --template->refs > 0)
        return;
    curl_url_cleanup(template->parts);
    curl_free(template->url);
    free(template);
}


static void set_method(CURL *easy, const struct rl_http_request *request)
{
    const char *method = request->method;
    const char *natural = "POST";
    bool empty_post =
        strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    const struct rl_http_body *body = &request->body;
    if (body->bytes != NULL || body->read != NULL || empty_post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         body->bytes == NULL && body->read == NULL ? "" : body->bytes);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        natural = "HEAD";
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        natural = "GET";
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, strcmp(method, natural) == 0 ? NULL : method);
}


/* With HTTP/2 within reach a transfer waits for a connection to share instead of opening its own.
 * Not so without TLS: there libcurl would wait for the first response to learn that nothing is
 * shared. */
static void set_version(CURL *easy, const struct rl_http_request *request)
{
    bool may_share = !request->http1 && strncasecmp(request->url, "https:", 6) == 0;
    long version = request->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)may_share);
}


/* The certificates of this request; without any, libcurl's own, in case that the last one had some.
 */
static CURLcode set_certificates(CURL *easy, const struct rl_http_request *request)
{
    char *usual = NULL;
    if (request->ca_file != NULL)
        return curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    curl_easy_getinfo(easy, CURLINFO_CAINFO, &usual);
    return curl_easy_setopt(easy, CURLOPT_CAINFO, usual);
}


CURLcode rl_http_set_request(CURL *easy, const struct rl_http_request *request,
                             struct rl_http_template *template)
{
    set_method(easy, request);
    set_version(easy, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &template->list[0]);
    curl_easy_setopt(easy, CURLOPT_CURLU, template->parts);
    if (set_certificates(easy, request) != 0 ||
        curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy != NULL ? request->proxy : "") != 0 ||
        curl_easy_setopt(easy, CURLOPT_NOPROXY,
                         request->no_proxy != NULL ? request->no_proxy : "") !=
            0 || /* NULL would mean the environment's */
        curl_easy_setopt(easy, CURLOPT_USERAGENT,
                         template->names_agent ? NULL : request->user_agent) != 0)
        return CURLE_OUT_OF_MEMORY;
    return curl_easy_setopt(easy, CURLOPT_URL,
                            template->url != NULL ? template->url : request->url);
}


void rl_http_body_free(struct rl_http_body *body)
{
    if (!body->is_borrowed)
        free(body->bytes);
    body->bytes = NULL;
}


CURL *rl_http_spares_take(struct rl_http_spares *spares)
{
    return spares->count > 0 ? spares->easy[--spares->count] : NULL;
}


void rl_http_spares_keep(struct rl_http_spares *spares, CURL *easy)
{
    if (spares->count == RL_HTTP_SPARES) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(easy, CURLOPT_CURLU, NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    spares->easy[spares->count++] = easy;
}


void rl_http_spares_free(struct rl_http_spares *spares)
{
    while (spares->count > 0)
        curl_easy_cleanup(spares->easy[--spares->count]);
}
