/* The key exchange, the client's steps: req_pq_multi, req_DH_params, set_client_DH_params. The server is
 * known by its RSA key alone until dh_gen_ok, so all that it says is checked (K1–K18).
 * https://core.telegram.org/mtproto/auth_key Called by exchange_common.c. */
#include "mtproto/exchange_impl.h"

#include "tl_ids.h"

int ln_exchange_start(struct ln_exchange *x, int64_t now)
{
  struct ln_writer w;
  if (!x->client || x->state != LN_EX_IDLE) return LN_E_INVAL;
  int err = ln_rng_fill(&x->rng, x->s.nonce, sizeof x->s.nonce);
  if (err) return ln_exchange_break(x, err);
  x->started = now;
  x->state = LN_EX_RES_PQ;
  ln_exchange_compose(x, &w);
  ln_write_u32(&w, LN_ID_req_pq_multi);
  ln_write_raw(&w, x->s.nonce, sizeof x->s.nonce);
  return ln_exchange_send(x, &w, now);
}

/* The first of our keys that the server offers too. */
static const struct ln_rsa *choose_key(const struct ln_exchange_client_config *c, struct ln_slice offered)
{
  for (size_t i = 0; i < c->n_keys; i++) {
    uint64_t ours = ln_rsa_fingerprint(c->keys[i]);
    for (size_t at = 0; at < offered.n; at += 8)
      if (ln_le64(offered.p + at) == ours) return c->keys[i];
  }
  return NULL;
}

static int on_res_pq(struct ln_exchange *x, struct ln_reader *r, int64_t now)
{
  struct ln_slice nonce = ln_read_raw(r, 16), server_nonce = ln_read_raw(r, 16);
  struct ln_slice pq = ln_read_bytes(r);
  uint32_t count = ln_read_vector(r, true, 8);
  struct ln_slice offered = ln_read_raw(r, (size_t)count * 8);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!LN_CHECK(K1, ln_ct_equal(nonce.p, x->s.nonce, 16))) return ln_exchange_refuse(x, LN_CK_K1);
  memcpy(x->s.server_nonce, server_nonce.p, 16);
  if (!LN_CHECK(K4, pq.n >= 1 && pq.n <= 8)) return ln_exchange_refuse(x, LN_CK_K4);
  if (!LN_CHECK(K3, count <= LN_EXCHANGE_FINGERPRINTS)) return ln_exchange_refuse(x, LN_CK_K3);
  x->rsa = choose_key(&x->client_config, offered);
  if (!x->rsa) {
    (void)ln_exchange_refuse(x, LN_CK_K3);
    return LN_E_NO_KEY;
  }
  for (size_t i = 0; i < pq.n; i++) x->s.pq = x->s.pq << 8 | pq.p[i];
  x->job.kind = LN_EX_JOB_FACTOR;
  x->job.pq = x->s.pq;
  x->step_started = now;
  return LN_OK;
}

static void write_number(struct ln_writer *w, uint64_t v)
{
  uint8_t bytes[8];
  size_t n = 0;
  for (int shift = 56; shift >= 0; shift -= 8)
    if (n > 0 || v >> shift) bytes[n++] = (uint8_t)(v >> shift);
  ln_write_bytes(w, ln_slice(bytes, n));
}

/* RSA_PAD of p_q_inner_data_dc, or of its variant for a temporary key. The older padding is never offered
 * (K5). */
static int seal_inner(struct ln_exchange *x, uint8_t out[256])
{
  struct ln_buf inner;
  struct ln_writer w;
  ln_buf_init(&inner, 144);
  ln_writer_init(&w, &inner);
  int32_t expires_in = x->client_config.expires_in;
  ln_write_u32(&w, expires_in ? LN_ID_p_q_inner_data_temp_dc : LN_ID_p_q_inner_data_dc);
  write_number(&w, x->s.pq);
  write_number(&w, x->s.p);
  write_number(&w, x->s.q);
  ln_write_raw(&w, x->s.nonce, sizeof x->s.nonce);
  ln_write_raw(&w, x->s.server_nonce, sizeof x->s.server_nonce);
  ln_write_raw(&w, x->s.new_nonce, sizeof x->s.new_nonce);
  ln_write_i32(&w, x->client_config.dc);
  if (expires_in) ln_write_i32(&w, expires_in);
  int err = w.err ? w.err : ln_rsa_pad_encrypt(x->rsa, &x->rng, ln_buf_slice(&inner), out);
  ln_buf_deinit_secret(&inner);
  return err;
}

