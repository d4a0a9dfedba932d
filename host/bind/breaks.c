/* _luna.breaks: see breaks.h. A hook may yield only without values and without a continuation, so a held task
 * has nothing on its stack that the wake could hand over: an error that is to end it waits in cancel_ref and
 * is raised by the hook at the next instruction. */
#include "bind/breaks.h"
#include "bind/modules.h"
#include "base/alloc.h"
#include "base/log.h"

#define POINTS_MAX 200
#define FILE_MAX 256
#define DECIDE "luna.breaks.decide"

static const struct ln_wait held = {.kind = "break"}; /* told apart by its address */

enum step { STEP_NONE, STEP_IN, STEP_OVER, STEP_OUT };

struct point {
  char file[FILE_MAX];
  size_t len;
  int line;
};

/* A task that is held, steps, or is to be ended: few at a time. */
struct hold {
  struct hold *next;
  struct ln_task *task;
  lua_State *L; /* the thread that was held last */
  int depth;    /* of the step */
  uint8_t step;
  bool raise; /* the task's cancel_ref is raised at its next instruction */
};

int ln_breaks_armed;

static struct {
  struct point points[POINTS_MAX];
  int n;
  uint64_t lines[4]; /* which lines, by their lower 8 bits, have a point: most have none */
  struct hold *holds;
  bool deciding; /* the function that decides runs: its own lines are nobody's */
} own;

static struct hold *hold_of(const struct ln_task *t)
{
  struct hold *h = own.holds;
  while (h && h->task != t) h = h->next;
  return h;
}

static struct hold *hold_new(struct ln_task *t)
{
  struct hold *h = ln_calloc(1, sizeof *h);
  if (!h) return NULL;
  h->task = t;
  h->next = own.holds;
  own.holds = h;
  return h;
}

void ln_breaks_arm(lua_State *L)
{
  const struct hold *o = own.holds ? hold_of(ln_host_get()->current) : NULL;
  bool raise = o && o->raise && o->L == L;
  lua_sethook(L, ln_breaks_hook, LUA_MASKLINE | (raise ? LUA_MASKCOUNT : 0), 1);
}

bool ln_breaks_holds(const struct ln_task *t)
{
  return t->state == LN_TASK_WAITING && t->wait == &held;
}

static void release(const struct hold *o)
{
  ln_host_unref(ln_host_get());
  /* The virtual machine remembers that the hook yielded until it would call it again: even if the last point
   * goes now, that has to happen once. */
  lua_sethook(o->L, ln_breaks_hook, LUA_MASKLINE, 0);
  ln_task_wake(o->task, 0, false);
}

void ln_breaks_raise(struct ln_task *t, lua_State *L)
{
  if (t->cancel_ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, t->cancel_ref);
  t->cancel_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  struct hold *o = hold_of(t);
  if (!o->raise) ln_breaks_armed++;
  o->raise = true;
  release(o);
}

void ln_breaks_forget(const struct ln_task *t)
{
  struct hold **place = &own.holds;
  while (*place && (*place)->task != t) place = &(*place)->next;
  struct hold *o = *place;
  if (!o) return;
  if (o->step) ln_breaks_armed--;
  if (o->raise) ln_breaks_armed--;
  *place = o->next;
  ln_free(o);
}

/* Whether the thread has at most n frames. */
static bool at_most(lua_State *L, int n)
{
  lua_Debug ar;
  return n < 0 || !lua_getstack(L, n, &ar);
}

static bool steps(const struct hold *o, lua_State *L)
{
  if (o->step == STEP_IN) return true;
  if (!o->step || L != o->L) return false;
  return at_most(L, o->step == STEP_OVER ? o->depth : o->depth - 1);
}

/* "echo.lua" is the point's file where the source is "@bots/echo.lua". */
static bool is_file(const char *source, const struct point *p)
{
  size_t n = strlen(source);
  if (n < p->len + 1 || memcmp(source + n - p->len, p->file, p->len) != 0) return false;
  char before = source[n - p->len - 1];
  return before == '/' || (n == p->len + 1 && (before == '@' || before == '='));
}

static int find_point(const char *source, int line)
{
  for (int i = 0; i < own.n; i++)
    if (own.points[i].line == line && is_file(source, &own.points[i])) return i + 1;
  return 0;
}

/* Whether Lua wants the task held here. The hook's stack has room for a C function's values. */
static bool decide(lua_State *L, struct ln_task *t, int point, bool possible)
{
  bool hold = false;
  if (lua_getfield(L, LUA_REGISTRYINDEX, DECIDE) == LUA_TFUNCTION) {
    ln_task_push(L, t);
    lua_pushinteger(L, point);
    lua_pushboolean(L, possible);
    own.deciding = true;
    int status = lua_pcall(L, 3, 1, 0);
    own.deciding = false;
    if (status == LUA_OK)
      hold = lua_toboolean(L, -1);
    else
      ln_log(LN_LOG_ERROR, "repl", "a break point: %s", lua_tostring(L, -1));
  }
  lua_pop(L, 1);
  return hold;
}

