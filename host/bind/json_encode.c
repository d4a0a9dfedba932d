/* Lua values as JSON text: see json.h. */
#include "bind/json.h"
#include "base/base64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct encoder {
  lua_State *L;
  struct ln_buf *out;
  int indent, max_depth; /* indent < 0: one line */
  bool strict;           /* bytes that are no text are an error */
  bool loose;            /* names as they come: saves the sorting */
};

static void put(struct encoder *e, const char *p, size_t n)
{
  if (ln_buf_append(e->out, p, n)) luaL_error(e->L, "json: the text is larger than 1 GiB");
}

static void newline(struct encoder *e, int depth)
{
  if (e->indent < 0) return;
  put(e, "\n", 1);
  for (int i = depth * e->indent; i > 0; i--) put(e, " ", 1);
}

static void put_base64(struct encoder *e, const uint8_t *p, size_t n)
{
  char four[4];
  for (size_t i = 0; i < n; i += 3) {
    ln_base64_group(p + i, n - i, four);
    put(e, four, 4);
  }
}

static bool is_text(const uint8_t *p, size_t n)
{
  for (size_t i = 0, step; i < n; i += step) {
    step = 1;
    if (p[i] >= 0x80 && !(step = ln_json_utf8(p + i, n - i))) return false;
  }
  return true;
}

static void put_text(struct encoder *e, const char *s, size_t n)
{
  static const char hex[] = "0123456789abcdef";
  size_t from = 0;
  put(e, "\"", 1);
  for (size_t i = 0; i < n; i++) {
    uint8_t c = (uint8_t)s[i];
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    put(e, s + from, i - from);
    from = i + 1;
    const char *at = strchr("\"\\\b\f\n\r\t", c);
    if (c && at) {
      char two[2] = {'\\', "\"\\bfnrt"[at - "\"\\\b\f\n\r\t"]};
      put(e, two, 2);
    } else {
      char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
      put(e, six, 6);
    }
  }
  put(e, s + from, n - from);
  put(e, "\"", 1);
}

static void put_string(struct encoder *e, int index, int depth)
{
  size_t n;
  const char *s = lua_tolstring(e->L, index, &n);
  if (is_text((const uint8_t *)s, n)) {
    put_text(e, s, n);
    return;
  }
  if (e->strict) luaL_error(e->L, "a string that is not UTF-8");
  /* Bytes, in the form that MadelineProto gives them. */
  put(e, "{", 1);
  newline(e, depth + 1);
  put(e, "\"_\":", 4);
  if (e->indent >= 0) put(e, " ", 1);
  put(e, "\"bytes\",", 8);
  newline(e, depth + 1);
  put(e, "\"bytes\":", 8);
  if (e->indent >= 0) put(e, " ", 1);
  put(e, "\"", 1);
  put_base64(e, (const uint8_t *)s, n);
  put(e, "\"", 1);
  newline(e, depth);
  put(e, "}", 1);
}

static void put_integer(struct encoder *e, lua_Integer value)
{
  char text[24], *end = text + sizeof text, *p = end;
  lua_Unsigned left = value < 0 ? 0 - (lua_Unsigned)value : (lua_Unsigned)value;
  do {
    *--p = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) *--p = '-';
  put(e, p, (size_t)(end - p));
}

static void put_number(struct encoder *e, int index)
{
  char text[64];
  if (lua_isinteger(e->L, index)) {
    put_integer(e, lua_tointeger(e->L, index));
    return;
  }
  double d = lua_tonumber(e->L, index);
  if (isnan(d) || isinf(d)) luaL_error(e->L, "%s is no number of JSON", isnan(d) ? "nan" : "inf");
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(text, sizeof text, "%.*g", precision, d);
    if (strtod(text, NULL) == d) break;
  }
  char *comma = strchr(text, ',');
  if (comma) *comma = '.';
  if (!strpbrk(text, ".e")) strcat(text, ".0");
  put(e, text, strlen(text));
}

static void encode(struct encoder *e, int depth);

/* The table on top is a list of n values; holes are null. */
static void put_list(struct encoder *e, lua_Integer n, int depth)
{
  lua_State *L = e->L;
  put(e, "[", 1);
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1) put(e, ",", 1);
    newline(e, depth + 1);
    lua_rawgeti(L, -1, i);
    encode(e, depth + 1);
    lua_pop(L, 1);
  }
  if (n > 0) newline(e, depth);
  put(e, "]", 1);
}

struct key {
  const char *s;
  size_t n;
};

static int compare(const void *a, const void *b)
{
  const struct key *x = a, *y = b;
  int d = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
  return d ? d : x->n < y->n ? -1 : x->n > y->n;
}

/* The name of a field at the index, with its colon. */
static void put_name(struct encoder *e, int index, bool first, int depth)
{
  size_t n;
  const char *s = lua_tolstring(e->L, index, &n);
  if (!first) put(e, ",", 1);
  newline(e, depth + 1);
  if (!is_text((const uint8_t *)s, n)) luaL_error(e->L, "a key that is not UTF-8");
  put_text(e, s, n);
  put(e, ": ", e->indent < 0 ? 1 : 2);
}

