/* The walker from Lua tables to bytes, which checks as it goes: see tl.h. The way to the value that does not
 * fit is kept as a chain on the C stack and becomes text only where it is needed. */
#include "bind/tl.h"
#include "tl/writer.h"

#include <lauxlib.h>
#include <stdio.h>

struct step { /* from the root: a field's name, or a place in a vector */
  const struct step *up;
  const char *name; /* NULL: index */
  lua_Integer index;
};

struct encoder {
  lua_State *L;
  struct ln_writer w;
  int names;
  int layer;
  int err; /* the first error; its sentence is in the slot after the names */
  const struct ln_tl_def *root;
  int mark; /* number of a name, or -1 */
  size_t marked;
};

static void encode_object(struct encoder *e, const struct ln_tl_type *type, bool method,
                          const struct step *at, int depth);

/* --- what to say --- */

static void add_path(luaL_Buffer *b, const struct step *at)
{
  if (!at) return;
  add_path(b, at->up);
  if (at->name) {
    if (at->up) luaL_addchar(b, '.');
    luaL_addstring(b, at->name);
  } else {
    char text[32];
    snprintf(text, sizeof text, "[%lld]", (long long)at->index);
    luaL_addstring(b, text);
  }
}

/* Keeps one sentence: "messages.sendMessage: parameter "reply_to.x": WHAT". WHAT is on top and popped. After
 * the first error the walk only unwinds, so the stack above is nobody's business any more. */
static void fail(struct encoder *e, int err, const struct step *at)
{
  lua_State *L = e->L;
  luaL_Buffer b;
  if (e->err) {
    lua_pop(L, 1);
    return;
  }
  e->err = err;
  luaL_buffinit(L, &b);
  if (e->root) {
    luaL_addstring(&b, ln_tl_def_name(e->root));
    luaL_addstring(&b, ": ");
  }
  if (at) {
    luaL_addstring(&b, e->root && e->root->is_method ? "parameter \"" : "field \"");
    add_path(&b, at);
    luaL_addstring(&b, "\": ");
  }
  luaL_pushresult(&b);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_replace(L, e->names + 1);
}

static const char *kind_text(const struct ln_tl_field *f)
{
  static const char *const texts[] = {"flags",
                                      "int",
                                      "long",
                                      "number",
                                      "string",
                                      "bytes (a string)",
                                      "16 bytes (a string)",
                                      "32 bytes (a string)",
                                      "boolean",
                                      "true"};
  if (f->kind < sizeof texts / sizeof *texts) return texts[f->kind];
  if (f->kind == LN_TL_OBJECT) return ln_tl_name(ln_tl_types[f->ref].name);
  if (f->kind == LN_TL_BARE) return ln_tl_def_name(&ln_tl_defs[f->ref]);
  return f->kind == LN_TL_METHOD ? "a method call" : "an object";
}

/* "number 5", "string "abc"", "table": the value at index, for a message. */
static void push_value(lua_State *L, int index)
{
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
  case LUA_TNUMBER:
    lua_pushfstring(L, "number %s", luaL_tolstring(L, index, NULL));
    lua_remove(L, -2);
    return;
  case LUA_TSTRING: {
    size_t n;
    const char *s = lua_tolstring(L, index, &n);
    if (n <= 40)
      lua_pushfstring(L, "string \"%s\"", s);
    else
      lua_pushfstring(L, "a string of %d bytes", (int)n);
    return;
  }
  case LUA_TBOOLEAN: lua_pushfstring(L, "boolean %s", lua_toboolean(L, index) ? "true" : "false"); return;
  case LUA_TTABLE:
    if (lua_getfield(L, index, "_") == LUA_TSTRING) {
      lua_pushfstring(L, "a table of %s", lua_tostring(L, -1));
      lua_remove(L, -2);
    } else {
      lua_pop(L, 1);
      lua_pushliteral(L, "a table without _");
    }
    return;
  default: {
    const char *name = luaL_typename(L, index);
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
      name = lua_tostring(L, -1);
      lua_pushfstring(L, "%s", name);
      lua_remove(L, -2);
    } else {
      lua_pushstring(L, name);
    }
  }
  }
}

static void wrong(struct encoder *e, int index, const char *wanted, const struct step *at)
{
  lua_State *L = e->L;
  push_value(L, index);
  lua_pushfstring(L, "expected %s, got %s", wanted, lua_tostring(L, -1));
  lua_remove(L, -2);
  fail(e, LN_E_BAD_TYPE, at);
}

