/* blocks_check.c -- beside the walk: the C contract of blocks.h, from C.
 *
 * spec/blocks_spec.lua compiles it together with blocks.c, `malloc` and its kin renamed to the
 * counting ones of fail_alloc.h, and runs it: `blocks_check <name>` runs one check. Silence and
 * status 0 mean that all is well.
 */
#include "fail_alloc.h"

#include "blocks.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 400, STEPS = 200000, LARGEST = 3 * RL_LARGEST_BLOCK };

static int mistakes;


static void expect(bool ok, const char *what, long detail)
{
    if (ok)
        return;
    if (mistakes++ < 10)
        printf("%s (%ld)\n", what, detail);
}


/* ------------------------------------------------------------------ blocks that know themselves */

struct slot {
    unsigned char *bytes;
    size_t size;
};

static uint32_t seed = 1;


static size_t dice(size_t sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % sides;
}


static unsigned char mark(const struct slot *slot, size_t at)
{
    return (unsigned char)((uintptr_t)slot / sizeof(*slot) + at);
}


static void check_bytes(const struct slot *slot, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (slot->bytes[i] != mark(slot, i)) {
            expect(false, "a byte of a block was changed by another", (long)i);
            return;
        }
}


/* Gives the block of a slot another size; 0 frees it. */
static void resize(struct rl_blocks *blocks, struct slot *slot, size_t size)
{
    unsigned char *bytes = rl_blocks_resize(blocks, slot->bytes, slot->size, size);
    if (bytes == NULL && size > 0) {
        expect(size > slot->size, "only growth may fail", (long)size);
        return; /* it stays as it is */
    }
    expect(size > 0 || bytes == NULL, "what is freed is nowhere", (long)slot->size);
    expect((uintptr_t)bytes % sizeof(void *) == 0, "a block is aligned", (long)size);
    size_t kept = size < slot->size ? size : slot->size;
    slot->bytes = bytes;
    slot->size = size;
    check_bytes(slot, kept);
    for (size_t i = kept; i < size; i++)
        bytes[i] = mark(slot, i);
}


static void free_all(struct rl_blocks *blocks, struct slot *slots)
{
    for (int i = 0; i < SLOTS; i++) {
        check_bytes(&slots[i], slots[i].size);
        resize(blocks, &slots[i], 0);
    }
}


/* ------------------------------------------------------------------ checks */

/* Blocks of all sizes come, grow, shrink and go; some allocations fail when <rarely_fails>. */
static void churn(bool rarely_fails)
{
    static struct slot slots[SLOTS];
    struct rl_blocks blocks = {0};
    for (int step = 0; step < STEPS; step++) {
        struct slot *slot = &slots[dice(SLOTS)];
        check_bytes(slot, slot->size);
        countdown = rarely_fails && dice(4) == 0 ? 0 : -1;
        resize(&blocks, slot, dice(3) == 0 ? 0 : 1 + dice(LARGEST));
    }
    countdown = -1;
    free_all(&blocks, slots);
    rl_blocks_close(&blocks);
}


static void check_churn(void)
{
    churn(false);
    expect(alive == 0, "nothing is left", alive);
}


static void check_faults(void)
{
    churn(true);
}


/* What was freed is taken again before anything new is. */
static void check_reuse(void)
{
    struct rl_blocks blocks = {0};
    for (size_t size = 1; size <= RL_LARGEST_BLOCK; size++) {
        void *first = rl_blocks_resize(&blocks, NULL, 0, size);
        void *second = rl_blocks_resize(&blocks, NULL, 0, size);
        expect(first != second, "two blocks are two", (long)size);
        rl_blocks_resize(&blocks, first, size, 0);
        rl_blocks_resize(&blocks, second, size, 0);
        expect(rl_blocks_resize(&blocks, NULL, 0, size) == second, "the last one first",
               (long)size);
        expect(rl_blocks_resize(&blocks, NULL, 0, size) == first, "then the one before",
               (long)size);
    }
    rl_blocks_close(&blocks);
    expect(alive == 0, "nothing is left", alive);
}


/* A million blocks that live one after the other need no more memory than one. */
static void check_bound(void)
{
    struct rl_blocks blocks = {0};
    for (long i = 0; i < 1000000; i++)
        rl_blocks_resize(&blocks, rl_blocks_resize(&blocks, NULL, 0, 40), 40, 0);
    expect(alive == 1, "one page", alive);
    rl_blocks_close(&blocks);
    expect(alive == 0, "nothing is left", alive);
}


/* A block keeps its place while its rounded size is the same, and its bytes in any case. */
static void check_growth(void)
{
    struct rl_blocks blocks = {0};
    struct slot slot = {0};
    for (size_t size = 1; size < LARGEST; size++) {
        void *before = slot.bytes;
        resize(&blocks, &slot, size);
        if (size % RL_BLOCK_STEP != 1 && size <= RL_LARGEST_BLOCK)
            expect(slot.bytes == before, "it has the room", (long)size);
    }
    for (size_t size = LARGEST; size-- > 0;)
        resize(&blocks, &slot, size);
    rl_blocks_close(&blocks);
    expect(alive == 0, "nothing is left", alive);
}


/* Lua counts on it that what shrinks does not fail. */
static void check_shrink(void)
{
    struct rl_blocks blocks = {0};
    struct slot slot = {0};
    resize(&blocks, &slot, RL_LARGEST_BLOCK);
    countdown = 0;
    keeps_failing = true;
    for (size_t size = RL_LARGEST_BLOCK; size > 0; size--)
        resize(&blocks, &slot, size);
    void *refused = rl_blocks_resize(&blocks, NULL, 0, LARGEST);
    expect(refused == NULL, "a large block that is refused is not there", 0);
    rl_blocks_close(&blocks);
    expect(alive == 0, "nothing is left", alive);
}


static const struct {
    const char *name;
    void (*run)(void);
} checks[] = {
    {"churn", check_churn}, {"faults", check_faults}, {"reuse", check_reuse},
    {"bound", check_bound}, {"growth", check_growth}, {"shrink", check_shrink},
};


int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(checks) / sizeof(*checks); i++) {
        if (strcmp(checks[i].name, argv[1]) != 0)
            continue;
        checks[i].run();
        return mistakes > 0;
    }
    printf("no such check\n");
    return 1;
}
