/* Inside sandbox/: server.c (life, listeners, keys, faults), connection.c (a socket and its frames),
 * exchange_run.c (key exchanges on it), sessions.c (sessions and what is done with them). Nobody else
 * includes it.
 *
 * Lifetimes: whatever may call the owner runs between ln_sandbox_enter and ln_sandbox_leave. What ends
 * meanwhile (connections, sessions, the sandbox) is marked dead and freed by the outermost leave, so that a
 * pointer stays good for the rest of the call that holds it. */
#ifndef LN_SANDBOX_INTERNAL_H
#define LN_SANDBOX_INTERNAL_H

#include <pthread.h>

#include "base/clock.h"
#include "base/map.h"
#include "mtproto/exchange.h"
#include "sandbox/server.h"

#define LN_SANDBOX_MAX_CONNECTIONS 8192
#define LN_SANDBOX_MAX_KEYS 65536
#define LN_SANDBOX_MAX_DOWN 1024 /* sessions without a connection; each may take 80 KiB */
#define LN_SANDBOX_DOWN_US (3600 * LN_US_PER_S)
#define LN_SANDBOX_LONE_US (120 * LN_US_PER_S) /* a connection without a session is closed after this */

struct ln_sandbox_key {
  struct ln_auth_key key;
  uint64_t salt;
  int dc;
  int64_t expires;        /* of a temporary one, the clock's now; else LN_NEVER */
  struct ln_map sessions; /* by session id */
};

struct ln_sandbox_work; /* a job at the worker; exchange_run.c */

struct ln_sandbox_connection {
  struct ln_sandbox *sandbox;
  struct ln_sandbox_connection *prev, *next;
  int dc;
  struct ln_stream *stream; /* NULL: dead */
  struct ln_frame *frame;
  struct ln_exchange *exchange;
  struct ln_sandbox_work *work;
  uint64_t made; /* id of the key that this exchange made; 0: none yet */
  struct ln_sandbox_session *session;
  struct ln_deferred flush;
  struct ln_timer timer; /* exchange, session, or how long it may stay without one */
  int64_t lone_until;
  bool throttled; /* its peer does not read: neither do we */
  bool end_wanted;
};

struct ln_sandbox_session {
  struct ln_sandbox *sandbox;
  struct ln_sandbox_session *prev, *next; /* among those that are down, the oldest first; or the dead */
  struct ln_sandbox_key *key;
  struct ln_server_session *wire;           /* NULL: dead */
  struct ln_sandbox_connection *connection; /* NULL: down */
  uint64_t auth_key_id, id;
  int dc;
  int64_t expires; /* of one that is down */
  void *user;
};

struct ln_sandbox_listener {
  struct ln_sandbox_listener *next;
  struct ln_sandbox *sandbox;
  struct ln_listener *listener;
  int dc;
};

struct ln_sandbox {
  struct ln_loop *loop;
  struct ln_clock *clock;
  const struct ln_rsa *key;
  struct ln_rng rng;
  const struct ln_sandbox_ops *ops;
  void *ctx;
  uint8_t salt_secret[32];
  struct ln_sandbox_listener *listeners;
  struct ln_sandbox_connection *connections;
  size_t n_connections;
  struct ln_map keys; /* id → ln_sandbox_key */
  struct ln_sandbox_session *down_first, *down_last;
  size_t n_down;
  struct ln_timer expiry; /* of the session that is down for longest */
  ln_pipe_filter filter;
  void *filter_ctx;
  struct ln_sandbox_connection *dead_connections;
  struct ln_sandbox_session *dead_sessions;
  int busy;
  bool closed;
  /* Jobs that read `key` on a pool thread: free waits for them, since the key goes with its owner. */
  struct ln_sandbox_pool *pool;
};

static inline void ln_sandbox_enter(struct ln_sandbox *s)
{
  s->busy++;
}
void ln_sandbox_leave(struct ln_sandbox *s); /* s may be gone after it */

/* server.c. NULL: unknown there, or expired. */
struct ln_sandbox_key *ln_sandbox_find_key(struct ln_sandbox *s, uint64_t id, int dc);
int ln_sandbox_keep_key(struct ln_sandbox *s, const struct ln_auth_key *key, uint64_t salt, int dc,
                        int64_t expires);

/* connection.c */
/* Takes the stream. */
void ln_sandbox_connected(struct ln_sandbox *s, struct ln_stream *stream, int dc);
/* Closes it; its session is down then. */
void ln_sandbox_disconnect(struct ln_sandbox_connection *c);
void ln_sandbox_write(struct ln_sandbox_connection *c); /* what its session has to say, now */
void ln_sandbox_rearm(struct ln_sandbox_connection *c);
void ln_sandbox_set_reading(struct ln_sandbox_connection *c); /* by work and throttle */

/* sessions.c */
struct ln_sandbox_session *ln_sandbox_find_session(struct ln_sandbox *s, struct ln_sandbox_key *key,
                                                   uint64_t id, int dc); /* makes it; NULL: no memory */
/* An old connection of the session is closed. */
void ln_sandbox_attach(struct ln_sandbox_session *s, struct ln_sandbox_connection *c);
void ln_sandbox_detach(struct ln_sandbox_connection *c);
void ln_sandbox_drop_session(struct ln_sandbox_session *s, bool tell);
void ln_sandbox_expire(struct ln_timer *t);

/* exchange_run.c */
int ln_sandbox_pool_new(struct ln_sandbox_pool **out);
void ln_sandbox_pool_wait(struct ln_sandbox_pool *p);
void ln_sandbox_pool_release(struct ln_sandbox_pool *p);
/* A plaintext payload, or time for the exchange. False: the connection is closed. */
bool ln_sandbox_exchange(struct ln_sandbox_connection *c, struct ln_slice payload);
bool ln_sandbox_exchange_time(struct ln_sandbox_connection *c);
void ln_sandbox_exchange_end(struct ln_sandbox_connection *c);

#endif
