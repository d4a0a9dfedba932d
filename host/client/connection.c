/* See connection.h: making and ending, requests, and what the session says. */
#include "client/internal.h"
#include "base/alloc.h"
#include "crypto/hash.h"

#define MAX_CALLS 8192
#define MAX_WAITING ((size_t)64 << 20) /* bytes of requests before there is a session */
#define MAX_REQUEST (LN_FRAME_MAX - 4096)
#define MAX_SPARE 256
#define DIAL_TIMEOUT_US (10 * LN_US_PER_S)

/* --- calls --- */

static void add_call(struct ln_connection *c, struct ln_call *call)
{
  call->prev = c->last;
  call->next = NULL;
  if (c->last)
    c->last->next = call;
  else
    c->first = call;
  c->last = call;
  c->n_calls++;
}

static void drop_body(struct ln_connection *c, struct ln_call *call)
{
  if (call->body) c->waiting_bytes -= call->len;
  ln_free(call->body);
  call->body = NULL;
}

/* Takes it out and frees it; gives its tag. */
static void *end_call(struct ln_connection *c, struct ln_call *call)
{
  void *tag = call->tag;
  if (call->prev)
    call->prev->next = call->next;
  else
    c->first = call->next;
  if (call->next)
    call->next->prev = call->prev;
  else
    c->last = call->prev;
  c->n_calls--;
  if (c->waiting_bytes)
    for (struct ln_call *o = call->next; o; o = o->next)
      if (o->after == call) o->after = NULL;
  drop_body(c, call);
  if (c->n_spare < MAX_SPARE) {
    call->next = c->spare;
    c->spare = call;
    c->n_spare++;
  } else {
    ln_free(call);
  }
  return tag;
}

static struct ln_call *new_call(struct ln_connection *c)
{
  struct ln_call *call = c->spare;
  if (call) {
    c->spare = call->next;
    c->n_spare--;
    memset(call, 0, sizeof *call);
    return call;
  }
  return ln_calloc(1, sizeof *call);
}

static void fail_call(struct ln_connection *c, struct ln_call *call, int err)
{
  bool silent = call->flags & LN_REQUEST_NO_RESPONSE;
  void *tag = end_call(c, call);
  if (!silent) c->ops->session.on_error(c->ctx, tag, err, 0, ln_slice_str(ln_err_text(err)));
}

/* --- what the session says; c->closed: it is being freed, and its owner has heard all he will hear --- */

static void on_result(void *ctx, void *tag, struct ln_slice result)
{
  struct ln_connection *c = ctx;
  if (c->closed) return;
  struct ln_call *call = tag;
  bool silent = call->flags & LN_REQUEST_NO_RESPONSE;
  tag = end_call(c, call);
  if (!silent) c->ops->session.on_result(c->ctx, tag, result);
}

static void on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  struct ln_connection *c = ctx;
  if (c->closed) return;
  struct ln_call *call = tag;
  bool silent = call->flags & LN_REQUEST_NO_RESPONSE;
  tag = end_call(c, call);
  if (!silent) c->ops->session.on_error(c->ctx, tag, err, code, text);
}

static void on_update(void *ctx, struct ln_slice update, uint64_t msg_id)
{
  struct ln_connection *c = ctx;
  if (!c->closed) c->ops->session.on_update(c->ctx, update, msg_id);
}

static void on_new_session(void *ctx)
{
  struct ln_connection *c = ctx;
  if (!c->closed) c->ops->session.on_new_session(c->ctx);
}

static void on_state(void *ctx)
{
  struct ln_connection *c = ctx;
  if (!c->closed) ln_connection_save(c, false);
}

static const struct ln_session_ops session_ops = {on_result,      on_error, on_update,
                                                  on_new_session, on_state, ln_pfs_on_bound};

/* --- the session --- */

/* A session counts from the clock's now, the owner from the wall clock. */
static int64_t wall_minus_now(const struct ln_connection *c)
{
  return ln_clock_wall(c->clock) - ln_clock_now(c->clock);
}

void ln_connection_save(struct ln_connection *c, bool fresh_key)
{
  struct ln_salt salts[64];
  if (!c->ops->on_save) return;
  if (c->temp.lifetime_s) { /* P4: of a temporary key nothing is kept, and its salts are its own */
    salts[0] = (struct ln_salt){.salt = c->salt};
    int64_t offset = c->session ? ln_session_offset_us(c->session) - wall_minus_now(c) : c->offset_us;
    c->ops->on_save(c->ctx, &c->key, c->salt, salts, 1, offset, fresh_key);
    return;
  }
  if (!c->session) return; /* not yet made: it is still being filled */
  size_t n = ln_session_salts(c->session, salts, 64);
  c->salt = n ? salts[0].salt : c->salt;
  int64_t offset_us = ln_session_offset_us(c->session) - wall_minus_now(c);
  c->ops->on_save(c->ctx, &c->key, c->salt, salts, n, offset_us, fresh_key);
}

