/* Watchers: what scripts register with luna.loop, in the manner of Amp's Loop. watch.c keeps them,
 * watch_defer.c holds the defers in their order, watch_run.c runs them tick by tick and holds the nested
 * runs, watch_source.c ties them to descriptors and signals, watch_lua.c is _luna.loop. All on the loop's
 * thread; one set for the process, `owner` tells whose each is. */
#ifndef LN_BIND_WATCH_H
#define LN_BIND_WATCH_H

#include "bind/task.h"

enum ln_watch_type {
  LN_WATCH_FREE,
  LN_WATCH_DEFER,
  LN_WATCH_DELAY,
  LN_WATCH_REPEAT,
  LN_WATCH_READABLE,
  LN_WATCH_WRITABLE,
  LN_WATCH_SIGNAL,
  LN_WATCH_TYPES
};

struct ln_watch_link { /* in a ring with a head; next == NULL: in none */
  struct ln_watch_link *prev, *next;
};

struct ln_watch {             /* what a defer needs comes first, in one line of the cache */
  struct ln_watch_link queue; /* the one queue it stands in: enabling or a due one */
  struct ln_defer_page *page; /* a defer that is enabled: its callback, id and data stand there */
  uint64_t seq;               /* of creation, never used twice: its id in letters */
  lua_Integer owner;
  struct ln_clock *clock;
  struct ln_watch_source *source;
  uint32_t index; /* place in the slab */
  uint8_t type;
  bool enabled, referenced, data;
  union {
    uint32_t hits; /* deliveries of a signal that are still to come */
    int at;        /* its place in the page */
  };
  struct ln_watch *other;    /* in the list that it is found in */
  struct ln_watch_link peer; /* among the active ones of its descriptor or signal */
  struct ln_timer timer;
  int64_t interval; /* µs */
  int64_t due;
};

/* A descriptor or a signal that has watchers. */
struct ln_watch_source {
  struct ln_watch_link readers, writers; /* active ones; of a signal: readers */
  struct ln_poll *poll;
  struct ln_signal *signal;
  int number;                         /* descriptor or signal */
  size_t users;                       /* watchers that exist, active or not */
  struct ln_watch_source *next_ready; /* of those that the kernel cannot poll */
  bool always;
};

struct ln_watch_run { /* on the stack of the task that waits in run() */
  struct ln_watch_run *outer;
  struct ln_task *task;
  lua_Integer env;
  bool stopping;
};

struct ln_watches {
  struct ln_watch_link enabling; /* become active with the next tick */
  struct ln_watch_link due_io, due_timers, due_signals;
  struct ln_watch_run *runs; /* innermost first */
  struct ln_deferred tick, dispatch;
  size_t n_referenced; /* enabled and referenced */
  bool holding;        /* they keep the program alive: not after a stop() of the outermost run */
  bool held;           /* and do so now */
  bool driving, abort;
  struct ln_watch_link *phase; /* what the runner takes from; NULL: the defers */
};
extern struct ln_watches ln_watches;

#define LN_WATCH_ENV(owner) ((owner) >> 32)

static inline void ln_watch_link_init(struct ln_watch_link *l)
{
  l->prev = l->next = l;
}

static inline bool ln_watch_link_empty(const struct ln_watch_link *head)
{
  return head->next == head;
}

static inline void ln_watch_unlink(struct ln_watch_link *l)
{
  if (!l->next) return;
  l->prev->next = l->next;
  l->next->prev = l->prev;
  l->prev = l->next = NULL;
}

static inline void ln_watch_append(struct ln_watch_link *head, struct ln_watch_link *l)
{
  l->prev = head->prev;
  l->next = head;
  head->prev->next = l;
  head->prev = l;
}

#define LN_WATCH_OF_PEER(link) ((struct ln_watch *)((char *)(link)-offsetof(struct ln_watch, peer)))

/* --- watch.c --- */

/* A new watcher of the current task's clock and owner, referenced and not yet enabled, with the callback at
 * `fn` and data at `data` of L (and the stream object at `stream`, 0: none). Pushes two values, the upper one
 * its id. Raises. */
