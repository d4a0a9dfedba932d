/* One connection of a client to one DC, kept up: dial, key exchange where there is no key, temporary keys
 * where they are asked for, session, flush once a turn, reconnect with back-off (1, 2, 4 … 60 s with jitter),
 * half-open detection. Policy (which DC, login, flood waits, updates) is its owner's: bind/client.c and Lua.
 */
#ifndef LN_CLIENT_CONNECTION_H
#define LN_CLIENT_CONNECTION_H

#include "crypto/rsa.h"
#include "loop/stream.h"
#include "mtproto/session.h"

struct ln_connection;

struct ln_address {
  const char *host;
  int port;
};

/* Anything that can open a stream: TCP is the default, a world gives one that opens in-memory pipes. */
struct ln_dialer {
  int (*dial)(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out);
  void *ctx;
};

/* EXCHANGE: of any key, until a temporary one is bound. */
enum ln_connection_state { LN_CONN_DOWN, LN_CONN_DIALLING, LN_CONN_EXCHANGE, LN_CONN_UP };

struct ln_connection_ops {
  struct ln_session_ops session; /* ctx is the one below; on_state is handled here and ends in on_save */
  /* err/why: why it went down (LN_OK otherwise). retry_us: when the next try comes, -1: no more (on_fatal
   * says why). */
  void (*on_status)(void *ctx, enum ln_connection_state state, int err, const char *why, int64_t retry_us);
  /* A fresh permanent auth key, or salts/offset that changed: save. */
  void (*on_save)(void *ctx, const struct ln_auth_key *key, uint64_t salt, const struct ln_salt *salts,
                  size_t n_salts, int64_t offset_us, bool fresh_key);
  /* It will not try again: LN_E_NO_KEY, LN_E_HALT, … */
  void (*on_fatal)(void *ctx, int err, const char *why);
};

struct ln_connection_config {
  struct ln_loop *loop;
  struct ln_clock *clock;
  int dc;
  const struct ln_address *addresses; /* tried in turn; copied */
  size_t n_addresses;
  const struct ln_dialer *dialer; /* NULL: TCP to the addresses */
  struct ln_frame_config frame;
  const struct ln_rsa *const *keys; /* borrowed; must outlive the connection */
  size_t n_keys;
  const struct ln_rsa
      *loopback_key; /* the sandbox's own: accepted where the peer is on loopback alone; may be NULL */
  const struct ln_auth_key *key; /* NULL: an exchange makes one */
  int32_t temp_key_s;            /* perfect forward secrecy: how long a temporary key lives; 0: without */
  uint64_t salt;
  const struct ln_salt *salts;
  size_t n_salts;
  int64_t offset_us; /* of the real unix time: server = wall clock + this; 0 where unknown */
  bool synchronised;
  struct ln_slice prefix;  /* see session.h */
  int64_t dial_timeout_us; /* 0: 10 s */
  int64_t ping_every_us;
  struct ln_rng rng;
  const struct ln_rng *jitter; /* of the waits before it dials anew; NULL: rng */
  const struct ln_connection_ops *ops;
  void *ctx;
};

int ln_connection_new(const struct ln_connection_config *config,
                      struct ln_connection **out); /* starts to dial in the next turn */
/* Pending requests end with LN_E_CLOSED; no callback after it returns. Safe from callbacks. */
void ln_connection_close(struct ln_connection *c);
enum ln_connection_state ln_connection_get_state(const struct ln_connection *c);

/* As ln_session_request; before the session exists requests wait here. Flushed at the end of this turn. */
int ln_connection_request(struct ln_connection *c, struct ln_slice body, void *tag,
                          const struct ln_request *after, unsigned flags, struct ln_request **out);
void ln_connection_cancel(struct ln_connection *c, struct ln_request *r);
void ln_connection_ack(struct ln_connection *c, uint64_t msg_id);
size_t ln_connection_in_flight(const struct ln_connection *c);
/* Seconds that the temporary key in use is still good for; 0: the permanent one is in use. */
int64_t ln_connection_temp_key_left(const struct ln_connection *c);
int64_t ln_connection_server_time(const struct ln_connection *c); /* unix seconds by the server's clock */
void ln_connection_retry_now(struct ln_connection *c);            /* cut a back-off short */

#endif
