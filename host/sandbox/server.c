/* See server.h: life, listeners, auth keys, and the faults that specs ask for. */
#include "sandbox/internal.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <arpa/inet.h>

static void free_key(struct ln_sandbox_key *k)
{
  ln_map_deinit(&k->sessions);
  ln_cleanse(k, sizeof *k);
  ln_free(k);
}

int ln_sandbox_new(const struct ln_sandbox_config *config, struct ln_sandbox **out)
{
  struct ln_sandbox *s = ln_calloc(1, sizeof *s);
  if (!s) return LN_E_NOMEM;
  s->loop = config->loop;
  s->clock = config->clock ? config->clock : ln_loop_clock(config->loop);
  s->key = config->key;
  s->rng = config->rng;
  s->ops = config->ops;
  s->ctx = config->ctx;
  s->expiry.fn = ln_sandbox_expire;
  ln_map_init(&s->keys);
  int err = ln_rng_fill(&s->rng, s->salt_secret, sizeof s->salt_secret);
  if (!err) err = ln_sandbox_pool_new(&s->pool);
  if (err) {
    ln_free(s);
    return err;
  }
  *out = s;
  return LN_OK;
}

static void bury(struct ln_sandbox *s)
{
  while (s->dead_connections) {
    struct ln_sandbox_connection *c = s->dead_connections;
    s->dead_connections = c->next;
    ln_frame_free(c->frame);
    ln_free(c);
  }
  while (s->dead_sessions) {
    struct ln_sandbox_session *n = s->dead_sessions;
    s->dead_sessions = n->next;
    ln_server_session_free(n->wire);
    ln_free(n);
  }
}

static void destroy(struct ln_sandbox *s)
{
  size_t at = 0;
  uint64_t id;
  void *value;
  while (ln_map_next(&s->keys, &at, &id, &value)) free_key(value);
  ln_map_deinit(&s->keys);
  ln_sandbox_pool_release(s->pool);
  ln_cleanse(s, sizeof *s);
  ln_free(s);
}

void ln_sandbox_leave(struct ln_sandbox *s)
{
  if (--s->busy) return;
  bury(s);
  if (s->closed) destroy(s);
}

void ln_sandbox_free(struct ln_sandbox *s)
{
  if (!s || s->closed) return;
  ln_sandbox_enter(s);
  s->closed = true;
  while (s->listeners) {
    struct ln_sandbox_listener *l = s->listeners;
    s->listeners = l->next;
    ln_listener_close(l->listener);
    ln_free(l);
  }
  while (s->connections) ln_sandbox_disconnect(s->connections);
  while (s->down_first) ln_sandbox_drop_session(s->down_first, s->down_first->user != NULL);
  ln_timer_stop(&s->expiry);
  ln_sandbox_pool_wait(s->pool);
  s->key = NULL;
  ln_sandbox_leave(s);
}

/* --- where clients come from --- */

static void on_accept(void *ctx, struct ln_stream *stream)
{
  struct ln_sandbox_listener *l = ctx;
  ln_sandbox_connected(l->sandbox, stream, l->dc);
}

