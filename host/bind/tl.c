/* _luna.tl: the schema for lua/luna/, and what the walkers share: names as Lua strings, guesses, metatables.
 */
#include "bind/modules.h"
#include "bind/tl.h"

#include <lauxlib.h>

#define MESSAGE_MAX ((size_t)16 << 20)

uint16_t ln_bind_tl_places[UINT16_MAX]; /* of a name in the table of names, from 1 on in the order of their
                                           first use */
static uint16_t places_used;
static uint16_t dressed[8192]; /* definition → the place of its metatable in that table, or 0 */

void ln_bind_tl_names(lua_State *L)
{
  static const char key;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 256, 0);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

void ln_bind_tl_make_name(lua_State *L, int names, uint16_t name)
{
  uint16_t place = ln_bind_tl_places[name]; /* is there where another Lua state has used it */
  if (!place) ln_bind_tl_places[name] = place = ++places_used;
  lua_pushstring(L, ln_tl_name(name));
  lua_pushvalue(L, -1);
  lua_rawseti(L, names, place);
}

void ln_bind_tl_dress(lua_State *L, int names, const struct ln_tl_def *d)
{
  size_t i = (size_t)(d - ln_tl_defs);
  if (i >= sizeof dressed / sizeof *dressed || !dressed[i]) return;
  lua_rawgeti(L, names, dressed[i]); /* nil, where it is another Lua state that has one */
  lua_setmetatable(L, -2);
}

static int fold(char c)
{
  return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* The edits between two words (insert, delete, replace, swap of neighbours), without regard to case, for
 * words of up to 63 bytes. */
static int distance(const char *a, const char *b, int limit)
{
  size_t n = strlen(a), m = strlen(b);
  int rows[3][64], *last = rows[0], *before = rows[1], *row = rows[2];
  if (n > 63 || m > 63) return limit + 1;
  if ((n > m ? n - m : m - n) > (size_t)limit) return limit + 1;
  for (size_t j = 0; j <= m; j++) last[j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    row[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int x = fold(a[i - 1]), y = fold(b[j - 1]);
      int best = last[j - 1] + (x != y);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && x == fold(b[j - 2]) && y == fold(a[i - 2]) && before[j - 2] + 1 < best)
        best = before[j - 2] + 1;
      row[j] = best;
    }
    int *spare = before;
    before = last;
    last = row;
    row = spare;
  }
  return last[m];
}

void ln_bind_tl_guess(lua_State *L, const char *word, const char *(*next)(const void *ctx, size_t i),
                      const void *ctx)
{
  const char *best = NULL;
  int limit = (int)strlen(word) / 3;
  if (limit < 1) limit = 1;
  if (limit > 4) limit = 4;
  int nearest = limit + 1;
  for (size_t i = 0;; i++) {
    const char *candidate = next(ctx, i);
    if (!candidate) break;
    int d = distance(word, candidate, limit);
    if (d < nearest) {
      nearest = d;
      best = candidate;
    }
  }
  if (best)
    lua_pushstring(L, best);
  else
    lua_pushnil(L);
}

/* --- describing --- */

static void push_shape(lua_State *L, const struct ln_tl_field *f)
{
  static const char *const names[] = {"#",     "int",    "long",   "double", "string",
                                      "bytes", "int128", "int256", "Bool",   "true"};
  const char *name = f->kind < sizeof names / sizeof *names ? names[f->kind]
                     : f->kind == LN_TL_OBJECT              ? ln_tl_name(ln_tl_types[f->ref].name)
                     : f->kind == LN_TL_BARE                ? ln_tl_def_name(&ln_tl_defs[f->ref])
                     : f->kind == LN_TL_METHOD              ? "!X"
                                                            : "X";
  lua_pushstring(L, name);
  lua_setfield(L, -2, "type");
  if (f->vector) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "vector");
  }
}

static void push_def(lua_State *L, const struct ln_tl_def *d)
{
  lua_createtable(L, 0, 8);
  lua_pushstring(L, ln_tl_def_name(d));
  lua_setfield(L, -2, "name");
  lua_pushinteger(L, d->id);
  lua_setfield(L, -2, "id");
  if (!ln_tl_in_layer(d, LN_TL_LAYER)) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "old");
  }
  lua_createtable(L, d->n_fields, 0);
  for (int i = 0, n = 0; i < d->n_fields; i++) {
    const struct ln_tl_field *f = &ln_tl_fields[d->first + i];
    if (f->kind == LN_TL_FLAGS) continue;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, ln_tl_name(f->name));
    lua_setfield(L, -2, "name");
    push_shape(L, f);
    lua_pushboolean(L, f->flag != 0);
    lua_setfield(L, -2, "flag");
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -2, "params");
  if (d->is_method) {
    lua_createtable(L, 0, 2);
    push_shape(L, &ln_tl_results[d->type]);
    lua_setfield(L, -2, "result");
    if (d->only) {
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, d->only == 1 ? "usersOnly" : "botsOnly");
    }
  } else {
    lua_pushstring(L, ln_tl_name(ln_tl_types[d->type].name));
    lua_setfield(L, -2, "type");
  }
}

