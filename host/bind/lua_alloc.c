/* See lua_alloc.h. */
#include "bind/lua_alloc.h"
#include "base/alloc.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define GRAIN 8u
#define SMALL_MAX 768u /* the stack of a new coroutine is one; larger blocks are malloc's */
#define CLASSES (SMALL_MAX / GRAIN)
#define CHUNK 65536u
/* A state of this size gets more at a time, with its pages in place: page faults one by one took a fifth of
 * the making of a hundred thousand coroutines. */
#define LARGE ((size_t)16 << 20)
#define LARGE_CHUNK ((size_t)1 << 20)
#define PAGE ((uintptr_t)4096)

#if defined(__SANITIZE_ADDRESS__)
#define POOLED 0 /* so that the sanitizer sees each block */
#else
#define POOLED 1
#endif

struct cell {
  struct cell *next;
};

struct chunk {
  struct chunk *next;
  uint64_t align;
  uint8_t bytes[];
};

static struct {
  struct cell *free[CLASSES];
  uint8_t *at, *end; /* what is left of the newest chunk */
  struct chunk *chunks;
  size_t used, limit;
  bool held;
} pool;

static size_t class_of(size_t size)
{
  return (size + GRAIN - 1) / GRAIN - 1;
}

static void populate(uint8_t *from, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE /* fails on a kernel before 5.14, and all is as without it */
  uintptr_t start = ((uintptr_t)from + PAGE - 1) & ~(PAGE - 1), end = ((uintptr_t)from + bytes) & ~(PAGE - 1);
  madvise((void *)start, end - start, MADV_POPULATE_WRITE);
#else
  (void)from;
  (void)bytes;
#endif
}

static void *carve(size_t index)
{
  size_t size = (index + 1) * GRAIN;
  if ((size_t)(pool.end - pool.at) < size) {
    size_t bytes = pool.used < LARGE ? CHUNK : LARGE_CHUNK;
    struct chunk *c = ln_malloc(sizeof *c + bytes);
    if (!c) return NULL;
    if (bytes == LARGE_CHUNK) populate(c->bytes, bytes);
    while (pool.end - pool.at >= (ptrdiff_t)GRAIN) { /* the rest serves smaller requests */
      size_t left = (size_t)(pool.end - pool.at);
      size_t fit = left < SMALL_MAX ? left / GRAIN : CLASSES;
      struct cell *cell = (struct cell *)(void *)pool.at;
      cell->next = pool.free[fit - 1];
      pool.free[fit - 1] = cell;
      pool.at += fit * GRAIN;
    }
    c->next = pool.chunks;
    pool.chunks = c;
    pool.at = c->bytes;
    pool.end = c->bytes + bytes;
  }
  void *p = pool.at;
  pool.at += size;
  return p;
}

static void *acquire(size_t size)
{
  if (!POOLED || size > SMALL_MAX) return ln_malloc(size);
  if (ln_alloc_gate && ln_alloc_gate(size)) return NULL; /* specs make any allocation fail */
  size_t index = class_of(size);
  struct cell *cell = pool.free[index];
  if (!cell) return carve(index);
  struct cell *next = cell->next;
  pool.free[index] = next;
  __builtin_prefetch(next, 1); /* long cold, and likely to be asked for next */
  return cell;
}

static void release(void *p, size_t size)
{
  if (!POOLED || size > SMALL_MAX) {
    ln_free(p);
    return;
  }
  size_t index = class_of(size);
  struct cell *cell = p;
  cell->next = pool.free[index];
  pool.free[index] = cell;
}

void *ln_lua_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
  (void)ud;
  if (!p) old_size = 0; /* Lua says there what kind of object it wants the block for */
  if (new_size == 0) {
    if (p) release(p, old_size);
    pool.used -= old_size;
    return NULL;
  }
  if (pool.held && new_size > old_size && pool.limit && pool.used + (new_size - old_size) > pool.limit)
    return NULL;
  void *fresh;
  if (!p) {
    fresh = acquire(new_size);
  } else if (POOLED && old_size <= SMALL_MAX && new_size <= SMALL_MAX &&
             class_of(old_size) == class_of(new_size)) {
    fresh = p;
  } else if (!POOLED || (old_size > SMALL_MAX && new_size > SMALL_MAX)) {
    fresh = ln_realloc(p, new_size);
  } else {
    fresh = acquire(new_size);
    if (fresh) {
      memcpy(fresh, p, old_size < new_size ? old_size : new_size);
      release(p, old_size);
    }
  }
  if (!fresh) {
    if (!p || new_size > old_size) return NULL;
    fresh =
        p; /* shrinking must not fail: the block stays, and will serve a smaller class when it comes back */
  }
  pool.used += new_size - old_size;
  return fresh;
}

size_t ln_lua_alloc_used(void)
{
  return pool.used;
}

size_t ln_lua_alloc_limit(void)
{
  return pool.limit;
}

bool ln_lua_alloc_hold(bool held)
{
  bool before = pool.held;
  pool.held = held;
  return before;
}

void ln_lua_alloc_set_limit(size_t bytes)
{
  pool.limit = bytes;
}

void ln_lua_alloc_end(void)
{
  while (pool.chunks) {
    struct chunk *c = pool.chunks;
    pool.chunks = c->next;
    ln_free(c);
  }
  memset(&pool, 0, sizeof pool);
}
