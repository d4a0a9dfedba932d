/* Inside mtproto's key exchange: the state that both roles share, and the steps of each. Nobody else includes
 * it. */
#ifndef LN_MTPROTO_EXCHANGE_IMPL_H
#define LN_MTPROTO_EXCHANGE_IMPL_H

#include "base/clock.h"
#include "crypto/aes.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "crypto/pq.h"
#include "mtproto/check.h"
#include "mtproto/exchange.h"
#include "mtproto/msgid.h"
#include "tl/reader.h"
#include "tl/writer.h"

#define LN_EXCHANGE_ENVELOPE 20      /* auth_key_id, msg_id, length */
#define LN_EXCHANGE_PAYLOAD_MAX 4096 /* K2 */
#define LN_EXCHANGE_SEALED_MAX 2048  /* K8 */
#define LN_EXCHANGE_SEALED_MIN (20 + 92)
#define LN_EXCHANGE_FINGERPRINTS 64 /* K3 */
#define LN_EXCHANGE_RETRIES 5       /* K15 */
#define LN_EXCHANGE_STEP_US (10 * LN_US_PER_S)
#define LN_EXCHANGE_TOTAL_US (30 * LN_US_PER_S)
#define LN_EXCHANGE_RESEND_US (5 * LN_US_PER_S)
#define LN_EXCHANGE_REMEMBERED 8 /* answers that a server keeps for repeated queries */

enum ln_exchange_state {
  LN_EX_IDLE,      /* client: not started; server: no query yet */
  LN_EX_RES_PQ,    /* client: waits for resPQ */
  LN_EX_DH_PARAMS, /* client: waits for server_DH_params_*; server: for req_DH_params */
  LN_EX_DH_GEN,    /* client: waits for dh_gen_*; server: for set_client_DH_params */
  LN_EX_DONE,
  LN_EX_FAILED,
};

enum ln_exchange_job_kind {
  LN_EX_JOB_NONE,
  LN_EX_JOB_FACTOR,  /* client: pq */
  LN_EX_JOB_AGREE,   /* client: checks of the group, g^b, the key */
  LN_EX_JOB_DECRYPT, /* server: RSA, g^a */
  LN_EX_JOB_SHARED,  /* server: check of g_b, the key */
};

/* Everything that run() reads and writes. Wiped once done. */
struct ln_exchange_job {
  enum ln_exchange_job_kind kind;
  bool handed_out;
  int failed;  /* LN_CK_* that the peer's values broke, or -1 */
  int err;     /* our own trouble */
  bool redraw; /* our public value is out of range: another secret, please */
  uint64_t pq;
  uint32_t p, q;
  uint8_t prime[256];
  int32_t g;
  bool group_checked;
  uint8_t secret[256], own[256], shared[256], peer[256];
  size_t peer_len;
  const struct ln_rsa *rsa;
  uint8_t sealed[256], padded[192], old_hash[20], old[235];
  bool is_old; /* the older padding */
};

struct ln_exchange {
  bool client;
  bool abandoned;
  enum ln_exchange_state state;
  int failed; /* see ln_exchange_failed_check */
  struct ln_rng rng;
  struct ln_exchange_client_config client_config;
  struct ln_exchange_server_config server_config;
  const struct ln_rsa *rsa; /* client: chosen by fingerprint; server: its own */
  struct ln_exchange_job job;

  struct ln_exchange_secrets {
    uint8_t nonce[16], server_nonce[16], new_nonce[32];
    uint8_t aes_key[32], aes_iv[32];
    uint64_t pq;
    uint32_t p, q;
    uint8_t prime[256];
    int32_t g;
    uint8_t peer[256]; /* client: g_a */
    size_t peer_len;
    uint8_t secret[256]; /* server: a */
    struct ln_auth_key key;
  } s;
  bool group_checked;
  int retries, redraws;
  uint64_t retry_id;
  struct ln_exchange_result result; /* salt, offset, dc, temporary, expires_in; the key once done */

  int64_t started, step_started; /* LN_NEVER: the clock does not run */
  struct ln_msgid msgid;
  struct ln_buf out; /* the envelope and body last made */
  bool out_due, out_stamped, resent;

  uint8_t heard[32]; /* SHA-256 of the last body taken (client), of the query being answered (server) */
  bool has_heard;
  struct ln_exchange_answer {
    uint8_t query[32];
    uint8_t payload[1024];
    size_t n;                        /* 0: free */
  } answers[LN_EXCHANGE_REMEMBERED]; /* server */
  size_t next_answer;
};

/* exchange_common.c */

/* A check failed (LN_CK_*): wipes everything. Gives LN_E_HANDSHAKE. */
int ln_exchange_refuse(struct ln_exchange *x, int check);
/* Our own trouble: wipes, gives err. */
int ln_exchange_break(struct ln_exchange *x, int err);
void ln_exchange_wipe(struct ln_exchange *x);
/* A new body: its envelope is made room for. w is ready for the body. */
void ln_exchange_compose(struct ln_exchange *x, struct ln_writer *w);
/* The body is complete: it goes out, and the step's clock starts anew. */
int ln_exchange_send(struct ln_exchange *x, const struct ln_writer *w, int64_t now);
/* nonce and server_nonce, read from r, are ours (K1)? */
bool ln_exchange_nonces_fit(struct ln_exchange *x, struct ln_reader *r);
/* A constructor and both nonces, as most objects of the exchange begin. */
void ln_exchange_write_pair(struct ln_exchange *x, struct ln_writer *w, uint32_t id);
/* Draws a secret exponent (K13) into the job. */
int ln_exchange_draw(struct ln_exchange *x, uint8_t secret[256]);
/* SHA1(body) + body + random to 16, encrypted under the temporary key, written as bytes. */
void ln_exchange_seal(struct ln_exchange *x, struct ln_writer *w, struct ln_slice body);
/* Decrypts into plain (LN_EXCHANGE_PAYLOAD_MAX bytes) and gives what follows the hash (K8). LN_E_HANDSHAKE
 * where the size is wrong. */
int ln_exchange_unseal(struct ln_exchange *x, struct ln_slice sealed, uint8_t *plain, struct ln_slice *body);
/* Does the hash before the body cover exactly `used` bytes of it, with at most 15 left (K9)? */
bool ln_exchange_hash_fits(const uint8_t *plain, struct ln_slice body, size_t used);
/* Lower 128 bits of SHA1(new_nonce + number + aux_hash). */
void ln_exchange_nonce_hash(const struct ln_exchange *x, uint8_t number, uint8_t out[16]);
/* The key is agreed on: salt (K17) and result; the rest is wiped. */
void ln_exchange_conclude(struct ln_exchange *x);

/* exchange_client.c, exchange_server.c */

int ln_exchange_client_input(struct ln_exchange *x, struct ln_slice body, int64_t now);
int ln_exchange_client_job_done(struct ln_exchange *x, struct ln_exchange_job *job, int64_t now);
int ln_exchange_server_input(struct ln_exchange *x, struct ln_slice body, int64_t now, int64_t wall);
int ln_exchange_server_job_done(struct ln_exchange *x, struct ln_exchange_job *job, int64_t now,
                                int64_t wall);

#endif
