/* Listeners of stream.h. */
#include "loop/tcp.h"
#include "base/alloc.h"
#include "base/log.h"

#define BACKLOG 511

struct ln_listener {
  struct ln_open open;
  uv_tcp_t handle;
  int port;
  void (*on_accept)(void *ctx, struct ln_stream *s);
  void *ctx;
};

static void freed(uv_handle_t *h)
{
  ln_free(h->data);
}

static void close_listener(struct ln_open *o)
{
  struct ln_listener *l = (struct ln_listener *)o;
  uv_close((uv_handle_t *)&l->handle, freed);
}

static void on_connection(uv_stream_t *h, int status)
{
  struct ln_listener *l = h->data;
  struct ln_tcp *t;
  struct ln_stream *s;
  if (status) {
    ln_log(LN_LOG_WARNING, "loop", "accept: %s", uv_strerror(status));
    return;
  }
  if (ln_tcp_new(l->open.loop, &t)) return;
  if (uv_accept(h, (uv_stream_t *)&t->handle) || ln_stream_new(l->open.loop, &ln_tcp_kind, NULL, NULL, &s)) {
    ln_tcp_close(t);
    return;
  }
  ln_tcp_attach(t, s);
  s->connected = true;
  ln_stream_enter(s); /* so that it is still there when we look */
  l->on_accept(l->ctx, s);
  bool taken = s->ops != NULL;
  if (ln_stream_leave(s) && !taken) ln_stream_close(s);
}

static int resolve(const char *host, int port, struct sockaddr_storage *out)
{
  if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
  if (uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0) return 0;
  return uv_ip6_addr(host, port, (struct sockaddr_in6 *)out);
}

int ln_tcp_listen(struct ln_loop *loop, const char *host, int port,
                  void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx, struct ln_listener **out)
{
  struct sockaddr_storage addr;
  int len = sizeof addr;
  struct ln_listener *l = ln_calloc(1, sizeof *l);
  if (!l) return LN_E_NOMEM;
  int r = uv_tcp_init(&loop->uv, &l->handle);
  if (r) {
    ln_free(l);
    return ln_uv_error(r);
  }
  uv_unref((uv_handle_t *)&l->handle);
  l->handle.data = l;
  l->on_accept = on_accept;
  l->ctx = ctx;
  r = port < 0 || port > 65535 ? UV_EINVAL : resolve(host, port, &addr);
  if (!r) r = uv_tcp_bind(&l->handle, (const struct sockaddr *)&addr, 0);
  if (!r) r = uv_listen((uv_stream_t *)&l->handle, BACKLOG, on_connection);
  if (!r) r = uv_tcp_getsockname(&l->handle, (struct sockaddr *)&addr, &len);
  if (r) {
    ln_log(LN_LOG_ERROR, "loop", "cannot listen on %s port %d: %s", host, port, uv_strerror(r));
    close_listener(&l->open);
    return LN_E_IO;
  }
  l->port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                             : ((struct sockaddr_in *)&addr)->sin_port);
  ln_open_add(loop, &l->open, close_listener);
  *out = l;
  return LN_OK;
}

int ln_listener_port(const struct ln_listener *l)
{
  return l->port;
}

void ln_listener_close(struct ln_listener *l)
{
  if (!l) return;
  ln_open_remove(&l->open);
  close_listener(&l->open);
}
