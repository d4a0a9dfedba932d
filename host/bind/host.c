/* See host.h. Here: the making of the state, the idle rule (virtual clocks, the program's end), the exit. */
#include "bind/host.h"
#include "bind/gc.h"
#include "bind/lua_alloc.h"
#include "bind/promise.h"
#include "bind/modules.h"
#include "bind/socket.h"
#include "bind/stdio.h"
#include "bind/task.h"
#include "bind/watch.h"
#include "bind/luv.h"
#include "base/alloc.h"
#include "base/log.h"

#include <lualib.h>
#include <stdlib.h>

#define EXIT_GRACE_US (5 * LN_US_PER_S)

struct ln_host *ln_the_host;

int ln_host_add_clock(struct ln_host *h, struct ln_clock *c)
{
  if (h->n_clocks == sizeof h->clocks / sizeof *h->clocks) return LN_E_FULL;
  h->clock_bases[h->n_clocks] = ln_clock_now(c) - h->common_time;
  h->clocks[h->n_clocks++] = c;
  return LN_OK;
}

void ln_host_remove_clock(struct ln_host *h, struct ln_clock *c)
{
  size_t i = 0;
  while (i < h->n_clocks && h->clocks[i] != c) i++;
  if (i == h->n_clocks) return;
  h->n_clocks--;
  h->clocks[i] = h->clocks[h->n_clocks];
  h->clock_bases[i] = h->clock_bases[h->n_clocks];
}

void ln_host_retire_clock(struct ln_host *h, struct ln_clock *c)
{
  ln_host_remove_clock(h, c);
  struct ln_clock **list = ln_realloc(h->retired, (h->n_retired + 1) * sizeof *list);
  if (!list) return; /* lost, which is better than freed under somebody */
  h->retired = list;
  list[h->n_retired++] = c;
}

static int protect_body(lua_State *L)
{
  int (*fn)(lua_State *) = *(int (**)(lua_State *))lua_touserdata(L, 2);
  lua_settop(L, 1);
  return fn(L);
}

int ln_host_protect(struct ln_host *h, int (*fn)(lua_State *L), void *arg)
{
  lua_State *L = h->L;
  int top = lua_gettop(L), err = LN_OK;
  if (h->closing) return LN_E_CLOSED;
  if (!lua_checkstack(L, 8)) return LN_E_NOMEM;
  lua_pushcfunction(L, protect_body);
  lua_pushlightuserdata(L, arg);
  lua_pushlightuserdata(L, &fn);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    ln_log(LN_LOG_ERROR, "host", "an error in the host itself: %s", text ? text : "(no text)");
    err = LN_E_NOMEM;
  }
  lua_settop(L, top);
  ln_task_drain(h);
  return err;
}

void ln_host_weak_table(lua_State *L, const void *key)
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void ln_host_spawn_ref(struct ln_host *h, int ref, int n, struct ln_clock *clock, lua_Integer owner)
{
  lua_State *L = h->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
  lua_insert(L, -n - 1);
  ln_task_spawn_as(L, n, false, clock, owner);
  lua_pop(L, 1);
}

static void drain_now(struct ln_deferred *d)
{
  ln_task_drain((struct ln_host *)((char *)d - offsetof(struct ln_host, drain)));
}

static void begin_later(struct ln_deferred *d)
{
  struct ln_host *h = (struct ln_host *)((char *)d - offsetof(struct ln_host, begin));
  *h->ready_end = h->later;
  if (h->later) h->ready_end = h->later_end;
  h->later = NULL;
  h->later_end = &h->later;
  ln_task_drain(h);
}

/* --- the end --- */

static void finish_exit(struct ln_host *h)
{
  ln_timer_stop(&h->exit_timer);
  ln_loop_stop(h->loop);
}

static void exit_timeout(struct ln_timer *t)
{
  struct ln_host *h = (struct ln_host *)((char *)t - offsetof(struct ln_host, exit_timer));
  ln_log(LN_LOG_WARNING, "host", "the program would not end by itself within 5 s: it was ended");
  finish_exit(h);
}

