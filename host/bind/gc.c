/* The pause between two cycles of the garbage collector. A bot's live heap is small (half a megabyte), so
 * Lua's usual pause of twice the heap makes it sweep every sixty messages, which cost a third of an echo.
 * While cycles follow each other quickly GARBAGE bytes may gather after each, whatever Lua's estimate of the
 * heap is: a factor would be taken of what hundred handlers held when the cycle went by. A bot at rest keeps
 * to Lua's own, and stays small. */
#include "bind/gc.h"
#include "bind/lua_alloc.h"

#include <lauxlib.h>
#include <stdbool.h>

#define GARBAGE ((size_t)3000000)
#define USUAL 200
/* The library takes this much, hardly any of it garbage: the first cycle begins behind it. From an empty heap
 * on the collector would go through it five times before the first update. */
#define START_KIB 1000
#define MOST 1000                     /* Lua's own limit */
#define COROUTINE ((size_t)1200)      /* bytes of one that waits, about */
#define CROWD_MOST ((size_t)64 << 20) /* what the heap may grow by for them */
#define QUICK_US 2000000LL            /* cycles closer than this are traffic */

static bool cycle_ended;
static long long last_cycle;
static int pause_now = USUAL;

static int on_cycle(lua_State *L);

static int arm(lua_State *L)
{
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, on_cycle);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return 0; /* garbage from now on: its finalizer runs in the next cycle */
}

static int on_cycle(lua_State *L)
{
  cycle_ended = true;
  (void)L;
  return 0;
}

void ln_gc_start(lua_State *L)
{
  lua_gc(L, LUA_GCINC, USUAL, 0, 0);
  lua_gc(L, LUA_GCSTEP, -START_KIB);
  lua_pushcfunction(L, arm);
  lua_call(L, 0, 0);
}

void ln_gc_tune(lua_State *L, long long now)
{
  if (!cycle_ended) return;
  cycle_ended = false;
  bool quick = now - last_cycle < QUICK_US;
  last_cycle = now;
  if (pause_now != USUAL) lua_gc(L, LUA_GCINC, pause_now = USUAL, 0, 0);
  if (quick && ln_lua_alloc_used() < GARBAGE && lua_gc(L, LUA_GCISRUNNING)) {
    lua_gc(L, LUA_GCRESTART); /* from here on … */
    lua_gc(L, LUA_GCSTEP, -(int)(GARBAGE / 1024));
  }
  lua_pushcfunction(L, arm);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1); /* no memory for it: the pause stays as it is */
}

void ln_gc_crowd(lua_State *L, size_t coroutines)
{
  size_t live = ln_lua_alloc_used(), extra = 8 * coroutines * COROUTINE;
  if (!live) return;
  if (extra > CROWD_MOST) extra = CROWD_MOST;
  size_t wanted = USUAL + 100 * extra / live;
  if (wanted > MOST) wanted = MOST;
  if ((int)wanted > pause_now) lua_gc(L, LUA_GCINC, pause_now = (int)wanted, 0, 0);
}
