/* JSON text as Lua values: see json.h. Strict: one value, UTF-8, no comments, no trailing commas, bounded
 * depth. */
#include "bind/json.h"

#include <math.h>
#include <string.h>

struct decoder {
  lua_State *L;
  const uint8_t *start, *p, *end;
  struct ln_buf *scratch;
  const char *why;
  int max_depth;
  bool drop_null;
};

static bool fail(struct decoder *d, const char *why)
{
  if (!d->why) d->why = why;
  return false;
}

static void skip_space(struct decoder *d)
{
  while (d->p < d->end && (*d->p == ' ' || *d->p == '\t' || *d->p == '\n' || *d->p == '\r')) d->p++;
}

static bool hex4(struct decoder *d, uint32_t *out)
{
  uint32_t v = 0;
  if (d->end - d->p < 4) return fail(d, "four hexadecimal digits are expected");
  for (int i = 0; i < 4; i++) {
    uint8_t c = d->p[i];
    uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                          : 16;
    if (digit > 15) return fail(d, "four hexadecimal digits are expected");
    v = v << 4 | digit;
  }
  d->p += 4;
  *out = v;
  return true;
}

static bool keep(struct decoder *d, const void *p, size_t n)
{
  return ln_buf_append(d->scratch, p, n) ? fail(d, "out of memory") : true;
}