static int on_factored(struct ln_exchange *x, const struct ln_exchange_job *job, int64_t now)
{
  struct ln_writer w;
  uint8_t sealed[256];
  x->s.p = job->p;
  x->s.q = job->q;
  int err = ln_rng_fill(&x->rng, x->s.new_nonce, sizeof x->s.new_nonce);
  if (!err) err = seal_inner(x, sealed);
  if (err) return ln_exchange_break(x, err);
  ln_kdf_exchange(x->s.new_nonce, x->s.server_nonce, x->s.aes_key, x->s.aes_iv);
  x->state = LN_EX_DH_PARAMS;
  ln_exchange_compose(x, &w);
  ln_exchange_write_pair(x, &w, LN_ID_req_DH_params);
  write_number(&w, x->s.p);
  write_number(&w, x->s.q);
  ln_write_u64(&w, ln_rsa_fingerprint(x->rsa));
  ln_write_bytes(&w, ln_slice(sealed, sizeof sealed));
  return ln_exchange_send(x, &w, now);
}

/* It fails in any case; the hash tells whether the server said so, or somebody on the way (K7). */
static int on_dh_params_fail(struct ln_exchange *x, struct ln_reader *r)
{
  uint8_t sha[20];
  bool nonces = ln_exchange_nonces_fit(x, r);
  struct ln_slice hash = ln_read_raw(r, 16);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!nonces) return ln_exchange_refuse(x, LN_CK_K1);
  ln_sha1(ln_slice(x->s.new_nonce, 32), sha);
  return ln_exchange_refuse(x, LN_CHECK(K7, ln_ct_equal(hash.p, sha + 4, 16)) ? LN_CK_COUNT : LN_CK_K7);
}

/* A secret exponent, and the job that takes it through g^b to the key. */
static int begin_agreement(struct ln_exchange *x, int64_t now)
{
  struct ln_exchange_job *j = &x->job;
  int err = ln_exchange_draw(x, j->secret);
  if (err) return err;
  memcpy(j->prime, x->s.prime, sizeof j->prime);
  memcpy(j->peer, x->s.peer, sizeof j->peer);
  j->peer_len = x->s.peer_len;
  j->g = x->s.g;
  j->group_checked = x->group_checked;
  j->kind = LN_EX_JOB_AGREE;
  x->step_started = now;
  return LN_OK;
}

static int on_inner_data(struct ln_exchange *x, const uint8_t *plain, struct ln_slice body, int64_t now)
{
  struct ln_reader r;
  ln_reader_init(&r, body);
  uint32_t id = ln_read_u32(&r);
  struct ln_slice nonces = ln_read_raw(&r, 32);
  int32_t g = ln_read_i32(&r);
  struct ln_slice prime = ln_read_bytes(&r), g_a = ln_read_bytes(&r);
  int32_t server_time = ln_read_i32(&r);
  /* The padding's length is known from the object alone, so it is parsed before its hash is compared; nothing
   * of it is used, and both failures are one. */
  bool parsed = r.err == LN_OK && id == LN_ID_server_DH_inner_data;
  size_t used = parsed ? (size_t)(r.p - body.p) : body.n;
  bool fits = ln_exchange_hash_fits(plain, body, used);
  if (!parsed || !LN_CHECK(K9, fits)) return ln_exchange_refuse(x, LN_CK_K9);
  ln_reader_init(&r, nonces);
  if (!ln_exchange_nonces_fit(x, &r)) return ln_exchange_refuse(x, LN_CK_K1);
  if (prime.n != sizeof x->s.prime) return ln_exchange_refuse(x, LN_CK_K10);
  if (g_a.n == 0 || g_a.n > sizeof x->s.peer) return ln_exchange_refuse(x, LN_CK_K12);
  /* K17: all times and msg_ids to come hang on it. */
  if (!LN_CHECK(K17, server_time > 0)) return ln_exchange_refuse(x, LN_CK_K17);
  x->result.server_offset_us = server_time * LN_US_PER_S - now;
  memcpy(x->s.prime, prime.p, prime.n);
  memcpy(x->s.peer, g_a.p, g_a.n);
  x->s.peer_len = g_a.n;
  x->s.g = g;
  return begin_agreement(x, now);
}

