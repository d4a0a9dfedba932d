/* The sandbox's sessions: found or made by the first message that names them, carried by one connection after
 * the other, forgotten an hour after the last. */
#include "sandbox/internal.h"
#include "base/alloc.h"

/* --- what the session's wire says --- */

static void on_request(void *ctx, uint64_t req_msg_id, struct ln_slice body)
{
  struct ln_sandbox_session *n = ctx;
  struct ln_sandbox *s = n->sandbox;
  if (!s->closed) s->ops->on_request(s->ctx, n, req_msg_id, body);
}

static bool on_drop(void *ctx, uint64_t req_msg_id)
{
  struct ln_sandbox_session *n = ctx;
  struct ln_sandbox *s = n->sandbox;
  return !s->closed && s->ops->on_drop && s->ops->on_drop(s->ctx, n, req_msg_id);
}

static void on_ack(void *ctx, uint64_t msg_id)
{
  struct ln_sandbox_session *n = ctx;
  struct ln_sandbox *s = n->sandbox;
  if (!s->closed && s->ops->on_ack) s->ops->on_ack(s->ctx, n, msg_id);
}

static void on_close(void *ctx)
{
  struct ln_sandbox_session *n = ctx;
  if (n->connection) n->connection->end_wanted = true; /* its caller is inside of the wire: later */
}

static const struct ln_server_session_ops wire_ops = {on_request, on_drop, on_ack, on_close};

/* --- up and down --- */

static void leave_down(struct ln_sandbox_session *n)
{
  struct ln_sandbox *s = n->sandbox;
  if (n->prev)
    n->prev->next = n->next;
  else
    s->down_first = n->next;
  if (n->next)
    n->next->prev = n->prev;
  else
    s->down_last = n->prev;
  n->prev = n->next = NULL;
  s->n_down--;
}

static void enter_down(struct ln_sandbox_session *n)
{
  struct ln_sandbox *s = n->sandbox;
  n->expires = ln_clock_now(s->clock) + LN_SANDBOX_DOWN_US;
  n->prev = s->down_last;
  n->next = NULL;
  if (n->prev)
    n->prev->next = n;
  else
    s->down_first = n;
  s->down_last = n;
  s->n_down++;
  /* Without memory for the timer it goes with the next one that starts it. */
  if (!ln_timer_running(&s->expiry)) (void)ln_timer_start(s->clock, &s->expiry, s->down_first->expires);
}

void ln_sandbox_expire(struct ln_timer *t)
{
  struct ln_sandbox *s = (struct ln_sandbox *)((char *)t - offsetof(struct ln_sandbox, expiry));
  int64_t now = ln_clock_now(s->clock);
  ln_sandbox_enter(s);
  while (!s->closed && s->down_first && s->down_first->expires <= now)
    ln_sandbox_drop_session(s->down_first, true);
  if (!s->closed && s->down_first) (void)ln_timer_start(s->clock, &s->expiry, s->down_first->expires);
  ln_sandbox_leave(s);
}

/* Only of one that is down. */
void ln_sandbox_drop_session(struct ln_sandbox_session *n, bool tell)
{
  struct ln_sandbox *s = n->sandbox;
  leave_down(n);
  ln_map_remove(&n->key->sessions, n->id);
  n->key = NULL;
  n->next = s->dead_sessions;
  s->dead_sessions = n;
  if (tell && s->ops->on_session_gone) s->ops->on_session_gone(s->ctx, n);
}

