/* The key exchange, the part that both roles share: life, envelope (K2), clocks (K18), sealing under the
 * temporary key (K8, K9), wiping. Its steps are in exchange_client.c and exchange_server.c, its arithmetic in
 * exchange_job.c. Owned by a connection (client) or a server's end of one (sandbox). */
#include "mtproto/exchange.h"

#include "base/alloc.h"
#include "base/log.h"
#include "mtproto/exchange_impl.h"

#include "tl_ids.h"

static struct ln_exchange *exchange_new(const struct ln_rng *rng)
{
  struct ln_exchange *x = ln_calloc(1, sizeof *x);
  if (!x) return NULL;
  x->rng = *rng;
  x->failed = -1;
  x->started = x->step_started = LN_NEVER;
  ln_buf_init(&x->out, LN_EXCHANGE_PAYLOAD_MAX);
  return x;
}

int ln_exchange_client_new(const struct ln_exchange_client_config *config, struct ln_exchange **out)
{
  *out = NULL;
  /* K6. 10000 more on test servers, negative for media; nothing else is a DC. */
  int64_t dc = config->dc < 0 ? -(int64_t)config->dc : config->dc;
  if (!LN_CHECK(K6, dc < 20000 && dc % 10000 >= 1 && dc % 10000 <= 999)) return LN_E_INVAL;
  if (config->n_keys == 0 || config->expires_in < 0) return LN_E_INVAL;
  struct ln_exchange *x = exchange_new(&config->rng);
  if (!x) return LN_E_NOMEM;
  x->client = true;
  x->client_config = *config;
  *out = x;
  return LN_OK;
}

int ln_exchange_server_new(const struct ln_exchange_server_config *config, struct ln_exchange **out)
{
  *out = NULL;
  if (!config->key || config->g < 0 || config->g > 7 || config->g == 1) return LN_E_INVAL;
  struct ln_exchange *x = exchange_new(&config->rng);
  if (!x) return LN_E_NOMEM;
  x->server_config = *config;
  if (!x->server_config.prime) x->server_config.prime = ln_dh_telegram_prime;
  if (!x->server_config.g) x->server_config.g = 3;
  x->rsa = config->key;
  *out = x;
  return LN_OK;
}

void ln_exchange_wipe(struct ln_exchange *x)
{
  ln_cleanse(&x->s, sizeof x->s);
  ln_cleanse(&x->result, sizeof x->result);
  if (!x->job.handed_out) ln_cleanse(&x->job, sizeof x->job);
  x->out_due = false;
  x->retry_id = 0;
  x->retries = x->redraws = 0;
  x->group_checked = false;
  x->started = x->step_started = LN_NEVER;
}

static void destroy(struct ln_exchange *x)
{
  x->job.handed_out = false;
  ln_exchange_wipe(x);
  ln_buf_deinit_secret(&x->out);
  ln_free(x);
}

void ln_exchange_free(struct ln_exchange *x)
{
  ln_exchange_abandon(x);
}

void ln_exchange_abandon(struct ln_exchange *x)
{
  if (!x) return;
  if (!x->job.handed_out) {
    destroy(x);
    return;
  }
  ln_exchange_wipe(x);
  x->state = LN_EX_FAILED;
  x->abandoned = true;
}

int ln_exchange_refuse(struct ln_exchange *x, int check)
{
  ln_exchange_wipe(x);
  x->state = LN_EX_FAILED;
  x->failed = check;
  if (check == LN_CK_COUNT)
    ln_log(LN_LOG_VERBOSE, "mtproto", "key exchange: the peer refused");
  else
    ln_log(LN_LOG_VERBOSE, "mtproto", "key exchange: check K%d failed", check - LN_CK_K1 + 1);
  return LN_E_HANDSHAKE;
}

int ln_exchange_break(struct ln_exchange *x, int err)
{
  ln_exchange_wipe(x);
  x->state = LN_EX_FAILED;
  return err;
}

int ln_exchange_failed_check(const struct ln_exchange *x)
{
  return x->failed;
}

