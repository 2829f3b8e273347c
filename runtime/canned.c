/* canned.c -- walk 5, without a network: a response whose bytes are known. See canned.h. */
#include "canned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rl_canned {
    uv_timer_t timer; /* its close callback frees all */
    struct rl_http_head *head;
    const struct rl_http_events *events; /* NULL: the owner knows the end */
    void *owner;
    char *body;
    size_t body_len;
    size_t told; /* bytes of the body */
    size_t *cuts;
    size_t cut_count;
    size_t next_cut;
    bool head_told;
};


static void on_closed(uv_handle_t *timer)
{
    struct rl_canned *canned = timer->data;
    free(canned->body);
    free(canned->cuts);
    free(canned);
}


static void finish(struct rl_canned *canned, const struct rl_err *err)
{
    const struct rl_http_events *events = canned->events;
    canned->events = NULL;
    uv_close((uv_handle_t *)&canned->timer, on_closed);
    events->on_done(canned->owner, err);
}


static size_t piece_end(struct rl_canned *canned)
{
    while (canned->next_cut < canned->cut_count && canned->cuts[canned->next_cut] <= canned->told)
        canned->next_cut++;
    size_t end = canned->body_len;
    if (canned->next_cut < canned->cut_count && canned->cuts[canned->next_cut] < end)
        end = canned->cuts[canned->next_cut];
    return end;
}


/* Returns whether there is more to tell later. */
static bool tell_piece(struct rl_canned *canned, struct rl_err *err)
{
    size_t end = piece_end(canned);
    if (end == canned->told)
        return false;
    int verdict = canned->events->on_bytes(canned->owner, canned->body + canned->told,
                                           end - canned->told, err);
    if (verdict == RL_HTTP_PAUSE) {
        uv_timer_stop(&canned->timer);
        return true;
    }
    canned->told = end;
    return verdict == RL_HTTP_MORE || verdict == RL_HTTP_QUIET;
}


static void on_turn(uv_timer_t *timer)
{
    struct rl_canned *canned = timer->data;
    struct rl_err err = {0};
    uv_timer_start(timer, on_turn, 0, 0);
    if (!canned->head_told) {
        canned->head_told = true;
        if (canned->events->on_head != NULL)
            canned->events->on_head(canned->owner);
        return;
    }
    if (!tell_piece(canned, &err))
        finish(canned, &err);
}


static int fill_head(struct rl_http_head *head, const struct rl_canned_response *response)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "HTTP/1.1 %d\r\n", response->status);
    int rc = rl_http_head_line(head, line, (size_t)len);
    for (size_t i = 0; i < response->header_count && rc == RL_OK; i++)
        rc = rl_http_head_line(head, response->headers[i], strlen(response->headers[i]));
    return rc == RL_OK ? rl_http_head_line(head, "\r\n", 2) : rc;
}


static void *copy(const void *bytes, size_t size)
{
    void *made = malloc(size > 0 ? size : 1);
    if (made != NULL && size > 0)
        memcpy(made, bytes, size);
    return made;
}


struct rl_canned *rl_canned_start(uv_loop_t *loop, const struct rl_canned_response *response,
                                  struct rl_http_head *head, const struct rl_http_events *events,
                                  void *owner, struct rl_err *err)
{
    struct rl_canned *canned = calloc(1, sizeof(*canned));
    char *body = copy(response->body, response->body_len);
    size_t *cuts = copy(response->cuts, response->cut_count * sizeof(*cuts));
    int rc = fill_head(head, response);
    if (canned == NULL || body == NULL || cuts == NULL || rc != RL_OK) {
        free(canned);
        free(body);
        free(cuts);
        if (rc == RL_ETOOBIG)
            rl_err_set(err, rc, "a scripted response has too many header fields");
        else
            rl_err_set(err, RL_ENOMEM, "not enough memory for a scripted response");
        return NULL;
    }
    *canned = (struct rl_canned){.head = head,
                                 .events = events,
                                 .owner = owner,
                                 .body = body,
                                 .body_len = response->body_len,
                                 .cuts = cuts,
                                 .cut_count = response->cut_count};
    uv_timer_init(loop, &canned->timer);
    canned->timer.data = canned;
    uv_timer_start(&canned->timer, on_turn, 0, 0);
    return canned;
}


void rl_canned_cancel(struct rl_canned *canned)
{
    struct rl_err err;
    rl_err_set(&err, RL_ECANCELLED, "the request was cancelled");
    finish(canned, &err);
}


void rl_canned_resume(struct rl_canned *canned)
{
    uv_timer_start(&canned->timer, on_turn, 0, 0);
}
