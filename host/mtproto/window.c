/* See window.h. Ids come nearly in order, so that an add is nearly always an append; the array is twice as
 * long as the window, and slides down once in 4096 appends. */
#include "mtproto/window.h"

void ln_window_init(struct ln_window *w)
{
  w->floor = 0;
  w->start = w->n = 0;
}

/* The index of the first live id that is not smaller than id. */
static uint32_t lower_bound(const struct ln_window *w, uint64_t id)
{
  uint32_t lo = w->start, hi = w->start + w->n;
  if (w->n && w->ids[hi - 1] < id) return hi;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (w->ids[mid] < id)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

enum ln_seen ln_window_look(const struct ln_window *w, uint64_t id)
{
  if (id <= w->floor) return LN_SEEN_BELOW_FLOOR;
  uint32_t i = lower_bound(w, id);
  return i < w->start + w->n && w->ids[i] == id ? LN_SEEN_BEFORE : LN_SEEN_NEVER;
}

void ln_window_add(struct ln_window *w, uint64_t id, uint8_t flags)
{
  if (w->start + w->n == 2 * LN_WINDOW_SIZE) {
    memmove(w->ids, w->ids + w->start, w->n * sizeof w->ids[0]);
    memmove(w->flags, w->flags + w->start, w->n);
    w->start = 0;
  }
  uint32_t i = lower_bound(w, id), end = w->start + w->n;
  if (i < end && w->ids[i] == id) {
    w->flags[i] |= flags;
    return;
  }
  memmove(w->ids + i + 1, w->ids + i, (end - i) * sizeof w->ids[0]);
  memmove(w->flags + i + 1, w->flags + i, end - i);
  w->ids[i] = id;
  w->flags[i] = flags;
  if (++w->n > LN_WINDOW_SIZE) {
    w->floor = w->ids[w->start++];
    w->n--;
  }
}

void ln_window_remove(struct ln_window *w, uint64_t id)
{
  uint32_t i = lower_bound(w, id), end = w->start + w->n;
  if (i == end || w->ids[i] != id) return;
  memmove(w->ids + i, w->ids + i + 1, (end - i - 1) * sizeof w->ids[0]);
  memmove(w->flags + i, w->flags + i + 1, end - i - 1);
  w->n--;
}

uint8_t *ln_window_flags(struct ln_window *w, uint64_t id)
{
  uint32_t i = lower_bound(w, id);
  return i < w->start + w->n && w->ids[i] == id ? &w->flags[i] : NULL;
}

uint64_t ln_window_newest(const struct ln_window *w)
{
  return w->n ? w->ids[w->start + w->n - 1] : w->floor;
}
