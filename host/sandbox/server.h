/* The sandbox's wire half: listens, does the server's key exchange, keeps auth keys and sessions, and hands
 * raw requests up. What an answer says is Lua's business (lua/luna/sandbox). */
#ifndef LN_SANDBOX_SERVER_H
#define LN_SANDBOX_SERVER_H

#include "crypto/rsa.h"
#include "loop/stream.h"
#include "mtproto/server_session.h"

struct ln_sandbox;
struct ln_sandbox_session; /* auth key + session id; lives on without a connection for a while */

struct ln_sandbox_ops {
  /* A request; answer with ln_sandbox_result/error, now or later. body is borrowed. */
  void (*on_request)(void *ctx, struct ln_sandbox_session *s, uint64_t req_msg_id, struct ln_slice body);
  bool (*on_drop)(void *ctx, struct ln_sandbox_session *s, uint64_t req_msg_id);
  void (*on_ack)(void *ctx, struct ln_sandbox_session *s, uint64_t msg_id);
  void (*on_session_up)(void *ctx, struct ln_sandbox_session *s);   /* a connection carries it (again) */
  void (*on_session_down)(void *ctx, struct ln_sandbox_session *s); /* its connection went */
  void (*on_session_gone)(
      void *ctx, struct ln_sandbox_session *s); /* destroyed or expired: the pointer is dead after it */
  /* Auth keys, for --data: called for each fresh one; bytes are secret. */
  void (*on_auth_key)(void *ctx, const struct ln_auth_key *key, uint64_t salt, int dc);
};

struct ln_sandbox_config {
  struct ln_loop *loop;
  struct ln_clock *clock;
  const struct ln_rsa *key; /* private; borrowed */
  struct ln_rng rng;
  const struct ln_sandbox_ops *ops;
  void *ctx;
};

int ln_sandbox_new(const struct ln_sandbox_config *config, struct ln_sandbox **out);
/* Safe from its callbacks. The last of them: on_session_gone, for sessions that have a user value. Waits for
 * a job that is reading the private key (milliseconds). */
void ln_sandbox_free(struct ln_sandbox *s);
/* Loopback addresses alone, LN_E_PERMISSION otherwise. dc: which DC answers there. port: out, the one taken.
 * Several calls: several DCs. */
int ln_sandbox_listen(struct ln_sandbox *s, const char *host, int port, int dc, int *taken);
/* A client's end of an in-memory connection to that DC. */
int ln_sandbox_dial(struct ln_sandbox *s, int dc, const struct ln_stream_ops *ops, void *ops_ctx,
                    struct ln_stream **out);
int ln_sandbox_add_auth_key(struct ln_sandbox *s, const struct ln_auth_key *key, uint64_t salt, int dc);

int ln_sandbox_result(struct ln_sandbox_session *s, uint64_t req_msg_id, struct ln_slice result);
int ln_sandbox_error(struct ln_sandbox_session *s, uint64_t req_msg_id, int code, const char *text);
int ln_sandbox_push(struct ln_sandbox_session *s, struct ln_slice updates, uint64_t *msg_id);
/* s is `from` by another temporary key: what was pushed there and is not acknowledged comes here. */
void ln_sandbox_take_over(struct ln_sandbox_session *s, struct ln_sandbox_session *from);
uint64_t ln_sandbox_session_auth_key_id(const struct ln_sandbox_session *s);
uint64_t ln_sandbox_session_id(const struct ln_sandbox_session *s);
int ln_sandbox_session_dc(const struct ln_sandbox_session *s);
bool ln_sandbox_session_is_up(const struct ln_sandbox_session *s);
void *ln_sandbox_session_get_user(const struct ln_sandbox_session *s);
void ln_sandbox_session_set_user(struct ln_sandbox_session *s, void *user);

/* Faults: cut all connections; forget a session's state as a restarted server would; make every salt that
 * clients hold wrong; a filter over all in-memory pipes. */
void ln_sandbox_cut(struct ln_sandbox *s);
void ln_sandbox_forget(struct ln_sandbox *s);
int ln_sandbox_new_salts(struct ln_sandbox *s); /* or what the source of randomness failed with */
/* As a server that has lost its temporary keys: whoever speaks by one hears -404. */
void ln_sandbox_drop_temporary_keys(struct ln_sandbox *s);
void ln_sandbox_set_filter(struct ln_sandbox *s, ln_pipe_filter filter, void *ctx);
/* Sends a transport error code on every connection (-404, -429, -444 as positive numbers). */
void ln_sandbox_transport_error(struct ln_sandbox *s, int code);
/* Nothing arrives or leaves that is not handled yet (for virtual time). */
bool ln_sandbox_idle(const struct ln_sandbox *s);

#endif
