/* A loop and a folder of a spec's own, for specs of sockets and files: opened before each test, closed after
 * it, and the loop run no longer than is said. */
#ifndef SPEC_PLACE_H
#define SPEC_PLACE_H

#include "loop/loop.h"
#include "loop/timer.h"
#include "spec.h"

#include <unistd.h>

struct place {
  struct ln_loop *loop;
  char folder[64], path[80]; /* a file in it, which goes with it */
  bool late;
  struct ln_timer limit;
};

/* name: that of the file. 0, or what a set-up that has failed returns. */
static inline int place_open(struct place *p, const char *name)
{
  strcpy(p->folder, "/tmp/luna-spec-XXXXXX");
  if (!mkdtemp(p->folder)) return 1;
  snprintf(p->path, sizeof p->path, "%s/%s", p->folder, name);
  return ln_loop_new(&p->loop);
}

static inline int place_close(struct place *p)
{
  ln_loop_free(p->loop);
  unlink(p->path);
  return rmdir(p->folder);
}

static inline void place_late(struct ln_timer *timer)
{
  struct place *p = (struct place *)((char *)timer - offsetof(struct place, limit));
  p->late = true;
  ln_loop_stop(p->loop);
}

/* Runs the loop until somebody stops it, or so long; whether somebody did. */
static inline bool place_run(struct place *p, int64_t us)
{
  struct ln_clock *clock = ln_loop_clock(p->loop);
  p->late = false;
  p->limit.fn = place_late;
  assert_int_equal(ln_timer_start(clock, &p->limit, ln_clock_fresh(clock) + us), LN_OK);
  ln_loop_run(p->loop);
  ln_timer_stop(&p->limit);
  return !p->late;
}

#endif
