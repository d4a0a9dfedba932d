/* A client's session on an auth key: requests in, encrypted payloads out, and back. Without I/O: the owner
 * hands it payloads, a clock and randomness. Salts, msg_id, seqno, acks, resends, containers, gzip, pings and
 * all checks M1–M23 are here or in the files that it calls (envelope.c, msgid.c, window.c, dispatch.c,
 * on_*.c, container.c, gzip.c). https://core.telegram.org/mtproto/description, /mtproto/service_messages,
 * /mtproto/security_guidelines */
#ifndef LN_MTPROTO_SESSION_H
#define LN_MTPROTO_SESSION_H

#include "base/buf.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"
#include "mtproto/frame.h"

struct ln_session;
struct ln_request; /* owned by the session; dead once its on_result/on_error has been called or it was
                      cancelled */

struct ln_salt {
  uint64_t salt;
  int64_t valid_since, valid_until; /* unix seconds by the server's clock */
};

/* Called from inside input/tick/flush calls. They may call request, cancel, ack; never input, tick or free.
 */
struct ln_session_ops {
  /* The body of rpc_result, unpacked; borrowed. */
  void (*on_result)(void *ctx, void *tag, struct ln_slice result);
  /* rpc_error: err 0, code and text as the server sent them. Otherwise err is an LN_E_* (code 0) and text
   * says more. */
  void (*on_error)(void *ctx, void *tag, int err, int code, struct ln_slice text);
  /* An object that is no service message: Updates. The server gets its ack after ln_session_ack(msg_id). */
  void (*on_update)(void *ctx, struct ln_slice update, uint64_t msg_id);
  /* new_session_created, or the session was renewed: updates may be lost, fetch the difference. */
  void (*on_new_session)(void *ctx);
  /* Salts or clock offset changed: worth saving. */
  void (*on_state)(void *ctx);
  /* A temporary key's: the server has answered to its binding. code 0: it is bound, and requests leave from
   * now on; otherwise code and text of the refusal, and nothing leaves any more. */
  void (*on_bound)(void *ctx, int code, struct ln_slice text);
};

struct ln_session_config {
  const struct ln_auth_key *key;     /* copied */
  const struct ln_auth_key *bind_to; /* copied: the permanent key, where `key` is a temporary one, which has
                                        to be bound first; or NULL */
  int64_t expires;                   /* a temporary key's: its end, µs of `now` */
  uint64_t salt;                     /* first salt */
  const struct ln_salt *salts;       /* saved ones; may be NULL */
  size_t n_salts;
  int64_t server_offset_us; /* server's unix time in µs = now + this */
  bool synchronised;        /* the offset comes from this server */
  struct ln_rng rng;
  const struct ln_session_ops *ops;
  void *ctx;
  struct ln_slice prefix; /* copied: the bytes of invokeWithLayer(initConnection(… up to the query; put before
                             requests until one of them was answered. May be empty. */
  int64_t ping_every_us; /* 0: 60 s. ping_delay_disconnect with 15 s more (T5) */
};

int ln_session_new(const struct ln_session_config *config, int64_t now, struct ln_session **out);
void ln_session_free(struct ln_session *s); /* pending requests end with LN_E_CLOSED first */

enum {
  LN_REQUEST_NO_PREFIX = 1,   /* never under initConnection */
  LN_REQUEST_NO_RESPONSE = 2, /* the tag gets no callback */
};

/* Queues a request (method bytes, copied). after: an earlier request that the server must run first
 * (invokeAfterMsg), or NULL. It leaves with the next flush; all that was queued by then shares a container.
 * LN_E_FULL past 8192 pending. */
int ln_session_request(struct ln_session *s, struct ln_slice body, void *tag, const struct ln_request *after,
                       unsigned flags, struct ln_request **out);
/* No callback will come for it; rpc_drop_answer is sent where it has left already. */
void ln_session_cancel(struct ln_session *s, struct ln_request *r);
/* The update with this msg_id is safe on disk: it may be acknowledged. */
void ln_session_ack(struct ln_session *s, uint64_t msg_id);

/* One encrypted payload, decrypted in place. Gives LN_OK (also where a message was discarded, reaction D),
 * LN_E_RECONNECT (R), LN_E_HALT (H). A renewed session (S) is done inside: new session_id, pending requests
 * under new msg_ids, on_new_session. */
int ln_session_input(struct ln_session *s, uint8_t *payload, size_t len, int64_t now);
/* Anything to send now? */
bool ln_session_pending(const struct ln_session *s, int64_t now);
/* Writes what is due (requests, acks, pings, state requests) as one frame to out; at most ~1 MiB a call, call
 * again while pending. LN_E_TOOBIG: out is full, LN_E_NOMEM; nothing was taken off the queue then, try later.
 * LN_E_RECONNECT, LN_E_CRYPTO, LN_E_HALT: the connection cannot go on. */
int ln_session_flush(struct ln_session *s, struct ln_frame *frame, struct ln_buf *out, int64_t now);
/* When tick or flush is due next; LN_NEVER where nothing is. */
int64_t ln_session_deadline(const struct ln_session *s);
/* LN_E_RECONNECT where the connection is dead (pong overdue). */
int ln_session_tick(struct ln_session *s, int64_t now);

/* The socket is gone / a new one is up: what is unanswered is asked about (msgs_state_req) or sent again
 * under new msg_ids (M21). */
void ln_session_disconnected(struct ln_session *s, int64_t now);
void ln_session_connected(struct ln_session *s, int64_t now);

/* The session goes on by another temporary key, which is bound first; what is in flight leaves again, under
 * new msg_ids. keep: what comes by the key so far is still heard for LN_PREVIOUS_KEY_US (M2). LN_E_NOMEM. */
int ln_session_rekey(struct ln_session *s, const struct ln_auth_key *key, uint64_t salt, int64_t expires,
                     bool keep, int64_t now);
uint64_t ln_session_key_id(const struct ln_session *s);
bool ln_session_is_bound(const struct ln_session *s); /* also where there is nothing to bind */

/* For saving. salts: up to max of them, gives the count. */
size_t ln_session_salts(const struct ln_session *s, struct ln_salt *out, size_t max);
int64_t ln_session_offset_us(const struct ln_session *s);
size_t ln_session_in_flight(const struct ln_session *s);

#endif
