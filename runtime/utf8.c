/* utf8.c -- beside the walk: well-formed or not. See utf8.h. */
#include "utf8.h"


int rl_utf8_step(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return -1;
    int need = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80; /* no longer than needed */
    unsigned high = lead == 0xED   ? 0x9F
                    : lead == 0xF4 ? 0x8F
                                   : 0xBF; /* no surrogates, no more than 10FFFF */
    for (int i = 1; i < need; i++) {
        if (i >= end - text || p[i] < low || p[i] > high)
            return -i;
        low = 0x80;
        high = 0xBF;
    }
    return need;
}


size_t rl_utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(((0xF00U >> len) & 0xFF) | code); /* C0, E0 or F0, then the top bits */
    return len;
}
