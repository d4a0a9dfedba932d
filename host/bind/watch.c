/* The watchers themselves: see watch.h. They lie in chunks that do not move (timers in them are linked into
 * heaps), and are found by an id, the number of their creation in letters. What Lua owns of
 * them stands in one table of the registry, three slots each: callback, id, data; of defers that are enabled
 * it stands in their pages (watch_defer.c). */
#include "bind/watch.h"
#include "base/alloc.h"

#define CHUNK 256
#define MAX_CHUNKS (1 << 16)
#define SLOTS 3
#define ID_MAX 16 /* 2^63 has thirteen letters */

struct ln_watches ln_watches;

static struct {
  struct ln_watch **chunks;
  size_t n_chunks, cap_chunks;
  size_t used;    /* watchers that exist */
  size_t freed;   /* since the last look whether chunks can go */
  uint32_t *free; /* places */
  size_t n_free, cap_free;
  struct ln_watch **by_seq; /* lists of those whose number has these lower bits */
  size_t n_lists;           /* a power of two, not less than there are places */
  uint64_t seq;
  char id[ID_MAX]; /* seq's */
  size_t n_id;
  int slots_ref;
} slab = {.slots_ref = LUA_NOREF};

static struct ln_watch *at(uint32_t index)
{
  return &slab.chunks[index / CHUNK][index % CHUNK];
}

static void push_slots(lua_State *L)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, slab.slots_ref);
}

static void update_hold(void)
{
  struct ln_watches *m = &ln_watches;
  bool wanted = m->holding && m->n_referenced > 0;
  if (wanted == m->held) return;
  m->held = wanted;
  if (wanted)
    ln_host_ref(ln_host_get());
  else
    ln_host_unref(ln_host_get());
}

void ln_watch_hold(bool holding)
{
  ln_watches.holding = holding;
  update_hold();
}

static void count(const struct ln_watch *w, int step)
{
  if (!w->enabled || !w->referenced) return;
  ln_watches.n_referenced += (size_t)step;
  if (ln_watches.n_referenced <= 1) update_hold();
}

/* --- ids --- */

/* a to z, aa, ba, …: the letter that changes most comes first, because Lua's hash takes it last. So the
 * strings of a row of watchers are neighbours in its table of strings; scattered, they took half of the time
 * of a defer. */
static size_t write_id(char text[static ID_MAX], uint64_t seq)
{
  size_t n = 0;
  for (; seq; seq = (seq - 1) / 26) text[n++] = (char)('a' + (seq - 1) % 26);
  return n;
}

void ln_watch_push_id(lua_State *L, const struct ln_watch *w)
{
  char text[ID_MAX];
  lua_pushlstring(L, text, write_id(text, w->seq));
}

/* The same of the next number. */
static void push_next_id(lua_State *L)
{
  size_t i = 0;
  for (; i < slab.n_id && slab.id[i] == 'z'; i++) slab.id[i] = 'a';
  if (i < slab.n_id)
    slab.id[i]++;
  else
    slab.id[slab.n_id++] = 'a';
  slab.seq++;
  lua_pushlstring(L, slab.id, slab.n_id);
}

static struct ln_watch **list_of(uint64_t seq)
{
  return &slab.by_seq[seq & (slab.n_lists - 1)];
}

static void list(struct ln_watch *w)
{
  struct ln_watch **first = list_of(w->seq);
  w->other = *first;
  *first = w;
}

static void unlist(struct ln_watch *w)
{
  struct ln_watch **place = list_of(w->seq);
  while (*place != w) place = &(*place)->other;
  *place = w->other;
}

struct ln_watch *ln_watch_find(const char *id, size_t n)
{
  uint64_t seq = 0;
  if (n == 0 || n > 13 || !slab.n_lists) return NULL;
  for (size_t i = n; i > 0; i--) {
    if (id[i - 1] < 'a' || id[i - 1] > 'z') return NULL;
    seq = seq * 26 + (uint64_t)(id[i - 1] - 'a') + 1;
  }
  struct ln_watch *w = *list_of(seq);
  while (w && w->seq != seq) w = w->other;
  return w;
}

/* --- places --- */

