/* reply_head.c -- beside the walk: Retry-After, request ids, and what may be tried again.
 *
 * Numbers and dates are read by hand: strtod and strptime would follow the host's locale.
 */
#include "reply_head.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>


const char *rl_reply_header(const struct rl_reply_head *head, const char *name)
{
    return head->lookup != NULL ? head->lookup(head->headers, name) : NULL;
}


const char *rl_request_id(const struct rl_reply_head *head)
{
    static const char *const names[] = {
        "x-request-id",  "request-id",      "apim-request-id", "mistral-correlation-id",
        "x-ds-trace-id", "x-generation-id", "cf-ray",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = rl_reply_header(head, names[i]);
        if (value != NULL && value[0] != '\0')
            return value;
    }
    return NULL;
}


static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t\r\n");
}


/* Reads digits[.digits] and nothing else. */
static bool read_decimal(const char *text, double *value)
{
    const char *p = skip_blanks(text);
    double sum = 0;
    double scale = 1;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++)
        sum = sum * 10 + (*p - '0');
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
            scale /= 10;
            sum += scale * (*p - '0');
        }
    }
    if (digits == 0 || digits > 64 || *skip_blanks(p) != '\0')
        return false;
    *value = sum;
    return true;
}


static bool read_int(const char **at, int min_digits, int max_digits, int *value)
{
    int digits = 0;
    for (*value = 0; digits < max_digits && **at >= '0' && **at <= '9'; (*at)++, digits++)
        *value = *value * 10 + (**at - '0');
    return digits >= min_digits;
}


static bool read_month(const char **at, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncasecmp(*at, names + 3 * i, 3) == 0) {
            *at += 3;
            *month = i + 1;
            return true;
        }
    }
    return false;
}


static bool read_char(const char **at, const char *any)
{
    if (**at == '\0' || strchr(any, **at) == NULL)
        return false;
    (*at)++;
    return true;
}


struct date {
    int year, month, day, hour, minute, second;
};


static bool read_clock(const char **at, struct date *d)
{
    return read_int(at, 2, 2, &d->hour) && read_char(at, ":") && read_int(at, 2, 2, &d->minute) &&
           read_char(at, ":") && read_int(at, 2, 2, &d->second);
}


/* "06 Nov 1994 08:49:37 GMT" or, from RFC 850, "06-Nov-94 08:49:37 GMT" */
static bool read_day_first(const char *at, struct date *d)
{
    if (!read_int(&at, 1, 2, &d->day) || !read_char(&at, " -") || !read_month(&at, &d->month) ||
        !read_char(&at, " -") || !read_int(&at, 2, 4, &d->year) || !read_char(&at, " ") ||
        !read_clock(&at, d))
        return false;
    if (d->year < 100)
        d->year += d->year < 70 ? 2000 : 1900;
    at = skip_blanks(at);
    return strcasecmp(at, "GMT") == 0 || strcasecmp(at, "UTC") == 0 || strcmp(at, "+0000") == 0;
}


/* "Nov  6 08:49:37 1994" (asctime) */
static bool read_month_first(const char *at, struct date *d)
{
    if (!read_month(&at, &d->month))
        return false;
    at = skip_blanks(at);
    if (!read_int(&at, 1, 2, &d->day) || !read_char(&at, " ") || !read_clock(&at, d) ||
        !read_char(&at, " ") || !read_int(&at, 4, 4, &d->year))
        return false;
    return *skip_blanks(at) == '\0';
}


/* Days from 1970-01-01 in the Gregorian calendar; March begins the year, so that leap days end it.
 */
static double days_since_1970(const struct date *d)
{
    int year = d->month <= 2 ? d->year - 1 : d->year;
    int month = (d->month + 9) % 12;
    int days =
        365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + d->day - 1;
    return days - 719468;
}


/* An HTTP date as seconds since 1970. The day's name is not checked. */
static bool read_date(const char *text, double *seconds)
{
    const char *at = skip_blanks(text);
    at += strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    read_char(&at, ",");
    at = skip_blanks(at);
    struct date d = {0};
    if (!read_day_first(at, &d) && !read_month_first(at, &d))
        return false;
    if (d.day < 1 || d.day > 31 || d.hour > 23 || d.minute > 59 || d.second > 60)
        return false;
    *seconds = days_since_1970(&d) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
    return true;
}


bool rl_retry_after(const struct rl_reply_head *head, double now, double *seconds)
{
    const char *ms = rl_reply_header(head, "retry-after-ms");
    if (ms != NULL && read_decimal(ms, seconds)) {
        *seconds /= 1000;
        return true;
    }
    const char *text = rl_reply_header(head, "retry-after");
    if (text == NULL)
        return false;
    if (read_decimal(text, seconds))
        return true;
    const char *clock = rl_reply_header(head, "date");
    double until;
    if (!read_date(text, &until))
        return false;
    if (clock == NULL || !read_date(clock, seconds))
        *seconds = now;
    *seconds = until - *seconds;
    return *seconds >= 0;
}


/* Is this error code or type one that only the account's owner can cure? */
static bool needs_owner(const char *word)
{
    static const char *const words[] = {
        "insufficient_quota",   "credit_balance_exhausted",     "insufficient_credits",
        "insufficient_balance", "exceeded_current_quota_error",
    };
    if (word == NULL)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return strncmp(word, "billing_", 8) == 0;
}


bool rl_is_retryable(const struct rl_reply_head *head, const char *code, const char *type)
{
    const char *should = rl_reply_header(head, "x-should-retry");
    if (should != NULL && strcasecmp(should, "true") == 0)
        return true;
    if (should != NULL && strcasecmp(should, "false") == 0)
        return false;
    switch (head->status) {
    case 408:
    case 409:
    case 498: return true;
    case 429: return !needs_owner(code) && !needs_owner(type);
    default: return head->status >= 500;
    }
}
