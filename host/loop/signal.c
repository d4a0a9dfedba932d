/* ln_signal_* of loop.h. */
#include "loop/internal.h"
#include "base/alloc.h"

struct ln_signal {
  struct ln_open open;
  uv_signal_t handle;
  void (*fn)(void *ctx, int signo);
  void *ctx;
};

static void on_signal(uv_signal_t *h, int signo)
{
  struct ln_signal *s = h->data;
  s->fn(s->ctx, signo);
}

static void freed(uv_handle_t *h)
{
  ln_free(h->data);
}

static void close_signal(struct ln_open *o)
{
  struct ln_signal *s = (struct ln_signal *)o;
  uv_close((uv_handle_t *)&s->handle, freed);
}

int ln_signal_open(struct ln_loop *loop, int signo, void (*fn)(void *ctx, int signo), void *ctx,
                   struct ln_signal **out)
{
  struct ln_signal *s = ln_calloc(1, sizeof *s);
  if (!s) return LN_E_NOMEM;
  int r = uv_signal_init(&loop->uv, &s->handle);
  if (r) {
    ln_free(s);
    return ln_uv_error(r);
  }
  uv_unref((uv_handle_t *)&s->handle);
  s->handle.data = s;
  s->fn = fn;
  s->ctx = ctx;
  r = uv_signal_start(&s->handle, on_signal, signo);
  if (r) {
    close_signal(&s->open);
    return ln_uv_error(r);
  }
  ln_open_add(loop, &s->open, close_signal);
  *out = s;
  return LN_OK;
}

void ln_signal_close(struct ln_signal *s)
{
  if (!s) return;
  ln_open_remove(&s->open);
  close_signal(&s->open);
}
