/* fail_alloc.h -- beside the walk: malloc, realloc and free that count, and fail when told to.
 *
 * The files under test are compiled with -Dmalloc=check_malloc and so on; the test includes this
 * header once. What was refused shows in <made>, what leaked in <alive>.
 */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#undef malloc
#undef realloc
#undef free

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static long countdown = -1; /* allocations until one fails; negative: none does */
static bool keeps_failing;  /* one, or all from there on? */
static long made, alive;    /* allocations tried; blocks not yet freed */

void *check_malloc(size_t size);
void *check_realloc(void *block, size_t size);
void check_free(void *block);


static bool is_refused(void)
{
    made++;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    if (countdown < 0)
        return false;
    countdown = keeps_failing ? 0 : -1;
    return true;
}


void *check_malloc(size_t size)
{
    void *block = is_refused() ? NULL : malloc(size);
    alive += block != NULL;
    return block;
}


void *check_realloc(void *block, size_t size)
{
    void *moved = is_refused() ? NULL : realloc(block, size);
    alive += moved != NULL && block == NULL;
    return moved;
}


void check_free(void *block)
{
    alive -= block != NULL;
    free(block);
}

#endif