static int on_dh_params_ok(struct ln_exchange *x, struct ln_reader *r, int64_t now)
{
  uint8_t plain[LN_EXCHANGE_PAYLOAD_MAX];
  struct ln_slice body;
  bool nonces = ln_exchange_nonces_fit(x, r);
  struct ln_slice sealed = ln_read_bytes(r);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!nonces) return ln_exchange_refuse(x, LN_CK_K1);
  int err = ln_exchange_unseal(x, sealed, plain, &body);
  if (!err) err = on_inner_data(x, plain, body, now);
  ln_cleanse(plain, sizeof plain);
  return err;
}

static int on_agreed(struct ln_exchange *x, const struct ln_exchange_job *job, int64_t now)
{
  struct ln_buf inner;
  struct ln_writer w, iw;
  x->group_checked = true;
  ln_auth_key_init(&x->s.key, job->shared);
  if (!LN_CHECK(K16, x->s.key.id != 0)) return ln_exchange_refuse(x, LN_CK_K16);
  ln_buf_init(&inner, 512);
  ln_writer_init(&iw, &inner);
  ln_exchange_write_pair(x, &iw, LN_ID_client_DH_inner_data);
  ln_write_u64(&iw, x->retry_id);
  ln_write_bytes(&iw, ln_slice(job->own, sizeof job->own));
  ln_exchange_compose(x, &w);
  ln_exchange_write_pair(x, &w, LN_ID_set_client_DH_params);
  if (iw.err)
    w.err = iw.err;
  else
    ln_exchange_seal(x, &w, ln_buf_slice(&inner));
  ln_buf_deinit_secret(&inner);
  x->state = LN_EX_DH_GEN;
  return ln_exchange_send(x, &w, now);
}

static int on_dh_gen(struct ln_exchange *x, uint32_t id, struct ln_reader *r, int64_t now)
{
  uint8_t want[16];
  bool nonces = ln_exchange_nonces_fit(x, r);
  struct ln_slice hash = ln_read_raw(r, 16);
  if (ln_reader_finish(r)) return ln_exchange_refuse(x, LN_CK_K2);
  if (!nonces) return ln_exchange_refuse(x, LN_CK_K1);
  ln_exchange_nonce_hash(x, id == LN_ID_dh_gen_ok ? 1 : id == LN_ID_dh_gen_retry ? 2 : 3, want);
  if (!LN_CHECK(K15, ln_ct_equal(hash.p, want, 16))) return ln_exchange_refuse(x, LN_CK_K15);
  if (id == LN_ID_dh_gen_fail) return ln_exchange_refuse(x, LN_CK_COUNT);
  if (id == LN_ID_dh_gen_ok) {
    x->result.expires_in = x->client_config.expires_in;
    x->result.temporary = x->result.expires_in != 0;
    ln_exchange_conclude(x);
    return LN_OK;
  }
  if (!LN_CHECK(K15, ++x->retries <= LN_EXCHANGE_RETRIES)) return ln_exchange_refuse(x, LN_CK_K15);
  x->retry_id = x->s.key.aux_hash;
  return begin_agreement(x, now);
}

int ln_exchange_client_input(struct ln_exchange *x, struct ln_slice body, int64_t now)
{
  struct ln_reader r;
  ln_reader_init(&r, body);
  uint32_t id = ln_read_u32(&r);
  switch (x->state) {
  case LN_EX_RES_PQ:
    if (id == LN_ID_resPQ) return on_res_pq(x, &r, now);
    break;
  case LN_EX_DH_PARAMS:
    if (id == LN_ID_server_DH_params_ok) return on_dh_params_ok(x, &r, now);
    if (id == LN_ID_server_DH_params_fail) return on_dh_params_fail(x, &r);
    break;
  case LN_EX_DH_GEN:
    if (id == LN_ID_dh_gen_ok || id == LN_ID_dh_gen_retry || id == LN_ID_dh_gen_fail)
      return on_dh_gen(x, id, &r, now);
    break;
  default: break;
  }
  return ln_exchange_refuse(x, LN_CK_K2); /* nothing that this state expects */
}

int ln_exchange_client_job_done(struct ln_exchange *x, struct ln_exchange_job *job, int64_t now)
{
  if (job->kind == LN_EX_JOB_FACTOR) return on_factored(x, job, now);
  return job->redraw ? begin_agreement(x, now) : on_agreed(x, job, now);
}
