/* Listeners of stream.h, for TCP and (ln_listener_start) for what unix.c has bound. */
#include "loop/tcp.h"
#include "base/alloc.h"
#include "base/log.h"

#define BACKLOG 511

static void freed(uv_handle_t *h)
{
  ln_free(h->data);
}

static void close_listener(struct ln_open *o)
{
  struct ln_listener *l = (struct ln_listener *)o;
  if (l->on_closing) l->on_closing(l);
  uv_close((uv_handle_t *)&l->tcp, freed);
}

static void accept_one(struct ln_listener *l)
{
  struct ln_tcp *t;
  struct ln_stream *s;
  uv_os_fd_t fd;
  if (l->is_local ? ln_tcp_new_local(l->open.loop, &t) : ln_tcp_new(l->open.loop, &t)) return;
  if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&t->handle) ||
      uv_fileno((uv_handle_t *)&t->handle, &fd) || (l->admits && !l->admits(l, fd)) ||
      ln_stream_new(l->open.loop, &ln_tcp_kind, NULL, NULL, &s)) {
    ln_tcp_close(t);
    return;
  }
  if (l->is_local)
    ln_tcp_attach_local(t, s);
  else
    ln_tcp_attach(t, s);
  s->connected = true;
  ln_stream_enter(s); /* so that it is still there when we look */
  l->on_accept(l->ctx, s);
  bool taken = s->ops != NULL;
  if (ln_stream_leave(s) && !taken) ln_stream_close(s);
}

static void on_connection(uv_stream_t *h, int status)
{
  struct ln_listener *l = h->data;
  if (status)
    ln_log(LN_LOG_WARNING, "loop", "accept: %s", uv_strerror(status));
  else if (l->paused)
    l->waiting = true; /* libuv asks for no more until this one is accepted */
  else
    accept_one(l);
}

int ln_listener_start(struct ln_listener *l, struct ln_loop *loop, int backlog,
                      void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx)
{
  uv_unref((uv_handle_t *)&l->tcp);
  l->tcp.data = l;
  l->on_accept = on_accept;
  l->ctx = ctx;
  int r = uv_listen((uv_stream_t *)&l->tcp, backlog, on_connection);
  if (!r) ln_open_add(loop, &l->open, close_listener);
  return r;
}

static int resolve(const char *host, int port, struct sockaddr_storage *out)
{
  if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
  if (uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0) return 0;
  return uv_ip6_addr(host, port, (struct sockaddr_in6 *)out);
}

static int refused(int r)
{
  switch (r) {
  case UV_EADDRINUSE: return LN_E_BUSY;
  case UV_EADDRNOTAVAIL: return LN_E_NOT_FOUND;
  default: return ln_uv_error(r);
  }
}

int ln_tcp_listen(struct ln_loop *loop, const char *host, int port,
                  void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx, struct ln_listener **out,
                  const char **why)
{
  struct sockaddr_storage addr;
  int len = sizeof addr;
  struct ln_listener *l = ln_calloc(1, sizeof *l);
  int r = l ? uv_tcp_init(&loop->uv, &l->tcp) : UV_ENOMEM;
  if (r) {
    *why = uv_strerror(r); /* which leaks for what is no error */
    ln_free(l);
    return ln_uv_error(r);
  }
  l->tcp.data = l;
  r = port < 0 || port > 65535 ? UV_EINVAL : resolve(host, port, &addr);
  if (!r) r = uv_tcp_bind(&l->tcp, (const struct sockaddr *)&addr, 0);
  if (!r) r = ln_listener_start(l, loop, BACKLOG, on_accept, ctx);
  if (!r) r = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&addr, &len);
  if (r) {
    *why = uv_strerror(r);
    if (l->open.close)
      ln_listener_close(l);
    else
      uv_close((uv_handle_t *)&l->tcp, freed);
    return refused(r);
  }
  l->port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                             : ((struct sockaddr_in *)&addr)->sin_port);
  *out = l;
  return LN_OK;
}

int ln_listener_port(const struct ln_listener *l)
{
  return l->port;
}

void ln_listener_pause(struct ln_listener *l, bool paused)
{
  l->paused = paused;
  if (paused || !l->waiting) return;
  l->waiting = false;
  accept_one(l);
}

int ln_listener_fd(const struct ln_listener *l)
{
  uv_os_fd_t fd;
  return uv_fileno((const uv_handle_t *)&l->tcp, &fd) == 0 ? fd : -1;
}

size_t ln_listener_address(const struct ln_listener *l, char *out, size_t size)
{
  return ln_fd_address(ln_listener_fd(l), false, out, size);
}

void ln_listener_close(struct ln_listener *l)
{
  if (!l) return;
  ln_open_remove(&l->open);
  close_listener(&l->open);
}