/* --- values: each looks at the value on top and leaves it there --- */

static void encode_integer(struct encoder *e, const struct ln_tl_field *f, const struct step *at)
{
  lua_State *L = e->L;
  lua_Integer v = 0;
  bool ok = false;
  if (lua_isinteger(L, -1)) {
    v = lua_tointeger(L, -1);
    ok = true;
  } else if (lua_type(L, -1) == LUA_TNUMBER) {
    int exact;
    v = lua_tointegerx(L, -1, &exact);
    ok = exact;
  }
  if (!ok) {
    wrong(e, -1, lua_type(L, -1) == LUA_TNUMBER ? "an integer" : kind_text(f), at);
    return;
  }
  if (f->kind == LN_TL_LONG) {
    ln_write_i64(&e->w, v);
  } else if (v < INT32_MIN || v > INT32_MAX) {
    lua_pushfstring(L, "%I is out of range for an int (32 bits)", (LUAI_UACINT)v);
    fail(e, LN_E_BAD_VALUE, at);
  } else {
    ln_write_i32(&e->w, (int32_t)v);
  }
}

static void encode_bytes(struct encoder *e, const struct ln_tl_field *f, const struct step *at)
{
  lua_State *L = e->L;
  size_t n;
  if (lua_type(L, -1) != LUA_TSTRING) {
    wrong(e, -1, kind_text(f), at);
    return;
  }
  const char *s = lua_tolstring(L, -1, &n);
  if (f->kind == LN_TL_STRING || f->kind == LN_TL_BYTES) {
    if (n >= (size_t)1 << 24) {
      lua_pushliteral(L, "longer than 16 MiB");
      fail(e, LN_E_TOOBIG, at);
      return;
    }
    ln_write_bytes(&e->w, ln_slice(s, n));
    return;
  }
  size_t want = f->kind == LN_TL_INT128 ? 16 : 32;
  if (n != want) {
    lua_pushfstring(L, "expected %d bytes, got %d", (int)want, (int)n);
    fail(e, LN_E_BAD_VALUE, at);
    return;
  }
  ln_write_raw(&e->w, s, n);
}

static void encode_fields(struct encoder *e, const struct ln_tl_def *def, const struct step *at, int depth);

static void encode_single(struct encoder *e, const struct ln_tl_field *f, const struct step *at, int depth)
{
  lua_State *L = e->L;
  switch (f->kind) {
  case LN_TL_INT:
  case LN_TL_LONG: encode_integer(e, f, at); return;
  case LN_TL_DOUBLE:
    if (lua_type(L, -1) != LUA_TNUMBER)
      wrong(e, -1, kind_text(f), at);
    else
      ln_write_double(&e->w, lua_tonumber(L, -1));
    return;
  case LN_TL_STRING:
  case LN_TL_BYTES:
  case LN_TL_INT128:
  case LN_TL_INT256: encode_bytes(e, f, at); return;
  case LN_TL_BOOL:
    if (lua_type(L, -1) != LUA_TBOOLEAN)
      wrong(e, -1, kind_text(f), at);
    else
      ln_write_u32(&e->w, lua_toboolean(L, -1) ? LN_TL_BOOL_TRUE : LN_TL_BOOL_FALSE);
    return;
  case LN_TL_BARE:
    if (lua_type(L, -1) != LUA_TTABLE)
      wrong(e, -1, kind_text(f), at);
    else
      encode_fields(e, &ln_tl_defs[f->ref], at, depth + 1);
    return;
  case LN_TL_OBJECT: encode_object(e, &ln_tl_types[f->ref], false, at, depth + 1); return;
  case LN_TL_METHOD: encode_object(e, NULL, true, at, depth + 1); return;
  default: encode_object(e, NULL, false, at, depth + 1); return;
  }
}

/* The value is on top; afterwards it is gone. */
static void encode_field(struct encoder *e, const struct ln_tl_field *f, const struct step *at, int depth)
{
  lua_State *L = e->L;
  if (!f->vector) {
    encode_single(e, f, at, depth);
  } else if (lua_type(L, -1) != LUA_TTABLE) {
    lua_pushfstring(L, "a list of %s", kind_text(f));
    wrong(e, -2, lua_tostring(L, -1), at);
  } else {
    lua_Integer n;
    luaL_checkstack(L, 8, "too deep");
    lua_pushliteral(L, "_");
    bool object = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    if (object) {
      lua_pushfstring(L, "a list of %s", kind_text(f));
      wrong(e, -2, lua_tostring(L, -1), at);
    } else if (!ln_bind_tl_list(L, -1, &n)) {
      fail(e, LN_E_BAD_TYPE, at);
    } else {
      ln_write_vector(&e->w, f->vector == 1, (uint32_t)n);
      for (lua_Integer i = 1; i <= n && !e->err && !e->w.err; i++) {
        struct step here = {at, NULL, i};
        lua_rawgeti(L, -1, i);
        encode_single(e, f, &here, depth);
        lua_pop(L, 1);
      }
    }
  }
  lua_pop(L, 1);
}