static bool is_loopback(const char *host)
{
  struct in_addr in;
  struct in6_addr in6;
  if (strcmp(host, "localhost") == 0) return true;
  if (inet_pton(AF_INET, host, &in) == 1) return ntohl(in.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

int ln_sandbox_listen(struct ln_sandbox *s, const char *host, int port, int dc, int *taken)
{
  if (s->closed) return LN_E_CLOSED;
  if (!is_loopback(host)) return LN_E_PERMISSION;
  struct ln_sandbox_listener *l = ln_calloc(1, sizeof *l);
  if (!l) return LN_E_NOMEM;
  l->sandbox = s;
  l->dc = dc;
  const char *why;
  int err = ln_tcp_listen(s->loop, host, port, on_accept, l, &l->listener, &why);
  if (err) {
    ln_log(LN_LOG_ERROR, "sandbox", "cannot listen on %s port %d: %s", host, port, why);
    ln_free(l);
    return err;
  }
  l->next = s->listeners;
  s->listeners = l;
  if (taken) *taken = ln_listener_port(l->listener);
  return LN_OK;
}

int ln_sandbox_dial(struct ln_sandbox *s, int dc, const struct ln_stream_ops *ops, void *ops_ctx,
                    struct ln_stream **out)
{
  struct ln_stream *server;
  if (s->closed) return LN_E_CONNECT;
  int err = ln_pipe_pair(s->loop, ops, ops_ctx, out, &server);
  if (err) return err;
  if (s->filter) ln_pipe_set_filter(server, s->clock, s->filter, s->filter_ctx);
  ln_sandbox_connected(s, server, dc);
  return LN_OK;
}

/* --- auth keys --- */

struct ln_sandbox_key *ln_sandbox_find_key(struct ln_sandbox *s, uint64_t id, int dc)
{
  struct ln_sandbox_key *k = ln_map_get(&s->keys, id);
  return k && k->dc == dc && k->expires > ln_clock_now(s->clock) ? k : NULL;
}

/* Room for one more: temporary keys whose time is over and that no session uses. */
static void forget_expired(struct ln_sandbox *s)
{
  int64_t now = ln_clock_now(s->clock);
  for (;;) {
    size_t at = 0;
    uint64_t id;
    void *value;
    struct ln_sandbox_key *old = NULL;
    while (!old && ln_map_next(&s->keys, &at, &id, &value)) {
      struct ln_sandbox_key *k = value;
      if (k->expires <= now && k->sessions.len == 0) old = k;
    }
    if (!old) return;
    ln_map_remove(&s->keys, old->key.id);
    free_key(old);
  }
}

int ln_sandbox_keep_key(struct ln_sandbox *s, const struct ln_auth_key *key, uint64_t salt, int dc,
                        int64_t expires)
{
  if (ln_map_get(&s->keys, key->id)) return LN_E_BUSY;
  if (s->keys.len >= LN_SANDBOX_MAX_KEYS) forget_expired(s);
  if (s->keys.len >= LN_SANDBOX_MAX_KEYS) return LN_E_FULL;
  struct ln_sandbox_key *k = ln_calloc(1, sizeof *k);
  if (!k) return LN_E_NOMEM;
  k->key = *key;
  k->salt = salt;
  k->dc = dc;
  k->expires = expires;
  ln_map_init(&k->sessions);
  int err = ln_map_set(&s->keys, key->id, k);
  if (err) free_key(k);
  return err;
}

int ln_sandbox_add_auth_key(struct ln_sandbox *s, const struct ln_auth_key *key, uint64_t salt, int dc)
{
  return s->closed ? LN_E_CLOSED : ln_sandbox_keep_key(s, key, salt, dc, LN_NEVER);
}

/* --- faults --- */

void ln_sandbox_cut(struct ln_sandbox *s)
{
  ln_sandbox_enter(s);
  while (s->connections) ln_sandbox_disconnect(s->connections);
  ln_sandbox_leave(s);
}

int ln_sandbox_new_salts(struct ln_sandbox *s)
{
  size_t at = 0;
  uint64_t id;
  void *value;
  int err = ln_rng_fill(&s->rng, s->salt_secret, sizeof s->salt_secret);
  while (!err && ln_map_next(&s->keys, &at, &id, &value)) {
    struct ln_sandbox_key *k = value;
    size_t n = 0;
    void *session;
    err = ln_rng_fill(&s->rng, &k->salt, sizeof k->salt); /* the one of the exchange, for sessions to come */
    while (ln_map_next(&k->sessions, &n, &id, &session))
      ln_server_session_new_salts(((struct ln_sandbox_session *)session)->wire, s->salt_secret);
  }
  return err;
}

void ln_sandbox_forget(struct ln_sandbox *s)
{
  size_t at = 0;
  uint64_t id;
  void *key;
  struct ln_sandbox_connection *next;
  ln_sandbox_enter(s);
  while (ln_map_next(&s->keys, &at, &id, &key)) {
    size_t n = 0;
    void *session;
    while (ln_map_next(&((struct ln_sandbox_key *)key)->sessions, &n, &id, &session))
      ln_server_session_forget(((struct ln_sandbox_session *)session)->wire);
  }
  for (struct ln_sandbox_connection *c = s->connections; c; c = next) {
    next = c->next;
    ln_sandbox_rearm(c);
  }
  ln_sandbox_leave(s);
}

void ln_sandbox_drop_temporary_keys(struct ln_sandbox *s)
{
  size_t at = 0;
  uint64_t id;
  void *value;
  while (ln_map_next(&s->keys, &at, &id, &value)) {
    struct ln_sandbox_key *k = value;
    if (k->expires != LN_NEVER) k->expires = ln_clock_now(s->clock);
  }
}

void ln_sandbox_set_filter(struct ln_sandbox *s, ln_pipe_filter filter, void *ctx)
{
  s->filter = filter;
  s->filter_ctx = ctx;
  for (struct ln_sandbox_connection *c = s->connections; c; c = c->next)
    ln_pipe_set_filter(c->stream, s->clock, filter, ctx);
}

void ln_sandbox_transport_error(struct ln_sandbox *s, int code)
{
  struct ln_sandbox_connection *next;
  ln_sandbox_enter(s);
  for (struct ln_sandbox_connection *c = s->connections; c; c = next) {
    next = c->next;
    /* A client that has not said a word has not said how it frames them either. */
    if (ln_frame_error(c->frame, ln_stream_out(c->stream), code) == LN_OK) ln_stream_send(c->stream);
  }
  ln_sandbox_leave(s);
}

bool ln_sandbox_idle(const struct ln_sandbox *s)
{
  for (const struct ln_sandbox_connection *c = s->connections; c; c = c->next)
    if (c->work || c->flush.queued || ln_stream_unsent(c->stream)) return false;
  return true;
}