/* --- envelope --- */

/* auth_key_id 0, msg_id of the other side's parity, the length, the body, what a transport may have added. */
static bool open_envelope(const struct ln_exchange *x, struct ln_slice payload, struct ln_slice *body)
{
  if (payload.n < LN_EXCHANGE_ENVELOPE + 4) return false;
  uint64_t auth_key_id = ln_le64(payload.p), msg_id = ln_le64(payload.p + 8);
  uint32_t len = ln_le32(payload.p + 16);
  size_t left = payload.n - LN_EXCHANGE_ENVELOPE;
  if (len < 4 || len > left) return false; /* whatever a mask says: memory hangs on it */
  *body = ln_slice(payload.p + LN_EXCHANGE_ENVELOPE, len);
  bool parity = x->client ? msg_id % 2 == 1 : msg_id % 4 == 0;
  return LN_CHECK(K2, auth_key_id == 0 && parity && len % 4 == 0 && left - len <= 15 &&
                          payload.n <= LN_EXCHANGE_PAYLOAD_MAX);
}

void ln_exchange_compose(struct ln_exchange *x, struct ln_writer *w)
{
  static const uint8_t envelope[LN_EXCHANGE_ENVELOPE];
  ln_buf_clear(&x->out);
  x->out_due = false;
  ln_writer_init(w, &x->out);
  ln_write_raw(w, envelope, sizeof envelope);
}

int ln_exchange_send(struct ln_exchange *x, const struct ln_writer *w, int64_t now)
{
  if (w->err) return ln_exchange_break(x, w->err);
  ln_put_le32(ln_buf_data(&x->out) + 16, (uint32_t)(x->out.len - LN_EXCHANGE_ENVELOPE));
  x->out_due = true;
  x->out_stamped = x->resent = false;
  if (x->state != LN_EX_DONE && x->state != LN_EX_FAILED) x->step_started = now;
  return LN_OK;
}

static void remember_answer(struct ln_exchange *x)
{
  struct ln_exchange_answer *a = &x->answers[x->next_answer % LN_EXCHANGE_REMEMBERED];
  if (!x->has_heard || x->out.len > sizeof a->payload) return;
  x->next_answer++;
  memcpy(a->query, x->heard, sizeof a->query);
  memcpy(a->payload, ln_buf_data(&x->out), x->out.len);
  a->n = x->out.len;
}

bool ln_exchange_output(struct ln_exchange *x, int64_t wall, struct ln_slice *payload)
{
  if (!x->out_due) return false;
  x->out_due = false;
  if (!x->out_stamped) { /* a query that is sent again keeps its msg_id: byte-identical (K18) */
    uint8_t random[4] = {0};
    (void)ln_rng_fill(&x->rng, random, sizeof random); /* the id is fine without */
    uint64_t id =
        ln_msgid_next(&x->msgid, wall, x->client ? LN_MSGID_CLIENT : LN_MSGID_RESPONSE, ln_le32(random));
    ln_put_le64(ln_buf_data(&x->out) + 8, id);
    x->out_stamped = true;
    if (!x->client) remember_answer(x);
  }
  *payload = ln_buf_slice(&x->out);
  return true;
}

/* A query that was answered before gets the same answer, byte by byte (K18). */
static bool answer_again(struct ln_exchange *x, const uint8_t query[32])
{
  for (size_t i = 0; i < LN_EXCHANGE_REMEMBERED; i++) {
    const struct ln_exchange_answer *a = &x->answers[i];
    if (a->n == 0 || memcmp(a->query, query, sizeof a->query) != 0) continue;
    ln_buf_clear(&x->out);
    if (ln_buf_append(&x->out, a->payload, a->n) != LN_OK) return false;
    x->out_due = x->out_stamped = true;
    return true;
  }
  return false;
}

static int late(struct ln_exchange *x)
{
  (void)ln_exchange_refuse(x, LN_CK_K18);
  return LN_E_TIMEOUT;
}

