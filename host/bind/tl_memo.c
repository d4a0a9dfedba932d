/* See tl_memo.h. */
#include "bind/tl_memo.h"
#include "base/alloc.h"

#include <lauxlib.h>

#define PLACES 512u
#define MAX_BYTES 2048u

struct memo {
  uint64_t hash;
  uint8_t *bytes;
  size_t n;
  int ref;
};

static struct memo memos[PLACES];

/* Only spreads; equality is decided by the bytes. */
static uint64_t hash_of(struct ln_slice s)
{
  uint64_t h = s.n * UINT64_C(0x9E3779B97F4A7C15);
  size_t i = 0;
  for (; i + 8 <= s.n; i += 8) {
    h = (h ^ ln_le64(s.p + i)) * UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 32;
  }
  if (i + 4 <= s.n) h = (h ^ ln_le32(s.p + i)) * UINT64_C(0xc4ceb9fe1a85ec53);
  return h ^ h >> 29;
}

bool ln_bind_tl_memo_get(lua_State *L, struct ln_slice bytes)
{
  if (bytes.n > MAX_BYTES) return false;
  uint64_t h = hash_of(bytes);
  const struct memo *m = &memos[h % PLACES];
  if (!m->bytes || m->hash != h || m->n != bytes.n || memcmp(m->bytes, bytes.p, bytes.n) != 0) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, m->ref);
  return true;
}

void ln_bind_tl_memo_put(lua_State *L, struct ln_slice bytes)
{
  if (bytes.n > MAX_BYTES) return;
  uint64_t h = hash_of(bytes);
  struct memo *m = &memos[h % PLACES];
  uint8_t *copy = ln_malloc(bytes.n);
  if (!copy) return;
  memcpy(copy, bytes.p, bytes.n);
  if (m->bytes) {
    luaL_unref(L, LUA_REGISTRYINDEX, m->ref);
    ln_free(m->bytes);
    m->bytes = NULL;
  }
  m->bytes = copy; /* before what may throw, so that it is not lost */
  m->n = 0;
  m->ref = LUA_NOREF;
  lua_pushvalue(L, -1);
  m->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  m->hash = h;
  m->n = bytes.n;
}

void ln_bind_tl_memo_end(void)
{
  for (size_t i = 0; i < PLACES; i++) ln_free(memos[i].bytes);
  memset(memos, 0, sizeof memos);
}
