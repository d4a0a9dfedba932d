/* luv beside the host, on its loop: see luv.c. */
#ifndef LN_BIND_LUV_H
#define LN_BIND_LUV_H

#include "bind/host.h"

/* Something of luv's can still happen: a handle of its is active, a request under way. */
bool ln_luv_alive(const struct ln_host *h);
/* Before the state is closed: closes its handles. False where something of it would not end; the state has to
 * stay then. */
bool ln_luv_close(struct ln_host *h);

#endif