/* Lists for so many places, and in them the watchers that exist; false where there is no memory. */
static bool make_lists(size_t places)
{
  size_t n = CHUNK;
  while (n < places) n *= 2;
  struct ln_watch **lists = ln_calloc(n, sizeof *lists);
  if (!lists) return false;
  ln_free(slab.by_seq);
  slab.by_seq = lists;
  slab.n_lists = n;
  for (size_t i = 0; i < slab.n_chunks * CHUNK; i++) {
    struct ln_watch *w = at((uint32_t)i);
    if (w->type != LN_WATCH_FREE) list(w);
  }
  return true;
}

/* One more chunk; its slots are filled with false, so that the table keeps them in its array. */
static void grow(lua_State *L)
{
  if (slab.n_chunks == MAX_CHUNKS) luaL_error(L, "too many watchers");
  if (slab.n_chunks == slab.cap_chunks) {
    size_t cap = slab.cap_chunks ? slab.cap_chunks * 2 : 8;
    struct ln_watch **chunks = ln_realloc(slab.chunks, cap * sizeof(struct ln_watch *));
    if (!chunks) luaL_error(L, "out of memory");
    slab.chunks = chunks;
    slab.cap_chunks = cap;
  }
  size_t all = (slab.n_chunks + 1) * CHUNK;
  if (all > slab.cap_free) {
    uint32_t *places = ln_realloc(slab.free, all * 2 * sizeof *places);
    if (!places) luaL_error(L, "out of memory");
    slab.free = places;
    slab.cap_free = all * 2;
  }
  if (all > slab.n_lists && !make_lists(all)) luaL_error(L, "out of memory");
  push_slots(L);
  for (size_t i = slab.n_chunks * CHUNK * SLOTS; i < all * SLOTS; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pop(L, 1);
  struct ln_watch *chunk = ln_calloc(CHUNK, sizeof *chunk);
  if (!chunk) luaL_error(L, "out of memory");
  slab.chunks[slab.n_chunks++] = chunk;
  for (size_t i = all; i > all - CHUNK; i--) slab.free[slab.n_free++] = (uint32_t)(i - 1);
}

/* Gives back the chunks at the end that hold nothing, and makes the table of slots anew in its true size. */
static int shrink(lua_State *L)
{
  size_t keep = slab.n_chunks;
  for (; keep > 1; keep--) {
    bool empty = true;
    for (size_t i = 0; i < CHUNK && empty; i++) empty = slab.chunks[keep - 1][i].type == LN_WATCH_FREE;
    if (!empty) break;
  }
  if (keep > slab.n_chunks / 2) return 0;
  push_slots(L);
  lua_createtable(L, (int)(keep * CHUNK * SLOTS), 0);
  for (size_t i = 1; i <= keep * CHUNK * SLOTS; i++) {
    lua_rawgeti(L, -2, (lua_Integer)i);
    lua_rawseti(L, -2, (lua_Integer)i);
  }
  lua_rawseti(L, LUA_REGISTRYINDEX, slab.slots_ref);
  lua_pop(L, 1);
  while (slab.n_chunks > keep) ln_free(slab.chunks[--slab.n_chunks]);
  slab.n_free = 0;
  for (size_t i = keep * CHUNK; i > 0; i--)
    if (at((uint32_t)i - 1)->type == LN_WATCH_FREE) slab.free[slab.n_free++] = (uint32_t)i - 1;
  slab.cap_free = keep * CHUNK;
  uint32_t *places = ln_realloc(slab.free, slab.cap_free * sizeof *places);
  if (places) slab.free = places;
  if (keep * CHUNK <= slab.n_lists / 2) make_lists(keep * CHUNK);
  return 0;
}

void ln_watch_rest(struct ln_host *h)
{
  ln_defer_rest(h->L);
  if (!slab.freed || slab.n_chunks <= 8 || slab.used * 8 >= slab.n_chunks * CHUNK) return;
  slab.freed = 0;
  ln_host_protect(h, shrink, NULL);
}

/* --- life --- */

static void timer_due(struct ln_timer *t)
{
  struct ln_watch *w = (struct ln_watch *)((char *)t - offsetof(struct ln_watch, timer));
  ln_watch_due(&ln_watches.due_timers, w);
}

/* A watcher in a free place; pushes its id. */
static struct ln_watch *make(lua_State *L, enum ln_watch_type type)
{
  struct ln_host *h = ln_host_get();
  uint32_t index = slab.free[slab.n_free - 1];
  struct ln_watch *w = at(index);
  push_next_id(L); /* the last that may raise */
  w->index = index;
  w->seq = slab.seq;
  list(w);
  slab.n_free--;
  slab.used++;
  w->type = (uint8_t)type;
  w->clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
  w->owner = h->current ? h->current->owner : 0;
  w->source = NULL;
  w->page = NULL;
  w->hits = 0;
  w->enabled = false;
  w->referenced = true;
  w->data = false;
  return w;
}

void ln_watch_defer(lua_State *L, int fn, int data)
{
  if (!slab.n_free) grow(L);
  ln_defer_room(L);
  struct ln_watch *w = make(L, LN_WATCH_DEFER);
  lua_pushvalue(L, fn);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, data);
  ln_defer_append(L, w);
  w->enabled = true;
  count(w, 1);
  ln_watch_wish_tick();
}

