/* TL under bytes of a stranger, with and without Lua, and Lua values of any shape on their way out. The first
 * two bytes choose a definition (or none: the rest is read as it is), the next four its value, then comes
 * what is laid over its bytes. */
#include "tl_values.h"

#include "bind/modules.h"
#include "bind/tl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)1 << 22)

struct job {
  const uint8_t *data;
  size_t size;
};

static void check(bool holds)
{
  if (!holds) abort();
}

static int decode(lua_State *L, struct ln_slice bytes, bool method)
{
  return method ? ln_bind_tl_decode_method(L, bytes) : ln_bind_tl_decode(L, bytes, NULL);
}

/* The value on top, encoded after what `out` holds. A refusal says why and writes nothing. */
static int encode(lua_State *L, bool method, struct ln_buf *out, int layer)
{
  int top = lua_gettop(L);
  size_t before = out->len;
  int err;
  if (method) {
    if (lua_type(L, -1) != LUA_TTABLE || lua_getfield(L, -1, "_") != LUA_TSTRING) {
      lua_settop(L, top);
      return LN_E_INVAL;
    }
    const struct ln_tl_def *d = ln_tl_method_by_name(lua_tostring(L, -1));
    lua_settop(L, top);
    if (!d) return LN_E_INVAL;
    err = ln_bind_tl_encode_method(L, -1, d, out, layer);
  } else {
    err = ln_bind_tl_encode_object(L, -1, NULL, out, layer);
  }
  check(lua_gettop(L) == top + (err ? 1 : 0));
  if (err) check(lua_type(L, -1) == LUA_TSTRING && out->len == before);
  lua_settop(L, top);
  return err;
}

/* Bytes that decode are well-formed for the other walk too, take memory in proportion, and give, encoded,
 * bytes that give themselves. */
static void read_bytes(lua_State *L, struct ln_slice bytes)
{
  struct ln_reader r;
  struct ln_buf *once = lua_touserdata(L, lua_upvalueindex(1)),
                *twice = lua_touserdata(L, lua_upvalueindex(2));
  int top = lua_gettop(L);
  ln_reader_init(&r, bytes);
  ln_tl_skip_object(&r, NULL, 0);
  int walked = ln_reader_finish(&r);
  bool method = false;
  if (bytes.n >= 4) {
    const struct ln_tl_def *d = ln_tl_by_id(ln_le32(bytes.p));
    method = d && d->is_method;
  }
  lua_gc(L, LUA_GCSTOP);
  int before = lua_gc(L, LUA_GCCOUNT);
  int err = decode(L, bytes, method);
  check((size_t)(lua_gc(L, LUA_GCCOUNT) - before) <= 64 + bytes.n * 48 / 1024);
  lua_gc(L, LUA_GCRESTART);
  check(lua_gettop(L) == top + (err ? 0 : 1));
  check(err || !walked);
  if (!err) {
    ln_buf_clear(once);
    ln_buf_clear(twice);
    if (encode(L, method, once, LN_TL_LAYER) == LN_OK) {
      check(decode(L, ln_buf_slice(once), method) == LN_OK);
      check(encode(L, method, twice, LN_TL_LAYER) == LN_OK);
      check(ln_slice_equal(ln_buf_slice(once), ln_buf_slice(twice)));
    }
  }
  lua_settop(L, top);
}

