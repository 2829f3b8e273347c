/* again.h -- walk 7: a chunk that repeats the one before it, but for its text.
 *
 * A streamed answer is thousands of chunks that differ in `delta.content` alone, or in the
 * `arguments` of one call, and in the padding called `obfuscation`. Where taking a chunk adds text
 * and changes nothing else (response.h decides that on its tree), the next one needs no tree if it
 * has the same bytes around the same strings: only the text is new. Strings with \u or invalid
 * UTF-8, and all that differs, go the long way.
 *
 * Most of a chunk is its head, what stands before `choices`: id, model and the like. Where it says
 * nothing new, a chunk that begins with the same bytes needs a tree of the rest alone.
 */
#ifndef RL_AGAIN_H
#define RL_AGAIN_H

#include "buf.h"
#include "span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the text of a chunk goes. */
struct rl_again_place {
    int64_t choice;
    int call; /* whose arguments it adds to, by its number among the choice's calls; -1: content */
};

struct rl_again {
    struct rl_buf like;      /* the chunk that may be repeated, or just its head and `choices` */
    struct rl_buf unescaped; /* the text of one that had escapes */
    size_t head;             /* bytes of `like`, up to the name of `choices`; 0: none */
    struct {
        size_t at, len; /* of a string in there that may differ, quotes not counted */
        bool is_text;
    } holes[2];   /* in the order in which they stand */
    size_t count; /* 0: only the head may come again */
    struct rl_again_place place;
};

/* Prepares caller's storage. Allocates nothing. */
void rl_again_init(struct rl_again *again);
void rl_again_free(struct rl_again *again);

/* Nothing repeats what came before. */
void rl_again_forget(struct rl_again *again);

/* How many bytes of <chunk>, a valid JSON object whose members before `choices` are no objects and
 * no arrays, stand before the name of `choices`. 0 when that is written oddly, or comes first. */
size_t rl_again_find_head(struct rl_span chunk);

/* From now on a chunk may begin like <chunk>, with so many bytes of it. */
void rl_again_keep_head(struct rl_again *again, struct rl_span chunk, size_t head);

/* From now on what is like <chunk> repeats it. <chunk> is a valid JSON object, and of its members
 * called `content`, or `arguments`, behind its head only the one that has the text for <place> is a
 * string. Of a chunk that is too long, or oddly written, only the head is kept. */
void rl_again_keep(struct rl_again *again, struct rl_span chunk, size_t head,
                   struct rl_again_place place, bool is_padded);

/* How many bytes of <chunk> are the head that was kept, with the name of `choices` behind it; 0
 * when it begins in another way. */
size_t rl_again_begins(const struct rl_again *again, struct rl_span chunk);

/* Does <chunk> repeat the one that was kept? Then <text> is its text, carried (json.h); it stands
 * until the next question. */
bool rl_again_matches(struct rl_again *again, struct rl_span chunk, struct rl_span *text);

#endif
