/* base64.c -- beside the walk: bytes as text and back. See base64.h. */
#include "base64.h"

#include "err.h"

#include <string.h>

enum { SPACE = 64, PADDING, INVALID };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


int rl_base64_encode(struct rl_buf *out, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    if (len > SIZE_MAX / 2 || rl_buf_reserve(out, (len + 2) / 3 * 4) != RL_OK)
        return out->status != RL_OK ? out->status : (out->status = RL_ETOOBIG);
    char *to = out->data + out->len;
    for (; len > 0; p += 3, to += 4) {
        size_t taken = len < 3 ? len : 3;
        uint32_t bits = (uint32_t)p[0] << 16;
        bits |= taken > 1 ? (uint32_t)p[1] << 8 : 0;
        bits |= taken > 2 ? p[2] : 0;
        to[0] = alphabet[bits >> 18];
        to[1] = alphabet[bits >> 12 & 63];
        to[2] = taken > 1 ? alphabet[bits >> 6 & 63] : '=';
        to[3] = taken > 2 ? alphabet[bits & 63] : '=';
        len -= taken;
    }
    out->len = (size_t)(to - out->data);
    out->data[out->len] = '\0';
    return RL_OK;
}


void rl_base64_init(struct rl_base64 *decoder)
{
    *decoder = (struct rl_base64){0, 0};
}


static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0' + 52);
    switch (c) {
    case '+':
    case '-': return 62;
    case '/':
    case '_': return 63;
    case '=': return PADDING;
    case ' ':
    case '\t':
    case '\r':
    case '\n': return SPACE;
    default: return INVALID;
    }
}


/* Appends the whole bytes that <held> characters make. */
static int flush(struct rl_base64 *decoder, struct rl_buf *out)
{
    unsigned held = decoder->held;
    uint32_t bits = decoder->bits << (4 - held) * 6;
    char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
    rl_base64_init(decoder);
    if (held == 1)
        return RL_ESYNTAX;
    return held == 0 ? out->status : rl_buf_add(out, bytes, held - 1);
}


int rl_base64_decode(struct rl_base64 *decoder, struct rl_buf *out, const char *text, size_t len)
{
    rl_buf_reserve(out, len / 4 * 3 + 3);
    for (size_t i = 0; i < len && out->status == RL_OK; i++) {
        unsigned value = value_of(text[i]);
        if (value == SPACE)
            continue;
        if (value == INVALID)
            return RL_ESYNTAX;
        if (value != PADDING) {
            decoder->bits = decoder->bits << 6 | value;
            decoder->held++;
        }
        if (value == PADDING || decoder->held == 4) {
            int code = flush(decoder, out);
            if (code != RL_OK)
                return code;
        }
    }
    return out->status;
}


int rl_base64_finish(struct rl_base64 *decoder, struct rl_buf *out)
{
    return flush(decoder, out);
}
