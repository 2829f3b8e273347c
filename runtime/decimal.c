/* decimal.c -- beside the walk: numbers to text and back. See decimal.h. */
#include "decimal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGERS 9007199254740992.0 /* 2^53: up to here every integer is a double */


bool rl_c_locale_enter(struct rl_c_locale *locale)
{
    locale->ours = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale->ours == (locale_t)0)
        return false;
    locale->host = uselocale(locale->ours);
    return true;
}


void rl_c_locale_leave(struct rl_c_locale *locale)
{
    uselocale(locale->host);
    freelocale(locale->ours);
}


size_t rl_decimal_print_integer(char to[RL_DECIMAL_MAX], int64_t value)
{
    char digits[20];
    size_t count = 0, len = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        to[len++] = '-';
    while (count > 0)
        to[len++] = digits[--count];
    to[len] = '\0';
    return len;
}


/* 15 digits are enough for every number that somebody wrote with 15 or fewer, 17 for all; denormals
 * have less precision, so there the search starts at one digit. */
static size_t print_shortest(char to[RL_DECIMAL_MAX], double value)
{
    for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits < DBL_DECIMAL_DIG; digits++) {
        int len = snprintf(to, RL_DECIMAL_MAX, "%.*g", digits, value);
        if (strtod(to, NULL) == value)
            return (size_t)len;
    }
    return (size_t)snprintf(to, RL_DECIMAL_MAX, "%.*g", DBL_DECIMAL_DIG, value);
}


size_t rl_decimal_print(char to[RL_DECIMAL_MAX], double value)
{
    if (fabs(value) <= EXACT_INTEGERS && value == (double)(int64_t)value) {
        if (value != 0 || !signbit(value))
            return rl_decimal_print_integer(to, (int64_t)value);
        memcpy(to, "-0.0", sizeof("-0.0"));
        return 4;
    }
    struct rl_c_locale locale;
    if (!rl_c_locale_enter(&locale))
        return 0;
    size_t len = print_shortest(to, value);
    rl_c_locale_leave(&locale);
    return len;
}


double rl_decimal_read(const char *text)
{
    struct rl_c_locale locale;
    if (!rl_c_locale_enter(&locale))
        return (double)NAN;
    double value = strtod(text, NULL);
    rl_c_locale_leave(&locale);
    return value;
}


/* The exponent after <text>'s digits, held within bounds that no int64_t reaches. */
static long read_exponent(const char *text)
{
    enum { FAR = 100000000 };
    long exponent = *text != '\0' ? strtol(text + 1, NULL, 10) : 0;
    return exponent > FAR ? FAR : exponent < -FAR ? -FAR : exponent;
}


/* value = value * 10 + digit, negative all the way because the negative range is the larger one. */
static bool push_digit(int64_t *value, int digit)
{
    if (*value < (INT64_MIN + digit) / 10)
        return false;
    *value = *value * 10 - digit;
    return true;
}


bool rl_decimal_read_integer(const char *text, int64_t *value)
{
    bool negative = *text == '-';
    int64_t read = 0;
    long zeros = 0; /* seen after the last other digit, not yet part of <read> */
    long fraction = 0;
    bool after_point = false;
    for (text += negative; *text == '.' || (*text >= '0' && *text <= '9'); text++) {
        if (*text == '.') {
            after_point = true;
            continue;
        }
        fraction += after_point;
        zeros++;
        if (*text == '0')
            continue;
        for (; zeros > 1 && read != 0; zeros--)
            if (!push_digit(&read, 0))
                return false;
        if (!push_digit(&read, *text - '0'))
            return false;
        zeros = 0;
    }
    for (zeros += read_exponent(text) - fraction; zeros > 0 && read != 0; zeros--)
        if (!push_digit(&read, 0))
            return false;
    if ((zeros < 0 && read != 0) || (!negative && read == INT64_MIN))
        return false;
    *value = negative ? read : -read;
    return true;
}
