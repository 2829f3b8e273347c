/* utf8.h -- beside the walk: one step through UTF-8, and one long stride over what needs no look.
 *
 * Invalid bytes are counted the way browsers do: each maximal part of an ill-formed sequence is one
 * mistake, so "E2 82" is one U+FFFD and "ED A0 80" is three. Source: The Unicode Standard, table
 * 3-7 and section 3.9, "U+FFFD Substitution of Maximal Subparts".
 */
#ifndef RL_UTF8_H
#define RL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RL_UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Looks at the sequence that starts at <p> (before <end>). Returns its length, 1 to 4, when it is
 * well-formed; minus the length of the ill-formed part, 1 to 3, otherwise. */
int rl_utf8_step(const char *p, const char *end);

/* Writes <code> (any scalar value, and a surrogate half in its three-byte form) to <to>, which has
 * room for four bytes. Returns their number. */
size_t rl_utf8_put(char *to, uint32_t code);

/* May <byte> stand in a JSON string as it is, and is it ASCII? */
static inline bool rl_utf8_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}


/* <tops>: top bits of the bytes of a word. How many bytes stand before the first that has one? */
static inline int rl_utf8_before(uint64_t tops)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_ctzll(tops) / 8;
#else
    (void)tops;
    return 0; /* the bytes are looked at one by one */
#endif
}


/* The first byte at or after <p> that is a control, a quote, a backslash or not ASCII; <end> when
 * there is none. Eight bytes at a time: subtracting sets the top bit of a byte that is too small;
 * the lowest one set is no mere borrow. */
static inline const char *rl_utf8_plain_run(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
        uint64_t found = ((word - ones * 0x20) | (quote - ones) | (slash - ones) | word) & tops;
        if (found != 0) {
            p += rl_utf8_before(found);
            break;
        }
        p += 8;
    }
    while (p < end && rl_utf8_is_plain((unsigned char)*p))
        p++;
    return p;
}

#endif