struct ln_watch *ln_watch_new(lua_State *L, enum ln_watch_type type, int fn, int data, int stream)
{
  if (!slab.n_free) grow(L);
  push_slots(L);
  struct ln_watch *w = make(L, type);
  w->data = stream != 0;
  lua_Integer slot = (lua_Integer)w->index * SLOTS + 1;
  lua_pushvalue(L, fn);
  lua_rawseti(L, -3, slot);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, slot + 1);
  if (stream) {
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, stream);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, data);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -3, slot + 2);
  } else if (!lua_isnoneornil(L, data)) {
    w->data = true;
    lua_pushvalue(L, data);
    lua_rawseti(L, -3, slot + 2);
  }
  return w;
}

static void free_place(struct ln_watch *w)
{
  unlist(w);
  w->type = LN_WATCH_FREE;
  slab.free[slab.n_free++] = w->index;
  slab.used--;
  slab.freed++;
}

void ln_watch_end(struct ln_watch *w)
{
  count(w, -1);
  w->enabled = false;
  free_place(w);
}

/* slots: the table of them on the stack. */
static void release(lua_State *L, struct ln_watch *w, int slots)
{
  lua_Integer slot = (lua_Integer)w->index * SLOTS + 1;
  for (int i = 0; i < (w->data ? SLOTS : SLOTS - 1); i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, slots, slot + i);
  }
  if (w->source) ln_watch_source_release(w->source);
  w->source = NULL;
  free_place(w);
}

/* A defer that was disabled: what it has comes back from the table. */
static void defer_again(lua_State *L, struct ln_watch *w)
{
  lua_Integer slot = (lua_Integer)w->index * SLOTS + 1;
  luaL_checkstack(L, SLOTS + 2, NULL);
  ln_defer_room(L);
  push_slots(L);
  for (int i = 0; i < SLOTS; i++) lua_rawgeti(L, -i - 1, slot + i);
  ln_defer_append(L, w);
  for (int i = 0; i < SLOTS; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, slot + i);
  }
  lua_pop(L, 1);
}

void ln_watch_enable(lua_State *L, struct ln_watch *w)
{
  if (w->enabled) return;
  if (w->type == LN_WATCH_DEFER) {
    defer_again(L, w);
  } else {
    if (w->type == LN_WATCH_DELAY || w->type == LN_WATCH_REPEAT)
      w->due = ln_clock_fresh(w->clock) + w->interval;
    w->timer.fn = timer_due;
    ln_watch_append(&ln_watches.enabling, &w->queue);
  }
  w->enabled = true;
  count(w, 1);
  ln_watch_wish_tick();
}

static void lay_down(lua_State *L, struct ln_watch *w)
{
  lua_Integer slot = (lua_Integer)w->index * SLOTS + 1;
  luaL_checkstack(L, SLOTS + 1, NULL);
  push_slots(L);
  ln_defer_copy(L, w);
  for (int i = SLOTS; i > 0; i--) lua_rawseti(L, -i - 1, slot + i - 1);
  lua_pop(L, 1);
  w->data = true;
  ln_defer_remove(w);
}

