/* The walker from bytes to Lua tables: see tl.h. Every count is bounded by the bytes left, every depth by
 * LN_TL_MAX_DEPTH. */
#include "bind/tl.h"
#include "bind/tl_memo.h"

#include <lauxlib.h>
#include <string.h>

#define MAX_TABLES \
  500000 /* an object of 4 bytes becomes a table of a hundred: 16 MiB of them would be half a GiB */

#define SLOTS 6  /* of Lua's stack, what a level of nesting takes at most */
#define LEVELS 8 /* for so many at a time */

struct decoder {
  lua_State *L;
  struct ln_reader r;
  int names;                     /* stack index of the names */
  uint32_t tables;               /* made so far */
  struct ln_bind_tl_memo *memos; /* inside an Updates object, where users and chats are shared; else NULL */
  bool request;                  /* of a client */
};

static void decode_object(struct decoder *d, const struct ln_tl_type *type, bool methods, int depth);

static void decode_fields(struct decoder *d, const struct ln_tl_def *def, int depth);

static const struct ln_tl_type *shared_user, *shared_chat, *updates_type;

static bool is_shared(uint16_t type)
{
  return &ln_tl_types[type] == shared_user || &ln_tl_types[type] == shared_chat;
}

static void decode_shared(struct decoder *d, const struct ln_tl_type *type, int depth)
{
  const uint8_t *begin = d->r.p;
  size_t n = d->r.err ? 0 : ln_bind_tl_memo_get(d->L, d->memos, type, ln_slice(begin, ln_reader_left(&d->r)));
  if (n) {
    d->r.p += n;
    return;
  }
  decode_object(d, type, false, depth);
  if (!d->r.err) ln_bind_tl_memo_put(d->L, d->memos, type, ln_slice(begin, (size_t)(d->r.p - begin)));
}

/* Pushes one value always, nil after an error. */
static void decode_single(struct decoder *d, const struct ln_tl_field *f, int depth)
{
  lua_State *L = d->L;
  switch (f->kind) {
  case LN_TL_INT: lua_pushinteger(L, ln_read_i32(&d->r)); return;
  case LN_TL_LONG: lua_pushinteger(L, ln_read_i64(&d->r)); return;
  case LN_TL_DOUBLE: lua_pushnumber(L, ln_read_double(&d->r)); return;
  case LN_TL_STRING:
  case LN_TL_BYTES: {
    struct ln_slice s = ln_read_bytes(&d->r);
    lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
    return;
  }
  case LN_TL_INT128:
  case LN_TL_INT256: {
    struct ln_slice s = ln_read_raw(&d->r, f->kind == LN_TL_INT128 ? 16 : 32);
    lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
    return;
  }
  case LN_TL_BOOL: {
    uint32_t id = ln_read_u32(&d->r);
    if (id != LN_TL_BOOL_TRUE && id != LN_TL_BOOL_FALSE) ln_reader_fail(&d->r, LN_E_BAD_TYPE);
    lua_pushboolean(L, id == LN_TL_BOOL_TRUE);
    return;
  }
  case LN_TL_TRUE: lua_pushboolean(L, 1); return;
  case LN_TL_BARE: decode_fields(d, &ln_tl_defs[f->ref], depth + 1); return;
  case LN_TL_OBJECT:
    if (d->memos && is_shared(f->ref))
      decode_shared(d, &ln_tl_types[f->ref], depth + 1);
    else
      decode_object(d, &ln_tl_types[f->ref], false, depth + 1);
    return;
  case LN_TL_METHOD: decode_object(d, NULL, true, depth + 1); return;
  default: decode_object(d, NULL, false, depth + 1); return;
  }
}

static void decode_field(struct decoder *d, const struct ln_tl_field *f, int depth)
{
  if (!f->vector) {
    decode_single(d, f, depth);
    return;
  }
  uint32_t n = ln_read_vector(&d->r, f->vector == 1, ln_tl_min_size(f));
  lua_createtable(d->L, n < 4096 ? (int)n : 4096, 0);
  for (uint32_t i = 0; i < n && !d->r.err; i++) {
    decode_single(d, f, depth);
    lua_rawseti(d->L, -2, (lua_Integer)i + 1);
  }
}