/* Puts something that does not belong there somewhere into the table on top. */
static void spoil(lua_State *L, struct values *v, int depth)
{
  luaL_checkstack(L, 8, NULL);
  lua_pushnil(L);
  for (uint32_t steps = values_next(v) % 6; steps > 0; steps--) {
    if (!lua_next(L, -2)) return;
    lua_pop(L, 1);
  }
  if (!lua_next(L, -2)) {
    lua_pushinteger(L, 1);
    lua_pushnil(L);
  }
  if (lua_istable(L, -1) && depth < 8 && values_next(v) % 4) {
    spoil(L, v, depth + 1);
    lua_pop(L, 2);
    return;
  }
  lua_pop(L, 1);
  switch (values_next(v) % 10) {
  case 0: lua_pushnil(L); break;
  case 1: lua_pushboolean(L, (int)(values_next(v) & 1)); break;
  case 2: lua_pushinteger(L, (lua_Integer)((uint64_t)values_next(v) << 33)); break;
  case 3: lua_pushnumber(L, 0.5); break;
  case 4: lua_pushliteral(L, "inputPeerSef"); break;
  case 5: lua_newtable(L); break;
  case 6: lua_pushcfunction(L, luaopen__luna_tl); break;
  case 7: lua_pushlightuserdata(L, v); break;
  case 8: lua_pushvalue(L, -2); break; /* a table in itself */
  default: {
    const struct ln_tl_def *d = ln_tl_constructor_by_name("message") + values_next(v) % 200;
    struct values newest = {v->seed, LN_TL_LAYER};
    if (ln_tl_in_layer(d, LN_TL_LAYER) == d)
      values_push_def(L, &newest, d, 2);
    else
      lua_pushnil(L);
  }
  }
  lua_rawset(L, -3);
}

static int work(lua_State *L)
{
  const struct job *job = lua_touserdata(L, 1);
  struct ln_buf *out = lua_touserdata(L, lua_upvalueindex(3));
  lua_settop(L, 0);
  if (job->size < 6) {
    read_bytes(L, ln_slice(job->data, job->size));
    return 0;
  }
  unsigned which = job->data[0] | (unsigned)job->data[1] << 8;
  const uint8_t *rest = job->data + 6;
  size_t n = job->size - 6;
  if (which % 16 == 0) {
    read_bytes(L, ln_slice(job->data + 2, job->size - 2));
    return 0;
  }
  const struct ln_tl_def *d = &ln_tl_defs[which % ln_tl_n_defs];
  struct values v = {ln_le32(job->data + 2), LN_TL_LAYER};
  while (v.layer > LN_TL_FIRST_LAYER && ln_tl_in_layer(d, v.layer) != d) v.layer--;
  if (ln_tl_in_layer(d, v.layer) != d) return 0;
  if (d->id == LN_TL_BOOL_TRUE || d->id == LN_TL_BOOL_FALSE) return 0;
  values_push_def(L, &v, d, 4);
  ln_buf_clear(out);
  int err = encode(L, d->is_method, out, v.layer);
  check(err == LN_OK || err == LN_E_TOOBIG);
  if (err == LN_OK) {
    /* rest: places and bytes; an odd place cuts there */
    struct ln_slice bytes = ln_buf_slice(out);
    for (; n >= 3 && bytes.n; rest += 3, n -= 3) {
      size_t at = (rest[0] | (size_t)rest[1] << 8) % bytes.n;
      if (rest[1] & 0x80)
        bytes.n = at;
      else
        ln_buf_data(out)[at] = rest[2];
    }
    uint8_t *exact = lua_newuserdatauv(L, bytes.n + 1, 0); /* its end is where a sanitizer looks */
    memcpy(exact + 1, bytes.p, bytes.n);
    read_bytes(L, ln_slice(exact + 1, bytes.n));
    lua_pop(L, 1);
  }
  spoil(L, &v, 0);
  ln_buf_clear(out);
  encode(L, d->is_method, out, (int)(values_next(&v) % 5) + LN_TL_FIRST_LAYER - 1);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static lua_State *L;
  static struct ln_buf once, twice, out;
  static unsigned runs;
  if (!L) {
    L = luaL_newstate();
    check(L != NULL);
    luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0);
    values_prepare();
    ln_buf_init(&once, OUT_MAX);
    ln_buf_init(&twice, OUT_MAX);
    ln_buf_init(&out, OUT_MAX);
    ln_bind_tl_names(L);
    lua_settop(L, 0);
  }
  struct job job = {data, size};
  lua_pushlightuserdata(L, &once);
  lua_pushlightuserdata(L, &twice);
  lua_pushlightuserdata(L, &out);
  lua_pushcclosure(L, work, 3);
  lua_pushlightuserdata(L, &job);
  if (lua_pcall(L, 1, 0, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  if (++runs % 512 == 0) lua_gc(L, LUA_GCCOLLECT);
  return 0;
}