/* After "\u": one character, of one escape or a pair of surrogates. */
static bool unicode(struct decoder *d)
{
  uint32_t c, low;
  if (!hex4(d, &c)) return false;
  if (c >= 0xdc00 && c <= 0xdfff) return fail(d, "a low surrogate without its high one");
  if (c >= 0xd800 && c <= 0xdbff) {
    if (d->end - d->p < 6 || d->p[0] != '\\' || d->p[1] != 'u')
      return fail(d, "a high surrogate without its low one");
    d->p += 2;
    if (!hex4(d, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail(d, "a high surrogate without its low one");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  }
  uint8_t u[4];
  size_t n;
  if (c < 0x80) {
    u[0] = (uint8_t)c;
    n = 1;
  } else if (c < 0x800) {
    u[0] = (uint8_t)(0xc0 | c >> 6);
    u[1] = (uint8_t)(0x80 | (c & 63));
    n = 2;
  } else if (c < 0x10000) {
    u[0] = (uint8_t)(0xe0 | c >> 12);
    u[1] = (uint8_t)(0x80 | (c >> 6 & 63));
    u[2] = (uint8_t)(0x80 | (c & 63));
    n = 3;
  } else {
    u[0] = (uint8_t)(0xf0 | c >> 18);
    u[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    u[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    u[3] = (uint8_t)(0x80 | (c & 63));
    n = 4;
  }
  return keep(d, u, n);
}

/* At the opening quote; pushes the string. */
static bool string(struct decoder *d)
{
  const uint8_t *from = ++d->p;
  bool plain = true; /* nothing in scratch yet */
  ln_buf_clear(d->scratch);
  for (;;) {
    if (d->p >= d->end) return fail(d, "the string does not end");
    uint8_t c = *d->p;
    if (c == '"') break;
    if (c < 0x20) return fail(d, "a control character in a string");
    if (c != '\\') {
      size_t n = ln_json_utf8(d->p, (size_t)(d->end - d->p));
      if (!n) return fail(d, "not UTF-8");
      d->p += n;
      continue;
    }
    if (!keep(d, from, (size_t)(d->p - from))) return false;
    plain = false;
    if (++d->p >= d->end) return fail(d, "the string does not end");
    c = *d->p++;
    const char *at = c ? strchr("\"\\/bfnrt", c) : NULL;
    if (at) {
      if (!keep(d, &"\"\\/\b\f\n\r\t"[at - "\"\\/bfnrt"], 1)) return false;
    } else if (c != 'u') {
      d->p--;
      return fail(d, "no escape of JSON");
    } else if (!unicode(d)) {
      return false;
    }
    from = d->p;
  }
  if (plain) {
    lua_pushlstring(d->L, (const char *)from, (size_t)(d->p - from));
  } else {
    if (!keep(d, from, (size_t)(d->p - from))) return false;
    lua_pushlstring(d->L, (const char *)ln_buf_data(d->scratch), d->scratch->len);
  }
  d->p++;
  return true;
}

static bool digits(struct decoder *d)
{
  if (d->p >= d->end || *d->p < '0' || *d->p > '9') return fail(d, "a digit is expected");
  while (d->p < d->end && *d->p >= '0' && *d->p <= '9') d->p++;
  return true;
}

static bool number(struct decoder *d)
{
  const uint8_t *from = d->p;
  bool integer = true;
  if (*d->p == '-') d->p++;
  if (d->p < d->end && *d->p == '0')
    d->p++;
  else if (!digits(d))
    return false;
  if (d->p < d->end && *d->p >= '0' && *d->p <= '9') return fail(d, "a number does not begin with 0");
  if (d->p < d->end && *d->p == '.') {
    integer = false;
    d->p++;
    if (!digits(d)) return false;
  }
  if (d->p < d->end && (*d->p | 32) == 'e') {
    integer = false;
    d->p++;
    if (d->p < d->end && (*d->p == '+' || *d->p == '-')) d->p++;
    if (!digits(d)) return false;
  }
  size_t n = (size_t)(d->p - from);
  ln_buf_clear(d->scratch);
  if (!keep(d, from, n) || !keep(d, "", 1)) return false;
  const char *text = (const char *)ln_buf_data(d->scratch);
  /* Whole numbers of 64 bits are integers; larger ones become floats, as Lua reads them. */
  if (!lua_stringtonumber(d->L, text)) {
    d->p = from;
    return fail(d, "not a number");
  }
  if (integer && lua_isinteger(d->L, -1)) return true;
  double v = lua_tonumber(d->L, -1);
  if (isinf(v)) {
    d->p = from;
    return fail(d, "the number is too large");
  }
  lua_pop(d->L, 1);
  lua_pushnumber(d->L, v);
  return true;
}

static bool word(struct decoder *d, const char *w)
{
  size_t n = strlen(w);
  if ((size_t)(d->end - d->p) < n || memcmp(d->p, w, n) != 0) return fail(d, "a value is expected");
  d->p += n;
  return true;
}

static bool value(struct decoder *d, int depth);

static bool list(struct decoder *d, int depth)
{
  lua_State *L = d->L;
  lua_newtable(L);
  d->p++;
  skip_space(d);
  if (d->p < d->end && *d->p == ']') {
    d->p++;
    lua_pushvalue(L, LN_JSON_ARRAY);
    lua_setmetatable(L, -2);
    return true;
  }
  for (lua_Integer i = 1;;) {
    if (!value(d, depth + 1)) return false;
    if (lua_isnil(L, -1))
      lua_pop(L, 1); /* a null that is dropped leaves no hole */
    else
      lua_rawseti(L, -2, i++);
    skip_space(d);
    if (d->p < d->end && *d->p == ']') {
      d->p++;
      return true;
    }
    if (d->p >= d->end || *d->p != ',')
      return fail(d, d->p >= d->end ? "the list does not end" : "',' or ']' is expected");
    d->p++;
  }
}

static bool object(struct decoder *d, int depth)
{
  lua_State *L = d->L;
  lua_newtable(L);
  d->p++;
  skip_space(d);
  if (d->p < d->end && *d->p == '}') {
    d->p++;
    lua_pushvalue(L, LN_JSON_OBJECT);
    lua_setmetatable(L, -2);
    return true;
  }
  for (;;) {
    skip_space(d);
    if (d->p >= d->end || *d->p != '"')
      return fail(d, d->p >= d->end ? "the object does not end" : "a name in quotes is expected");
    if (!string(d)) return false;
    skip_space(d);
    if (d->p >= d->end || *d->p != ':') return fail(d, "':' is expected");
    d->p++;
    if (!value(d, depth + 1)) return false;
    lua_rawset(L, -3);
    skip_space(d);
    if (d->p < d->end && *d->p == '}') {
      d->p++;
      return true;
    }
    if (d->p >= d->end || *d->p != ',')
      return fail(d, d->p >= d->end ? "the object does not end" : "',' or '}' is expected");
    d->p++;
  }
}

/* Pushes a value, or fails; what is on the stack then is left to ln_json_decode. */
static bool value(struct decoder *d, int depth)
{
  lua_State *L = d->L;
  if (depth > d->max_depth) return fail(d, "nested too deeply");
  if (!lua_checkstack(L, 8)) return fail(d, "nested too deeply");
  skip_space(d);
  if (d->p >= d->end) return fail(d, "a value is expected, the text has ended");
  switch (*d->p) {
  case '{': return object(d, depth);
  case '[': return list(d, depth);
  case '"': return string(d);
  case 't': lua_pushboolean(L, 1); return word(d, "true");
  case 'f': lua_pushboolean(L, 0); return word(d, "false");
  case 'n':
    if (d->drop_null)
      lua_pushnil(L);
    else
      lua_pushvalue(L, LN_JSON_NULL);
    return word(d, "null");
  default:
    if (*d->p == '-' || (*d->p >= '0' && *d->p <= '9')) return number(d);
    return fail(d, "a value is expected");
  }
}

int ln_json_decode(lua_State *L)
{
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  lua_Integer depth = luaL_optinteger(L, 2, 128);
  struct decoder d = {
      .L = L, .start = (const uint8_t *)text, .p = (const uint8_t *)text, .drop_null = lua_toboolean(L, 3)};
  d.end = d.start + n;
  d.max_depth = depth > LN_JSON_MAX_DEPTH ? LN_JSON_MAX_DEPTH : depth < 1 ? 1 : (int)depth;
  lua_settop(L, 1);
  d.scratch = ln_json_push_buffer(L);
  if (value(&d, 0)) {
    skip_space(&d);
    if (d.p == d.end) {
      ln_buf_deinit(d.scratch);
      lua_pushboolean(L, 1);
      lua_insert(L, -2);
      return 2;
    }
    fail(&d, "more text follows the value");
  }
  lua_Integer line = 1, column = 1;
  for (const uint8_t *at = d.start; at < d.p; at++) {
    column++;
    if (*at != '\n') continue;
    line++;
    column = 1;
  }
  ln_buf_deinit(d.scratch);
  lua_settop(L, 1);
  lua_pushboolean(L, 0);
  lua_pushstring(L, d.why);
  lua_pushinteger(L, d.p - d.start + 1);
  lua_pushinteger(L, line);
  lua_pushinteger(L, column);
  return 5;
}
