/* See worker.h. */
#include "loop/worker.h"
#include "loop/internal.h"
#include "base/alloc.h"

struct work {
  uv_work_t req;
  struct ln_loop *loop;
  void (*run)(void *ctx);
  void (*done)(void *ctx);
  void *ctx;
};

static void on_run(uv_work_t *req)
{
  struct work *w = req->data;
  w->run(w->ctx);
}

static void on_done(uv_work_t *req, int status)
{
  struct work *w = req->data;
  (void)status; /* nobody cancels it */
  void (*done)(void *) = w->done;
  void *ctx = w->ctx;
  ln_loop_release(w->loop);
  ln_free(w);
  done(ctx);
}

int ln_worker_run(struct ln_loop *loop, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx)
{
  struct work *w = ln_calloc(1, sizeof *w);
  if (!w) return LN_E_NOMEM;
  w->req.data = w;
  w->loop = loop;
  w->run = run;
  w->done = done;
  w->ctx = ctx;
  int r = uv_queue_work(&loop->uv, &w->req, on_run, on_done);
  if (r) {
    ln_free(w);
    return ln_uv_error(r);
  }
  ln_loop_hold(loop);
  return LN_OK;
}