static const char *field_name(const void *ctx, size_t i)
{
  const struct ln_tl_def *def = ctx;
  for (size_t at = 0, seen = 0; at < def->n_fields; at++) {
    const struct ln_tl_field *f = &ln_tl_fields[def->first + at];
    if (f->kind != LN_TL_FLAGS && seen++ == i) return ln_tl_name(f->name);
  }
  return NULL;
}

static bool has_field(const struct ln_tl_def *def, const char *name)
{
  for (size_t i = 0;; i++) {
    const char *field = field_name(def, i);
    if (!field) return false;
    if (strcmp(field, name) == 0) return true;
  }
}

/* A key that the newest variant does not know either is a mistake; one that only an older variant lacks is
 * left out. */
static void check_keys(struct encoder *e, const struct ln_tl_def *def, const struct step *at)
{
  lua_State *L = e->L;
  int table = lua_gettop(L);
  const char *owner = def == e->root ? "it" : ln_tl_def_name(def);
  const struct ln_tl_def *newest = def->is_method ? ln_tl_method_by_name(ln_tl_def_name(def))
                                                  : ln_tl_constructor_by_name(ln_tl_def_name(def));
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      const char *key = lua_tostring(L, -2);
      if (strcmp(key, "_") == 0 || has_field(newest, key) || (def != newest && has_field(def, key))) continue;
      ln_bind_tl_guess(L, key, field_name, newest);
      if (lua_isnil(L, -1))
        lua_pushfstring(L, "%s has no %s \"%s\"", owner, def->is_method ? "parameter" : "field", key);
      else
        lua_pushfstring(L, "%s has no %s \"%s\" (did you mean \"%s\"?)", owner,
                        def->is_method ? "parameter" : "field", key, lua_tostring(L, -1));
    } else {
      push_value(L, -2);
      lua_pushfstring(L, "%s has no %s %s: only names", owner, def->is_method ? "parameter" : "field",
                      lua_tostring(L, -1));
    }
    fail(e, LN_E_BAD_TYPE, def == e->root ? NULL : at);
    return;
  }
}

/* The place of a field among those of def, or -1. A script's names are few and stay the same strings, so the
 * last ones are remembered by their address; what is found there is compared all the same. */
static int field_at(const struct ln_tl_def *def, const char *key)
{
  static struct {
    const struct ln_tl_def *def;
    const char *key;
    int at;
  } seen[128], *s;
  const struct ln_tl_field *fields = ln_tl_fields + def->first;
  s = &seen[((uintptr_t)key / 8 + (uintptr_t)def / sizeof *def) % (sizeof seen / sizeof *seen)];
  if (s->key == key && s->def == def && strcmp(ln_tl_name(fields[s->at].name), key) == 0) return s->at;
  for (int i = 0; i < def->n_fields; i++) {
    const char *name = ln_tl_name(fields[i].name);
    if (name[0] != key[0] || fields[i].kind == LN_TL_FLAGS || strcmp(name, key) != 0) continue;
    s->def = def;
    s->key = key;
    return s->at = i;
  }
  return -1;
}

/* Which fields of def the table on top has, as bits; false: it has other keys too. */
static bool find_given(lua_State *L, const struct ln_tl_def *def, uint32_t given[8])
{
  bool known = true;
  memset(given, 0, 8 * sizeof *given);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (key[0] == '_' && key[1] == 0) continue;
    int i = field_at(def, key);
    if (i >= 0)
      given[i / 32] |= UINT32_C(1) << i % 32;
    else
      known = false;
  }
  return known;
}