static void put_object_loose(struct encoder *e, int depth)
{
  lua_State *L = e->L;
  int table = lua_gettop(L);
  bool first = true;
  put(e, "{", 1);
  lua_pushliteral(L, "_");
  lua_pushvalue(L, -1);
  if (lua_rawget(L, table) != LUA_TNIL) {
    put_name(e, table + 1, true, depth);
    encode(e, depth + 1);
    first = false;
  }
  lua_pop(L, 1);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_rawequal(L, -2, table + 1)) continue;
    put_name(e, -2, first, depth);
    encode(e, depth + 1);
    first = false;
  }
  lua_settop(L, table);
  if (!first) newline(e, depth);
  put(e, "}", 1);
}

/* Keys in order, so that the same value is the same text each time. They live as long as the table. */
static void put_object(struct encoder *e, size_t count, int depth)
{
  lua_State *L = e->L;
  int table = lua_gettop(L);
  struct key *keys = lua_newuserdatauv(L, (count ? count : 1) * sizeof *keys, 0);
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (n == count) break;
    keys[n].s = lua_tolstring(L, -2, &keys[n].n);
    n++;
  }
  lua_settop(L, table + 1);
  qsort(keys, n, sizeof *keys, compare);
  put(e, "{", 1);
  for (size_t i = 0; i < n; i++) {
    lua_pushlstring(L, keys[i].s, keys[i].n);
    put_name(e, -1, i == 0, depth);
    lua_rawget(L, table);
    encode(e, depth + 1);
    lua_pop(L, 1);
  }
  if (n > 0) newline(e, depth);
  put(e, "}", 1);
  lua_settop(L, table);
}

static bool has_metatable(lua_State *L, int which)
{
  if (!lua_getmetatable(L, -1)) return false;
  bool same = lua_rawequal(L, -1, which);
  lua_pop(L, 1);
  return same;
}

static void put_table(struct encoder *e, int depth)
{
  lua_State *L = e->L;
  lua_Integer max = 0;
  size_t strings = 0, integers = 0;
  if (depth >= e->max_depth)
    luaL_error(L, "nested more than %d deep (or a table within itself)", e->max_depth);
  luaL_checkstack(L, 12, "json");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      strings++;
    } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1) {
      integers++;
      if (lua_tointeger(L, -2) > max) max = lua_tointeger(L, -2);
    } else {
      luaL_error(L, "a key that is a %s",
                 lua_isnumber(L, -2) ? "number other than 1, 2, 3 …" : luaL_typename(L, -2));
    }
  }
  if (strings && integers) luaL_error(L, "a table with both names and numbers for keys");
  if (strings || (!integers && has_metatable(L, LN_JSON_OBJECT))) {
    e->loose ? put_object_loose(e, depth) : put_object(e, strings, depth);
    return;
  }
  /* Results of the combinators count their nil holes by __len; other lists have none. */
  int metafield = luaL_getmetafield(L, -1, "__len");
  if (metafield != LUA_TNIL) {
    lua_pop(L, 1);
    lua_Integer n = luaL_len(L, -1);
    if (n > max && n - max < 1000000) max = n;
  } else if ((lua_Integer)integers != max) {
    luaL_error(L, "a list with holes (json.null is what stands for nothing)");
  }
  put_list(e, max, depth);
}

/* The value on top, which stays. */
static void encode(struct encoder *e, int depth)
{
  lua_State *L = e->L;
  switch (lua_type(L, -1)) {
  case LUA_TNIL: put(e, "null", 4); return;
  case LUA_TBOOLEAN: lua_toboolean(L, -1) ? put(e, "true", 4) : put(e, "false", 5); return;
  case LUA_TNUMBER: put_number(e, -1); return;
  case LUA_TSTRING: put_string(e, -1, depth); return;
  case LUA_TTABLE:
    if (lua_rawequal(L, -1, LN_JSON_NULL))
      put(e, "null", 4);
    else
      put_table(e, depth);
    return;
  default:
    if (luaL_getmetafield(L, -1, "__name") == LUA_TSTRING)
      luaL_error(L, "a %s cannot be encoded", lua_tostring(L, -1));
    luaL_error(L, "a %s cannot be encoded", luaL_typename(L, -1));
  }
}

int ln_json_encode(lua_State *L)
{
  struct encoder e = {.L = L};
  e.indent = (int)luaL_optinteger(L, 2, -1);
  lua_Integer depth = luaL_optinteger(L, 3, 128);
  e.max_depth = depth > LN_JSON_MAX_DEPTH ? LN_JSON_MAX_DEPTH : depth < 1 ? 1 : (int)depth;
  e.strict = lua_toboolean(L, 4);
  e.loose = lua_toboolean(L, 5);
  if (e.indent > 16) e.indent = 16;
  lua_settop(L, 1);
  e.out = ln_json_push_buffer(L);
  lua_pushvalue(L, 1);
  encode(&e, 0);
  lua_pushlstring(L, (const char *)ln_buf_data(e.out), e.out->len);
  ln_buf_deinit(e.out);
  return 1;
}
