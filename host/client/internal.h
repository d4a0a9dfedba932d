/* Inside client/: a connection's struct. connection.c has its life and its requests; link.c the socket under
 * it, which comes and goes; exchange_run.c the key exchange on that socket; pfs.c the change of temporary
 * keys. Included by nobody else. */
#ifndef LN_CLIENT_INTERNAL_H
#define LN_CLIENT_INTERNAL_H

#include "client/backoff.h"
#include "client/connection.h"
#include "mtproto/exchange.h"
#include "mtproto/temp_key.h"

/* A request as its owner knows it (this is what a struct ln_request * from ln_connection_request points to):
 * it waits for the session, or stands for one in it. */
struct ln_call {
  struct ln_call *prev, *next;
  void *tag;
  struct ln_request *inner; /* the session's; NULL: waits */
  struct ln_call *after;    /* of one that waits */
  unsigned flags;
  size_t len;
  uint8_t *body; /* of one that waits */
};

struct ln_exchange_work; /* a job of the exchange at the worker; exchange_run.c */

struct ln_connection {
  struct ln_loop *loop;
  struct ln_clock *clock;
  const struct ln_connection_ops *ops;
  void *ctx;
  struct ln_rng rng, jitter;
  int dc;
  struct ln_address *addresses; /* owned, with their names */
  size_t n_addresses, next_address;
  struct ln_dialer dialer; /* dial NULL: TCP */
  struct ln_frame_config frame_config;
  const struct ln_rsa **keys; /* the pinned ones; room for one more, the loopback key */
  size_t n_keys;
  const struct ln_rsa *loopback_key;
  int64_t dial_timeout_us, ping_every_us;
  struct ln_buf prefix;
  int64_t offset_us; /* as configured */
  bool synchronised;
  uint64_t salt;
  struct ln_salt *salts;
  size_t n_salts;

  bool has_key;
  struct ln_auth_key key;
  struct ln_session *session; /* made with the first link that has a key; then until the end */
  struct ln_temp_keys temp;
  int64_t turn_due, hold_due; /* `next` takes over at the latest then; requests wait from then on. LN_NEVER */
  bool holding;
  bool refused; /* by the server: the binding of the temporary key */
  char refused_why[64];
  struct ln_timer keys_timer; /* of all that */
  struct ln_call *first, *last, *spare;
  size_t n_calls, n_spare, waiting_bytes;

  enum ln_connection_state state;
  struct ln_stream *stream;
  struct ln_frame *frame;
  struct ln_exchange *exchange; /* while UP: of the next temporary key */
  bool makes_temporary;
  int64_t exchange_since;
  struct ln_exchange_work *work;
  struct ln_timer timer;    /* next try, dial timeout, exchange or session: by state */
  struct ln_deferred start; /* the first dial, in the turn after ln_connection_new */
  struct ln_deferred flush;
  struct ln_backoff backoff;
  bool binding; /* in EXCHANGE: there is a session, whose temporary key is being bound */
  int64_t up_since;
  bool heard;          /* this link has brought something that verified */
  bool blocked;        /* too much unsent: goes on when it has drained */
  size_t blocked_with; /* unsent bytes then; if none of them leaves until stall_due, it is dead */
  int64_t stall_due;
  bool fatal;
  int busy; /* depth of calls from outside; freed at 0 */
  bool closed;
};

/* Around everything that may call the owner, who may close the connection in there. */
static inline void ln_connection_enter(struct ln_connection *c)
{
  c->busy++;
}
void ln_connection_leave(struct ln_connection *c); /* c may be gone after it */

/* There is a session on the link. */
static inline bool ln_connection_talks(const struct ln_connection *c)
{
  return c->state == LN_CONN_UP || c->binding;
}

/* connection.c */
/* Makes the session, and gives it what waited. salt and offset as ln_session_config has them. */
int ln_connection_make_session(struct ln_connection *c, uint64_t salt, int64_t server_offset_us,
                               bool synchronised);
void ln_connection_give_waiting(struct ln_connection *c); /* to the session; its owner may hear of failures */
void ln_connection_save(struct ln_connection *c, bool fresh_key);

/* link.c; all of them between enter and leave */
void ln_link_dial(struct ln_connection *c);
/* The link has no more use: waits and dials again. */
void ln_link_lost(struct ln_connection *c, int err, const char *why);
void ln_link_fatal(struct ln_connection *c, int err, const char *why);
void ln_link_up(struct ln_connection *c);      /* there are a socket and a key */
void ln_link_working(struct ln_connection *c); /* requests leave from now on */
void ln_link_close(struct ln_connection *c);
void ln_link_flush(struct ln_connection *c);
void ln_link_rearm(struct ln_connection *c);
void ln_link_timer(struct ln_timer *t);

/* exchange_run.c; likewise */
void ln_exchange_begin(struct ln_connection *c, bool temporary);
void ln_exchange_payload(struct ln_connection *c, struct ln_slice payload);
void ln_exchange_time(struct ln_connection *c);
void ln_exchange_end(struct ln_connection *c);

/* pfs.c; likewise */
void ln_pfs_made(struct ln_connection *c, const struct ln_exchange_result *made);
void ln_pfs_renewal_failed(struct ln_connection *c);
void ln_pfs_on_bound(void *ctx, int code, struct ln_slice text); /* the session's callback */
void ln_pfs_refused(struct ln_connection *c);
void ln_pfs_look(struct ln_connection *c); /* the moment for the next key? */
void ln_pfs_rearm(struct ln_connection *c);
void ln_pfs_timer(struct ln_timer *t);

#endif
