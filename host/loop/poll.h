/* Readiness of a file descriptor that somebody else reads and writes (a terminal, a pipe, a script's stream).
 */
#ifndef LN_LOOP_POLL_H
#define LN_LOOP_POLL_H

#include "loop/loop.h"

#define LN_POLL_READABLE 1
#define LN_POLL_WRITABLE 2

struct ln_poll;
/* A regular file, which the kernel cannot poll, is always ready. events: what to watch, 0 for nothing yet. */
int ln_poll_open(struct ln_loop *loop, int fd, void (*fn)(void *ctx, int events), void *ctx,
                 struct ln_poll **out);
void ln_poll_set(struct ln_poll *p, int events); /* takes effect with the next poll of the loop */
bool ln_poll_is_always(const struct ln_poll *p);
void ln_poll_close(struct ln_poll *p); /* does not close the descriptor */

#endif
