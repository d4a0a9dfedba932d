/* Makes a Lua value for any definition of the schema, from a seed, and compares Lua values to any depth. The
 * specs of the walkers and their fuzz target share it. */
#ifndef SPEC_TL_VALUES_H
#define SPEC_TL_VALUES_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "tl/schema.h"

struct values {
  uint64_t seed;
  int layer;
};

static inline uint32_t values_next(struct values *v)
{
  v->seed = v->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(v->seed >> 33);
}

/* The levels that the flattest value of a definition needs, in any layer; 255: none known yet. */
static uint8_t values_levels[8192];

static inline int values_least(const struct ln_tl_type *t)
{
  int least = 255;
  for (int i = 0; i < t->count; i++) {
    int n = values_levels[ln_tl_members[t->first + i]];
    if (n < least) least = n;
  }
  return least;
}

static inline void values_prepare(void)
{
  memset(values_levels, 255, sizeof values_levels);
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < ln_tl_n_defs; i++) {
      const struct ln_tl_def *d = &ln_tl_defs[i];
      int most = 0;
      for (int k = 0; k < d->n_fields; k++) {
        const struct ln_tl_field *f = &ln_tl_fields[d->first + k];
        int n = f->flag || f->vector      ? 0
                : f->kind == LN_TL_OBJECT ? values_least(&ln_tl_types[f->ref])
                : f->kind == LN_TL_BARE   ? values_levels[f->ref]
                : f->kind >= LN_TL_METHOD ? 1
                                          : 0;
        if (n > most) most = n;
      }
      if (most < 255 && most + 1 < values_levels[i]) {
        values_levels[i] = (uint8_t)(most + 1);
        again = true;
      }
    }
  }
}

static inline void values_push_def(lua_State *L, struct values *v, const struct ln_tl_def *d, int room);

/* A constructor of the type that is valid in the layer and can be made flat enough. */
static inline const struct ln_tl_def *values_pick(struct values *v, const struct ln_tl_type *t, int room)
{
  const struct ln_tl_def *flattest = NULL;
  uint32_t start = t->count ? values_next(v) % t->count : 0;
  for (uint32_t i = 0; i < t->count; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[ln_tl_members[t->first + (start + i) % t->count]];
    if (ln_tl_in_layer(d, v->layer) != d) continue;
    int levels = values_levels[d - ln_tl_defs];
    if (levels <= room) return d;
    if (levels < 255 && (!flattest || levels < values_levels[flattest - ln_tl_defs])) flattest = d;
  }
  return flattest;
}

static inline void values_push_bytes(lua_State *L, struct values *v, size_t n)
{
  char bytes[600];
  for (size_t i = 0; i < n; i++) bytes[i] = (char)values_next(v);
  lua_pushlstring(L, bytes, n);
}

static inline void values_push_single(lua_State *L, struct values *v, const struct ln_tl_field *f, int room)
{
  static const lua_Integer ints[] = {0, 1, -1, INT32_MAX, INT32_MIN, 1700000000};
  static const lua_Integer longs[] = {
      0, -1, INT64_MAX, INT64_MIN, (lua_Integer)UINT64_C(0x8000000000000001), 777000};
  static const size_t lengths[] = {0, 1, 2, 3, 4, 7, 252, 253, 254, 255, 256, 300};
  uint32_t dice = values_next(v);
  switch (f->kind) {
  case LN_TL_INT: lua_pushinteger(L, dice % 3 ? (int32_t)values_next(v) : ints[dice / 3 % 6]); return;
  case LN_TL_LONG:
    lua_pushinteger(L, dice % 3 ? (lua_Integer)((uint64_t)values_next(v) << 32 | values_next(v))
                                : longs[dice / 3 % 6]);
    return;
  case LN_TL_DOUBLE: lua_pushnumber(L, dice % 3 ? (double)(int32_t)values_next(v) / 1024.0 : -0.0); return;
  case LN_TL_STRING:
  case LN_TL_BYTES: values_push_bytes(L, v, dice % 16 ? dice % 12 : lengths[dice / 16 % 12]); return;
  case LN_TL_INT128: values_push_bytes(L, v, 16); return;
  case LN_TL_INT256: values_push_bytes(L, v, 32); return;
  case LN_TL_BOOL: lua_pushboolean(L, dice & 1); return;
  case LN_TL_TRUE: lua_pushboolean(L, 1); return;
  case LN_TL_BARE: values_push_def(L, v, &ln_tl_defs[f->ref], room - 1); return;
  case LN_TL_OBJECT: values_push_def(L, v, values_pick(v, &ln_tl_types[f->ref], room - 1), room - 1); return;
  case LN_TL_METHOD:
    values_push_def(L, v, ln_tl_method_by_name(dice & 1 ? "help.getConfig" : "account.setAccountTTL"),
                    room - 1);
    return;
  default:
    values_push_def(L, v, ln_tl_constructor_by_name(dice & 1 ? "peerUser" : "inputPeerSelf"), room - 1);
    return;
  }
}