void ln_breaks_hook(lua_State *L, lua_Debug *ar)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->current;
  if (!ln_breaks_armed) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (!t || own.deciding) return;
  struct hold *o = own.holds ? hold_of(t) : NULL;
  if (ar->event == LUA_HOOKCOUNT) {
    if (!o || !o->raise || o->L != L || t->cancel_ref == LUA_NOREF) return;
    ln_breaks_forget(t);
    ln_breaks_arm(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->cancel_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, t->cancel_ref);
    t->cancel_ref = LUA_NOREF;
    lua_error(L);
  }
  if (ar->currentline < 1) return; /* the program's own code, which has no lines */
  bool step = o && steps(o, L);
  uint8_t low = (uint8_t)ar->currentline;
  bool hit = own.lines[low >> 6] >> (low & 63) & 1;
  if (!step && !hit) return;
  lua_getinfo(L, "S", ar);
  int point = hit ? find_point(ar->source, ar->currentline) : 0;
  if (!step && !point) return;
  bool possible = !h->blocked && lua_isyieldable(L);
  if (!decide(L, t, point, possible) || !possible) return;
  if (!o && !(o = hold_new(t))) return;
  if (o->step) ln_breaks_armed--;
  o->step = STEP_NONE;
  o->L = L;
  t->wait_L = L;
  t->wait = &held;
  t->wait_since = ln_clock_now(ln_loop_clock(h->loop));
  t->wake_error = false;
  t->state = LN_TASK_WAITING;
  ln_host_ref(h);
  lua_yield(L, 0);
}

/* --- for Lua --- */

/* set{ { file =, line = }, … }: instead of those before; `point` of decide is the number in this list. */
static int f_set(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer n = luaL_len(L, 1);
  if (n > POINTS_MAX) return luaL_error(L, "at most %d break points", POINTS_MAX);
  if (own.n) ln_breaks_armed--;
  own.n = 0;
  memset(own.lines, 0, sizeof own.lines);
  for (lua_Integer i = 1; i <= n; i++) {
    struct point *p = &own.points[i - 1];
    lua_settop(L, 1);
    lua_geti(L, 1, i);
    lua_getfield(L, 2, "file");
    lua_getfield(L, 2, "line");
    const char *file = lua_tolstring(L, 3, &p->len);
    lua_Integer line = lua_tointeger(L, 4);
    if (!file || !p->len || p->len >= FILE_MAX || line < 1 || line > INT32_MAX) {
      own.n = 0;
      return luaL_error(L, "not a break point");
    }
    memcpy(p->file, file, p->len + 1);
    p->line = (int)line;
    own.lines[(uint8_t)line >> 6] |= (uint64_t)1 << ((uint8_t)line & 63);
    own.n = (int)i;
  }
  if (own.n) ln_breaks_armed++;
  return 0;
}

/* onBreak(fn): fn(task, point, possible) → whether to hold the task at this line; point 0: a step has ended
 * here; possible: false within table.sort and the like. It is called from the hook, on the task's own thread:
 * level 2 is the line's function, and nothing can wait. */
static int f_on_break(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, DECIDE);
  return 0;
}

/* go(task, "in" | "over" | "out" | nil): a held task goes on, to the next line if so wanted. Whether it was
 * held. */
static int f_go(lua_State *L)
{
  static const char *const modes[] = {"", "in", "over", "out", NULL};
  struct ln_task *t = ln_task_check(L, 1);
  int mode = luaL_checkoption(L, 2, "", modes);
  struct hold *o = t && ln_breaks_holds(t) ? hold_of(t) : NULL;
  if (o) {
    release(o);
    if (mode) {
      o->depth = 0;
      while (!at_most(o->L, o->depth)) o->depth++;
      o->step = (uint8_t)mode;
      ln_breaks_armed++;
    } else if (!o->raise) {
      ln_breaks_forget(t);
    }
  }
  lua_pushboolean(L, o != NULL);
  return 1;
}

/* threads(task) → the thread that waits, and that of the task where it is another: a coroutine of the
 * script's waits in it. For debug.getlocal and the like. */
static int f_threads(lua_State *L)
{
  struct ln_task *t = ln_task_check(L, 1);
  if (!t || (t->state != LN_TASK_WAITING && t->state != LN_TASK_READY) || !t->wait_L) return 0;
  luaL_checkstack(L, 2, NULL);
  if (!lua_checkstack(t->wait_L, 1)) return luaL_error(L, "out of memory");
  lua_pushthread(t->wait_L);
  lua_xmove(t->wait_L, L, 1);
  if (t->wait_L == t->L) return 1;
  if (!lua_checkstack(t->L, 1)) return luaL_error(L, "out of memory");
  lua_pushthread(t->L);
  lua_xmove(t->L, L, 1);
  return 2;
}

int luaopen__luna_breaks(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"set", f_set}, {"onBreak", f_on_break}, {"go", f_go}, {"threads", f_threads}, {NULL, NULL}};
  while (own.holds) ln_breaks_forget(own.holds->task); /* of the host before */
  memset(&own, 0, sizeof own);
  ln_breaks_armed = 0;
  luaL_newlib(L, functions);
  return 1;
}
