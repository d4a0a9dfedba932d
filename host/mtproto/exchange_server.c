/* The key exchange, the server's steps, for the sandbox: resPQ, server_DH_params_ok, dh_gen_*. Takes what
 * clients in use send: req_pq and req_pq_multi, both RSA paddings, inner data with and without dc, temporary
 * keys. https://core.telegram.org/mtproto/auth_key Called by exchange_common.c. */
#include "mtproto/exchange_impl.h"

#include "tl_ids.h"

/* Up to 8 bytes, big-endian; longer ones are 0, which fits nothing. */
static uint64_t read_number(struct ln_reader *r)
{
  uint64_t v = 0;
  struct ln_slice bytes = ln_read_bytes(r);
  for (size_t i = 0; i < bytes.n && bytes.n <= 8; i++) v = v << 8 | bytes.p[i];
  return v;
}

/* A query with a nonce of its own begins another exchange, whatever went before. */
static int on_req_pq(struct ln_exchange *x, struct ln_reader *r, int64_t now)
{
  struct ln_writer w;
  uint8_t random[16], pq[8];
  struct ln_slice nonce = ln_read_raw(r, 16);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  ln_exchange_wipe(x);
  memcpy(x->s.nonce, nonce.p, 16);
  int err = ln_rng_fill(&x->rng, x->s.server_nonce, sizeof x->s.server_nonce);
  if (!err) err = ln_rng_fill(&x->rng, random, sizeof random);
  if (err) return ln_exchange_break(x, err);
  x->s.pq = ln_pq_make(random, &x->s.p, &x->s.q);
  for (int i = 0; i < 8; i++) pq[i] = (uint8_t)(x->s.pq >> (56 - 8 * i));
  size_t zeros = 0;
  while (zeros < 7 && pq[zeros] == 0) zeros++;
  x->started = now;
  x->state = LN_EX_DH_PARAMS;
  ln_exchange_compose(x, &w);
  ln_exchange_write_pair(x, &w, LN_ID_resPQ);
  ln_write_bytes(&w, ln_slice(pq + zeros, 8 - zeros));
  ln_write_vector(&w, true, 1);
  ln_write_u64(&w, ln_rsa_fingerprint(x->rsa));
  return ln_exchange_send(x, &w, now);
}

static int on_req_dh_params(struct ln_exchange *x, struct ln_reader *r, int64_t now)
{
  struct ln_exchange_job *j = &x->job;
  bool nonces = ln_exchange_nonces_fit(x, r);
  uint64_t p = read_number(r), q = read_number(r);
  uint64_t fingerprint = ln_read_u64(r);
  struct ln_slice sealed = ln_read_bytes(r);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!nonces) return ln_exchange_refuse(x, LN_CK_K1);
  if (!LN_CHECK(K4, p == x->s.p && q == x->s.q)) return ln_exchange_refuse(x, LN_CK_K4);
  if (!LN_CHECK(K3, fingerprint == ln_rsa_fingerprint(x->rsa))) return ln_exchange_refuse(x, LN_CK_K3);
  if (sealed.n == 0 || sealed.n > 256 || !LN_CHECK(K14, sealed.n == 256))
    return ln_exchange_refuse(x, LN_CK_K14);
  int err = ln_exchange_draw(x, j->secret);
  if (err) return err;
  memcpy(j->sealed + sizeof j->sealed - sealed.n, sealed.p, sealed.n);
  memcpy(j->prime, x->server_config.prime, sizeof j->prime);
  j->g = x->server_config.g;
  j->rsa = x->rsa;
  j->kind = LN_EX_JOB_DECRYPT;
  x->step_started = now;
  return LN_OK;
}

