/* http_clock.c -- walk 5: when a transfer has taken too long. See http_clock.h. */
#include "http_clock.h"


static void consider(struct rl_http_due *due, enum rl_http_limit limit, uint64_t since,
                     int64_t limit_ms)
{
    if (limit_ms >= 0 && since + (uint64_t)limit_ms < due->at)
        *due = (struct rl_http_due){since + (uint64_t)limit_ms, limit};
}


struct rl_http_due rl_http_clock_due(const struct rl_http_clock *clock)
{
    const struct rl_http_limits *limits = &clock->limits;
    struct rl_http_due due = {UINT64_MAX, RL_HTTP_NO_LIMIT};
    consider(&due, RL_HTTP_TOTAL, clock->started_at, limits->total_ms);
    if (clock->phase == RL_HTTP_CONNECTING) {
        consider(&due, RL_HTTP_CONNECT, clock->started_at, limits->connect_ms);
    } else if (clock->phase == RL_HTTP_WAITING) {
        consider(&due, RL_HTTP_FIRST_BYTE, clock->sent_at, limits->first_byte_ms);
    } else if (!clock->paused) {
        consider(&due, RL_HTTP_IDLE, clock->byte_at, limits->idle_ms);
        consider(&due, RL_HTTP_QUIET_LIMIT, clock->data_at, limits->quiet_ms);
    }
    return due;
}


int rl_http_clock_explain(const struct rl_http_clock *clock, enum rl_http_limit limit,
                          const char *shown_url, struct rl_err *err)
{
    const struct rl_http_limits *limits = &clock->limits;
    switch (limit) {
    case RL_HTTP_CONNECT:
        return rl_err_set(err, RL_ETIMEOUT, "could not connect to %s within %g s (connect timeout)",
                          shown_url, (double)limits->connect_ms / 1000);
    case RL_HTTP_FIRST_BYTE:
        return rl_err_set(err, RL_ETIMEOUT, "%s did not answer within %g s (first_byte timeout)",
                          shown_url, (double)limits->first_byte_ms / 1000);
    case RL_HTTP_IDLE:
        return rl_err_set(err, RL_ETIMEOUT, "%s sent nothing for %g s (idle timeout)", shown_url,
                          (double)limits->idle_ms / 1000);
    case RL_HTTP_QUIET_LIMIT:
        return rl_err_set(err, RL_ETIMEOUT,
                          "%s sent only signs of life and no data for %g s (idle timeout)",
                          shown_url, (double)limits->quiet_ms / 1000);
    default:
        return rl_err_set(err, RL_ETIMEOUT,
                          "the request to %s took longer than %g s (total timeout)", shown_url,
                          (double)limits->total_ms / 1000);
    }
}
