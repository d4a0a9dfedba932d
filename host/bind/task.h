/* Tasks: the coroutines that the host runs, and the one gate through which any of them is resumed. Every wait
 * is ln_task_wait, every wake ln_task_wake; cancelling is a wake with an error after the waitable's own
 * cancel function has run. */
#ifndef LN_BIND_TASK_H
#define LN_BIND_TASK_H

#include "bind/host.h"

enum ln_task_state { LN_TASK_NEW, LN_TASK_RUNNING, LN_TASK_WAITING, LN_TASK_READY, LN_TASK_DONE };

struct ln_promise;

#define LN_ANNOTATOR "luna.annotator" /* registry: function(err, traceback) → err */

struct ln_task {
  lua_State *L; /* its thread, anchored in the registry; its slot 1 holds the promise of its result, where it
                   has one */
  int thread_ref;
  uint64_t id;
  enum ln_task_state state;
  struct ln_task *next;                 /* ready queue or pool */
  struct ln_task *live_next, **live_at; /* host->live */
  lua_Integer owner;                    /* inherited: which bot, which version */
  struct ln_clock *clock;               /* inherited: whose time it sleeps by */
  /* The wait it is in. */
  lua_State *wait_L;     /* where the wait was called: L, or a user's coroutine inside it */
  int wake_n;            /* values left on wait_L by the wake */
  bool wake_error;       /* the one value is an error to raise */
  const char *wait_kind; /* "sleep", "promise", "rpc", "io", "user", "break" */
  int64_t wait_since;    /* µs of the loop's clock */
  void (*cancel)(struct ln_task *t, void *ctx); /* detaches from what it waits for */
  void *cancel_ctx;
  struct ln_timer timer;      /* sleeps and time limits */
  struct ln_promise *promise; /* the promise waited for, and its list of waiters */
  struct ln_task *waiter_next, **waiter_at;
  bool timed; /* the wait has a time limit: it answers true, … or false */
  double slept;
  int cancel_ref; /* an error to raise at the next wait; LUA_NOREF */
  int onwait_ref; /* function(kind), told of waits; LUA_NOREF */
  int name_ref;
  /* Of breaks.c. */
  lua_State *held_L; /* the thread that a break point held last */
  uint8_t step;
  bool raise; /* cancel_ref is raised at its next instruction */
  int step_depth;
};

/* Begins a task for the function and its n arguments on top of L (popped); pushes the promise of its result
 * on L. It runs at once where it can be nested, else (or with `later`) from the loop. */
void ln_task_spawn(lua_State *L, int n, bool later);
/* The same with a clock and an owner of its own. */
void ln_task_spawn_as(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner);
/* A task without a promise: on top of L (popped) are finish, a, b, a message handler, the function and its n
 * arguments. When it has ended finish(a, b, error | nil) is called in it. */
void ln_task_work(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner);
struct ln_task *ln_task_current(lua_State *L); /* raises outside of a task */
/* Raises "cannot wait inside NAME" where L cannot be suspended. */
void ln_task_check_wait(lua_State *L);

/* Suspends the current task: `return ln_task_wait(L, …)` from a C function. The C function's results are what
 * the wake hands over. */
int ln_task_wait(lua_State *L, const char *kind, void (*cancel)(struct ln_task *t, void *ctx), void *ctx);
/* Ends a wait: the n values were pushed on t->wait_L before (is_error: one, to be raised). The task runs
 * after the current one has yielded. */
void ln_task_wake(struct ln_task *t, int n, bool is_error);
/* Runs all ready tasks; called at the end of each outermost entry into Lua. */
void ln_task_drain(struct ln_host *h);
/* Raises the error on top of L (popped) at the task's wait, or at its next one. */
void ln_task_cancel(struct ln_task *t, lua_State *L);
/* The one lua_resume, for tasks and for users' coroutines. */
int ln_gate_resume(lua_State *co, lua_State *from, int nargs, int *nres);
/* Waits so many seconds of that clock; for `return` from a C function. */
int ln_task_sleep(lua_State *L, struct ln_clock *clock, double seconds);
void ln_task_push(lua_State *L, struct ln_task *t);     /* the handle that Lua sees */
struct ln_task *ln_task_check(lua_State *L, int index); /* a handle's task; NULL: it has ended */

/* For tasks that C keeps and resumes itself (watch_run.c): they wait by a yield of their own, with this kind
 * of wait, and are in no list of tasks meanwhile. */
#define LN_TASK_PARKED ln_task_parked
extern const char ln_task_parked[];
void ln_task_resume(struct ln_task *t);
/* What comes now is another's work: a new id, no name, no hooks, a budget of its own. */
void ln_task_renew(struct ln_task *t);
int ln_task_annotate(lua_State *L); /* message handler: adds the traceback to error objects */

int luaopen__luna_task(lua_State *L);
/* coroutine.create/resume/wrap/yield of ours, which pass the host's waits outward (coroutine.c). */
void ln_coroutine_install(lua_State *L);
/* watchdog.c */
int ln_watchdog_start(void);
void ln_watchdog_stop(void);
void ln_watchdog_enter(void);           /* an outermost resume begins */
void ln_watchdog_again(void);           /* the same, between two pieces of work of one resume */
void ln_watchdog_running(lua_State *L); /* this thread's Lua runs now */
void ln_watchdog_leave(lua_State *L);   /* a task ended or waits: lift the stop */
void ln_watchdog_set_budget(double seconds);
void ln_watchdog_set_slow(double seconds);
/* fn: whether the running task shall be stopped; asked ten times a second while one computes. NULL: nobody
 * asks. */
void ln_watchdog_set_interrupt(bool (*fn)(void));

#endif
