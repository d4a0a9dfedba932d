/* Tasks: the coroutines that the host runs, and the one gate through which any of them is resumed. Every wait
 * is ln_task_wait, every wake ln_task_wake; cancelling is a wake with an error after the waitable's own
 * cancel function has run. */
#ifndef LN_BIND_TASK_H
#define LN_BIND_TASK_H

#include "bind/host.h"

#include <signal.h>

enum ln_task_state { LN_TASK_NEW, LN_TASK_RUNNING, LN_TASK_WAITING, LN_TASK_READY, LN_TASK_DONE };

struct ln_promise;
struct ln_task;

struct ln_wait {                                /* what a task waits for: one constant a kind */
  const char *kind;                             /* "sleep", "promise", "rpc", "io", "user", "break" */
  void (*cancel)(struct ln_task *t, void *ctx); /* detaches from what it waits for; NULL: nothing to do */
};

#define LN_ANNOTATOR "luna.annotator" /* registry: function(err, traceback) → err */
#define LN_REFUSED "luna.refused"     /* registry: what was last said to a message handler that would wait */

struct ln_task { /* a hundred thousand may sleep: each field here is paid for by all of them */
  lua_State *L;  /* its thread, anchored by its slab; its slot 1 holds the promise of its result, where it has
                    one */
  uint64_t id;   /* 0: it has ended */
  lua_Integer owner;      /* inherited: which bot, which version */
  struct ln_clock *clock; /* inherited: whose time it sleeps by */
  /* The wait it is in. */
  lua_State *wait_L; /* where the wait was called: L, or a user's coroutine inside it */
  const struct ln_wait *wait;
  union {
    void *ctx; /* of wait->cancel */
    struct ln_promise *promise;
  };
  union {
    int64_t wait_since; /* while it waits: µs of the loop's clock */
    int wake_n;         /* from the wake on: values left on wait_L by it */
  };
  struct ln_task *next,
      *prev;             /* among the waiters of the promise; else next in the ready queue or the pool */
  struct ln_timer timer; /* sleeps and time limits */
  int cancel_ref;        /* an error to raise at the next wait; LUA_NOREF */
  uint8_t state;         /* enum ln_task_state */
  uint8_t place;         /* in its slab */
  bool wake_error : 1;   /* the one value is an error to raise */
  bool timed : 1;        /* the wait has a time limit: it answers true, … or false */
  bool named : 1;        /* its name is in the registry, under its address */
};

/* Whether what it runs is a script's: a handler, or what a version of a script has started (luna.scope). */
static inline bool ln_task_is_script(const struct ln_task *t)
{
  return (uint32_t)t->owner != 0;
}

/* Begins a task for the function and its n arguments on top of L (popped); pushes the promise of its result
 * on L, which has room for four values more. It runs at once where it can be nested, else (or with `later`)
 * from the loop. */
void ln_task_spawn(lua_State *L, int n, bool later);
/* The same with a clock and an owner of its own. */
void ln_task_spawn_as(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner);
/* A task without a promise, for a C function with the upvalues finish, a, and a message handler: on top of L
 * are b (stays), the function and its n arguments (popped). When it has ended finish(a, b, error | nil) is
 * called in it. */
void ln_task_work(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner);
/* A task for a callback and its n arguments on top of L (popped): what it throws goes where the errors of
 * luna.loop's callbacks go, as does a promise that it returns. */
void ln_task_callback(lua_State *L, int n);
struct ln_task *ln_task_current(lua_State *L); /* raises outside of a task */
/* The task after t (NULL: the first) of those that have not ended, in no order; NULL: that was the last. */
struct ln_task *ln_task_next(const struct ln_host *h, const struct ln_task *t);
/* Raises "cannot wait inside NAME" where L cannot be suspended. */
void ln_task_check_wait(lua_State *L);

/* Suspends the current task: `return ln_task_wait(L, …)` from a C function. The C function's results are what
 * the wake hands over. */
int ln_task_wait(lua_State *L, const struct ln_wait *wait, void *ctx);
/* The same with more to do in the task when it is woken: `then` calls ln_task_woken first, which gives how
 * many values the wake has left on top, or raises its error. */
int ln_task_wait_then(lua_State *L, const struct ln_wait *wait, void *ctx, lua_KFunction then);
int ln_task_woken(lua_State *L);
/* Ends a wait: the n values were pushed on t->wait_L before (is_error: one, to be raised). The task runs
 * after the current one has yielded. */
void ln_task_wake(struct ln_task *t, int n, bool is_error);
/* Runs all ready tasks; called at the end of each outermost entry into Lua. */
void ln_task_drain(struct ln_host *h);
/* Raises the error on top of L (popped) at the task's wait, or at its next one. */
void ln_task_cancel(struct ln_task *t, lua_State *L);
/* The one lua_resume, for tasks and for users' coroutines. */
int ln_gate_resume(lua_State *co, lua_State *from, int nargs, int *nres);
/* Waits so many seconds of that clock, which are on top of L and the function's result; for `return` from a C
 * function. */
int ln_task_sleep(lua_State *L, struct ln_clock *clock);
/* The same with more to do then, as ln_task_wait_then. */
int ln_task_sleep_then(lua_State *L, struct ln_clock *clock, lua_KFunction then);
void ln_task_push(lua_State *L, struct ln_task *t);     /* the handle that Lua sees */
struct ln_task *ln_task_check(lua_State *L, int index); /* a handle's task; NULL: it has ended */

/* For tasks that C keeps and resumes itself (watch_run.c): they wait by a yield of their own, with this kind
 * of wait, and are in no list of tasks meanwhile. */
extern const struct ln_wait ln_task_parked;
void ln_task_resume(struct ln_task *t);
/* What comes now is another's work: a new id, no name, no hooks, a budget of its own. */
void ln_task_renew(struct ln_task *t);
int ln_task_annotate(lua_State *L); /* message handler: adds the traceback to error objects */
/* Raises what is on top where it is awaited, which an error object is told before. */
int ln_task_raise(lua_State *L);

void ln_task_free_all(struct ln_host *h); /* the state is closed: only their structs are left */
int luaopen__luna_task(lua_State *L);
/* coroutine.create/resume/wrap/yield of ours, which pass the host's waits outward (coroutine.c). */
void ln_coroutine_install(lua_State *L);
bool ln_coroutine_in_handler(lua_State *L); /* a message handler runs: pushes "file:line: " of it */
/* watchdog.c */
int ln_watchdog_start(void);
void ln_watchdog_stop(void);
void ln_watchdog_enter(void); /* an outermost resume begins */
void ln_watchdog_again(void); /* the same, between two pieces of work of one resume */
/* This thread's Lua runs now. */
extern lua_State *volatile ln_watchdog_lua; /* these three for this one */
extern volatile sig_atomic_t ln_watchdog_stops;
void ln_watchdog_changed(lua_State *L);
static inline void ln_watchdog_running(lua_State *L)
{
  ln_watchdog_lua = L;
  if (!L || ln_watchdog_stops) ln_watchdog_changed(L);
}
void ln_watchdog_leave(lua_State *L); /* a task ended or waits: lift the stop */
void ln_watchdog_set_budget(double seconds);
void ln_watchdog_set_slow(double seconds);
/* fn: whether the running task shall be stopped; asked ten times a second while one computes. NULL: nobody
 * asks. */
void ln_watchdog_set_interrupt(bool (*fn)(void));

#endif