static bool in_time(const struct ln_exchange *x, int64_t now)
{
  if (x->started == LN_NEVER) return true;
  return now - x->started < LN_EXCHANGE_TOTAL_US && now - x->step_started < LN_EXCHANGE_STEP_US;
}

int ln_exchange_input(struct ln_exchange *x, struct ln_slice payload, int64_t now, int64_t wall)
{
  struct ln_slice body;
  uint8_t digest[32];
  if (x->state == LN_EX_FAILED) return LN_E_HANDSHAKE;
  if (!LN_CHECK(K18, in_time(x, now))) return late(x);
  if (!open_envelope(x, payload, &body)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!x->client && ln_le32(body.p) == LN_ID_msgs_ack) return LN_E_DISCARD; /* some thank for plaintext too */
  ln_sha256(body, digest);
  /* What was heard already: the other end had sent its query again, and was answered twice; or it asks again
   * for what we are busy with. */
  bool repeated = x->has_heard && memcmp(digest, x->heard, sizeof digest) == 0;
  if (!x->client && !x->out_due && x->job.kind == LN_EX_JOB_NONE && answer_again(x, digest)) return LN_OK;
  if (repeated) return LN_E_DISCARD;
  /* Nobody answers what has not left yet; a repetition that has not, is not needed any more. */
  if (x->job.kind != LN_EX_JOB_NONE || (x->out_due && !x->out_stamped))
    return ln_exchange_refuse(x, LN_CK_K2);
  x->out_due = false;
  memcpy(x->heard, digest, sizeof digest);
  x->has_heard = true;
  return x->client ? ln_exchange_client_input(x, body, now) : ln_exchange_server_input(x, body, now, wall);
}

/* --- jobs --- */

struct ln_exchange_job *ln_exchange_job(struct ln_exchange *x)
{
  if (x->job.kind == LN_EX_JOB_NONE || x->job.handed_out) return NULL;
  x->job.handed_out = true;
  return &x->job;
}

int ln_exchange_job_done(struct ln_exchange *x, int64_t now, int64_t wall)
{
  if (!x->job.handed_out) return LN_E_INVAL;
  if (x->abandoned) {
    destroy(x);
    return LN_E_CANCELLED;
  }
  struct ln_exchange_job job = x->job;
  ln_cleanse(&x->job, sizeof x->job);
  int err;
  if (x->state == LN_EX_FAILED)
    err = LN_E_HANDSHAKE;
  else if (!LN_CHECK(K18, in_time(x, now)))
    err = late(x);
  else if (job.failed >= 0)
    err = ln_exchange_refuse(x, job.failed);
  else if (job.err)
    err = ln_exchange_break(x, job.err);
  else if (job.redraw && ++x->redraws > LN_EXCHANGE_RETRIES) /* 2^-63 each: it is not by chance */
    err = ln_exchange_refuse(x, LN_CK_K12);
  else if (x->client)
    err = ln_exchange_client_job_done(x, &job, now);
  else
    err = ln_exchange_server_job_done(x, &job, now, wall);
  ln_cleanse(&job, sizeof job);
  return err;
}

/* --- clocks --- */

int64_t ln_exchange_deadline(const struct ln_exchange *x)
{
  if (x->started == LN_NEVER) return LN_NEVER;
  int64_t total = x->started + LN_EXCHANGE_TOTAL_US, step = x->step_started + LN_EXCHANGE_STEP_US;
  int64_t first = step < total ? step : total;
  int64_t resend = x->step_started + LN_EXCHANGE_RESEND_US;
  bool waits = x->client && !x->resent && !x->out_due && x->job.kind == LN_EX_JOB_NONE;
  return waits && resend < first ? resend : first;
}

int ln_exchange_tick(struct ln_exchange *x, int64_t now)
{
  if (x->started == LN_NEVER) return LN_OK;
  if (!LN_CHECK(K18, in_time(x, now))) return late(x);
  if (x->client && !x->resent && !x->out_due && x->job.kind == LN_EX_JOB_NONE && x->out.len > 0 &&
      now - x->step_started >= LN_EXCHANGE_RESEND_US)
    x->resent = x->out_due = true;
  return LN_OK;
}