static int f_method(lua_State *L)
{
  const struct ln_tl_def *d = ln_tl_method_by_name(luaL_checkstring(L, 1));
  if (!d) {
    lua_pushnil(L);
    return 1;
  }
  push_def(L, d);
  return 1;
}

/* constructor(name or id) */
static int f_constructor(lua_State *L)
{
  const struct ln_tl_def *d;
  if (lua_isinteger(L, 1))
    d = ln_tl_by_id((uint32_t)lua_tointeger(L, 1));
  else
    d = ln_tl_constructor_by_name(luaL_checkstring(L, 1));
  if (!d) {
    lua_pushnil(L);
    return 1;
  }
  push_def(L, d);
  return 1;
}

/* type(name) → the names of its constructors */
static int f_type(lua_State *L)
{
  const struct ln_tl_type *t = ln_tl_type_by_name(luaL_checkstring(L, 1));
  if (!t) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, t->count, 0);
  int n = 0;
  for (int i = 0; i < t->count; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[ln_tl_members[t->first + i]];
    if (i && d->name == ln_tl_defs[ln_tl_members[t->first + i - 1]].name) continue;
    lua_pushstring(L, ln_tl_def_name(d));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static void push_range(lua_State *L, size_t from, size_t to)
{
  int n = 0;
  lua_createtable(L, (int)(to - from), 0);
  for (size_t i = from; i < to; i++) {
    if (i > from && ln_tl_defs[i].name == ln_tl_defs[i - 1].name) continue;
    lua_pushstring(L, ln_tl_def_name(&ln_tl_defs[i]));
    lua_rawseti(L, -2, ++n);
  }
}

static int f_methods(lua_State *L)
{
  push_range(L, ln_tl_n_constructors, ln_tl_n_defs);
  return 1;
}

static int f_constructors(lua_State *L)
{
  push_range(L, 0, ln_tl_n_constructors);
  return 1;
}

/* namespaces() → { messages = true, … } */
static int f_namespaces(lua_State *L)
{
  lua_newtable(L);
  for (size_t i = ln_tl_n_constructors; i < ln_tl_n_defs; i++) {
    const char *name = ln_tl_def_name(&ln_tl_defs[i]), *dot = strchr(name, '.');
    if (!dot) continue;
    lua_pushlstring(L, name, (size_t)(dot - name));
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  return 1;
}

static const char *next_method(const void *ctx, size_t i)
{
  (void)ctx;
  return ln_tl_n_constructors + i < ln_tl_n_defs ? ln_tl_def_name(&ln_tl_defs[ln_tl_n_constructors + i])
                                                 : NULL;
}

static const char *next_constructor(const void *ctx, size_t i)
{
  (void)ctx;
  return i < ln_tl_n_constructors ? ln_tl_def_name(&ln_tl_defs[i]) : NULL;
}

static const char *next_type(const void *ctx, size_t i)
{
  (void)ctx;
  return i < ln_tl_n_types ? ln_tl_name(ln_tl_types[i].name) : NULL;
}

static const char *next_update(const void *ctx, size_t i)
{
  const struct ln_tl_type *t = ctx;
  return i < t->count ? ln_tl_def_name(&ln_tl_defs[ln_tl_members[t->first + i]]) : NULL;
}

/* suggest(word, "method" | "constructor" | "type" | "update" | { words }) → the nearest name, or nil */
static const char *next_of_list(const void *ctx, size_t i)
{
  lua_State *L = (lua_State *)(uintptr_t)ctx;
  lua_settop(L, 2);
  return lua_rawgeti(L, 2, (lua_Integer)i + 1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

static int f_suggest(lua_State *L)
{
  const char *word = luaL_checkstring(L, 1);
  lua_settop(L, 2);
  if (lua_istable(L, 2)) {
    ln_bind_tl_guess(L, word, next_of_list, L);
    return 1;
  }
  const char *kind = luaL_optstring(L, 2, "method");
  if (strcmp(kind, "constructor") == 0)
    ln_bind_tl_guess(L, word, next_constructor, NULL);
  else if (strcmp(kind, "type") == 0)
    ln_bind_tl_guess(L, word, next_type, NULL);
  else if (strcmp(kind, "update") == 0)
    ln_bind_tl_guess(L, word, next_update, ln_tl_type_by_name("Update"));
  else
    ln_bind_tl_guess(L, word, next_method, NULL);
  return 1;
}

static int f_errors(lua_State *L)
{
  lua_createtable(L, 0, (int)ln_tl_n_errors);
  for (size_t i = 0; i < ln_tl_n_errors; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, ln_tl_errors[i].code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, ln_tl_errors[i].methods);
    lua_setfield(L, -2, "methods");
    lua_setfield(L, -2, ln_tl_errors[i].name);
  }
  return 1;
}

/* keys("production" | "test") → PEM */
static int f_keys(lua_State *L)
{
  lua_pushstring(L, strcmp(luaL_optstring(L, 1, "production"), "test") == 0 ? ln_tl_keys_test : ln_tl_keys);
  return 1;
}

/* --- bytes --- */

static struct ln_slice check_bytes(lua_State *L, int index)
{
  size_t n;
  const char *s = luaL_checklstring(L, index, &n);
  return ln_slice(s, n);
}

static const struct ln_tl_type *opt_type(lua_State *L, int index)
{
  if (lua_isnoneornil(L, index)) return NULL;
  const struct ln_tl_type *t = ln_tl_type_by_name(luaL_checkstring(L, index));
  if (!t) luaL_argerror(L, index, "no type of this name");
  return t;
}

static int decoded(lua_State *L, int err)
{
  if (err) return luaL_error(L, "cannot decode: %s", ln_err_text(err));
  return 1;
}

static int f_decode(lua_State *L)
{
  return decoded(L, ln_bind_tl_decode(L, check_bytes(L, 1), opt_type(L, 2)));
}

static int f_decode_method(lua_State *L)
{
  return decoded(L, ln_bind_tl_decode_method(L, check_bytes(L, 1)));
}

/* decodeResult(bytes, method) */
static int f_decode_result(lua_State *L)
{
  const struct ln_tl_def *m = ln_tl_method_by_name(luaL_checkstring(L, 2));
  luaL_argcheck(L, m, 2, "no method of this name");
  return decoded(L, ln_bind_tl_decode_result(L, check_bytes(L, 1), m));
}

/* The buffer is a userdata with __gc, so that a throw leaves nothing behind. */
static struct ln_buf *push_buffer(lua_State *L)
{
  struct ln_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
  ln_buf_init(b, MESSAGE_MAX);
  luaL_setmetatable(L, "luna.Buffer");
  return b;
}

static int buffer_gc(lua_State *L)
{
  ln_buf_deinit(lua_touserdata(L, 1));
  return 0;
}

static int encoded(lua_State *L, int err, const struct ln_buf *b)
{
  if (err) return luaL_error(L, "%s", lua_tostring(L, -1));
  lua_pushlstring(L, b->len ? (const char *)ln_buf_data(b) : "", b->len);
  return 1;
}

static int f_encode(lua_State *L)
{
  const struct ln_tl_type *type = opt_type(L, 2);
  int layer = (int)luaL_optinteger(L, 3, LN_TL_LAYER);
  struct ln_buf *b = push_buffer(L);
  return encoded(L, ln_bind_tl_encode_object(L, 1, type, b, layer), b);
}

static int f_encode_method(lua_State *L)
{
  const struct ln_tl_def *m = ln_tl_method_by_name(luaL_checkstring(L, 1));
  luaL_argcheck(L, m, 1, "no method of this name");
  luaL_checktype(L, 2, LUA_TTABLE);
  int layer = (int)luaL_optinteger(L, 3, LN_TL_LAYER);
  struct ln_buf *b = push_buffer(L);
  return encoded(L, ln_bind_tl_encode_method(L, 2, m, b, layer), b);
}

/* encodeResult(value, method, layer) */
static int f_encode_result(lua_State *L)
{
  const struct ln_tl_def *m = ln_tl_method_by_name(luaL_checkstring(L, 2));
  luaL_argcheck(L, m, 2, "no method of this name");
  int layer = (int)luaL_optinteger(L, 3, LN_TL_LAYER);
  struct ln_buf *b = push_buffer(L);
  return encoded(L, ln_bind_tl_encode_result(L, 1, m, b, layer), b);
}

/* list(table) → how many items | nil, what makes it no list */
static int f_list(lua_State *L)
{
  lua_Integer n;
  luaL_checktype(L, 1, LUA_TTABLE);
  if (ln_bind_tl_list(L, 1, &n)) {
    lua_pushinteger(L, n);
    return 1;
  }
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* --- what a script gives --- */

/* Replaces the table on top by its field of that name; false, and nothing on top, where it is no table. */
static bool step_into(lua_State *L, int names, uint16_t name)
{
  if (lua_type(L, -1) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  ln_bind_tl_push_name(L, names, name);
  lua_rawget(L, -2);
  lua_replace(L, -2);
  return true;
}

/* What the table on top has as `_`, or "". */
static const char *kind_of(lua_State *L, int names)
{
  if (lua_type(L, -1) != LUA_TTABLE) return "";
  ln_bind_tl_push_name(L, names, ln_tl_name_underscore);
  const char *kind = lua_rawget(L, -2) == LUA_TSTRING ? lua_tostring(L, -1) : ""; /* the table keeps it */
  lua_pop(L, 1);
  return kind;
}

/* Whether the value on top names a private chat by what handlers pass nearly always: a peerUser, a message,
 * the update that brought it; then the user's id is there in its place. */
static bool names_user(lua_State *L, int names)
{
  static int message, peer_id, user_id;
  if (!user_id) {
    message = ln_tl_name_number("message");
    peer_id = ln_tl_name_number("peer_id");
    user_id = ln_tl_name_number("user_id");
  }
  const char *kind = kind_of(L, names);
  if (strcmp(kind, "updateNewMessage") == 0)
    kind = step_into(L, names, (uint16_t)message) ? kind_of(L, names) : "";
  if (strcmp(kind, "message") == 0) kind = step_into(L, names, (uint16_t)peer_id) ? kind_of(L, names) : "";
  return strcmp(kind, "peerUser") == 0 && step_into(L, names, (uint16_t)user_id) && lua_isinteger(L, -1);
}

/* given(parameters, steps) → a copy with room for what is added; how many of its keys `steps` has a function
 * for; of the first of these the function, the key, and, where its value names a private chat, the user's id
 * (see names_user) */
static int f_given(lua_State *L)
{
  lua_Integer known = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_createtable(L, 0, 4);
  lua_pushnil(L); /* 4: how many */
  lua_pushnil(L); /* 5, 6, 7: function, key, user */
  lua_pushnil(L);
  lua_pushnil(L);
  for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 8)) {
    lua_pushvalue(L, 8);
    lua_pushvalue(L, 9);
    lua_rawset(L, 3);
    lua_pushvalue(L, 8);
    if (lua_rawget(L, 2) == LUA_TNIL || known++) continue;
    lua_replace(L, 5);
    lua_pushvalue(L, 8);
    lua_replace(L, 6);
    ln_bind_tl_names(L);
    lua_pushvalue(L, 9);
    if (names_user(L, 10)) lua_replace(L, 7);
  }
  lua_pushinteger(L, known);
  lua_replace(L, 4);
  return 5;
}

/* setMetatable(constructor, metatable | nil): every decoded object of that constructor gets it. */
static int f_set_metatable(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  const struct ln_tl_def *d = ln_tl_constructor_by_name(name);
  luaL_argcheck(L, d, 1, "no constructor of this name");
  lua_settop(L, 2);
  size_t i = (size_t)(d - ln_tl_defs);
  uint16_t place =
      0; /* variants of other layers have the same name, stand beside it, and get the same metatable */
  while (i > 0 && ln_tl_defs[i - 1].name == d->name) i--;
  for (; i < ln_tl_n_constructors && ln_tl_defs[i].name == d->name && i < sizeof dressed / sizeof *dressed;
       i++) {
    if (!place) place = dressed[i] ? dressed[i] : ++places_used;
    dressed[i] = place;
  }
  ln_bind_tl_names(L);
  lua_insert(L, 2);
  lua_rawseti(L, 2, place);
  return 0;
}

int luaopen__luna_tl(lua_State *L)
{
  static const luaL_Reg functions[] = {{"method", f_method},
                                       {"constructor", f_constructor},
                                       {"type", f_type},
                                       {"methods", f_methods},
                                       {"constructors", f_constructors},
                                       {"namespaces", f_namespaces},
                                       {"suggest", f_suggest},
                                       {"errors", f_errors},
                                       {"keys", f_keys},
                                       {"decode", f_decode},
                                       {"decodeMethod", f_decode_method},
                                       {"decodeResult", f_decode_result},
                                       {"encode", f_encode},
                                       {"encodeMethod", f_encode_method},
                                       {"encodeResult", f_encode_result},
                                       {"list", f_list},
                                       {"setMetatable", f_set_metatable},
                                       {"given", f_given},
                                       {NULL, NULL}};
  luaL_newmetatable(L, "luna.Buffer");
  lua_pushcfunction(L, buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_pushinteger(L, LN_TL_LAYER);
  lua_setfield(L, -2, "layer");
  lua_pushinteger(L, LN_TL_FIRST_LAYER);
  lua_setfield(L, -2, "firstLayer");
  return 1;
}