static void decode_fields(struct decoder *d, const struct ln_tl_def *def, int depth)
{
  lua_State *L = d->L;
  const struct ln_tl_field *fields = ln_tl_fields + def->first;
  uint32_t flags[8] = {0}; /* flag words come first or few fields later; no definition has more than four */
  uint8_t flag_at[8];
  int n_flags = 0, i = 0, present = def->n_required + 1;
  if (depth > LN_TL_MAX_DEPTH) ln_reader_fail(&d->r, LN_E_DEPTH);
  if (++d->tables > MAX_TABLES) ln_reader_fail(&d->r, LN_E_TOOBIG);
  if (depth % LEVELS == 0) luaL_checkstack(L, LEVELS * SLOTS, "too deep");
  if (d->r.err) {
    lua_pushnil(L);
    return;
  }
  while (i < def->n_fields && fields[i].kind == LN_TL_FLAGS && n_flags < 8) {
    flags[n_flags] = ln_read_u32(&d->r);
    present += __builtin_popcount(flags[n_flags]);
    flag_at[n_flags++] = (uint8_t)(++i);
  }
  if (present > def->n_fields + 1) present = def->n_fields + 1;
  lua_createtable(L, 0, present);
  ln_bind_tl_push_name(L, d->names, ln_tl_name_underscore);
  ln_bind_tl_push_name(L, d->names, def->name);
  lua_rawset(L, -3);
  for (; i < def->n_fields && !d->r.err; i++) {
    const struct ln_tl_field *f = &fields[i];
    if (f->kind == LN_TL_FLAGS) {
      if (n_flags == 8) {
        ln_reader_fail(&d->r, LN_E_BAD_TYPE);
        break;
      }
      flags[n_flags] = ln_read_u32(&d->r);
      flag_at[n_flags++] = (uint8_t)(i + 1);
      continue;
    }
    if (f->flag) {
      int w = 0;
      while (w < n_flags && flag_at[w] != f->flag) w++;
      if (w == n_flags || !(flags[w] >> f->bit & 1)) continue;
    }
    ln_bind_tl_push_name(L, d->names, f->name);
    decode_field(d, f, depth);
    lua_rawset(L, -3);
  }
  ln_bind_tl_dress(L, d->names, def);
}

/* Telegram takes an InputPeer where an InputUser or InputChannel is due, and clients rely on it. */
static const struct ln_tl_def *stands_for(const struct ln_tl_def *def, const struct ln_tl_type *type)
{
  static const char *const pairs[][2] = {
      {"inputPeerEmpty", "inputUserEmpty"},
      {"inputPeerSelf", "inputUserSelf"},
      {"inputPeerUser", "inputUser"},
      {"inputPeerUserFromMessage", "inputUserFromMessage"},
      {"inputPeerEmpty", "inputChannelEmpty"},
      {"inputPeerChannel", "inputChannel"},
      {"inputPeerChannelFromMessage", "inputChannelFromMessage"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    if (strcmp(ln_tl_def_name(def), pairs[i][0]) != 0) continue;
    const struct ln_tl_def *other = ln_tl_constructor_by_name(pairs[i][1]);
    if (other && &ln_tl_types[other->type] == type) return other;
  }
  return NULL;
}

static void decode_object(struct decoder *d, const struct ln_tl_type *type, bool methods, int depth)
{
  uint32_t id = ln_read_u32(&d->r);
  const struct ln_tl_def *def = d->r.err ? NULL : ln_tl_by_id(id);
  if (!d->r.err && !def) {
    ln_reader_fail(&d->r, LN_E_UNKNOWN_ID);
  } else if (def && (def->is_method != methods || (type && &ln_tl_types[def->type] != type))) {
    def = d->request && type && !def->is_method ? stands_for(def, type) : NULL;
    if (!def) ln_reader_fail(&d->r, LN_E_BAD_TYPE);
  }
  if (d->r.err) {
    lua_pushnil(d->L);
    return;
  }
  if (id == LN_TL_BOOL_TRUE || id == LN_TL_BOOL_FALSE) {
    lua_pushboolean(d->L, id == LN_TL_BOOL_TRUE);
    return;
  }
  decode_fields(d, def, depth);
}

static int begin(struct decoder *d, lua_State *L, struct ln_slice bytes)
{
  luaL_checkstack(L, 8 + LEVELS * SLOTS, NULL);
  d->L = L;
  d->tables = 0;
  d->memos = NULL;
  d->request = false;
  if (!updates_type) {
    shared_user = ln_tl_type_by_name("User");
    shared_chat = ln_tl_type_by_name("Chat");
    updates_type = ln_tl_type_by_name("Updates");
  }
  ln_reader_init(&d->r, bytes);
  ln_bind_tl_names(L);
  d->names = lua_gettop(L);
  return d->names;
}

/* The value is all that is left. */
static int end(struct decoder *d)
{
  int err = ln_reader_finish(&d->r);
  if (!err) lua_replace(d->L, d->names);
  lua_settop(d->L, err ? d->names - 1 : d->names);
  return err;
}

int ln_bind_tl_decode(lua_State *L, struct ln_slice bytes, const struct ln_tl_type *type)
{
  struct decoder d;
  begin(&d, L, bytes);
  if (type && type == updates_type) d.memos = ln_bind_tl_memos(L);
  decode_object(&d, type, false, 0);
  return end(&d);
}

int ln_bind_tl_decode_result(lua_State *L, struct ln_slice bytes, const struct ln_tl_method *method)
{
  struct decoder d;
  const struct ln_tl_field *result = &ln_tl_results[method->type];
  begin(&d, L, bytes);
  if (result->kind == LN_TL_OBJECT && !result->vector && &ln_tl_types[result->ref] == updates_type)
    d.memos = ln_bind_tl_memos(L);
  decode_field(&d, result, 0);
  return end(&d);
}

int ln_bind_tl_decode_method(lua_State *L, struct ln_slice bytes)
{
  struct decoder d;
  begin(&d, L, bytes);
  d.request = true;
  decode_object(&d, NULL, true, 0);
  return end(&d);
}