/* p_q_inner_data in its four forms. The older padding's hash covers the object's bytes exactly. */
static int read_inner(struct ln_exchange *x, const struct ln_exchange_job *job)
{
  struct ln_reader r;
  uint8_t sha[20];
  struct ln_slice bytes =
      job->is_old ? ln_slice(job->old, sizeof job->old) : ln_slice(job->padded, sizeof job->padded);
  ln_reader_init(&r, bytes);
  uint32_t id = ln_read_u32(&r);
  bool temporary = id == LN_ID_p_q_inner_data_temp || id == LN_ID_p_q_inner_data_temp_dc;
  bool with_dc = id == LN_ID_p_q_inner_data_dc || id == LN_ID_p_q_inner_data_temp_dc;
  if (!temporary && !with_dc && id != LN_ID_p_q_inner_data) ln_reader_fail(&r, LN_E_UNKNOWN_ID);
  uint64_t pq = read_number(&r), p = read_number(&r), q = read_number(&r);
  struct ln_slice nonces = ln_read_raw(&r, 32), new_nonce = ln_read_raw(&r, 32);
  if (with_dc) x->result.dc = ln_read_i32(&r);
  if (temporary) x->result.expires_in = ln_read_i32(&r);
  x->result.temporary = temporary;
  bool sane = !r.err && (!temporary || x->result.expires_in > 0);
  size_t used = r.err ? 0 : (size_t)(r.p - bytes.p);
  ln_sha1(ln_slice(bytes.p, used), sha);
  if (!sane || (job->is_old && !LN_CHECK(K5, ln_ct_equal(sha, job->old_hash, 20))))
    return ln_exchange_refuse(x, LN_CK_K5);
  ln_reader_init(&r, nonces);
  if (!ln_exchange_nonces_fit(x, &r)) return ln_exchange_refuse(x, LN_CK_K1);
  if (!LN_CHECK(K4, pq == x->s.pq && p == x->s.p && q == x->s.q)) return ln_exchange_refuse(x, LN_CK_K4);
  memcpy(x->s.new_nonce, new_nonce.p, 32);
  return LN_OK;
}

static int on_decrypted(struct ln_exchange *x, const struct ln_exchange_job *job, int64_t now, int64_t wall)
{
  struct ln_buf inner;
  struct ln_writer w, iw;
  int err = read_inner(x, job);
  if (err) return err;
  ln_kdf_exchange(x->s.new_nonce, x->s.server_nonce, x->s.aes_key, x->s.aes_iv);
  memcpy(x->s.secret, job->secret, sizeof x->s.secret);
  ln_buf_init(&inner, 1024);
  ln_writer_init(&iw, &inner);
  ln_exchange_write_pair(x, &iw, LN_ID_server_DH_inner_data);
  ln_write_i32(&iw, x->server_config.g);
  ln_write_bytes(&iw, ln_slice(x->server_config.prime, 256));
  ln_write_bytes(&iw, ln_slice(job->own, sizeof job->own));
  ln_write_i32(&iw, (int32_t)(wall / LN_US_PER_S));
  ln_exchange_compose(x, &w);
  ln_exchange_write_pair(x, &w, LN_ID_server_DH_params_ok);
  if (iw.err)
    w.err = iw.err;
  else
    ln_exchange_seal(x, &w, ln_buf_slice(&inner));
  ln_buf_deinit_secret(&inner);
  x->state = LN_EX_DH_GEN;
  return ln_exchange_send(x, &w, now);
}

static int on_client_inner(struct ln_exchange *x, const uint8_t *plain, struct ln_slice body, int64_t now)
{
  struct ln_exchange_job *j = &x->job;
  struct ln_reader r;
  ln_reader_init(&r, body);
  uint32_t id = ln_read_u32(&r);
  struct ln_slice nonces = ln_read_raw(&r, 32);
  uint64_t retry_id = ln_read_u64(&r);
  struct ln_slice g_b = ln_read_bytes(&r);
  bool parsed = r.err == LN_OK && id == LN_ID_client_DH_inner_data;
  size_t used = parsed ? (size_t)(r.p - body.p) : body.n;
  bool fits = ln_exchange_hash_fits(plain, body, used);
  if (!parsed || !LN_CHECK(K9, fits)) return ln_exchange_refuse(x, LN_CK_K9);
  ln_reader_init(&r, nonces);
  if (!ln_exchange_nonces_fit(x, &r)) return ln_exchange_refuse(x, LN_CK_K1);
  if (!LN_CHECK(K15, retry_id == x->retry_id)) return ln_exchange_refuse(x, LN_CK_K15);
  if (g_b.n == 0 || g_b.n > sizeof j->peer) return ln_exchange_refuse(x, LN_CK_K12);
  memcpy(j->peer, g_b.p, g_b.n);
  j->peer_len = g_b.n;
  memcpy(j->secret, x->s.secret, sizeof j->secret);
  memcpy(j->prime, x->server_config.prime, sizeof j->prime);
  j->kind = LN_EX_JOB_SHARED;
  x->step_started = now;
  return LN_OK;
}

