/* The auth key exchange, client and server, as a state machine without I/O. Heavy arithmetic is handed out as
 * jobs that the owner runs on a worker thread. Every check K1–K18 of the exchange is here; any violation
 * wipes the state and gives LN_E_HANDSHAKE. https://core.telegram.org/mtproto/auth_key */
#ifndef LN_MTPROTO_EXCHANGE_H
#define LN_MTPROTO_EXCHANGE_H

#include "base/buf.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"

struct ln_exchange;

struct ln_exchange_client_config {
  int dc; /* as it goes into p_q_inner_data_dc */
  const struct ln_rsa *const
      *keys; /* pinned keys, in the order of our preference; must outlive the exchange */
  size_t n_keys;
  struct ln_rng rng;
  int32_t expires_in; /* seconds: a temporary key; 0: a permanent one */
};

struct ln_exchange_server_config {
  const struct ln_rsa *key; /* private */
  struct ln_rng rng;
  const uint8_t *prime; /* 256 bytes; NULL: Telegram's */
  int g;                /* 0: 3 */
  /* May say "taken" for a fresh auth_key_id (dh_gen_retry follows); NULL: never. */
  bool (*taken)(void *ctx, uint64_t auth_key_id);
  void *ctx;
};

struct ln_exchange_result {
  struct ln_auth_key key;
  uint64_t salt;
  int64_t server_offset_us; /* client: server's unix time minus `now` of the inner data's arrival, in µs */
  int dc;                   /* server: the dc that the client named (0: it named none) */
  bool temporary;           /* the client asked for a temporary key; expires_in then */
  int32_t expires_in;
};

int ln_exchange_client_new(const struct ln_exchange_client_config *config, struct ln_exchange **out);
int ln_exchange_server_new(const struct ln_exchange_server_config *config, struct ln_exchange **out);
void ln_exchange_free(struct ln_exchange *x); /* wipes; not while a job is handed out: ln_exchange_abandon */

/* Client: queues req_pq_multi. now: µs, monotonic, the owner's clock throughout. */
int ln_exchange_start(struct ln_exchange *x, int64_t now);
/* One plaintext payload (auth_key_id 0, msg_id, length, body, at most 15 more bytes). wall: µs since 1970
 * (server: goes into server_time). LN_E_HANDSHAKE; LN_E_NO_KEY: the server offers none of our keys;
 * LN_E_DISCARD: to be ignored. */
int ln_exchange_input(struct ln_exchange *x, struct ln_slice payload, int64_t now, int64_t wall);
/* The next payload to send, complete with its envelope; borrowed until the next call on x. False: nothing. */
bool ln_exchange_output(struct ln_exchange *x, int64_t wall, struct ln_slice *payload);

/* A job that waits to be run, or NULL; each is handed out once. run() touches the job alone and may be called
 * on any thread; then job_done on the owner's thread, which goes on. */
struct ln_exchange_job;
struct ln_exchange_job *ln_exchange_job(struct ln_exchange *x);
void ln_exchange_job_run(struct ln_exchange_job *job);
int ln_exchange_job_done(struct ln_exchange *x, int64_t now, int64_t wall);
/* Frees x, now or (while a job is handed out) in job_done, which then gives LN_E_CANCELLED. NULL is fine. */
void ln_exchange_abandon(struct ln_exchange *x);

/* After LN_E_HANDSHAKE, for the log: the enum ln_check_id of the check that failed, LN_CK_COUNT where the
 * peer itself said no, -1 for our own lack of memory or randomness. Never for the peer: all failures look
 * alike to it. */
int ln_exchange_failed_check(const struct ln_exchange *x);

/* True once the key is agreed on; out is filled (wipe it after use). A server's last answer still waits to be
 * sent then. */
bool ln_exchange_finished(const struct ln_exchange *x, struct ln_exchange_result *out);
int64_t ln_exchange_deadline(const struct ln_exchange *x); /* LN_NEVER where there is none */
int ln_exchange_tick(struct ln_exchange *x, int64_t now);  /* LN_E_TIMEOUT: 10 s a step, 30 s in all (K18) */

#endif
