/* How often Lua's garbage is collected. See gc.c. */
#ifndef LN_BIND_GC_H
#define LN_BIND_GC_H

#include <lua.h>

/* Begins to watch the cycles of this state. */
void ln_gc_start(lua_State *L);
/* Before the loop blocks: says anew when the next cycle begins where one has ended since. now: µs. */
void ln_gc_tune(lua_State *L, long long now);

/* So many coroutines live and more are being made. Each cycle would look at all their stacks only to find
 * that they live; while they make up the heap, it may grow further before the next one. */
void ln_gc_crowd(lua_State *L, size_t coroutines);

#endif
