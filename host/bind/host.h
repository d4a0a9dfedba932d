/* The host of Lua: one loop, one lua_State, its tasks. Made by main.c through ln_host_new; everything in
 * bind/ reaches it by ln_host_get. */
#ifndef LN_BIND_HOST_H
#define LN_BIND_HOST_H

#include <lua.h>
#include <lauxlib.h>
#include <sys/types.h>

#include "loop/loop.h"
#include "loop/timer.h"

struct ln_task;

struct ln_host {
  lua_State *L; /* main state: never runs scripts itself, holds registries and protected helpers */
  struct ln_loop *loop;
  struct ln_task *current;            /* the task whose Lua runs right now, or NULL */
  struct ln_task *ready, **ready_end; /* woken, not yet resumed: FIFO */
  struct ln_task *later, **later_end; /* new ones that begin in the next turn */
  struct ln_task_slab *slabs;         /* all tasks */
  struct ln_task *pool;               /* ended, their threads ready for reuse */
  struct ln_task *pool_bare;          /* ended, without a thread */
  size_t n_live, n_pool;
  struct ln_task *main_task; /* NULL once it has ended */
  struct ln_deferred drain;  /* resumes what is ready before the loop polls */
  struct ln_deferred begin;  /* makes `later` ready in the next turn */
  int depth;                 /* nested resumes */
  int blocked;               /* resumes that went through a C frame that cannot yield */
  long refs;                 /* sources that can still make something happen */
  uint64_t next_task_id;
  struct ln_clock *clocks[64]; /* virtual ones, moved when all is idle */
  int64_t clock_bases[64];     /* what each showed when the common time was 0 */
  size_t n_clocks;
  int64_t common_time; /* of all virtual clocks: so that none keeps another from moving */
  struct ln_clock *
      *retired; /* freed ones: whatever still runs on one must find it, so they stay to the end */
  size_t n_retired;
  struct ln_deferred exit_deferred;
  struct ln_timer exit_timer; /* the exit functions get 5 s */
  int exit_waiting;
  bool exiting, closing;
  int exit_code;
  int argc;
  char **argv;
  mode_t umask; /* the person's, for files that are no secret; the program's own is stricter */
};

/* Makes loop and state, opens the modules, puts luna's `require` in place. */
int ln_host_new(int argc, char **argv, struct ln_host **out);
/* Runs `module` ("luna.cli") as the main task and the loop until the program ends; gives the exit status. */
int ln_host_run(struct ln_host *h, const char *module);
void ln_host_free(struct ln_host *h);
extern struct ln_host *ln_the_host; /* of host.c; for ln_host_get */
static inline struct ln_host *ln_host_get(void)
{
  return ln_the_host;
}

/* Something that may still wake a task or run a callback began / ended: the program goes on while the count
 * is above 0. */
static inline void ln_host_ref(struct ln_host *h)
{
  h->refs++;
}
static inline void ln_host_unref(struct ln_host *h)
{
  h->refs--;
}
/* Pushes the table of the registry under that address, whose keys are weak; it is made where it is not there.
 */
void ln_host_weak_table(lua_State *L, const void *key);
/* Ends the loop after the exit functions have run. */
void ln_host_exit(struct ln_host *h, int code);
/* Nothing is left that the program waits for: it ends, or its top level is told that its wait can never end.
 */
void ln_host_nothing_left(struct ln_host *h);

/* Runs fn(L) protected on the main state: for C callbacks that must touch Lua. Its stack is balanced
 * afterwards. A throw is logged and gives LN_E_NOMEM. */
int ln_host_protect(struct ln_host *h, int (*fn)(lua_State *L), void *arg);

int ln_host_add_clock(struct ln_host *h, struct ln_clock *c); /* LN_E_FULL */
void ln_host_remove_clock(struct ln_host *h, struct ln_clock *c);
/* The clock stands still from now on; its memory stays until the host ends. */
void ln_host_retire_clock(struct ln_host *h, struct ln_clock *c);

/* Calls the Lua function in the registry slot `ref` with the n values on top of the main state's stack
 * (popped), in a task of its own. */
void ln_host_spawn_ref(struct ln_host *h, int ref, int n, struct ln_clock *clock, lua_Integer owner);

#endif
