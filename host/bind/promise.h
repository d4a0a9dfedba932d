/* Promises as Lua sees them: full userdata that resolve once. See promise.c, promise_meta.c. */
#ifndef LN_BIND_PROMISE_H
#define LN_BIND_PROMISE_H

#include "bind/task.h"

enum ln_promise_state { LN_PROMISE_PENDING, LN_PROMISE_RESOLVED, LN_PROMISE_FAILED };

struct ln_promise { /* user values: 1 while pending its callbacks or a join, then the value or a table of
                       values; 2, where it was made with one: the canceller */
  const void *mark; /* the same of all: no other userdata of this size begins with it */
  struct ln_task *waiters; /* a ring, the first to be woken */
  union {
    struct ln_task *task; /* has_task: it is the result of this one */
    lua_Integer owner;    /* else: whose failure it is */
  };
  union {
    int key; /* while pending: of its value in the join that it carries */
    int n;   /* then: values; n > 1: user value 1 is a table */
  };
  uint8_t state;
  bool has_task;
  bool handled;     /* somebody looked at the outcome */
  bool adopts : 1;  /* pending, it waits for the outcome of another, which it was resolved with */
  bool carries : 1; /* user value 1 was set while it pended */
};

#define LN_PROMISE_NAME "luna.Promise"

struct ln_promise *ln_promise_push(lua_State *L);             /* a new one, on top */
struct ln_promise *ln_promise_push_cancellable(lua_State *L); /* the same; its canceller is set later */
struct ln_promise *ln_promise_test(lua_State *L, int index);  /* NULL where it is none */
/* Settles the promise at `index` with the n values on top (popped); failed: one value, the error. Runs
 * callbacks, wakes waiters. Once only: false where it was settled. */
bool ln_promise_settle(lua_State *L, int index, int n, bool failed);
/* The same with no value for one whose outcome nobody waits for yet; false where somebody does. */
static inline bool ln_promise_done(struct ln_promise *p)
{
  if (p->state != LN_PROMISE_PENDING || p->adopts || p->carries || p->waiters) return false;
  p->n = 0;
  p->state = LN_PROMISE_RESOLVED;
  if (p->has_task) {
    p->has_task = false;
    p->owner = p->task->owner;
  }
  return true;
}
int luaopen__luna_promise(lua_State *L);
int ln_promise_on_resolve(lua_State *L); /* (promise, fn): fn(err, values…) is called once it is settled */
void ln_promise_fill_meta(lua_State *L); /* the metamethods, into the table on top */
/* Reports failures that nobody looked at. */
bool ln_promise_report_unhandled(struct ln_host *h);
/* awaits what stands at index 1: promise or list of promises; else gives it back. */
int ln_promise_await_any(lua_State *L);

#endif
