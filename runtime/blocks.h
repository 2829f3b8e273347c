/* blocks.h -- beside the walk: memory for Lua's many small objects.
 *
 * A turn makes and drops hundreds of strings, tables and closures of a few dozen bytes. Here such a
 * block is one step down a list of those that were freed before, by size; new ones are cut off
 * pages. A block has no header, since Lua tells the size of what it frees.
 *
 * Invariant: a page goes back when the runtime closes, not before, so the memory held is that of
 * the most small blocks that were ever alive at once, by size. Larger blocks are malloc's business;
 * so are all of them under AddressSanitizer, which could not see into a page.
 */
#ifndef RL_BLOCKS_H
#define RL_BLOCKS_H

#include <stddef.h>

enum {
    RL_BLOCK_STEP = 8,      /* bytes: sizes are rounded up to a multiple of it */
    RL_LARGEST_BLOCK = 256, /* bytes: what is larger is malloc's */
    RL_BLOCK_SIZES = RL_LARGEST_BLOCK / RL_BLOCK_STEP
};

struct rl_blocks {
    struct rl_block *freed[RL_BLOCK_SIZES]; /* of each size, last freed first */
    struct rl_block *pages;
    char *fresh; /* what is left of the newest page */
    size_t fresh_len;
};

/* A lua_Alloc whose first argument is a struct rl_blocks: realloc of a block of <old_size> bytes.
 * <block> NULL: a new one, and <old_size> says nothing; <new_size> 0 frees and returns NULL. NULL
 * when memory is missing, and then the block stays as it is; one that shrinks never fails. All
 * bytes of the struct are 0 before the first call. */
void *rl_blocks_resize(void *blocks, void *block, size_t old_size, size_t new_size);

/* Gives the pages back. Blocks above RL_LARGEST_BLOCK have to be freed one by one before. */
void rl_blocks_close(struct rl_blocks *blocks);

#endif