static int exit_one_done(lua_State *L)
{
  struct ln_host *h = ln_the_host;
  if (!lua_isnil(L, 1)) ln_log(LN_LOG_ERROR, "host", "while ending: %s", luaL_tolstring(L, 1, NULL));
  if (--h->exit_waiting == 0) finish_exit(h);
  return 0;
}

static int run_exit_functions(lua_State *L)
{
  struct ln_host *h = ln_the_host;
  h->exit_waiting = 1;
  if (lua_getfield(L, LUA_REGISTRYINDEX, "luna.onExit") == LUA_TTABLE) {
    int list = lua_gettop(L);
    for (lua_Integer i = luaL_len(L, list); i >= 1; i--) { /* last come, first to go */
      lua_rawgeti(L, list, i);
      h->exit_waiting++;
      ln_task_spawn_as(L, 0, false, ln_loop_clock(h->loop), 0);
      lua_getfield(L, -1, "onResolve");
      lua_insert(L, -2);
      lua_pushcfunction(L, exit_one_done);
      lua_call(L, 2, 0);
    }
  }
  if (--h->exit_waiting == 0) finish_exit(h);
  return 0;
}

static void exit_now(struct ln_deferred *d)
{
  struct ln_host *h = (struct ln_host *)((char *)d - offsetof(struct ln_host, exit_deferred));
  h->exit_timer.fn = exit_timeout;
  ln_timer_start(ln_loop_clock(h->loop), &h->exit_timer,
                 ln_clock_fresh(ln_loop_clock(h->loop)) + EXIT_GRACE_US);
  if (ln_host_protect(h, run_exit_functions, NULL)) finish_exit(h);
}

void ln_host_exit(struct ln_host *h, int code)
{
  if (h->exiting) return;
  h->exiting = true;
  h->exit_code = code;
  h->exit_deferred.fn = exit_now;
  ln_loop_defer(h->loop, &h->exit_deferred);
}

static int nothing_left(lua_State *L)
{
  struct ln_host *h = ln_the_host;
  lua_pushliteral(L, "this wait can never end: nothing is left that could wake it");
  if (lua_getfield(L, LUA_REGISTRYINDEX, "luna.deadlock") == LUA_TFUNCTION) {
    lua_insert(L, -2);
    lua_call(L, 1, 1);
  } else {
    lua_pop(L, 1);
  }
  ln_task_cancel(h->main_task, L);
  return 0;
}

void ln_host_nothing_left(struct ln_host *h)
{
  if (h->exiting) return;
  if (!h->main_task)
    ln_host_exit(h, h->exit_code);
  else if (h->main_task->state == LN_TASK_WAITING)
    ln_host_protect(h, nothing_left, NULL);
}

/* Nothing is ready and the loop is about to block. */
static bool idle(void *ctx)
{
  struct ln_host *h = ctx;
  ln_gc_tune(h->L, ln_clock_now(ln_loop_clock(h->loop)));
  if (h->ready) {
    ln_task_drain(h);
    return true;
  }
  if (ln_promise_report_unhandled(h)) return true;
  ln_watch_rest(h);
  if (ln_loop_held(h->loop) == 0) {
    struct ln_clock *first = NULL;
    int64_t due = LN_NEVER;
    for (size_t i = 0; i < h->n_clocks; i++) {
      int64_t next = ln_clock_next(h->clocks[i]);
      if (next == LN_NEVER) continue;
      next -= h->clock_bases[i];
      if (next < due) {
        due = next;
        first = h->clocks[i];
      }
    }
    if (first && h->refs > 0) { /* else only timers are left that nobody waits for */
      if (ln_socket_holds()) return false;
      if (due > h->common_time) h->common_time = due;
      ln_clock_move(first, ln_clock_next(first));
      ln_task_drain(h);
      return true;
    }
    if (h->refs <= 0 && !h->exiting && !ln_luv_alive(h)) {
      if (!ln_watch_idle(h)) ln_host_nothing_left(h);
      return true;
    }
  }
  return false;
}

/* --- beginning --- */

