/* err.h -- beside the walk: what went wrong, as a code and one sentence for a person.
 *
 * Functions that can fail return 0 or a negative enum rl_code and explain in a caller-owned
 * struct rl_err. Nothing here allocates, so an error can always be reported.
 */
#ifndef RL_ERR_H
#define RL_ERR_H

/* Every code has a name that Lua sees as failure.code (rl_err_name). */
enum rl_code {
    RL_OK = 0,
    RL_ENOMEM = -1,      /* "internal": an allocation failed */
    RL_EINTERNAL = -2,   /* "internal": a promise of ours was broken */
    RL_EINVAL = -3,      /* "invalid_request": the caller's arguments do not fit */
    RL_ETOOBIG = -4,     /* "bad_response": a size, depth or count limit was passed */
    RL_ESYNTAX = -5,     /* "bad_response": bytes that are not what they claim to be */
    RL_ECONNECT = -6,    /* "connection": resolve, connect, TLS, reset, cut short */
    RL_ETIMEOUT = -7,    /* "timeout" */
    RL_ECANCELLED = -8,  /* "cancelled" */
    RL_EINCOMPLETE = -9, /* "incomplete_stream": the answer ended before it was whole */
    RL_EUV = -10         /* "internal": libuv said no; the message carries its text */
};

struct rl_err {
    int code;          /* RL_OK or one of enum rl_code */
    char message[256]; /* one sentence, NUL-terminated, never with a newline */
};

/* Fills <err> (may be NULL) from a printf format and returns <code>. */
int rl_err_set(struct rl_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like rl_err_set with RL_EUV: "<what>: <text of the libuv status>". Returns RL_EUV. */
int rl_err_uv(struct rl_err *err, const char *uv_text, const char *what);

/* The name of <code> as failure.code writes it; never NULL. */
const char *rl_err_name(int code);

#endif