static int on_set_client_dh(struct ln_exchange *x, struct ln_reader *r, int64_t now)
{
  uint8_t plain[LN_EXCHANGE_PAYLOAD_MAX];
  struct ln_slice body;
  bool nonces = ln_exchange_nonces_fit(x, r);
  struct ln_slice sealed = ln_read_bytes(r);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!nonces) return ln_exchange_refuse(x, LN_CK_K1);
  int err = ln_exchange_unseal(x, sealed, plain, &body);
  if (!err) err = on_client_inner(x, plain, body, now);
  ln_cleanse(plain, sizeof plain);
  return err;
}

/* K16: an id that is 0 or in use already asks for another key; five times, then it is over. */
static int on_shared(struct ln_exchange *x, const struct ln_exchange_job *job, int64_t now)
{
  const struct ln_exchange_server_config *c = &x->server_config;
  struct ln_writer w;
  uint8_t hash[16];
  ln_auth_key_init(&x->s.key, job->shared);
  bool fresh = x->s.key.id != 0 && !(c->taken && c->taken(c->ctx, x->s.key.id));
  uint8_t verdict = LN_CHECK(K16, fresh) ? 1 : x->retries++ < LN_EXCHANGE_RETRIES ? 2 : 3;
  ln_exchange_nonce_hash(x, verdict, hash);
  ln_exchange_compose(x, &w);
  ln_exchange_write_pair(x, &w,
                         verdict == 1   ? LN_ID_dh_gen_ok
                         : verdict == 2 ? LN_ID_dh_gen_retry
                                        : LN_ID_dh_gen_fail);
  ln_write_raw(&w, hash, sizeof hash);
  if (verdict == 1) {
    ln_exchange_conclude(x);
  } else if (verdict == 2) {
    x->retry_id = x->s.key.aux_hash;
  } else {
    (void)ln_exchange_refuse(x, LN_CK_K16); /* the answer still goes out, being sent after it */
  }
  return ln_exchange_send(x, &w, now);
}

int ln_exchange_server_input(struct ln_exchange *x, struct ln_slice body, int64_t now, int64_t wall)
{
  struct ln_reader r;
  (void)wall;
  ln_reader_init(&r, body);
  switch (ln_read_u32(&r)) {
  case LN_ID_req_pq:
  case LN_ID_req_pq_multi: return on_req_pq(x, &r, now);
  case LN_ID_req_DH_params:
    if (x->state == LN_EX_DH_PARAMS) return on_req_dh_params(x, &r, now);
    break;
  case LN_ID_set_client_DH_params:
    if (x->state == LN_EX_DH_GEN) return on_set_client_dh(x, &r, now);
    break;
  }
  return ln_exchange_refuse(x, LN_CK_K2);
}

static int draw_again(struct ln_exchange *x, struct ln_exchange_job *job)
{
  int err = ln_exchange_draw(x, job->secret);
  if (err) return err;
  x->job = *job;
  x->job.handed_out = x->job.redraw = x->job.is_old = false;
  return LN_OK;
}

int ln_exchange_server_job_done(struct ln_exchange *x, struct ln_exchange_job *job, int64_t now, int64_t wall)
{
  if (job->kind == LN_EX_JOB_SHARED) return on_shared(x, job, now);
  return job->redraw ? draw_again(x, job) : on_decrypted(x, job, now, wall);
}
