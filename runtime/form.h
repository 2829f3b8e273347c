/* form.h -- walk 2: the wire form of an ordinary answer, made of bytes that stand already.
 *
 * An answer that holds more than a plain one (reasoning, what a server noted beside it) is kept
 * with its bare text: what most servers read of it. What some want back or otherwise, the rules of
 * a profile say; rille.rewrite states them, and makes the form of every message that is not of this
 * kind.
 */
#ifndef RL_FORM_H
#define RL_FORM_H

#include "span.h"
#include "transcript.h"

/* Lists of names have a blank before, between and behind them. */
struct rl_form_rules {
    struct rl_span keeps;        /* names that rille.rewrite has its own rules for */
    struct rl_span echo;         /* names that go back */
    struct rl_span always;       /* one of them, which stands there as "" when there was none */
    struct rl_span null_content; /* JSON that stands for null; at NULL: null */
    bool echoes_calls;           /* do members of calls go back? */
};

/* Makes the forms that the transcript lacks for <key>, as far as they are of this kind, by way of
 * the empty <text>. Is none missing then? (Without memory one is.) */
bool rl_form_fill(struct rl_transcript *transcript, const char *key, bool plain_serves,
                  const struct rl_form_rules *rules, struct rl_buf *text);

#endif
