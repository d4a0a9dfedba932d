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

/* The places belong to the Lua state: a userdata in its registry, gone with it. */
static int free_places(lua_State *L)
{
  struct memo *memos = lua_touserdata(L, 1);
  for (size_t i = 0; i < PLACES; i++) ln_free(memos[i].bytes);
  return 0;
}

static struct memo *places(lua_State *L)
{
  static const char key;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    struct memo *memos = lua_newuserdatauv(L, PLACES * sizeof *memos, 0);
    memset(memos, 0, PLACES * sizeof *memos);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_places);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  struct memo *memos = lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return memos;
}

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
  const struct memo *m = &places(L)[h % PLACES];
  if (!m->bytes || m->hash != h || m->n != bytes.n || memcmp(m->bytes, bytes.p, bytes.n) != 0) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, m->ref);
  return true;
}

void ln_bind_tl_memo_put(lua_State *L, struct ln_slice bytes)
{
  if (bytes.n > MAX_BYTES) return;
  uint64_t h = hash_of(bytes);
  struct memo *m = &places(L)[h % PLACES];
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
