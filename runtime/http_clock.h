/* http_clock.h -- walk 5: when a transfer has taken too long, and which limit it broke. Pure.
 *
 * Deadlines only move outwards while bytes arrive, so whoever keeps the timer looks here when it
 * fires instead of setting it anew for every byte. All times are uv_now milliseconds.
 */
#ifndef RL_HTTP_CLOCK_H
#define RL_HTTP_CLOCK_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds; negative: no limit. */
struct rl_http_limits {
    int64_t connect_ms;    /* names, TCP, TLS, until the request can be sent */
    int64_t first_byte_ms; /* from the request sent to the first line of the response */
    int64_t idle_ms;       /* between bytes of the response */
    int64_t quiet_ms;      /* between bytes that carry data, where the reader tells them apart */
    int64_t total_ms;      /* the whole transfer */
};

enum rl_http_phase {
    RL_HTTP_CONNECTING,
    RL_HTTP_WAITING,   /* request sent */
    RL_HTTP_RECEIVING, /* head complete */
    RL_HTTP_LINGERING  /* the reader had enough before the server closed the response */
};

enum rl_http_limit {
    RL_HTTP_NO_LIMIT,
    RL_HTTP_CONNECT,
    RL_HTTP_FIRST_BYTE,
    RL_HTTP_IDLE,
    RL_HTTP_QUIET_LIMIT,
    RL_HTTP_TOTAL
};

struct rl_http_clock {
    struct rl_http_limits limits;
    enum rl_http_phase phase;
    bool paused; /* nobody reads: the server's silence means nothing */
    uint64_t started_at, sent_at, byte_at, data_at;
};

struct rl_http_due {
    uint64_t at; /* UINT64_MAX: never */
    enum rl_http_limit limit;
};

/* The nearest deadline as things stand. */
struct rl_http_due rl_http_clock_due(const struct rl_http_clock *clock);

/* One sentence for a broken <limit>: which, how long, who. Returns RL_ETIMEOUT. */
int rl_http_clock_explain(const struct rl_http_clock *clock, enum rl_http_limit limit,
                          const char *shown_url, struct rl_err *err);

#endif
