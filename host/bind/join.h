/* Joins: one promise of the values of many, see join.c. Between promise.c, whose promises carry a join in the
 * place of callbacks, and join.c. */
#ifndef LN_BIND_JOIN_H
#define LN_BIND_JOIN_H

#include "bind/promise.h"

/* A promise that carries a join was settled: the join and its value or error on top of L (popped). */
void ln_join_settled(lua_State *L, lua_Integer key, bool failed);
/* Makes a callback of the join on top of L (popped), for a promise that has others. */
void ln_join_callback(lua_State *L, lua_Integer key);
/* The promise at `index` is to tell the join at `join` under that key; does so now where it is settled. */
void ln_promise_join(lua_State *L, int index, int join, lua_Integer key);
int ln_join(lua_State *L);

#endif
