/* blocks.c -- beside the walk: memory for Lua's many small objects. See blocks.h. */
#include "blocks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SMALLEST_FOR_MALLOC 1
#else
#define SMALLEST_FOR_MALLOC (RL_LARGEST_BLOCK + 1)
#endif

#define RARE __attribute__((noinline)) /* keeps what is called all the time short */

/* As much as malloc maps on its own: its heap stays small, and a page goes back as a whole. */
enum { PAGE = 128 * 1024 }; /* bytes */

/* A block that nobody uses, or the head of a page. */
struct rl_block {
    struct rl_block *next;
};


static size_t index_of(size_t size)
{
    return (size - 1) / RL_BLOCK_STEP;
}


static bool is_small(size_t size)
{
    return size < SMALLEST_FOR_MALLOC;
}


static void put(struct rl_blocks *blocks, void *memory, size_t size)
{
    struct rl_block *block = memory;
    block->next = blocks->freed[index_of(size)];
    blocks->freed[index_of(size)] = block;
}


/* Begins a new page; what is left of the one before is a block of its own. */
static bool add_page(struct rl_blocks *blocks)
{
    struct rl_block *page = malloc(PAGE);
    if (page == NULL)
        return false;
    if (blocks->fresh_len > 0)
        put(blocks, blocks->fresh, blocks->fresh_len);
    page->next = blocks->pages;
    blocks->pages = page;
    blocks->fresh = (char *)page + RL_BLOCK_STEP;
    blocks->fresh_len = PAGE - RL_BLOCK_STEP;
    return true;
}


/* A block that nobody had before. */
RARE static void *cut(struct rl_blocks *blocks, size_t size)
{
    if (blocks->fresh_len < size && !add_page(blocks))
        return NULL;
    char *fresh = blocks->fresh;
    blocks->fresh += size;
    blocks->fresh_len -= size;
    return fresh;
}


static void *take(struct rl_blocks *blocks, size_t size)
{
    size_t index = index_of(size);
    struct rl_block *block = blocks->freed[index];
    if (block == NULL)
        return cut(blocks, (index + 1) * RL_BLOCK_STEP);
    blocks->freed[index] = block->next;
    __builtin_prefetch(block->next, 1); /* it was freed long ago, and is taken soon */
    return block;
}


static void *get(struct rl_blocks *blocks, size_t size)
{
    return is_small(size) ? take(blocks, size) : malloc(size);
}


static void drop(struct rl_blocks *blocks, void *block, size_t size)
{
    if (is_small(size))
        put(blocks, block, size);
    else
        free(block);
}


/* One that shrinks stays where it is when memory is missing: as a small block from then on, and so
 * for good should it have been large. */
RARE static void *move(struct rl_blocks *blocks, void *block, size_t old_size, size_t new_size)
{
    if (!is_small(old_size) && !is_small(new_size)) {
        void *resized = realloc(block, new_size);
        return resized == NULL && new_size <= old_size ? block : resized;
    }
    if (is_small(old_size) && is_small(new_size) && index_of(old_size) == index_of(new_size))
        return block;
    void *moved = get(blocks, new_size);
    if (moved == NULL)
        return new_size < old_size ? block : NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    drop(blocks, block, old_size);
    return moved;
}


void *rl_blocks_resize(void *blocks, void *block, size_t old_size, size_t new_size)
{
    if (block == NULL)
        return new_size > 0 ? get(blocks, new_size) : NULL;
    if (new_size > 0)
        return move(blocks, block, old_size, new_size);
    drop(blocks, block, old_size);
    return NULL;
}


void rl_blocks_close(struct rl_blocks *blocks)
{
    while (blocks->pages != NULL) {
        struct rl_block *page = blocks->pages;
        blocks->pages = page->next;
        free(page);
    }
    memset(blocks, 0, sizeof(*blocks));
}