/* --- what both roles compute --- */

bool ln_exchange_nonces_fit(struct ln_exchange *x, struct ln_reader *r)
{
  struct ln_slice nonce = ln_read_raw(r, 16), server_nonce = ln_read_raw(r, 16);
  if (r->err) return true; /* the reader's error says more */
  return LN_CHECK(K1,
                  ln_ct_equal(nonce.p, x->s.nonce, 16) && ln_ct_equal(server_nonce.p, x->s.server_nonce, 16));
}

void ln_exchange_write_pair(struct ln_exchange *x, struct ln_writer *w, uint32_t id)
{
  ln_write_u32(w, id);
  ln_write_raw(w, x->s.nonce, sizeof x->s.nonce);
  ln_write_raw(w, x->s.server_nonce, sizeof x->s.server_nonce);
}

int ln_exchange_draw(struct ln_exchange *x, uint8_t secret[256])
{
  return LN_CHECK(K13, ln_rng_fill(&x->rng, secret, 256) == LN_OK) ? LN_OK : ln_exchange_refuse(x, LN_CK_K13);
}

void ln_exchange_seal(struct ln_exchange *x, struct ln_writer *w, struct ln_slice body)
{
  uint8_t plain[20 + 640 + 15];
  size_t n = (20 + body.n + 15) & ~(size_t)15;
  if (n > sizeof plain) {
    w->err = LN_E_TOOBIG;
    return;
  }
  ln_sha1(body, plain);
  memcpy(plain + 20, body.p, body.n);
  int err = ln_rng_fill(&x->rng, plain + 20 + body.n, n - 20 - body.n);
  if (err) {
    w->err = err;
  } else {
    ln_aes_ige_encrypt(x->s.aes_key, x->s.aes_iv, plain, plain, n);
    ln_write_bytes(w, ln_slice(plain, n));
  }
  ln_cleanse(plain, sizeof plain);
}

int ln_exchange_unseal(struct ln_exchange *x, struct ln_slice sealed, uint8_t *plain, struct ln_slice *body)
{
  size_t n = sealed.n & ~(size_t)15;
  bool fits = sealed.n == n && n >= LN_EXCHANGE_SEALED_MIN && n <= LN_EXCHANGE_SEALED_MAX;
  if (n < 32 || n > LN_EXCHANGE_PAYLOAD_MAX || !LN_CHECK(K8, fits)) return ln_exchange_refuse(x, LN_CK_K8);
  ln_aes_ige_decrypt(x->s.aes_key, x->s.aes_iv, sealed.p, plain, n);
  *body = ln_slice(plain + 20, n - 20);
  return LN_OK;
}

bool ln_exchange_hash_fits(const uint8_t *plain, struct ln_slice body, size_t used)
{
  uint8_t sha[20];
  ln_sha1(ln_slice(body.p, used), sha);
  return ln_ct_equal(sha, plain, 20) && body.n - used <= 15;
}

void ln_exchange_nonce_hash(const struct ln_exchange *x, uint8_t number, uint8_t out[16])
{
  uint8_t aux[8], sha[20];
  ln_put_le64(aux, x->s.key.aux_hash);
  ln_sha1_parts((struct ln_slice[]){ln_slice(x->s.new_nonce, 32), ln_slice(&number, 1), ln_slice(aux, 8)}, 3,
                sha);
  memcpy(out, sha + 4, 16);
}

void ln_exchange_conclude(struct ln_exchange *x)
{
  x->result.key = x->s.key;
  x->result.salt = ln_le64(x->s.new_nonce) ^ ln_le64(x->s.server_nonce);
  ln_cleanse(&x->s, sizeof x->s);
  x->started = x->step_started = LN_NEVER;
  x->state = LN_EX_DONE;
}

bool ln_exchange_finished(const struct ln_exchange *x, struct ln_exchange_result *out)
{
  if (x->state != LN_EX_DONE) return false;
  *out = x->result;
  return true;
}