struct ln_sandbox_session *ln_sandbox_find_session(struct ln_sandbox *s, struct ln_sandbox_key *key,
                                                   uint64_t id, int dc)
{
  struct ln_sandbox_session *n = ln_map_get(&key->sessions, id);
  if (n) return n;
  n = ln_calloc(1, sizeof *n);
  if (!n) return NULL;
  n->sandbox = s;
  n->key = key;
  n->auth_key_id = key->key.id;
  n->id = id;
  n->dc = dc;
  struct ln_server_session_config config = {
      .key = &key->key,
      .session_id = id,
      .rng = s->rng,
      .ops = &wire_ops,
      .ctx = n,
      .first_salt = key->salt,
  };
  memcpy(config.salt_secret, s->salt_secret, sizeof config.salt_secret);
  if (ln_server_session_new(&config, ln_clock_wall(s->clock), &n->wire)) {
    ln_free(n);
    return NULL;
  }
  if (ln_map_set(&key->sessions, id, n)) {
    ln_server_session_free(n->wire);
    ln_free(n);
    return NULL;
  }
  ln_server_session_disconnected(n->wire);
  enter_down(n);
  while (s->n_down > LN_SANDBOX_MAX_DOWN) ln_sandbox_drop_session(s->down_first, true);
  return n;
}

void ln_sandbox_attach(struct ln_sandbox_session *n, struct ln_sandbox_connection *c)
{
  struct ln_sandbox *s = n->sandbox;
  if (c->session) { /* the client has begun another session on the same connection */
    ln_sandbox_write(c);
    ln_sandbox_detach(c);
  }
  if (n->connection) ln_sandbox_disconnect(n->connection);
  if (!c->stream || n->connection || !n->key) return; /* its owner has used the moment */
  leave_down(n);
  n->connection = c;
  c->session = n;
  ln_server_session_connected(n->wire);
  if (!s->closed && s->ops->on_session_up) s->ops->on_session_up(s->ctx, n);
}

void ln_sandbox_detach(struct ln_sandbox_connection *c)
{
  struct ln_sandbox_session *n = c->session;
  struct ln_sandbox *s = c->sandbox;
  if (!n) return;
  c->session = NULL;
  n->connection = NULL;
  ln_server_session_disconnected(n->wire);
  enter_down(n);
  if (!s->closed && s->ops->on_session_down) s->ops->on_session_down(s->ctx, n);
  if (s->closed) return;
  while (s->n_down > LN_SANDBOX_MAX_DOWN) ln_sandbox_drop_session(s->down_first, true);
}

/* --- what is asked of it --- */

/* n->key is NULL once it is gone: its owner may not have looked yet. */
static int said(struct ln_sandbox_session *n, int err)
{
  if (!err && n->connection) ln_loop_defer(n->sandbox->loop, &n->connection->flush);
  return err;
}

int ln_sandbox_result(struct ln_sandbox_session *n, uint64_t req_msg_id, struct ln_slice result)
{
  return said(n, ln_server_session_result(n->wire, req_msg_id, result));
}

int ln_sandbox_error(struct ln_sandbox_session *n, uint64_t req_msg_id, int code, const char *text)
{
  return said(n, ln_server_session_error(n->wire, req_msg_id, code, text));
}

int ln_sandbox_push(struct ln_sandbox_session *n, struct ln_slice updates, uint64_t *msg_id)
{
  return said(n, ln_server_session_push(n->wire, updates, ln_clock_wall(n->sandbox->clock), msg_id));
}

void ln_sandbox_take_over(struct ln_sandbox_session *n, struct ln_sandbox_session *from)
{
  ln_server_session_take_over(n->wire, from->wire);
  (void)said(n, LN_OK);
}

uint64_t ln_sandbox_session_auth_key_id(const struct ln_sandbox_session *n)
{
  return n->auth_key_id;
}

uint64_t ln_sandbox_session_id(const struct ln_sandbox_session *n)
{
  return n->id;
}

int ln_sandbox_session_dc(const struct ln_sandbox_session *n)
{
  return n->dc;
}

bool ln_sandbox_session_is_up(const struct ln_sandbox_session *n)
{
  return n->connection != NULL;
}

void *ln_sandbox_session_get_user(const struct ln_sandbox_session *n)
{
  return n->user;
}

void ln_sandbox_session_set_user(struct ln_sandbox_session *n, void *user)
{
  n->user = user;
}
