/* Stops a task that computes without end. A thread looks every TICK whether the same entry into Lua is still
 * running; only then does it signal the loop's thread, whose handler sets a count hook on the running Lua
 * thread (as lua.c does for SIGINT). So nothing is paid per instruction while all is well. The stop is
 * sticky: a pcall inside the task cannot swallow it. */
#include "bind/task.h"
#include "bind/breaks.h"
#include "bind/traceback.h"
#include "base/log.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define TICK_NS 20000000 /* 20 ms */
#define HOOK_COUNT 1000
#define INTERRUPT_TICKS 5 /* between two looks whether somebody wants the running task stopped */
#define IDLE_TICKS 3      /* ticks without Lua until the thread sleeps */

static struct {
  pthread_t thread, loop_thread;
  sem_t wake;
  atomic_bool run, asleep;
  atomic_uint entry;      /* counts outermost entries */
  atomic_bool inside;     /* Lua runs now */
  atomic_long over_ticks; /* ticks that the running entry has taken */
  atomic_long
      cpu_ticks; /* of these, processor time of the loop's thread: waiting in the kernel is no computing */
  clockid_t cpu; /* that thread's clock */
  atomic_long slow_ticks, budget_ticks; /* set by the loop's thread, read by both */
  bool (*interrupt)(void);              /* asked by the hook, on the loop's thread */
  atomic_bool interruptible;
  bool told_slow;
  bool started;
} w;

lua_State *volatile ln_watchdog_lua;
volatile sig_atomic_t ln_watchdog_stops; /* sticky, until the task ends or waits */

enum { OVER_BUDGET = 1, INTERRUPTED };

static double seconds_of(long ticks)
{
  return (double)ticks * TICK_NS / 1e9;
}

static void lift(lua_State *L)
{
  if (ln_breaks_armed)
    ln_breaks_arm(L);
  else
    lua_sethook(L, NULL, 0, 0);
}

static void hook(lua_State *L, lua_Debug *ar)
{
  if (ar->event == LUA_HOOKLINE) {
    ln_breaks_hook(L, ar);
    return;
  }
  long ticks = atomic_load(&w.over_ticks);
  if (ln_watchdog_stops == INTERRUPTED || (!ln_watchdog_stops && w.interrupt && w.interrupt())) {
    ln_watchdog_stops = INTERRUPTED;
    lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
    lua_pushliteral(L, "interrupted");
    lua_error(L);
  }
  if (!ln_watchdog_stops && atomic_load(&w.cpu_ticks) < w.budget_ticks) {
    lift(L);
    if (w.told_slow || ticks < w.slow_ticks) return;
    w.told_slow = true;
    if (lua_getfield(L, LUA_REGISTRYINDEX, "luna.onSlow") == LUA_TFUNCTION) {
      ln_traceback(L, L, NULL, 0);
      lua_pushnumber(L, seconds_of(ticks));
      if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
    } else {
      lua_pop(L, 1);
    }
    return;
  }
  ln_watchdog_stops = OVER_BUDGET;
  lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
  luaL_error(L, "stopped: it ran for %f seconds without a wait (handlerBudget)", seconds_of(w.budget_ticks));
}

static void on_signal(int signo)
{
  (void)signo;
  lua_State *L = ln_watchdog_lua;
  if (L && atomic_load(&w.inside))
    lua_sethook(L, hook, LUA_MASKCOUNT | (ln_breaks_armed ? LUA_MASKLINE : 0), 1);
}

static long long cpu_ns(void)
{
  struct timespec t;
  return clock_gettime(w.cpu, &t) == 0 ? t.tv_sec * 1000000000LL + t.tv_nsec : 0;
}

