/* json_write.c -- beside the walk: JSON as we send it. See json.h.
 *
 * Whatever the bytes of a string are, valid UTF-8 leaves. Source: RFC 8259, section 7.
 */
#include "json.h"

#include "decimal.h"
#include "utf8.h"

#include <math.h>
#include <string.h>


static void write_escape(struct rl_buf *out, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 0xF]};
    size_t len = 2;
    switch (byte) {
    case '"':
    case '\\': text[1] = (char)byte; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default: len = 6; break;
    }
    rl_buf_add(out, text, len);
}


/* The inside of a string: long stretches at once, only escapes and mistakes by themselves. */
static void write_bytes(struct rl_buf *out, const char *p, const char *end)
{
    const char *start = p;
    while ((p = rl_utf8_plain_run(p, end)) < end) {
        unsigned char byte = (unsigned char)*p;
        int step = byte < 0x80 ? 0 : rl_utf8_step(p, end);
        if (step > 0) {
            p += step;
            continue;
        }
        rl_buf_add(out, start, (size_t)(p - start));
        if (step == 0)
            write_escape(out, byte);
        else
            rl_buf_adds(out, RL_UTF8_REPLACEMENT);
        p = start = p + (step == 0 ? 1 : -step);
    }
    rl_buf_add(out, start, (size_t)(end - start));
}


int rl_json_write_string(struct rl_buf *out, const char *bytes, size_t len)
{
    rl_buf_reserve(out, len + 2); /* fails alone or not at all: what follows needs as much */
    rl_buf_addc(out, '"');
    write_bytes(out, bytes, bytes + len);
    return rl_buf_addc(out, '"');
}


int rl_json_write_integer(struct rl_buf *out, int64_t value)
{
    char text[RL_DECIMAL_MAX];
    return rl_buf_add(out, text, rl_decimal_print_integer(text, value));
}


int rl_json_write_double(struct rl_buf *out, double value)
{
    if (!isfinite(value))
        return rl_buf_adds(out, "null");
    char text[RL_DECIMAL_MAX];
    size_t len = rl_decimal_print(text, value);
    if (len == 0 && out->status == RL_OK)
        out->status = RL_ENOMEM;
    return rl_buf_add(out, text, len);
}


/* Carried text is plain unless one of two bytes stands in it (json.h). */
static void write_carried(struct rl_buf *out, const char *carried)
{
    size_t len = strlen(carried);
    if (strpbrk(carried, "\xC0\xED") == NULL) {
        rl_json_write_string(out, carried, len);
        return;
    }
    struct rl_buf plain;
    rl_buf_init(&plain, len);
    if (rl_json_plain(&plain, carried, len) == RL_OK)
        rl_json_write_string(out, plain.data, plain.len);
    else
        out->status = plain.status;
    rl_buf_free(&plain);
}


static void write_members(struct rl_buf *out, const cJSON *container)
{
    bool object = cJSON_IsObject(container);
    rl_buf_addc(out, object ? '{' : '[');
    for (const cJSON *item = container->child; item != NULL && out->status == RL_OK;
         item = item->next) {
        if (item != container->child)
            rl_buf_addc(out, ',');
        if (object) {
            write_carried(out, item->string);
            rl_buf_addc(out, ':');
        }
        rl_json_write(out, item);
    }
    rl_buf_addc(out, object ? '}' : ']');
}


int rl_json_write(struct rl_buf *out, const cJSON *tree)
{
    const char *text = rl_json_text(tree);
    if (text != NULL)
        write_carried(out, text);
    else if (cJSON_IsObject(tree) || cJSON_IsArray(tree))
        write_members(out, tree);
    else if (cJSON_IsNumber(tree))
        rl_json_write_double(out, tree->valuedouble);
    else if (rl_json_is_number(tree))
        rl_buf_adds(out, tree->valuestring + 1);
    else if (cJSON_IsBool(tree))
        rl_buf_adds(out, cJSON_IsTrue(tree) ? "true" : "false");
    else
        rl_buf_adds(out, "null");
    return out->status;
}
