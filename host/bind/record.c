/* _luna.record: what makes a line of a record cheap: one pass over its JSON that gives the access hashes
 * their fakes, and says where a text may hold a secret by its form; luna.record.mask looks closer at those.
 */
#include "bind/modules.h"
#include "base/slice.h"
#include "crypto/hash.h"

#include <lauxlib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME "\"access_hash\":"
#define NAME_LENGTH (sizeof NAME - 1)
#define TOKEN_DIGITS 6 /* before the colon of a bot token */
#define PHONE_DIGITS 9 /* after a plus */

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_token(char c)
{
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

/* A colon after digits is never JSON's own, which has a quote before it. */
static bool may_hold_secret(const char *s, size_t n)
{
  bool url = false;
  for (size_t i = 0; i < n; i++) {
    switch (s[i]) {
    case ':': {
      if (n - i > 2 && s[i + 1] == '/' && s[i + 2] == '/') url = true;
      size_t digits = 0;
      while (digits < TOKEN_DIGITS && digits < i && is_digit(s[i - 1 - digits])) digits++;
      if (digits == TOKEN_DIGITS && n - i > 1 && is_token(s[i + 1])) return true;
      break;
    }
    case '+': {
      size_t digits = 0;
      while (digits < PHONE_DIGITS && n - i > digits + 1 && is_digit(s[i + 1 + digits])) digits++;
      if (digits == PHONE_DIGITS) return true;
      break;
    }
    case '@':
      if (url) return true;
      break;
    default: break;
    }
  }
  return false;
}

/* line(json, key, anyway) → the JSON with fakes, the same for the same key; or nil: it may hold a secret,
 * where that is asked */
static int f_line(lua_State *L)
{
  size_t n, key_n;
  const char *s = luaL_checklstring(L, 1, &n);
  const char *key = luaL_checklstring(L, 2, &key_n);
  if (!lua_toboolean(L, 3) && may_hold_secret(s, n)) return 0;
  const char *end = s + n, *at = memmem(s, n, NAME, NAME_LENGTH);
  if (!at) {
    lua_settop(L, 1);
    return 1;
  }
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (at) {
    const char *from = at + NAME_LENGTH, *to = from;
    if (to < end && *to == '-') to++;
    while (to < end && is_digit(*to)) to++;
    luaL_addlstring(&b, s, (size_t)(from - s));
    if (to - from == 1 && *from == '0') {
      luaL_addchar(&b, '0');
    } else if (to > from) {
      uint8_t digest[32];
      char text[24];
      ln_hmac_sha256(ln_slice(key, key_n), ln_slice(from, (size_t)(to - from)), digest);
      int length = snprintf(text, sizeof text, "%" PRIu64, ln_le64(digest) >> 2);
      luaL_addlstring(&b, text, (size_t)length);
    }
    s = to;
    at = memmem(s, (size_t)(end - s), NAME, NAME_LENGTH);
  }
  luaL_addlstring(&b, s, (size_t)(end - s));
  luaL_pushresult(&b);
  return 1;
}

int luaopen__luna_record(lua_State *L)
{
  static const luaL_Reg functions[] = {{"line", f_line}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