/* The table is on top and stays. */
static void encode_fields(struct encoder *e, const struct ln_tl_def *def, const struct step *at, int depth)
{
  lua_State *L = e->L;
  int table = lua_gettop(L);
  uint32_t given[8];
  size_t flag_at[256];       /* offset of the flag word of field i, from the start of live bytes */
  uint32_t absent[256];      /* bits of that word whose fields were not given */
  int n_words = 0, words[8]; /* the flag words; no definition has more than four */
  if (depth > LN_TL_MAX_DEPTH) {
    lua_pushliteral(L, "nested too deeply");
    fail(e, LN_E_DEPTH, at);
    return;
  }
  luaL_checkstack(L, 10, "too deep");
  bool known = find_given(L, def, given);
  for (int i = 0; i < def->n_fields && !e->w.err; i++) {
    const struct ln_tl_field *f = &ln_tl_fields[def->first + i];
    if (f->kind == LN_TL_FLAGS) {
      flag_at[i] = e->w.buf->len;
      absent[i] = 0;
      if (n_words < 8) words[n_words++] = i;
      ln_write_u32(&e->w, 0);
      continue;
    }
    if (!(given[i / 32] >> i % 32 & 1)) {
      if (!f->flag) {
        lua_pushfstring(L, "missing %s \"%s\" (%s%s)", def->is_method ? "parameter" : "field",
                        ln_tl_name(f->name), f->vector ? "a list of " : "", kind_text(f));
        fail(e, LN_E_BAD_TYPE, at);
        return;
      }
      if (f->kind != LN_TL_TRUE) absent[f->flag - 1] |= UINT32_C(1) << f->bit;
      continue;
    }
    struct step here = {at, ln_tl_name(f->name), 0};
    ln_bind_tl_push_name(L, e->names, f->name);
    int type = lua_rawget(L, table);
    if (f->flag) {
      if (f->kind == LN_TL_TRUE && type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        continue;
      }
      uint8_t *word = ln_buf_data(e->w.buf) + flag_at[f->flag - 1];
      ln_put_le32(word, ln_le32(word) | UINT32_C(1) << f->bit);
      if (f->kind == LN_TL_TRUE) {
        if (type != LUA_TBOOLEAN) {
          wrong(e, -1, "true", &here);
          return;
        }
        lua_pop(L, 1);
        continue;
      }
    }
    if (depth == 0 && f->name == e->mark) e->marked = e->w.buf->len;
    encode_field(e, f, &here, depth);
    if (e->err) return;
  }
  bool halved = false; /* fields that share a bit come together */
  for (int i = 0; i < n_words && !e->w.err; i++)
    if (ln_le32(ln_buf_data(e->w.buf) + flag_at[words[i]]) & absent[words[i]]) halved = true;
  for (int i = 0; halved && i < def->n_fields; i++) {
    const struct ln_tl_field *f = &ln_tl_fields[def->first + i];
    if (!f->flag || f->kind == LN_TL_TRUE || given[i / 32] >> i % 32 & 1 ||
        !(absent[f->flag - 1] >> f->bit & 1))
      continue;
    if (!(ln_le32(ln_buf_data(e->w.buf) + flag_at[f->flag - 1]) >> f->bit & 1)) continue;
    lua_pushfstring(L, "missing %s \"%s\": it goes with another that is given",
                    def->is_method ? "parameter" : "field", ln_tl_name(f->name));
    fail(e, LN_E_BAD_TYPE, at);
    return;
  }
  if (!known) check_keys(e, def, at);
}

static const char *member_name(const void *ctx, size_t i)
{
  const struct ln_tl_type *type = ctx;
  if (!type) return i < ln_tl_n_constructors ? ln_tl_def_name(&ln_tl_defs[i]) : NULL;
  return i < type->count ? ln_tl_def_name(&ln_tl_defs[ln_tl_members[type->first + i]]) : NULL;
}

static const char *method_name(const void *ctx, size_t i)
{
  (void)ctx;
  return ln_tl_n_constructors + i < ln_tl_n_defs ? ln_tl_def_name(&ln_tl_defs[ln_tl_n_constructors + i])
                                                 : NULL;
}

