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
/* A state that grows gets its chunks with their pages in place, a large one more at a time: page faults one
 * by one took a fifth of the making of a hundred thousand coroutines. */
#define GROWING ((size_t)2 << 20)
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
} pool;

static size_t ceilings[2] = {SIZE_MAX, SIZE_MAX}; /* of `used`: by whether what runs is held to the limit */
bool ln_lua_held;

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

/* A new chunk to cut blocks from. */
static __attribute__((noinline)) bool renew(void)
{
  size_t bytes = pool.used < LARGE ? CHUNK : LARGE_CHUNK;
  struct chunk *c = ln_malloc(sizeof *c + bytes);
  if (!c) return false;
  if (pool.used >= GROWING) populate(c->bytes, bytes);
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
  return true;
}

static bool is_small(size_t size)
{
  return POOLED && size <= SMALL_MAX;
}

/* A block from the chunk for a class whose list is empty. */
static void *cut(size_t index)
{
  size_t size = (index + 1) * GRAIN;
  if ((size_t)(pool.end - pool.at) < size && !renew()) return NULL;
  void *p = pool.at;
  pool.at += size;
  return p;
}

static void *take(size_t index)
{
  struct cell *cell = pool.free[index];
  if (!cell) return cut(index);
  struct cell *next = cell->next;
  pool.free[index] = next;
  __builtin_prefetch(next, 1); /* long cold, and likely to be asked for next */
  return cell;
}

static void *acquire(size_t size)
{
  if (!is_small(size)) return ln_malloc(size);
  if (ln_alloc_gate && ln_alloc_gate(size)) return NULL; /* specs make any allocation fail */
  return take(class_of(size));
}

static void release(void *p, size_t size)
{
  if (!is_small(size)) {
    ln_free(p);
    return;
  }
  size_t index = class_of(size);
  struct cell *cell = p;
  cell->next = pool.free[index];
  pool.free[index] = cell;
}

/* More or less room for a block that is there. */
static void *resize(void *p, size_t old_size, size_t new_size)
{
  void *fresh;
  if (is_small(old_size) && is_small(new_size) && class_of(old_size) == class_of(new_size)) {
    fresh = p;
  } else if (!is_small(old_size) && !is_small(new_size)) {
    fresh = ln_realloc(p, new_size);
  } else {
    fresh = acquire(new_size);
    if (fresh) {
      memcpy(fresh, p, old_size < new_size ? old_size : new_size);
      release(p, old_size);
    }
  }
  if (fresh) return fresh;
  /* Shrinking must not fail: the block stays, and will serve a smaller class when it comes back. */
  return new_size > old_size ? NULL : p;
}

static __attribute__((noinline)) void *other(void *p, size_t old_size, size_t new_size)
{
  size_t used = pool.used - old_size + new_size;
  if (new_size == 0) {
    if (p) release(p, old_size);
  } else {
    if (used > ceilings[ln_lua_held] && new_size > old_size) return NULL;
    p = p ? resize(p, old_size, new_size) : acquire(new_size);
    if (!p) return NULL;
  }
  pool.used = used;
  return new_size == 0 ? NULL : p;
}

void *ln_lua_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
  (void)ud;
  if (!p) old_size = 0; /* Lua says there what kind of object it wants the block for */
  /* The two that are common, without a call. */
  if (p && new_size == 0 && is_small(old_size)) {
    release(p, old_size);
    pool.used -= old_size;
    return NULL;
  }
  size_t index = class_of(new_size);
  if (!p && new_size && is_small(new_size) && !ln_alloc_gate &&
      pool.used + new_size <= ceilings[ln_lua_held] &&
      (pool.free[index] || (size_t)(pool.end - pool.at) >= SMALL_MAX)) {
    pool.used += new_size;
    return take(index);
  }
  return other(p, old_size, new_size);
}

size_t ln_lua_alloc_used(void)
{
  return pool.used;
}

size_t ln_lua_alloc_limit(void)
{
  return pool.limit;
}

void ln_lua_alloc_set_limit(size_t bytes)
{
  pool.limit = bytes;
  ceilings[true] = bytes ? bytes : SIZE_MAX;
}

void ln_lua_alloc_end(void)
{
  while (pool.chunks) {
    struct chunk *c = pool.chunks;
    pool.chunks = c->next;
    ln_free(c);
  }
  memset(&pool, 0, sizeof pool);
  ln_lua_alloc_set_limit(0);
  ln_lua_held = false;
}
