/* See tl_memo.h. */
#include "bind/tl_memo.h"
#include "bind/tl.h"
#include "base/alloc.h"

#include <lauxlib.h>

#define PLACES 512u
#define MAX_BYTES 2048u
#define HEAD 20u
#define PEERS 256u

struct memo {
  const struct ln_tl_type *type;
  uint8_t *bytes;
  size_t n;
  int ref;
};

struct peer {
  const char *kind; /* the very string of the table of names, so that its address tells; NULL: none is kept */
  uint16_t field;
  uint8_t bytes[LN_BIND_TL_PEER_BYTES];
};

/* They belong to the Lua state: a userdata in its registry, gone with it. Its user value is the list of the
 * peers' tables. */
struct ln_bind_tl_memos {
  struct memo places[PLACES];
  struct peer peers[PEERS];
};

static int free_places(lua_State *L)
{
  struct ln_bind_tl_memos *memos = lua_touserdata(L, 1);
  for (size_t i = 0; i < PLACES; i++) ln_free(memos->places[i].bytes);
  return 0;
}

struct ln_bind_tl_memos *ln_bind_tl_memos(lua_State *L)
{
  static const char key;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    struct ln_bind_tl_memos *memos = lua_newuserdatauv(L, sizeof *memos, 1);
    memset(memos, 0, sizeof *memos);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_places);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_createtable(L, (int)PEERS, 0);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  struct ln_bind_tl_memos *memos = lua_touserdata(L, -1);
  lua_getiuservalue(L, -1, 1);
  lua_replace(L, -2); /* the registry keeps the userdata */
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

size_t ln_bind_tl_memo_get(lua_State *L, const struct ln_bind_tl_memos *memos, const struct ln_tl_type *type,
                           struct ln_slice rest)
{
  if (rest.n < HEAD) return 0;
  const struct memo *m = &memos->places[hash_of(rest.p) % PLACES];
  if (!m->n || m->n > rest.n || m->type != type || memcmp(m->bytes, rest.p, m->n) != 0) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, m->ref);
  return m->n;
}

void ln_bind_tl_memo_put(lua_State *L, struct ln_bind_tl_memos *memos, const struct ln_tl_type *type,
                         struct ln_slice bytes)
{
  if (bytes.n < HEAD || bytes.n > MAX_BYTES) return;
  struct memo *m = &memos->places[hash_of(bytes.p) % PLACES];
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

static unsigned peer_place(struct ln_slice bytes)
{
  uint64_t h = ln_le64(bytes.p + 4) * UINT64_C(0x9E3779B97F4A7C15);
  return (unsigned)(h >> 56) % PEERS;
}

bool ln_bind_tl_memo_get_peer(lua_State *L, const struct ln_bind_tl_memos *memos, int peers, int names,
                              struct ln_slice rest)
{
  if (rest.n < LN_BIND_TL_PEER_BYTES) return false;
  unsigned place = peer_place(rest);
  const struct peer *p = &memos->peers[place];
  if (!p->kind || memcmp(p->bytes, rest.p, sizeof p->bytes) != 0) return false;
  int top = lua_gettop(L);
  lua_rawgeti(L, peers, (lua_Integer)place + 1);
  ln_bind_tl_push_name(L, names, ln_tl_name_underscore);
  lua_rawget(L, top + 1);
  ln_bind_tl_push_name(L, names, p->field);
  lua_rawget(L, top + 1);
  bool whole = lua_type(L, -2) == LUA_TSTRING && lua_tostring(L, -2) == p->kind && lua_isinteger(L, -1) &&
               lua_tointeger(L, -1) == (lua_Integer)ln_le64(rest.p + 4);
  lua_settop(L, whole ? top + 1 : top); /* a script has changed it, though it should not */
  return whole;
}

void ln_bind_tl_memo_put_peer(lua_State *L, struct ln_bind_tl_memos *memos, int peers, int names,
                              const struct ln_tl_def *def, struct ln_slice bytes)
{
  const struct ln_tl_field *field = &ln_tl_fields[def->first];
  if (bytes.n != LN_BIND_TL_PEER_BYTES || def->n_fields != 1 || field->kind != LN_TL_LONG) return;
  unsigned place = peer_place(bytes);
  struct peer *p = &memos->peers[place];
  p->kind = NULL;
  lua_pushvalue(L, -1);
  lua_rawseti(L, peers, (lua_Integer)place + 1);
  ln_bind_tl_push_name(L, names, def->name);
  p->kind = lua_tostring(L, -1);
  lua_pop(L, 1);
  p->field = field->name;
  memcpy(p->bytes, bytes.p, sizeof p->bytes);
}
