/* See tl_memo.h. */
#include "bind/tl_memo.h"
#include "base/alloc.h"

#include <lauxlib.h>

#define PLACES 512u
#define MAX_BYTES 2048u
#define HEAD 20u

struct ln_bind_tl_memo {
  const struct ln_tl_type *type;
  uint8_t *bytes;
  size_t n;
  int ref;
};

/* The places belong to the Lua state: a userdata in its registry, gone with it. */
static int free_places(lua_State *L)
{
  struct ln_bind_tl_memo *memos = lua_touserdata(L, 1);
  for (size_t i = 0; i < PLACES; i++) ln_free(memos[i].bytes);
  return 0;
}

struct ln_bind_tl_memo *ln_bind_tl_memos(lua_State *L)
{
  static const char key;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    struct ln_bind_tl_memo *memos = lua_newuserdatauv(L, PLACES * sizeof *memos, 0);
    memset(memos, 0, PLACES * sizeof *memos);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_places);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  struct ln_bind_tl_memo *memos = lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return memos;
}

/* Of the constructor, the flags and the id, which nearly always tell objects apart; equality is decided by
 * the bytes. */
static uint64_t hash_of(const uint8_t *p)
{
  uint64_t h = ln_le64(p) * UINT64_C(0x9E3779B97F4A7C15);
  h = (h ^ h >> 32 ^ ln_le64(p + 8)) * UINT64_C(0xff51afd7ed558ccd);
  h = (h ^ h >> 32 ^ ln_le32(p + HEAD - 4)) * UINT64_C(0xc4ceb9fe1a85ec53);
  return h ^ h >> 29;
}

size_t ln_bind_tl_memo_get(lua_State *L, const struct ln_bind_tl_memo *memos, const struct ln_tl_type *type,
                           struct ln_slice rest)
{
  if (rest.n < HEAD) return 0;
  const struct ln_bind_tl_memo *m = &memos[hash_of(rest.p) % PLACES];
  if (!m->n || m->n > rest.n || m->type != type || memcmp(m->bytes, rest.p, m->n) != 0) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, m->ref);
  return m->n;
}

void ln_bind_tl_memo_put(lua_State *L, struct ln_bind_tl_memo *memos, const struct ln_tl_type *type,
                         struct ln_slice bytes)
{
  if (bytes.n < HEAD || bytes.n > MAX_BYTES) return;
  struct ln_bind_tl_memo *m = &memos[hash_of(bytes.p) % PLACES];
  uint8_t *copy = ln_malloc(bytes.n);
  if (!copy) return;
  memcpy(copy, bytes.p, bytes.n);
  if (m->bytes) {
    luaL_unref(L, LUA_REGISTRYINDEX, m->ref);
    ln_free(m->bytes);
  }
  m->bytes = copy; /* before what may throw, so that it is not lost */
  m->n = 0;
  m->ref = LUA_NOREF;
  lua_pushvalue(L, -1);
  m->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  m->type = type;
  m->n = bytes.n;
}