int ln_connection_make_session(struct ln_connection *c, uint64_t salt, int64_t server_offset_us,
                               bool synchronised)
{
  bool temporary = c->temp.lifetime_s != 0;
  struct ln_session_config config = {
      .key = temporary ? &c->temp.now.key : &c->key,
      .bind_to = temporary ? &c->key : NULL,
      .expires = c->temp.now.expires,
      .salt = salt,
      .salts = c->salts,
      .n_salts = temporary ? 0 : c->n_salts,
      .server_offset_us = server_offset_us,
      .synchronised = synchronised,
      .rng = c->rng,
      .ops = &session_ops,
      .ctx = c,
      .prefix = ln_buf_slice(&c->prefix),
      .ping_every_us = c->ping_every_us,
  };
  int err = ln_session_new(&config, ln_clock_now(c->clock), &c->session);
  if (err) return err;
  ln_buf_deinit(&c->prefix);
  ln_connection_give_waiting(c);
  return LN_OK;
}

void ln_connection_give_waiting(struct ln_connection *c)
{
  struct ln_call *call = c->first;
  c->holding = false;
  while (call && !c->closed) {
    if (call->inner) {
      call = call->next;
      continue;
    }
    int err = ln_session_request(c->session, ln_slice(call->body, call->len), call,
                                 call->after ? call->after->inner : NULL,
                                 call->flags & ~(unsigned)LN_REQUEST_NO_RESPONSE, &call->inner);
    if (err) {
      fail_call(c, call, err);
      call = c->first; /* its owner may have changed anything */
    } else {
      drop_body(c, call);
    }
  }
}

/* --- life --- */

static void on_start(struct ln_deferred *d)
{
  struct ln_connection *c = (struct ln_connection *)((char *)d - offsetof(struct ln_connection, start));
  ln_connection_enter(c);
  ln_link_dial(c);
  ln_connection_leave(c);
}

static void on_flush(struct ln_deferred *d)
{
  struct ln_connection *c = (struct ln_connection *)((char *)d - offsetof(struct ln_connection, flush));
  ln_connection_enter(c);
  ln_link_flush(c);
  ln_connection_leave(c);
}

static void destroy(struct ln_connection *c)
{
  ln_session_free(c->session);
  ln_temp_keys_deinit(&c->temp);
  while (c->spare) {
    struct ln_call *call = c->spare;
    c->spare = call->next;
    ln_free(call);
  }
  for (size_t i = 0; i < c->n_addresses; i++) ln_free((void *)(uintptr_t)c->addresses[i].host);
  ln_free(c->addresses);
  ln_free(c->keys);
  if (c->salts) ln_cleanse(c->salts, c->n_salts * sizeof *c->salts);
  ln_free(c->salts);
  ln_buf_deinit_secret(&c->prefix);
  ln_cleanse(c, sizeof *c);
  ln_free(c);
}

void ln_connection_leave(struct ln_connection *c)
{
  if (--c->busy == 0 && c->closed) destroy(c);
}

static int copy_config(struct ln_connection *c, const struct ln_connection_config *config)
{
  c->addresses = ln_calloc(config->n_addresses, sizeof *c->addresses);
  c->keys = ln_calloc(config->n_keys + 1, sizeof *c->keys);
  c->salts = ln_calloc(config->n_salts, sizeof *c->salts);
  if (!c->addresses || !c->keys || !c->salts) return LN_E_NOMEM;
  for (size_t i = 0; i < config->n_addresses; i++) {
    c->addresses[i].host = ln_strdup(config->addresses[i].host);
    c->addresses[i].port = config->addresses[i].port;
    if (!c->addresses[i].host) return LN_E_NOMEM;
    c->n_addresses++;
  }
  for (size_t i = 0; i < config->n_keys; i++) c->keys[i] = config->keys[i];
  for (size_t i = 0; i < config->n_salts; i++) c->salts[i] = config->salts[i];
  c->n_keys = config->n_keys;
  c->n_salts = config->n_salts;
  if (config->key) {
    c->key = *config->key;
    c->has_key = true;
    ln_temp_keys_permanent(&c->temp, ln_clock_now(c->clock));
  }
  if (config->dialer) c->dialer = *config->dialer;
  return ln_buf_append(&c->prefix, config->prefix.p, config->prefix.n);
}

