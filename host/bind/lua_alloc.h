/* The allocator of the one lua_State: small blocks from free lists by size, the rest from malloc; a limit
 * over all. Lua names the size of what it gives back, so a block needs no header. Handlers live on
 * short-lived tables: malloc alone took a third of an echo's time. */
#ifndef LN_BIND_LUA_ALLOC_H
#define LN_BIND_LUA_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* A lua_Alloc. ud is not used: there is one state in the process. Not thread safe. */
void *ln_lua_alloc(void *ud, void *p, size_t old_size, size_t new_size);
/* Bytes that Lua holds now, and the most it may hold (0: no limit) while a script runs: a request beyond it
 * fails, which Lua raises as "not enough memory". */
size_t ln_lua_alloc_used(void);
size_t ln_lua_alloc_limit(void);
void ln_lua_alloc_set_limit(size_t bytes);
extern bool ln_lua_held; /* of lua_alloc.c, for ln_lua_alloc_hold */
/* Whether what runs from now on is held to the limit; gives what was so before. The library's own work is
 * not: it has to go on, to report the error for one, where a script keeps all there is. */
static inline bool ln_lua_alloc_hold(bool held)
{
  bool before = ln_lua_held;
  ln_lua_held = held;
  return before;
}
/* After lua_close: gives the chunks back. */
void ln_lua_alloc_end(void);

#endif