static void *watch(void *arg)
{
  (void)arg;
  unsigned seen = 0;
  long ticks = 0, idle = 0;
  long long began = 0;
  while (atomic_load(&w.run)) {
    struct timespec tick = {0, TICK_NS};
    nanosleep(&tick, NULL);
    unsigned entry = atomic_load(&w.entry);
    if (!atomic_load(&w.inside) || entry != seen) {
      ticks = 0;
      began = cpu_ns();
      atomic_store(&w.over_ticks, 0);
      atomic_store(&w.cpu_ticks, 0);
      idle = entry == seen ? idle + 1 : 0;
      seen = entry;
      if (idle > IDLE_TICKS) {
        atomic_store(&w.asleep, true);
        if (!atomic_load(&w.inside))
          while (sem_wait(&w.wake) != 0) {
          }
        atomic_store(&w.asleep, false);
        idle = 0;
      }
      continue;
    }
    idle = 0;
    atomic_store(&w.over_ticks, ++ticks);
    long used = (long)((cpu_ns() - began) / TICK_NS);
    atomic_store(&w.cpu_ticks, used);
    bool ask = atomic_load(&w.interruptible) && ticks % INTERRUPT_TICKS == 0;
    if (ask || ticks == w.slow_ticks || used >= w.budget_ticks) pthread_kill(w.loop_thread, SIGVTALRM);
  }
  return NULL;
}

static long ticks_of(double seconds)
{
  if (!(seconds > 0) || seconds > 1e7) return (long)(1e7 / (TICK_NS / 1e9));
  long ticks = (long)(seconds * 1e9 / TICK_NS);
  return ticks < 1 ? 1 : ticks;
}

void ln_watchdog_set_budget(double seconds)
{
  w.budget_ticks = ticks_of(seconds);
}

void ln_watchdog_set_slow(double seconds)
{
  w.slow_ticks = ticks_of(seconds);
}

void ln_watchdog_set_interrupt(bool (*fn)(void))
{
  w.interrupt = fn;
  atomic_store(&w.interruptible, fn != NULL);
}

int ln_watchdog_start(void)
{
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigset_t all, before;
  if (w.started) return LN_OK;
  w.loop_thread = pthread_self();
  if (pthread_getcpuclockid(w.loop_thread, &w.cpu) != 0) w.cpu = CLOCK_MONOTONIC;
  ln_watchdog_set_budget(5);
  ln_watchdog_set_slow(0.1);
  if (sem_init(&w.wake, 0, 0) != 0 || sigaction(SIGVTALRM, &action, NULL) != 0) return LN_E_IO;
  atomic_store(&w.run, true);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread takes no signals */
  int err = pthread_create(&w.thread, NULL, watch, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (err) return LN_E_IO;
  w.started = true;
  return LN_OK;
}

void ln_watchdog_stop(void)
{
  if (!w.started) return;
  ln_watchdog_lua = NULL;
  atomic_store(&w.run, false);
  sem_post(&w.wake);
  pthread_join(w.thread, NULL);
  w.started = false;
}

void ln_watchdog_again(void)
{
  unsigned entry = atomic_load_explicit(&w.entry, memory_order_relaxed);
  atomic_store_explicit(&w.entry, entry + 1, memory_order_relaxed); /* written by this thread alone */
  atomic_store_explicit(&w.over_ticks, 0, memory_order_relaxed);
  atomic_store_explicit(&w.cpu_ticks, 0, memory_order_relaxed);
  w.told_slow = false;
}

void ln_watchdog_enter(void)
{
  ln_watchdog_again();
  ln_watchdog_stops = 0;
  atomic_store(&w.inside, true); /* in order with the look at `asleep`, as the thread's are */
  if (atomic_load(&w.asleep)) {
    atomic_store(&w.asleep, false);
    sem_post(&w.wake);
  }
}

void ln_watchdog_changed(lua_State *L)
{
  if (!L)
    atomic_store_explicit(&w.inside, false, memory_order_release);
  else
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

void ln_watchdog_leave(lua_State *L)
{
  if (!lua_gethook(L) && !ln_watchdog_stops) return;
  lift(L);
  if (ln_watchdog_stops) { /* what runs on around it has its own budget */
    ln_watchdog_stops = 0;
    atomic_fetch_add_explicit(&w.entry, 1, memory_order_relaxed);
    atomic_store_explicit(&w.over_ticks, 0, memory_order_relaxed);
    atomic_store_explicit(&w.cpu_ticks, 0, memory_order_relaxed);
  }
}
