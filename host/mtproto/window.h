/* Which msg_ids came in: the last 4096 of them, sorted, and a floor below which everything counts as known
 * (M7). Both roles keep one for each session, with outer and inner ids together. Without allocations. */
#ifndef LN_MTPROTO_WINDOW_H
#define LN_MTPROTO_WINDOW_H

#include "base/err.h"
#include "base/slice.h"

#define LN_WINDOW_SIZE 4096

enum {
  LN_SEEN_ACK = 1,     /* it may be acknowledged (again) */
  LN_SEEN_CONTENT = 2, /* it wants an acknowledgement */
};

struct ln_window {
  uint64_t floor; /* ids up to here are too old to tell */
  uint32_t start, n;
  uint64_t ids[2 * LN_WINDOW_SIZE]; /* live: [start, start + n), ascending */
  uint8_t flags[2 * LN_WINDOW_SIZE];
};

enum ln_seen { LN_SEEN_NEVER, LN_SEEN_BEFORE, LN_SEEN_BELOW_FLOOR };

void ln_window_init(struct ln_window *w);
enum ln_seen ln_window_look(const struct ln_window *w, uint64_t id);
/* Remembers an id that ln_window_look says was never seen; the smallest leaves where there are too many. */
void ln_window_add(struct ln_window *w, uint64_t id, uint8_t flags);
/* As if it had never come: what it asked for could not be done. */
void ln_window_remove(struct ln_window *w, uint64_t id);
/* The flags of an id in the window, or NULL; valid until the next add. */
uint8_t *ln_window_flags(struct ln_window *w, uint64_t id);
/* The largest id ever added; 0: none. */
uint64_t ln_window_newest(const struct ln_window *w);

#endif
