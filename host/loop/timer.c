/* See timer.h. One heap a clock; the real clock's is run by each turn of the loop, a virtual one's by
 * ln_clock_move. */
#include "loop/internal.h"
#include "base/alloc.h"

#include <stdlib.h>

#define VIRTUAL_START LN_US_PER_S /* not 0, which owners use for "never yet" */

static bool before(const struct ln_timer *a, const struct ln_timer *b)
{
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct ln_clock *c, size_t i, struct ln_timer *t)
{
  c->heap[i] = t;
  t->at = (uint32_t)i + 1;
}

static void sift_up(struct ln_clock *c, size_t i, struct ln_timer *t)
{
  while (i > 0) {
    size_t parent = (i - 1) / 4;
    if (!before(t, c->heap[parent])) break;
    put(c, i, c->heap[parent]);
    i = parent;
  }
  put(c, i, t);
}

static void sift_down(struct ln_clock *c, size_t i, struct ln_timer *t)
{
  for (;;) {
    size_t child = i * 4 + 1, last = child + 4 < c->n ? child + 4 : c->n, best = child;
    if (child >= c->n) break;
    for (size_t k = child + 1; k < last; k++)
      if (before(c->heap[k], c->heap[best])) best = k;
    if (!before(c->heap[best], t)) break;
    put(c, i, c->heap[best]);
    i = best;
  }
  put(c, i, t);
}

/* Where a timer belongs that takes place i and may be too early or too late for it. */
static void settle(struct ln_clock *c, size_t i, struct ln_timer *t)
{
  if (i > 0 && before(t, c->heap[(i - 1) / 4]))
    sift_up(c, i, t);
  else
    sift_down(c, i, t);
}

struct ln_clock *ln_loop_clock(struct ln_loop *loop)
{
  return &loop->clock;
}

int ln_clock_new_virtual(struct ln_loop *loop, int64_t wall_us, struct ln_clock **out)
{
  struct ln_clock *c = ln_calloc(1, sizeof *c);
  if (!c) return LN_E_NOMEM;
  c->loop = loop;
  c->is_virtual = true;
  c->now = VIRTUAL_START;
  c->wall_difference = wall_us - VIRTUAL_START;
  *out = c;
  return LN_OK;
}

void ln_clock_deinit(struct ln_clock *c)
{
  for (size_t i = 0; i < c->n; i++) c->heap[i]->at = 0;
  ln_free(c->heap);
  c->heap = NULL;
  c->n = c->cap = 0;
}

void ln_clock_free(struct ln_clock *c)
{
  if (!c || !c->is_virtual) return;
  ln_clock_deinit(c);
  ln_free(c);
}

bool ln_clock_is_virtual(const struct ln_clock *c)
{
  return c->is_virtual;
}

int64_t ln_clock_now(const struct ln_clock *c)
{
  return c->is_virtual ? c->now : ln_loop_now(c->loop);
}

int64_t ln_clock_fresh(struct ln_clock *c)
{
  if (!c->is_virtual) c->loop->stale = true;
  return ln_clock_now(c);
}

int64_t ln_clock_wall(const struct ln_clock *c)
{
  return c->is_virtual ? c->now + c->wall_difference : ln_clock_wall_us();
}

static int compare(const void *a, const void *b)
{
  const struct ln_timer *x = *(struct ln_timer *const *)a, *y = *(struct ln_timer *const *)b;
  return before(x, y) ? -1 : 1;
}

/* The numbers are used up: those that run get new ones. A sorted heap is a heap. */
static void renumber(struct ln_clock *c)
{
  if (c->n) qsort(c->heap, c->n, sizeof(struct ln_timer *), compare);
  for (size_t i = 0; i < c->n; i++) {
    put(c, i, c->heap[i]);
    c->heap[i]->order = (uint32_t)i + 1;
  }
  c->order = (uint32_t)c->n;
  c->latest = 0;
}

int ln_timer_start(struct ln_clock *c, struct ln_timer *t, int64_t due)
{
  if (c->order == UINT32_MAX) renumber(c);
  if (t->at && t->clock != c) ln_timer_stop(t);
  if (!t->at) {
    if (c->n == c->cap) {
      size_t cap = c->cap ? c->cap * 2 : 64;
      struct ln_timer **heap = ln_realloc(c->heap, cap * sizeof(struct ln_timer *));
      if (!heap) return LN_E_NOMEM;
      c->heap = heap;
      c->cap = cap;
    }
    t->at = (uint32_t)++c->n;
  }
  t->clock = c;
  t->due = due;
  t->order = ++c->order;
  settle(c, t->at - 1, t);
  return LN_OK;
}

void ln_timer_stop(struct ln_timer *t)
{
  if (!t->at) return;
  struct ln_clock *c = t->clock;
  size_t i = t->at - 1;
  struct ln_timer *last = c->heap[--c->n];
  t->at = 0;
  if (last != t) settle(c, i, last);
}

int64_t ln_clock_next(const struct ln_clock *c)
{
  return c->n ? c->heap[0]->due : LN_NEVER;
}

static void fire(struct ln_timer *t)
{
  ln_timer_stop(t);
  t->fn(t);
}

/* What a timer starts as already due waits for the next turn: a sleep of 0 in a loop must not keep I/O away.
 */
void ln_clock_run(struct ln_clock *c)
{
  if (!c->n) return;
  int64_t now = ln_clock_now(c);
  c->latest = c->order;
  while (c->n && c->heap[0]->due <= now && c->heap[0]->order <= c->latest) fire(c->heap[0]);
}

void ln_clock_move(struct ln_clock *c, int64_t to)
{
  if (!c->is_virtual) return;
  c->latest = c->order;
  while (c->n && c->heap[0]->due <= to) {
    struct ln_timer *t = c->heap[0];
    if (t->due > c->now) {
      c->now = t->due;
      c->latest = c->order;
    } else if (t->order > c->latest) {
      return;
    }
    fire(t);
  }
  if (to > c->now) c->now = to;
}
