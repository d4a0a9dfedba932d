/* ln_waker_* of loop.h: the one way into the loop from another thread. */
#include "loop/internal.h"
#include "base/alloc.h"

struct ln_waker {
  struct ln_open open;
  uv_async_t async;
  void (*fn)(void *ctx);
  void *ctx;
};

static void on_async(uv_async_t *h)
{
  struct ln_waker *w = h->data;
  w->fn(w->ctx);
}

static void freed(uv_handle_t *h)
{
  ln_free(h->data);
}

static void close_waker(struct ln_open *o)
{
  struct ln_waker *w = (struct ln_waker *)o;
  uv_close((uv_handle_t *)&w->async, freed);
}

int ln_waker_open(struct ln_loop *loop, void (*fn)(void *ctx), void *ctx, struct ln_waker **out)
{
  struct ln_waker *w = ln_calloc(1, sizeof *w);
  if (!w) return LN_E_NOMEM;
  int r = uv_async_init(&loop->uv, &w->async, on_async);
  if (r) {
    ln_free(w);
    return ln_uv_error(r);
  }
  uv_unref((uv_handle_t *)&w->async);
  w->async.data = w;
  w->fn = fn;
  w->ctx = ctx;
  ln_open_add(loop, &w->open, close_waker);
  *out = w;
  return LN_OK;
}

void ln_waker_wake(struct ln_waker *w)
{
  uv_async_send(&w->async);
}

void ln_waker_close(struct ln_waker *w)
{
  if (!w) return;
  ln_open_remove(&w->open);
  close_waker(&w->open);
}
