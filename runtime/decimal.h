/* decimal.h -- beside the walk: numbers as JSON writes them, whatever the locale of the host.
 *
 * strtod, snprintf and with them cJSON follow LC_NUMERIC. We may not call setlocale in somebody's
 * process, so the calling thread alone is switched to the C locale for the moment of a conversion
 * (uselocale).
 */
#ifndef RL_DECIMAL_H
#define RL_DECIMAL_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

enum { RL_DECIMAL_MAX = 32 }; /* bytes that any printed number needs, with its NUL */

/* The C locale for this thread, from enter to leave. Nests. */
struct rl_c_locale {
    locale_t ours; /* the C locale */
    locale_t host; /* what the thread had before */
};

/* False without memory; then there is nothing to leave. */
bool rl_c_locale_enter(struct rl_c_locale *locale);
void rl_c_locale_leave(struct rl_c_locale *locale);

/* Prints the shortest text that reads back to the same bits; integral values up to 2^53 without
 * point or exponent, negative zero as "-0.0". <value> is finite. Returns the length, 0 without
 * memory. */
size_t rl_decimal_print(char to[RL_DECIMAL_MAX], double value);

/* Prints an integer. Returns the length. */
size_t rl_decimal_print_integer(char to[RL_DECIMAL_MAX], int64_t value);

/* Reads a JSON number to the nearest double, HUGE_VAL with its sign beyond the range; NAN without
 * memory. */
double rl_decimal_read(const char *text);

/* Reads a JSON number as an exact integer: "12", "1.20e1" and "12.000" are twelve. False when it is
 * not integral or does not fit. */
bool rl_decimal_read_integer(const char *text, int64_t *value);

#endif