int ln_connection_new(const struct ln_connection_config *config, struct ln_connection **out)
{
  if (!config->dialer && !config->n_addresses) return LN_E_INVAL;
  struct ln_connection *c = ln_calloc(1, sizeof *c);
  if (!c) return LN_E_NOMEM;
  c->loop = config->loop;
  c->clock = config->clock ? config->clock : ln_loop_clock(config->loop);
  c->ops = config->ops;
  c->ctx = config->ctx;
  c->rng = config->rng;
  c->jitter = config->jitter ? *config->jitter : config->rng;
  c->dc = config->dc;
  c->frame_config = config->frame;
  c->loopback_key = config->loopback_key;
  c->dial_timeout_us = config->dial_timeout_us > 0 ? config->dial_timeout_us : DIAL_TIMEOUT_US;
  c->ping_every_us = config->ping_every_us;
  c->salt = config->salt;
  c->offset_us = config->offset_us;
  c->synchronised = config->synchronised;
  c->temp.lifetime_s = config->temp_key_s;
  c->turn_due = c->hold_due = LN_NEVER;
  c->timer.fn = ln_link_timer;
  c->keys_timer.fn = ln_pfs_timer;
  c->start.fn = on_start;
  c->flush.fn = on_flush;
  ln_buf_init(&c->prefix, 65536);
  int err = copy_config(c, config);
  if (err) {
    destroy(c);
    return err;
  }
  ln_loop_defer(c->loop, &c->start);
  *out = c;
  return LN_OK;
}

void ln_connection_close(struct ln_connection *c)
{
  if (!c || c->closed) return;
  ln_connection_enter(c);
  c->closed = true;
  c->state = LN_CONN_DOWN;
  ln_loop_undefer(c->loop, &c->start);
  ln_loop_undefer(c->loop, &c->flush);
  ln_timer_stop(&c->timer);
  ln_timer_stop(&c->keys_timer);
  ln_link_close(c);
  while (c->first) fail_call(c, c->first, LN_E_CLOSED);
  ln_connection_leave(c); /* inside of one of its callbacks: freed when that returns */
}

enum ln_connection_state ln_connection_get_state(const struct ln_connection *c)
{
  return c->state;
}

/* --- requests --- */

static int keep_waiting(struct ln_connection *c, struct ln_call *call, struct ln_slice body,
                        struct ln_call *after)
{
  if (body.n < 4 || body.n % 4) return LN_E_INVAL;
  if (body.n > MAX_REQUEST) return LN_E_TOOBIG;
  if (c->waiting_bytes + body.n > MAX_WAITING) return LN_E_FULL;
  call->body = ln_malloc(body.n);
  if (!call->body) return LN_E_NOMEM;
  memcpy(call->body, body.p, body.n);
  call->len = body.n;
  call->after = after;
  c->waiting_bytes += body.n;
  return LN_OK;
}

int ln_connection_request(struct ln_connection *c, struct ln_slice body, void *tag,
                          const struct ln_request *after, unsigned flags, struct ln_request **out)
{
  if (c->closed) return LN_E_CLOSED;
  if (c->n_calls >= MAX_CALLS) return LN_E_FULL;
  struct ln_call *before = (struct ln_call *)(uintptr_t)after, *call = new_call(c);
  if (!call) return LN_E_NOMEM;
  call->tag = tag;
  call->flags = flags;
  int err;
  if (c->session && !c->holding)
    err = ln_session_request(c->session, body, call, before ? before->inner : NULL,
                             flags & ~(unsigned)LN_REQUEST_NO_RESPONSE, &call->inner);
  else
    err = keep_waiting(c, call, body, before);
  if (err) {
    ln_free(call);
    return err;
  }
  add_call(c, call);
  if (out) *out = (struct ln_request *)(void *)call;
  ln_loop_defer(c->loop, &c->flush);
  return LN_OK;
}

void ln_connection_cancel(struct ln_connection *c, struct ln_request *r)
{
  struct ln_call *call = (struct ln_call *)(void *)r;
  if (!call) return;
  if (call->inner && !c->closed) {
    ln_session_cancel(c->session, call->inner);
    ln_loop_defer(c->loop, &c->flush);
  }
  end_call(c, call);
}

void ln_connection_ack(struct ln_connection *c, uint64_t msg_id)
{
  if (c->closed || !c->session) return;
  ln_session_ack(c->session, msg_id);
  ln_loop_defer(c->loop, &c->flush);
}

size_t ln_connection_in_flight(const struct ln_connection *c)
{
  return c->n_calls;
}

int64_t ln_connection_temp_key_left(const struct ln_connection *c)
{
  int64_t left = c->temp.now.expires - ln_clock_now(c->clock);
  return c->temp.now.expires && left > 0 ? left / LN_US_PER_S : 0;
}

int64_t ln_connection_server_time(const struct ln_connection *c)
{
  int64_t us = c->session ? ln_clock_now(c->clock) + ln_session_offset_us(c->session)
                          : ln_clock_wall(c->clock) + c->offset_us;
  return us / LN_US_PER_S;
}

void ln_connection_retry_now(struct ln_connection *c)
{
  if (c->closed || c->fatal || c->state != LN_CONN_DOWN || c->start.queued) return;
  ln_loop_defer(c->loop, &c->start);
}