/* The value is on top and stays. */
static void encode_object(struct encoder *e, const struct ln_tl_type *type, bool method,
                          const struct step *at, int depth)
{
  lua_State *L = e->L;
  const char *wanted = method ? "a method call (a table with _)"
                       : type ? ln_tl_name(type->name)
                              : "an object (a table with _)";
  if (lua_type(L, -1) == LUA_TBOOLEAN && !type && !method) {
    ln_write_u32(&e->w, lua_toboolean(L, -1) ? LN_TL_BOOL_TRUE : LN_TL_BOOL_FALSE);
    return;
  }
  if (lua_type(L, -1) != LUA_TTABLE) {
    wrong(e, -1, wanted, at);
    return;
  }
  luaL_checkstack(L, 8, "too deep");
  ln_bind_tl_push_name(L, e->names, ln_tl_name_underscore);
  if (lua_rawget(L, -2) != LUA_TSTRING) {
    lua_pop(L, 1);
    wrong(e, -1, wanted, at);
    return;
  }
  const char *name = lua_tostring(L, -1);
  const struct ln_tl_def *def = method ? ln_tl_method_by_name(name) : ln_tl_constructor_by_name(name);
  if (!def) {
    ln_bind_tl_guess(L, name, method ? method_name : member_name, type);
    if (lua_isnil(L, -1))
      lua_pushfstring(L, "expected %s, got the unknown \"%s\"", wanted, name);
    else
      lua_pushfstring(L, "expected %s, got the unknown \"%s\" (did you mean \"%s\"?)", wanted, name,
                      lua_tostring(L, -1));
    fail(e, LN_E_UNKNOWN_ID, at);
    return;
  }
  if (type && &ln_tl_types[def->type] != type) {
    lua_pop(L, 1); /* the name */
    wrong(e, -1, wanted, at);
    return;
  }
  const struct ln_tl_def *fit = ln_tl_in_layer(def, e->layer);
  if (!fit) {
    lua_pushfstring(L, "\"%s\" does not exist in layer %d", name, e->layer);
    fail(e, LN_E_LAYER, at);
    return;
  }
  lua_pop(L, 1);
  ln_write_u32(&e->w, fit->id);
  encode_fields(e, fit, at, depth);
}

static void begin(struct encoder *e, lua_State *L, struct ln_buf *out, int layer,
                  const struct ln_tl_def *root)
{
  luaL_checkstack(L, 12, NULL);
  memset(e, 0, sizeof *e);
  e->L = L;
  e->layer = layer > LN_TL_LAYER ? LN_TL_LAYER : layer;
  e->root = root;
  e->mark = -1;
  e->marked = SIZE_MAX;
  ln_writer_init(&e->w, out);
  ln_bind_tl_names(L);
  e->names = lua_gettop(L);
  lua_pushnil(L);
}

/* On an error exactly the sentence is left; the bytes written are taken back. */
static int end(struct encoder *e, size_t before)
{
  lua_State *L = e->L;
  if (!e->err && e->w.err) {
    lua_pushstring(L, e->w.err == LN_E_TOOBIG ? "larger than 16 MiB" : ln_err_text(e->w.err));
    fail(e, e->w.err, NULL);
  }
  if (e->err) {
    ln_buf_truncate(e->w.buf, before);
    lua_settop(L, e->names + 1);
    lua_replace(L, e->names);
  } else {
    lua_settop(L, e->names - 1);
  }
  return e->err;
}

int ln_bind_tl_encode_method(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer)
{
  size_t at;
  return ln_bind_tl_encode_marked(L, index, method, out, layer, -1, &at);
}

int ln_bind_tl_encode_marked(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer, int name, size_t *at)
{
  struct encoder e;
  size_t before = out->len;
  index = lua_absindex(L, index);
  begin(&e, L, out, layer, method);
  e.mark = name;
  *at = SIZE_MAX;
  const struct ln_tl_def *fit = ln_tl_in_layer(method, e.layer);
  if (!fit) {
    lua_pushfstring(L, "does not exist in layer %d", e.layer);
    fail(&e, LN_E_LAYER, NULL);
    return end(&e, before);
  }
  ln_write_u32(&e.w, fit->id);
  lua_pushvalue(L, index);
  encode_fields(&e, fit, NULL, 0);
  *at = e.marked;
  return end(&e, before);
}

int ln_bind_tl_encode_object(lua_State *L, int index, const struct ln_tl_type *type, struct ln_buf *out,
                             int layer)
{
  struct encoder e;
  size_t before = out->len;
  index = lua_absindex(L, index);
  begin(&e, L, out, layer, NULL);
  lua_pushvalue(L, index);
  encode_object(&e, type, false, NULL, 0);
  return end(&e, before);
}

int ln_bind_tl_encode_result(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer)
{
  struct encoder e;
  size_t before = out->len;
  index = lua_absindex(L, index);
  begin(&e, L, out, layer, NULL);
  lua_pushvalue(L, index);
  encode_field(&e, &ln_tl_results[method->type], NULL, 0);
  return end(&e, before);
}
