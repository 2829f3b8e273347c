/* http_error.c -- walk 5: why a transfer failed. See http_error.h. */
#include "http_error.h"

#include <stdio.h>
#include <string.h>


static void copy_shown(char shown[RL_HTTP_SHOWN_MAX], const char *text)
{
    int len = snprintf(shown, RL_HTTP_SHOWN_MAX, "%s", text);
    if (len >= RL_HTTP_SHOWN_MAX)
        memcpy(shown + RL_HTTP_SHOWN_MAX - 4, "...", 4);
    for (char *c = shown; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}


void rl_http_shown_url(char shown[RL_HTTP_SHOWN_MAX], const char *url)
{
    char *text = NULL;
    CURLU *parts = curl_url();
    copy_shown(shown, "the address"); /* what does not parse is not shown: it may hold anything */
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        curl_url_set(parts, CURLUPART_USER, NULL, 0);
        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(parts, CURLUPART_QUERY, NULL, 0);
        curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);
        if (curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK)
            copy_shown(shown, text);
    }
    curl_free(text);
    curl_url_cleanup(parts);
}


void rl_http_shown_easy(char shown[RL_HTTP_SHOWN_MAX], CURL *easy)
{
    char *url = NULL;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    rl_http_shown_url(shown, url != NULL ? url : "");
}


static void explain_connect(struct rl_err *err, CURL *easy, const char *shown, const char *detail)
{
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    char reason[80];
    snprintf(reason, sizeof(reason), "%s", number != 0 ? strerror((int)number) : detail);
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a')
        reason[0] = (char)(reason[0] - 'A' + 'a');
    rl_err_set(err, RL_ECONNECT, "could not connect to %s: %s; is the server running?", shown,
               reason);
}


static void explain_break(struct rl_err *err, CURL *easy, const char *shown, const char *detail,
                          int64_t received)
{
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    const char *reason = detail[0] != '\0' ? detail
                         : number != 0     ? strerror((int)number)
                                           : "it closed";
    rl_err_set(err, RL_ECONNECT, "the connection to %s broke after %lld bytes of the body: %s",
               shown, (long long)received, reason);
}


/* What libcurl calls being out of memory while it reads a head: its own limit for one line. */
#define LINE_TOO_LONG CURL_LAST

/* Which sentence a code of libcurl gets: "<before><address><middle><detail><after>". */
struct sentence {
    CURLcode result;
    int code;
    const char *before, *middle, *after; /* no <after>: the detail is left out */
};

static const struct sentence sentences[] = {
    {CURLE_URL_MALFORMAT, RL_EINVAL, "", " is not a complete URL: write it as https://host/path",
     NULL},
    {CURLE_UNSUPPORTED_PROTOCOL, RL_EINVAL, "",
     " cannot be fetched: ", "; use http:// or https://"},
    {CURLE_COULDNT_RESOLVE_HOST, RL_ECONNECT, "could not reach ",
     ": its host name has no address; check the URL and the network", NULL},
    {CURLE_COULDNT_RESOLVE_PROXY, RL_ECONNECT, "could not reach ",
     ": the proxy's host name has no address; check HTTPS_PROXY", NULL},
    {CURLE_PEER_FAILED_VERIFICATION, RL_ECONNECT, "the certificate of ",
     " is not trusted: ", "; if its authority is your own, name it with SSL_CERT_FILE"},
    {CURLE_SSL_CACERT_BADFILE, RL_EINVAL, "could not reach ",
     ": the file of trusted certificates cannot be read: ", ""},
    {CURLE_SSL_CONNECT_ERROR, RL_ECONNECT, "no secure connection to ", ": ",
     "; does the server speak https?"},
    {CURLE_GOT_NOTHING, RL_ECONNECT, "", " closed the connection without a whole answer", NULL},
    {CURLE_BAD_CONTENT_ENCODING, RL_ESYNTAX, "the response of ", " cannot be decompressed: ", ""},
    {CURLE_WEIRD_SERVER_REPLY, RL_ESYNTAX, "", " did not answer in HTTP: ", ""},
    {CURLE_HTTP2, RL_ECONNECT, "", " broke the rules of HTTP/2: ", ""},
    {CURLE_HTTP2_STREAM, RL_ECONNECT, "", " ended the HTTP/2 stream: ", ""},
    {LINE_TOO_LONG, RL_ETOOBIG, "", " sent a header field of more than 100 KB", NULL},
    {CURLE_OUT_OF_MEMORY, RL_ENOMEM, "not enough memory to ask ", "", NULL},
};
static const struct sentence other = {CURLE_OK, RL_ECONNECT, "the request to ", " failed: ", ""};


static const struct sentence *find_sentence(CURLcode result, const char *detail)
{
    if (result == CURLE_UNSUPPORTED_PROTOCOL && strstr(detail, "HTTP/0.9") != NULL)
        result = CURLE_WEIRD_SERVER_REPLY;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
        if (sentences[i].result == result)
            return &sentences[i];
    return &other;
}


static void explain_rest(struct rl_err *err, CURLcode result, const char *shown, const char *detail)
{
    const struct sentence *say = find_sentence(result, detail);
    if (detail[0] == '\0')
        detail = curl_easy_strerror(result);
    rl_err_set(err, say->code, "%s%s%s%s%s", say->before, shown, say->middle,
               say->after != NULL ? detail : "", say->after != NULL ? say->after : "");
}


void rl_http_explain(struct rl_err *err, CURL *easy, CURLcode result, bool in_head,
                     const char *detail, int64_t received)
{
    if (in_head && result == CURLE_OUT_OF_MEMORY)
        result = LINE_TOO_LONG;
    char shown[RL_HTTP_SHOWN_MAX];
    rl_http_shown_easy(shown, easy);
    if (result == CURLE_OK)
        *err = (struct rl_err){0};
    else if (result == CURLE_COULDNT_CONNECT)
        explain_connect(err, easy, shown, detail);
    else if (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR ||
             result == CURLE_PARTIAL_FILE)
        explain_break(err, easy, shown, detail, received);
    else
        explain_rest(err, result, shown, detail);
}


void rl_http_explain_size(struct rl_err *err, CURL *easy, int code, const char *part, int64_t limit)
{
    char shown[RL_HTTP_SHOWN_MAX];
    rl_http_shown_easy(shown, easy);
    if (code == RL_ENOMEM)
        rl_err_set(err, code, "not enough memory for the response of %s", shown);
    else
        rl_err_set(err, code, "%s sent more than %lld bytes of %s", shown, (long long)limit, part);
}
