/* Heavy work on libuv's thread pool. Holds virtual clocks while it runs. */
#ifndef LN_LOOP_WORKER_H
#define LN_LOOP_WORKER_H

#include "loop/loop.h"

/* run on a pool thread, then done on the loop's thread. ctx must live until done. LN_E_NOMEM: neither is
 * called. */
int ln_worker_run(struct ln_loop *loop, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx);

#endif