static int panic(lua_State *L)
{
  const char *text = lua_tostring(L, -1);
  ln_log(LN_LOG_FATAL_ERROR, "host", "an error outside of any protection: %s", text ? text : "(no text)");
  return 0;
}

/* Lua hands a warning over in pieces ("error in ", "__gc", …): they are one line of the log. */
static void warn(void *ctx, const char *text, int more)
{
  static char line[1024];
  static size_t n;
  (void)ctx;
  if (n == 0 && !more && *text == '@') return; /* "@on" and its like: they are always on */
  size_t len = strlen(text), room = sizeof line - 1 - n;
  if (len > room) len = room;
  memcpy(line + n, text, len);
  n += len;
  line[n] = 0;
  if (more) return;
  n = 0;
  ln_log(LN_LOG_WARNING, "lua", "%s", line);
}

static int open_all(lua_State *L)
{
  luaL_openlibs(L);
  ln_gc_start(L);
  ln_coroutine_install(L);
  ln_modules_open(L);
  return 0;
}

int ln_host_new(int argc, char **argv, struct ln_host **out)
{
  struct ln_host *h = ln_calloc(1, sizeof *h);
  int err = LN_E_NOMEM;
  if (!h) return err;
  h->argc = argc;
  h->argv = argv;
  h->ready_end = &h->ready;
  h->drain.fn = drain_now;
  h->later_end = &h->later;
  h->begin.fn = begin_later;
  ln_the_host = h;
  if ((err = ln_loop_new(&h->loop))) goto fail;
  if ((err = ln_watchdog_start())) goto fail;
  h->L = lua_newstate(ln_lua_alloc, NULL);
  if (!h->L) {
    err = LN_E_NOMEM;
    goto fail;
  }
  lua_atpanic(h->L, panic);
  lua_setwarnf(h->L, warn, NULL);
  ln_loop_set_idle(h->loop, idle, h);
  if ((err = ln_host_protect(h, open_all, NULL))) goto fail;
  *out = h;
  return LN_OK;
fail:
  ln_host_free(h);
  return err;
}

static int main_done(lua_State *L)
{
  struct ln_host *h = ln_the_host;
  if (lua_isnil(L, 1)) {
    if (lua_isinteger(L, 2)) h->exit_code = (int)lua_tointeger(L, 2);
    return 0;
  }
  fprintf(stderr, "luna: %s\n", luaL_tolstring(L, 1, NULL));
  ln_host_exit(h, 1);
  return 0;
}

static int start_main(lua_State *L)
{
  struct ln_host *h = ln_the_host;
  const char *module = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  uint64_t id = h->next_task_id + 1;
  ln_task_spawn_as(L, 1, true, ln_loop_clock(h->loop), 0);
  for (struct ln_task *t = ln_task_next(h, NULL); t; t = ln_task_next(h, t))
    if (t->id == id) h->main_task = t;
  lua_getfield(L, -1, "onResolve");
  lua_insert(L, -2);
  lua_pushcfunction(L, main_done);
  lua_call(L, 2, 0);
  return 0;
}

int ln_host_run(struct ln_host *h, const char *module)
{
  if (ln_host_protect(h, start_main, (void *)(uintptr_t)module)) return 1;
  ln_loop_run(h->loop);
  return h->exit_code;
}

void ln_host_free(struct ln_host *h)
{
  if (!h) return;
  ln_watchdog_stop();
  if (h->L) {
    ln_stdio_close(h);
    ln_logs_close(h);
    bool ended = ln_luv_close(h);
    h->closing = true;
    ln_watch_close();
    if (ended) { /* else luv still writes there: the process ends now anyway */
      lua_close(h->L);
      ln_lua_alloc_end();
    }
  }
  ln_task_free_all(h);
  for (size_t i = 0; i < h->n_clocks; i++) ln_clock_free(h->clocks[i]);
  for (size_t i = 0; i < h->n_retired; i++) ln_clock_free(h->retired[i]);
  ln_free(h->retired);
  if (h->loop) ln_loop_free(h->loop);
  if (ln_the_host == h) ln_the_host = NULL;
  ln_free(h);
}
