/* A server's end of a session (for the sandbox): auth key + session_id, over any number of connections one
 * after the other. Shares envelope, windows, containers and gzip with the client's session, and nothing else.
 * Without I/O. Requests go up whole; service messages are handled here. */
#ifndef LN_MTPROTO_SERVER_SESSION_H
#define LN_MTPROTO_SERVER_SESSION_H

#include "base/buf.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"
#include "mtproto/frame.h"

struct ln_server_session;

struct ln_server_session_ops {
  /* A method call, with its invokeWithLayer/invokeAfterMsg/… wrappers; borrowed. Answer with result or error,
   * once, now or later. after: the req_msg_ids of invokeAfterMsg(s) that it carries are inside the body; the
   * owner orders them. */
  void (*on_request)(void *ctx, uint64_t req_msg_id, struct ln_slice body);
  /* The client dropped a request (rpc_drop_answer): true where it was running and its answer will not be
   * sent. */
  bool (*on_drop)(void *ctx, uint64_t req_msg_id);
  /* The client acknowledged a pushed update. */
  void (*on_ack)(void *ctx, uint64_t msg_id);
  /* ping_delay_disconnect ran out, or destroy_session: close the connection. */
  void (*on_close)(void *ctx);
};

struct ln_server_session_config {
  const struct ln_auth_key *key; /* copied */
  uint64_t session_id;
  struct ln_rng rng;
  const struct ln_server_session_ops *ops;
  void *ctx;
  /* Salts are the server's, the same for all sessions of a key: a salt for each half hour, staggered, made
   * from this secret. */
  uint8_t salt_secret[32];
  uint64_t first_salt; /* the one of the exchange; also good, for the first hour */
};

/* Reads the header of a decrypted payload; the owner finds or makes the session by its id, then hands it
 * over. payload is decrypted and verified in place; out: session_id. LN_E_DECRYPT and others: close the
 * connection. */
int ln_server_open(const struct ln_auth_key *key, uint8_t *payload, size_t len, uint64_t *session_id,
                   struct ln_slice *plain);

int ln_server_session_new(const struct ln_server_session_config *config, int64_t wall,
                          struct ln_server_session **out);
void ln_server_session_free(struct ln_server_session *s);
/* plain: what ln_server_open gave. wall: µs since 1970 of the server. LN_E_RECONNECT: close the connection.
 */
int ln_server_session_input(struct ln_server_session *s, struct ln_slice plain, int64_t wall);
int ln_server_session_result(struct ln_server_session *s, uint64_t req_msg_id, struct ln_slice result);
int ln_server_session_error(struct ln_server_session *s, uint64_t req_msg_id, int code, const char *text);
/* Pushes an Updates object; gives its msg_id. Kept and sent again on the next connection until it is
 * acknowledged (at most 1024). */
int ln_server_session_push(struct ln_server_session *s, struct ln_slice updates, int64_t wall,
                           uint64_t *msg_id);
bool ln_server_session_pending(const struct ln_server_session *s);
int ln_server_session_flush(struct ln_server_session *s, struct ln_frame *frame, struct ln_buf *out,
                            int64_t wall);
int64_t ln_server_session_deadline(const struct ln_server_session *s); /* wall µs */
int ln_server_session_tick(struct ln_server_session *s, int64_t wall);
/* What `from` has pushed and nobody has acknowledged is s's from now on: the same session by another
 * temporary key. */
void ln_server_session_take_over(struct ln_server_session *s, struct ln_server_session *from);
void ln_server_session_disconnected(struct ln_server_session *s);
void ln_server_session_connected(struct ln_server_session *s);

/* Faults, for the test kit: the next n answers go out with a wrong salt notice, etc. are made by the owner;
 * here: forget all state as a restarted server would (new_session_created follows). */
void ln_server_session_forget(struct ln_server_session *s);
/* Salts are made of another secret from now on: what the client has is wrong (bad_server_salt follows). */
void ln_server_session_new_salts(struct ln_server_session *s, const uint8_t secret[32]);

#endif