static void deactivate(struct ln_watch *w)
{
  if (!w->enabled) return;
  count(w, -1);
  w->enabled = false;
  w->hits = 0;
  ln_watch_unlink(&w->queue);
  if (w->type == LN_WATCH_DELAY || w->type == LN_WATCH_REPEAT) ln_timer_stop(&w->timer);
  if (w->source) ln_watch_source_deactivate(w);
}

void ln_watch_disable(lua_State *L, struct ln_watch *w)
{
  if (w->page) lay_down(L, w);
  deactivate(w);
}

void ln_watch_cancel(lua_State *L, struct ln_watch *w)
{
  if (w->page) {
    ln_defer_remove(w);
    ln_watch_end(w);
    return;
  }
  deactivate(w);
  push_slots(L);
  release(L, w, lua_gettop(L));
  lua_pop(L, 1);
}

void ln_watch_reference(struct ln_watch *w, bool referenced)
{
  if (w->referenced == referenced) return;
  count(w, -1);
  w->referenced = referenced;
  count(w, 1);
}

void ln_watch_push_slots(lua_State *L)
{
  push_slots(L);
}

int ln_watch_take(lua_State *L, struct ln_watch *w, int slots)
{
  lua_Integer slot = (lua_Integer)w->index * SLOTS + 1;
  lua_rawgeti(L, slots, slot);
  lua_rawgeti(L, slots, slot + 1);
  if (w->data)
    lua_rawgeti(L, slots, slot + 2);
  else
    lua_pushnil(L);
  switch (w->type) {
  case LN_WATCH_READABLE:
  case LN_WATCH_WRITABLE:
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    lua_remove(L, -3);
    return 4;
  case LN_WATCH_SIGNAL:
    lua_pushinteger(L, w->source->number);
    lua_insert(L, -2);
    return 4;
  case LN_WATCH_REPEAT:
    w->due = ln_clock_fresh(w->clock) + w->interval;
    ln_watch_append(&ln_watches.enabling, &w->queue);
    ln_watch_wish_tick();
    return 3;
  default:
    count(w, -1);
    w->enabled = false;
    release(L, w, slots);
    return 3;
  }
}

void ln_watch_each(void (*fn)(struct ln_watch *w, void *ctx), void *ctx)
{
  for (size_t i = 0; i < slab.n_chunks * CHUNK; i++) {
    struct ln_watch *w = at((uint32_t)i);
    if (w->type != LN_WATCH_FREE) fn(w, ctx);
  }
}

struct gone {
  lua_State *L;
  struct ln_clock *clock;
};

static void leave_clock(struct ln_watch *w, void *ctx)
{
  struct gone *g = ctx;
  if (w->clock != g->clock) return;
  w->clock = ln_loop_clock(ln_host_get()->loop);
  if (w->enabled && (w->type == LN_WATCH_DELAY || w->type == LN_WATCH_REPEAT)) ln_watch_cancel(g->L, w);
}

void ln_watch_forget_clock(lua_State *L, struct ln_clock *c)
{
  struct gone g = {L, c};
  luaL_checkstack(L, 4, NULL);
  ln_watch_each(leave_clock, &g);
}

void ln_watch_open(lua_State *L)
{
  struct ln_watches *m = &ln_watches;
  if (slab.slots_ref != LUA_NOREF) return;
  struct ln_watch_link *heads[] = {&m->enabling, &m->due_io, &m->due_timers, &m->due_signals};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) ln_watch_link_init(heads[i]);
  m->holding = true;
  lua_newtable(L);
  slab.slots_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  ln_watch_run_init();
}

/* The state is closed: nothing of Lua's is left to let go. */
void ln_watch_close(void)
{
  for (size_t i = 0; i < slab.n_chunks * CHUNK; i++) {
    struct ln_watch *w = at((uint32_t)i);
    if (w->type == LN_WATCH_FREE) continue;
    deactivate(w);
    if (w->source) ln_watch_source_release(w->source);
  }
  ln_defer_close();
  while (slab.n_chunks) ln_free(slab.chunks[--slab.n_chunks]);
  ln_free(slab.chunks);
  ln_free(slab.free);
  ln_free(slab.by_seq);
  memset(&slab, 0, sizeof slab);
  slab.slots_ref = LUA_NOREF;
  memset(&ln_watches, 0, sizeof ln_watches);
}
