/* cuts.h -- beside the walk: the same bytes whole and in slices, for the fuzzers.
 *
 * Where the slices end follows from the bytes, so that an input that fails fails again.
 */
#ifndef RL_FUZZ_CUTS_H
#define RL_FUZZ_CUTS_H

#include <stddef.h>
#include <stdint.h>

struct cuts {
    uint64_t state;
    size_t at;
    size_t len;
};


static inline struct cuts cuts_of(const uint8_t *data, size_t len)
{
    struct cuts cuts = {.state = 14695981039346656037u, .len = len};
    for (size_t i = 0; i < len; i++)
        cuts.state = (cuts.state ^ data[i]) * 1099511628211u;
    return cuts;
}


/* The length of the next slice; 0 at the end. Slices are mostly short: that is where states meet.
 */
static inline size_t next_cut(struct cuts *cuts)
{
    cuts->state = cuts->state * 6364136223846793005u + 1442695040888963407u;
    uint64_t random = cuts->state >> 33;
    size_t want = random % 4 == 0 ? 1 + random / 4 % 200 : 1 + random / 4 % 5;
    size_t left = cuts->len - cuts->at;
    if (want > left)
        want = left;
    cuts->at += want;
    return want;
}

#endif