static inline bool values_can(struct values *v, const struct ln_tl_field *f, int room)
{
  if (f->kind == LN_TL_OBJECT) {
    const struct ln_tl_def *d = values_pick(v, &ln_tl_types[f->ref], room - 1);
    return d && values_levels[d - ln_tl_defs] <= room - 1;
  }
  return f->kind == LN_TL_BARE     ? values_levels[f->ref] <= room - 1
         : f->kind >= LN_TL_METHOD ? room > 1
                                   : true;
}

static inline void values_push_field(lua_State *L, struct values *v, const struct ln_tl_field *f, int room)
{
  if (!f->vector) {
    values_push_single(L, v, f, room);
    return;
  }
  int n = values_can(v, f, room) ? (int)(values_next(v) % 4) : 0;
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    values_push_single(L, v, f, room);
    lua_rawseti(L, -2, i);
  }
}

/* Pushes a table for this very variant. `room`: levels of objects that may still follow. */
static inline void values_push_def(lua_State *L, struct values *v, const struct ln_tl_def *d, int room)
{
  if (!d) luaL_error(L, "no constructor can be made here");
  const struct ln_tl_field *fields = ln_tl_fields + d->first;
  uint32_t flags[256] = {0};
  luaL_checkstack(L, 10, NULL);
  /* A bit that several fields share is there for all of them or for none. */
  for (int i = 0; i < d->n_fields; i++)
    if (fields[i].kind == LN_TL_FLAGS) flags[i] = values_next(v) << 1 ^ values_next(v);
  for (int i = 0; i < d->n_fields; i++)
    if (fields[i].flag && !fields[i].vector && !values_can(v, &fields[i], room))
      flags[fields[i].flag - 1] &= ~(UINT32_C(1) << fields[i].bit);
  lua_createtable(L, 0, d->n_fields + 1);
  lua_pushstring(L, ln_tl_def_name(d));
  lua_setfield(L, -2, "_");
  for (int i = 0; i < d->n_fields; i++) {
    const struct ln_tl_field *f = &fields[i];
    if (f->kind == LN_TL_FLAGS || (f->flag && !(flags[f->flag - 1] >> f->bit & 1))) continue;
    values_push_field(L, v, f, room);
    lua_setfield(L, -2, ln_tl_name(f->name));
  }
}

/* Equal to any depth; an integer and a float are different. */
static inline bool values_equal(lua_State *L, int a, int b)
{
  a = lua_absindex(L, a);
  b = lua_absindex(L, b);
  if (lua_type(L, a) != lua_type(L, b) || lua_isinteger(L, a) != lua_isinteger(L, b)) return false;
  if (lua_type(L, a) != LUA_TTABLE) return lua_rawequal(L, a, b);
  luaL_checkstack(L, 8, NULL);
  int count = 0;
  for (lua_pushnil(L); lua_next(L, a); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawget(L, b);
    bool same = values_equal(L, -2, -1);
    lua_pop(L, 1);
    if (!same) {
      lua_pop(L, 2);
      return false;
    }
    count++;
  }
  for (lua_pushnil(L); lua_next(L, b); lua_pop(L, 1)) count--;
  return count == 0;
}

#endif
