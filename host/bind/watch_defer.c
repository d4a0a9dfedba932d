/* Defers in their order: see watch.h. Callback, id and data of each stand on the stack of a thread that does
 * nothing else, so many on each: laid there and taken from there by a move, where a table would cost a look
 * up and a barrier a value. */
#include "bind/watch.h"
#include "base/alloc.h"

#define PAGE 256
#define VALUES 3
#define SPARE 64  /* pages that are kept while there is more to do */
#define WORKING 4 /* slots of a page's stack besides */

struct ln_defer_page {
  struct ln_defer_page *next;
  lua_State *L;
  int ref;                        /* its anchor */
  int n, at, room;                /* entries, the one that is next, those that the stack has room for */
  struct ln_watch *entries[PAGE]; /* NULL: it was cancelled or disabled */
};

struct pages {
  struct ln_defer_page *first, *last;
};

static struct {
  struct pages next, due;
  struct ln_defer_page *spare;
  int n_spare;
} own;

static void append(struct pages *q, struct ln_defer_page *p)
{
  p->next = NULL;
  if (q->first)
    q->last->next = p;
  else
    q->first = p;
  q->last = p;
}

static void page_free(lua_State *L, struct ln_defer_page *p)
{
  luaL_unref(L, LUA_REGISTRYINDEX, p->ref);
  ln_free(p);
}

static void put_aside(lua_State *L, struct ln_defer_page *p)
{
  lua_settop(p->L, 0);
  p->n = p->at = 0;
  if (own.n_spare == SPARE) {
    page_free(L, p);
    return;
  }
  p->next = own.spare;
  own.spare = p;
  own.n_spare++;
}

static struct ln_defer_page *page_new(lua_State *L)
{
  struct ln_defer_page *p = own.spare;
  if (p) {
    own.spare = p->next;
    own.n_spare--;
  } else {
    lua_State *stack = lua_newthread(L);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    p = ln_calloc(1, sizeof *p);
    if (!p) {
      luaL_unref(L, LUA_REGISTRYINDEX, ref);
      luaL_error(L, "out of memory");
    }
    p->L = stack;
    p->ref = ref;
  }
  append(&own.next, p);
  return p;
}

void ln_defer_room(lua_State *L)
{
  struct ln_defer_page *p = own.next.first ? own.next.last : NULL;
  if (!p || p->n == PAGE) p = page_new(L);
  if (p->n < p->room) return;
  int room = p != own.next.first ? PAGE : p->room ? p->room * 2 : 4;
  if (!lua_checkstack(p->L, (room - p->n) * VALUES + WORKING)) luaL_error(L, "out of memory");
  p->room = room;
}

void ln_defer_append(lua_State *L, struct ln_watch *w)
{
  struct ln_defer_page *p = own.next.last;
  w->page = p;
  w->at = p->n;
  p->entries[p->n++] = w;
  lua_xmove(L, p->L, VALUES);
}

void ln_defer_remove(struct ln_watch *w)
{
  struct ln_defer_page *p = w->page;
  for (int i = 1; i <= VALUES; i++) {
    lua_pushnil(p->L);
    lua_replace(p->L, w->at * VALUES + i);
  }
  p->entries[w->at] = NULL;
  w->page = NULL;
}

void ln_defer_copy(lua_State *L, const struct ln_watch *w)
{
  for (int i = 1; i <= VALUES; i++) lua_pushvalue(w->page->L, w->at * VALUES + i);
  lua_xmove(w->page->L, L, VALUES);
}

struct ln_watch *ln_defer_take(lua_State *L)
{
  for (struct ln_defer_page *p = own.due.first; p; p = own.due.first) {
    while (p->at < p->n) {
      struct ln_watch *w = p->entries[p->at++];
      if (!w) continue;
      if (p->at < p->n)
        ln_defer_copy(L, w);
      else
        lua_xmove(p->L, L, VALUES);
      w->page = NULL;
      return w;
    }
    own.due.first = p->next;
    put_aside(L, p);
  }
  return NULL;
}

void ln_defer_begin(void)
{
  if (!own.next.first) return;
  if (own.due.first)
    own.due.last->next = own.next.first;
  else
    own.due.first = own.next.first;
  own.due.last = own.next.last;
  own.next.first = NULL;
}

bool ln_defer_due(void)
{
  return own.due.first != NULL;
}

bool ln_defer_waiting(void)
{
  return own.next.first != NULL;
}

void ln_defer_rest(lua_State *L)
{
  for (; own.n_spare > 1; own.n_spare--) {
    struct ln_defer_page *p = own.spare;
    own.spare = p->next;
    page_free(L, p);
  }
}

/* The state is closed, and the threads with it. */
void ln_defer_close(void)
{
  struct ln_defer_page *lists[] = {own.next.first, own.due.first, own.spare};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    while (lists[i]) {
      struct ln_defer_page *p = lists[i];
      lists[i] = p->next;
      ln_free(p);
    }
  }
  memset(&own, 0, sizeof own);
}
