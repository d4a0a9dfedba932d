/* See poll.h. */
#include "loop/poll.h"
#include "loop/internal.h"
#include "base/alloc.h"

#include <fcntl.h>
#include <unistd.h>

struct ln_poll {
  struct ln_open open;
  uv_poll_t handle;
  struct ln_deferred always;                  /* of a regular file, or broken: one call a turn */
  struct ln_poll *next_changed, **changed_at; /* loop->polls: its events wait to be set */
  int own_fd; /* a duplicate, where another poll has the descriptor; else -1 */
  bool regular;
  bool broken; /* closed by its owner while watched: ready, until it is set anew */
  bool closed;
  bool calling;
  int events;
  void (*fn)(void *ctx, int events);
  void *ctx;
};

static void freed(uv_handle_t *h)
{
  struct ln_poll *p = h->data;
  if (p->own_fd >= 0) close(p->own_fd);
  ln_free(p);
}

static void unlink_changed(struct ln_poll *p)
{
  if (!p->changed_at) return;
  *p->changed_at = p->next_changed;
  if (p->next_changed) p->next_changed->changed_at = p->changed_at;
  p->changed_at = NULL;
}

static void close_poll(struct ln_open *o)
{
  struct ln_poll *p = (struct ln_poll *)o;
  p->closed = true;
  if (p->events) p->open.loop->n_polled--;
  p->events = 0;
  unlink_changed(p);
  ln_loop_undefer(p->open.loop, &p->always);
  if (!p->regular)
    uv_close((uv_handle_t *)&p->handle, freed);
  else if (!p->calling)
    ln_free(p);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
  struct ln_poll *p = h->data;
  int ready = 0;
  /* A broken descriptor counts as ready: its owner learns of it by reading or writing. */
  if (status < 0) {
    ready = p->events;
  } else {
    if (events & (UV_READABLE | UV_DISCONNECT)) ready |= LN_POLL_READABLE;
    if (events & UV_WRITABLE) ready |= LN_POLL_WRITABLE;
  }
  ready &= p->events;
  if (ready) p->fn(p->ctx, ready);
}

static void on_always(struct ln_deferred *d)
{
  struct ln_poll *p = (struct ln_poll *)((char *)d - offsetof(struct ln_poll, always));
  if (!p->events) return;
  p->calling = true;
  p->fn(p->ctx, p->events);
  p->calling = false;
  if (p->closed)
    ln_free(p);
  else if (p->events)
    ln_loop_defer_turn(p->open.loop, &p->always);
}

int ln_poll_open(struct ln_loop *loop, int fd, void (*fn)(void *ctx, int events), void *ctx,
                 struct ln_poll **out)
{
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return LN_E_INVAL;
  struct ln_poll *p = ln_calloc(1, sizeof *p);
  if (!p) return LN_E_NOMEM;
  p->fn = fn;
  p->ctx = ctx;
  p->always.fn = on_always;
  p->own_fd = -1;
  int r = uv_poll_init(&loop->uv, &p->handle, fd);
  if (r == UV_EEXIST && (p->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
    r = uv_poll_init(&loop->uv, &p->handle, p->own_fd); /* the kernel tells the two apart */
  /* libuv makes it non-blocking; a terminal shares that with the shell, and it is not ours to decide. */
  if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags);
  if (r == UV_EPERM) {
    p->regular = true; /* epoll takes no regular files */
  } else if (r) {
    if (p->own_fd >= 0) close(p->own_fd);
    ln_free(p);
    return ln_uv_error(r);
  } else {
    uv_unref((uv_handle_t *)&p->handle);
    p->handle.data = p;
  }
  ln_open_add(loop, &p->open, close_poll);
  *out = p;
  return LN_OK;
}

void ln_poll_set(struct ln_poll *p, int events)
{
  p->open.loop->n_polled += (events != 0) - (p->events != 0);
  p->events = events;
  if (p->regular) {
    if (events)
      ln_loop_defer(p->open.loop, &p->always);
    else
      ln_loop_undefer(p->open.loop, &p->always);
    return;
  }
  p->broken = false;
  if (p->changed_at) return;
  struct ln_loop *loop = p->open.loop;
  p->changed_at = &loop->polls;
  p->next_changed = loop->polls;
  if (loop->polls) loop->polls->changed_at = &p->next_changed;
  loop->polls = p;
}

/* A descriptor that somebody closed meanwhile would end the program inside libuv, so it is looked at here,
 * just before the poll; it counts as ready. */
void ln_poll_apply(struct ln_loop *loop)
{
  while (loop->polls) {
    struct ln_poll *p = loop->polls;
    uv_os_fd_t fd;
    int wanted =
        (p->events & LN_POLL_READABLE ? UV_READABLE : 0) | (p->events & LN_POLL_WRITABLE ? UV_WRITABLE : 0);
    unlink_changed(p);
    if (wanted && uv_fileno((uv_handle_t *)&p->handle, &fd) == 0 && fcntl(fd, F_GETFD) >= 0) {
      uv_poll_start(&p->handle, wanted, on_poll);
      continue;
    }
    uv_poll_stop(&p->handle);
    p->broken = wanted != 0;
    if (wanted) ln_loop_defer_turn(loop, &p->always);
  }
}

bool ln_poll_is_always(const struct ln_poll *p)
{
  return p->regular;
}

void ln_poll_close(struct ln_poll *p)
{
  if (!p) return;
  ln_open_remove(&p->open);
  close_poll(&p->open);
}