struct ln_watch *ln_watch_new(lua_State *L, enum ln_watch_type type, int fn, int data, int stream);
/* The same of a defer, enabled: pushes its id. */
void ln_watch_defer(lua_State *L, int fn, int data);
void ln_watch_push_id(lua_State *L, const struct ln_watch *w);
struct ln_watch *ln_watch_find(const char *id, size_t n); /* NULL where there is none */
void ln_watch_enable(lua_State *L, struct ln_watch *w);   /* raises */
void ln_watch_disable(lua_State *L, struct ln_watch *w);
void ln_watch_cancel(lua_State *L, struct ln_watch *w);
void ln_watch_reference(struct ln_watch *w, bool referenced);
/* The table of what Lua owns of watchers; another one after ln_watch_rest. */
void ln_watch_push_slots(lua_State *L);
/* Of a watcher that was taken out of its queue: pushes callback, id, [stream or signal,] data and gives their
 * count. Moves a repeat to its next time, ends what runs once. slots: the table. At most 5 slots of stack. */
int ln_watch_take(lua_State *L, struct ln_watch *w, int slots);
/* It has run, and had no other values than the page's: its place is free. */
void ln_watch_end(struct ln_watch *w);
void ln_watch_hold(bool holding);
/* Nothing is to do just now: gives back what a crowd of watchers has left. */
void ln_watch_rest(struct ln_host *h);
/* Calls fn for each watcher. */
void ln_watch_each(void (*fn)(struct ln_watch *w, void *ctx), void *ctx);
/* The clock goes, and with it the time of delays and repeats, which are cancelled; other watchers follow the
 * real one. */
void ln_watch_forget_clock(lua_State *L, struct ln_clock *c);
void ln_watch_open(lua_State *L);
void ln_watch_close(void);

/* --- watch_defer.c --- */

/* Makes room for one more of the next tick; raises. */
void ln_defer_room(lua_State *L);
/* Callback, id and data on top of L (popped) come last in the next tick; after ln_defer_room. */
void ln_defer_append(lua_State *L, struct ln_watch *w);
void ln_defer_remove(struct ln_watch *w);
void ln_defer_copy(lua_State *L, const struct ln_watch *w); /* pushes callback, id, data */
/* The next one of this tick, or NULL: pushes its callback, id and data. */
struct ln_watch *ln_defer_take(lua_State *L);
void ln_defer_begin(void);   /* those of the next tick are of this one now, after what it has left */
bool ln_defer_due(void);     /* there may be some of this tick */
bool ln_defer_waiting(void); /* and of the next */
void ln_defer_rest(lua_State *L);
void ln_defer_close(void);

/* --- watch_source.c --- */

/* The source of a stream (descriptor, Lua file, or what has __fd in its metatable) at `index`; raises. */
struct ln_watch_source *ln_watch_stream(lua_State *L, int index);
struct ln_watch_source *ln_watch_signal(lua_State *L, int index);
void ln_watch_source_activate(struct ln_watch *w);
void ln_watch_source_deactivate(struct ln_watch *w);
void ln_watch_source_release(struct ln_watch_source *s); /* one user less */
void ln_watch_collect_always(void);                      /* those that are always ready become due */
bool ln_watch_has_always(void);
bool ln_watch_has_signal(int signo); /* a script's watcher of it is active */
int ln_watch_fd(lua_State *L, int index);
/* Its owner has closed that descriptor: its watchers are cancelled. */
void ln_watch_closed(lua_State *L, int fd);
/* It closed by itself: its watchers hear of it still, another stream may get the number. */
void ln_watch_forget_fd(int fd);

/* --- watch_run.c --- */

int ln_watch_wait_run(lua_State *L); /* run(): suspends until its end */
void ln_watch_stop(lua_Integer env);
/* Ends the innermost run of that environment with the error on top of L (popped); false where none runs. */
bool ln_watch_fail(lua_State *L, lua_Integer env);
bool ln_watch_running(lua_Integer env);
void ln_watch_due(struct ln_watch_link *queue, struct ln_watch *w);
void ln_watch_wish_tick(void);
/* The program is about to have nothing left: true where a run() ends by that. */
bool ln_watch_idle(struct ln_host *h);
/* function(env, failed, value), called after a callback that failed, or that returned a promise. */
void ln_watch_set_outcome(lua_State *L, int index);
bool ln_watch_push_outcome(lua_State *L); /* false, and nothing pushed: none was set */
void ln_watch_run_init(void);

int luaopen__luna_loop(lua_State *L);

#endif
