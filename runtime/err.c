/* err.c -- beside the walk: what went wrong. See err.h. */
#include "err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>


int rl_err_set(struct rl_err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    for (char *c = err->message; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    err->code = code;
    return code;
}


int rl_err_uv(struct rl_err *err, const char *uv_text, const char *what)
{
    return rl_err_set(err, RL_EUV, "%s: %s", what, uv_text);
}


const char *rl_err_name(int code)
{
    switch (code) {
    case RL_EINVAL: return "invalid_request";
    case RL_ETOOBIG:
    case RL_ESYNTAX: return "bad_response";
    case RL_ECONNECT: return "connection";
    case RL_ETIMEOUT: return "timeout";
    case RL_ECANCELLED: return "cancelled";
    case RL_EINCOMPLETE: return "incomplete_stream";
    default: return "internal";
    }
}
