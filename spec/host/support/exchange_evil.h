/* A server of the key exchange, written apart from the one in host/, that does one thing wrong: whatever the
 * trick says. For specs of the client; its envelope is used by specs of the server too. */
#ifndef SPEC_EXCHANGE_EVIL_H
#define SPEC_EXCHANGE_EVIL_H

#include "crypto/aes.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "tl/reader.h"
#include "tl/writer.h"
#include "tl_ids.h"
#include "exchange_pair.h"

enum trick {
  HONEST,
  RES_NONCE,
  PARAMS_NONCE,
  PARAMS_SERVER_NONCE,
  INNER_NONCE,
  INNER_SERVER_NONCE,
  GEN_NONCE,
  GEN_SERVER_NONCE,
  FAIL_NONCE,
  AUTH_KEY_ID,
  EVEN_MSG_ID,
  TRAILING_16,
  HUGE_PAYLOAD,
  FINGERPRINTS_65,
  FINGERPRINT_UNKNOWN,
  PQ_EMPTY,
  PQ_ZERO,
  PQ_ONE,
  PQ_PRIME,
  PQ_EVEN,
  PQ_SQUARE,
  PQ_THREE,
  PQ_LARGE,
  PQ_NINE_BYTES,
  FAIL_HONEST,
  FAIL_FORGED,
  SEALED_LONG,
  SEALED_UNALIGNED,
  SEALED_SHORT,
  HASH_WRONG,
  PADDING_16,
  PRIME_COMPOSITE,
  PRIME_NOT_SAFE,
  PRIME_SHORT,
  PRIME_TOP_CLEAR,
  PRIME_EVEN,
  G_2,
  G_5,
  G_6,
  G_0,
  G_1,
  G_8,
  G_NEGATIVE,
  GA_ZERO,
  GA_ONE,
  GA_MINUS_ONE,
  GA_PRIME,
  GA_LOW,
  GA_HIGH,
  GA_LONG,
  GA_EMPTY,
  TIME_ZERO,
  TIME_NEGATIVE,
  OK_HASH,
  RETRY_HASH,
  RETRY_FROM_OK,
  RETRY_SIX,
  GEN_FAIL_HONEST,
  GEN_FAIL_FORGED,
  WRONG_CONSTRUCTOR,
  TRUNCATED,
  LENGTH_LIES,
  LENGTH_ZERO,
  LENGTH_HUGE,
  BODY_LONGER,
  INNER_OTHER,
  NO_ANSWER,
};

struct evil {
  enum trick trick;
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  uint8_t nonce[16], server_nonce[16], new_nonce[32], aes_key[32], aes_iv[32];
  uint8_t prime[257], g_a[257], secret[256];
  size_t prime_len, g_a_len;
  int32_t g;
  int gens;
  uint8_t inner[192]; /* p_q_inner_data as it came */
  uint64_t fingerprint;
  uint64_t retry_id; /* of the client_DH_inner_data that came last */
};

static inline void evil_open(struct evil *e, enum trick trick, uint64_t seed)
{
  memset(e, 0, sizeof *e);
  e->trick = trick;
  e->rng = ln_rng_seeded(&e->seed, seed);
}

/* --- envelope --- */

static inline void envelope_begin(struct ln_buf *out, struct ln_writer *w)
{
  static const uint8_t zeros[20];
  ln_buf_init(out, 1 << 16);
  ln_writer_init(w, out);
  ln_write_raw(w, zeros, sizeof zeros);
}

static inline void envelope_end(struct ln_buf *out, uint64_t auth_key_id, uint64_t msg_id)
{
  uint8_t *p = ln_buf_data(out);
  ln_put_le64(p, auth_key_id);
  ln_put_le64(p + 8, msg_id);
  ln_put_le32(p + 16, (uint32_t)(out->len - 20));
}

static inline void envelope_body(struct ln_slice payload, struct ln_reader *r)
{
  assert_true(payload.n >= 24);
  assert_int_equal(ln_le32(payload.p + 16), payload.n - 20);
  ln_reader_init(r, ln_slice_from(payload, 20));
}

static inline void write_nonce(struct ln_writer *w, const uint8_t *nonce, size_t n, bool wrong)
{
  uint8_t copy[32];
  memcpy(copy, nonce, n);
  if (wrong) copy[n - 1] ^= 1;
  ln_write_raw(w, copy, n);
}

/* --- resPQ --- */

static inline struct ln_slice evil_pq(enum trick trick, uint8_t bytes[9])
{
  const char *hex = "17ED48941A08F981"; /* of the protocol's older published example */
  switch (trick) {
  case PQ_EMPTY: hex = ""; break;
  case PQ_ZERO: hex = "00"; break;
  case PQ_ONE: hex = "01"; break;
  case PQ_PRIME: hex = "7FFFFFFFFFFFFFE7"; break; /* 2^63 - 25 */
  case PQ_EVEN: hex = "01FFFFFFF6"; break;        /* 2 × 4294967291 */
  case PQ_SQUARE: hex = "31"; break;
  case PQ_THREE: hex = "69"; break;               /* 3 × 5 × 7 */
  case PQ_LARGE: hex = "FFFFFFF600000019"; break; /* 4294967291², above 2^63 */
  case PQ_NINE_BYTES: hex = "0017ED48941A08F981"; break;
  default: break;
  }
  return ln_slice(bytes, spec_hex(hex, bytes, 9));
}

static inline void evil_res_pq(struct evil *e, struct ln_reader *r, struct ln_writer *w)
{
  uint8_t bytes[9];
  struct ln_slice nonce = ln_read_raw(r, 16);
  memcpy(e->nonce, nonce.p, 16);
  assert_int_equal(ln_rng_fill(&e->rng, e->server_nonce, 16), LN_OK);
  ln_write_u32(w, e->trick == WRONG_CONSTRUCTOR ? LN_ID_dh_gen_ok : LN_ID_resPQ);
  write_nonce(w, e->nonce, 16, e->trick == RES_NONCE);
  write_nonce(w, e->server_nonce, 16, false);
  ln_write_bytes(w, evil_pq(e->trick, bytes));
  uint32_t others = e->trick == FINGERPRINTS_65 ? 64 : e->trick == HUGE_PAYLOAD ? 600 : 2;
  uint64_t ours = ln_rsa_fingerprint(pair_rsa());
  ln_write_vector(w, true, others + 1);
  for (uint32_t i = 0; i < others; i++) ln_write_u64(w, ours + 1 + i);
  ln_write_u64(w, e->trick == FINGERPRINT_UNKNOWN ? 5 : ours);
}

/* --- server_DH_params --- */

/* What goes out as g_a. */
static inline void evil_public(struct evil *e)
{
  struct ln_slice prime = ln_slice(e->prime, 256);
  e->g_a_len = 256;
  memset(e->g_a, 0, sizeof e->g_a);
  switch (e->trick) {
  case GA_ZERO: break;
  case GA_ONE: e->g_a[255] = 1; break;
  case GA_MINUS_ONE:
    memcpy(e->g_a, e->prime, 256);
    e->g_a[255] ^= 1;
    break;
  case GA_PRIME: memcpy(e->g_a, e->prime, 256); break;
  case GA_LOW: memset(e->g_a + 8, 0xff, 248); break;
  case GA_HIGH: { /* p - 2^1984 + 1: the byte of weight 2^1984 is the one at 7 */
    memcpy(e->g_a, e->prime, 256);
    assert_true(e->g_a[7] != 0);
    e->g_a[7]--;
    e->g_a[255]++;
    assert_true(e->g_a[255] != 0);
    break;
  }
  case GA_LONG:
    e->g_a_len = 257;
    e->g_a[256] = 7;
    break;
  case GA_EMPTY: e->g_a_len = 0; break;
  default:
    if (ln_dh_public(prime, e->g, e->secret, e->g_a) != LN_OK) memset(e->g_a, 0x55, 256);
  }
}

static inline void evil_group(struct evil *e)
{
  memcpy(e->prime, ln_dh_telegram_prime, 256);
  e->prime_len = e->trick == PRIME_SHORT ? 255 : 256;
  e->g = 3;
  switch (e->trick) {
  case PRIME_COMPOSITE: /* p - 2 */
    e->prime[255] -= 2;
    e->g = 4;
    break;
  case PRIME_NOT_SAFE: /* p - 564, a prime; half of it is none */
    e->prime[255] = 0x5b - 0x34;
    e->prime[254] -= 2;
    e->g = 4;
    break;
  case PRIME_TOP_CLEAR: e->prime[0] &= 0x7f; break;
  case PRIME_EVEN: e->prime[255] ^= 1; break;
  case G_2: e->g = 2; break;
  case G_5: e->g = 5; break;
  case G_6: e->g = 6; break;
  case G_0: e->g = 0; break;
  case G_1: e->g = 1; break;
  case G_8: e->g = 8; break;
  case G_NEGATIVE: e->g = -3; break;
  default: break;
  }
  assert_int_equal(ln_rng_fill(&e->rng, e->secret, 256), LN_OK);
  evil_public(e);
}

static inline void evil_seal(struct evil *e, struct ln_writer *w, struct ln_slice body)
{
  uint8_t plain[4096] = {0};
  size_t n = (20 + body.n + 15) & ~(size_t)15;
  ln_sha1(body, plain);
  if (e->trick == HASH_WRONG) plain[19] ^= 0x80;
  memcpy(plain + 20, body.p, body.n);
  if (e->trick == PADDING_16) n += 16;
  if (e->trick == SEALED_LONG) n = 2048 + 16;
  if (e->trick == SEALED_SHORT) n = 96;
  ln_aes_ige_encrypt(e->aes_key, e->aes_iv, plain, plain, n);
  if (e->trick == SEALED_UNALIGNED) n += 8;
  ln_write_bytes(w, ln_slice(plain, n));
}

static inline void evil_params(struct evil *e, struct ln_reader *r, struct ln_writer *w)
{
  struct ln_reader ir;
  struct ln_buf inner;
  struct ln_writer iw;
  (void)ln_read_raw(r, 32);
  (void)ln_read_bytes(r);
  (void)ln_read_bytes(r);
  e->fingerprint = ln_read_u64(r);
  struct ln_slice sealed = ln_read_bytes(r);
  assert_int_equal(r->err, LN_OK);
  assert_int_equal(sealed.n, 256);
  assert_int_equal(ln_rsa_pad_decrypt(pair_rsa(), sealed.p, e->inner), LN_OK);
  ln_reader_init(&ir, ln_slice(e->inner, sizeof e->inner));
  assert_int_equal(ln_read_u32(&ir), LN_ID_p_q_inner_data_dc);
  for (int i = 0; i < 3; i++) (void)ln_read_bytes(&ir);
  (void)ln_read_raw(&ir, 32);
  struct ln_slice new_nonce = ln_read_raw(&ir, 32);
  assert_int_equal(ir.err, LN_OK);
  memcpy(e->new_nonce, new_nonce.p, 32);
  ln_kdf_exchange(e->new_nonce, e->server_nonce, e->aes_key, e->aes_iv);

  bool fail = e->trick == FAIL_HONEST || e->trick == FAIL_FORGED || e->trick == FAIL_NONCE;
  ln_write_u32(w, fail ? LN_ID_server_DH_params_fail : LN_ID_server_DH_params_ok);
  write_nonce(w, e->nonce, 16, e->trick == PARAMS_NONCE || e->trick == FAIL_NONCE);
  write_nonce(w, e->server_nonce, 16, e->trick == PARAMS_SERVER_NONCE);
  if (fail) {
    uint8_t sha[20];
    ln_sha1(ln_slice(e->new_nonce, 32), sha);
    write_nonce(w, sha + 4, 16, e->trick == FAIL_FORGED);
    return;
  }
  evil_group(e);
  ln_buf_init(&inner, 4096);
  ln_writer_init(&iw, &inner);
  ln_write_u32(&iw, e->trick == INNER_OTHER ? LN_ID_client_DH_inner_data : LN_ID_server_DH_inner_data);
  write_nonce(&iw, e->nonce, 16, e->trick == INNER_NONCE);
  write_nonce(&iw, e->server_nonce, 16, e->trick == INNER_SERVER_NONCE);
  ln_write_i32(&iw, e->g);
  ln_write_bytes(&iw, ln_slice(e->prime, e->prime_len));
  ln_write_bytes(&iw, ln_slice(e->g_a, e->g_a_len));
  ln_write_i32(&iw, e->trick == TIME_ZERO ? 0 : e->trick == TIME_NEGATIVE ? -5 : 1750000000);
  evil_seal(e, w, ln_buf_slice(&inner));
  ln_buf_deinit(&inner);
}

/* --- dh_gen --- */

static inline void evil_gen(struct evil *e, struct ln_reader *r, struct ln_writer *w)
{
  uint8_t plain[4096], shared[256], number, aux[8], sha[20];
  struct ln_reader ir;
  struct ln_auth_key key;
  (void)ln_read_raw(r, 32);
  struct ln_slice sealed = ln_read_bytes(r);
  assert_true(r->err == LN_OK && sealed.n % 16 == 0 && sealed.n < sizeof plain);
  ln_aes_ige_decrypt(e->aes_key, e->aes_iv, sealed.p, plain, sealed.n);
  ln_reader_init(&ir, ln_slice(plain + 20, sealed.n - 20));
  assert_int_equal(ln_read_u32(&ir), LN_ID_client_DH_inner_data);
  assert_memory_equal(ln_read_raw(&ir, 16).p, e->nonce, 16);
  assert_memory_equal(ln_read_raw(&ir, 16).p, e->server_nonce, 16);
  e->retry_id = ln_read_u64(&ir);
  struct ln_slice g_b = ln_read_bytes(&ir);
  assert_int_equal(ir.err, LN_OK);
  size_t used = (size_t)(ir.p - (plain + 20));
  assert_true(sealed.n - 20 - used <= 15);
  ln_sha1(ln_slice(plain + 20, used), sha);
  assert_memory_equal(sha, plain, 20);
  assert_int_equal(ln_dh_shared(ln_slice(e->prime, 256), g_b, e->secret, shared), LN_OK);
  if (e->trick == GA_ONE) {
    memset(shared, 0, sizeof shared);
    shared[255] = 1;
  }
  ln_auth_key_init(&key, shared);

  int gen = e->gens++;
  bool retry = (e->trick == RETRY_HASH && gen == 0) || (e->trick == RETRY_FROM_OK && gen == 0) ||
               (e->trick == RETRY_SIX && gen < 6);
  bool fail = e->trick == GEN_FAIL_HONEST || e->trick == GEN_FAIL_FORGED;
  number = fail ? 3 : retry && e->trick != RETRY_FROM_OK ? 2 : 1;
  bool wrong = e->trick == OK_HASH || e->trick == GEN_FAIL_FORGED || (e->trick == RETRY_HASH && retry);
  ln_put_le64(aux, key.aux_hash);
  ln_sha1_parts((struct ln_slice[]){ln_slice(e->new_nonce, 32), ln_slice(&number, 1), ln_slice(aux, 8)}, 3,
                sha);
  ln_write_u32(w, fail ? LN_ID_dh_gen_fail : retry ? LN_ID_dh_gen_retry : LN_ID_dh_gen_ok);
  write_nonce(w, e->nonce, 16, e->trick == GEN_NONCE);
  write_nonce(w, e->server_nonce, 16, e->trick == GEN_SERVER_NONCE);
  write_nonce(w, sha + 4, 16, wrong);
}

/* What the last constructor in a query was; the reply is to be freed. An empty one: no answer. */
static inline uint32_t evil_answer(struct evil *e, struct ln_slice query, struct ln_buf *reply)
{
  struct ln_reader r;
  struct ln_writer w;
  envelope_body(query, &r);
  uint32_t id = ln_read_u32(&r);
  if (e->trick == NO_ANSWER) {
    ln_buf_init(reply, 64);
    return id;
  }
  envelope_begin(reply, &w);
  if (id == LN_ID_req_pq_multi)
    evil_res_pq(e, &r, &w);
  else if (id == LN_ID_req_DH_params)
    evil_params(e, &r, &w);
  else if (id == LN_ID_set_client_DH_params)
    evil_gen(e, &r, &w);
  else
    fail_msg("a query that is none: %08x", id);
  if (e->trick == BODY_LONGER) ln_write_u32(&w, 0);
  assert_int_equal(w.err, LN_OK);
  envelope_end(reply, e->trick == AUTH_KEY_ID ? 77 : 0,
               (UINT64_C(1750000000) << 32) + (e->trick == EVEN_MSG_ID ? 4 : 1));
  uint8_t *len = ln_buf_data(reply) + 16;
  static const uint8_t junk[16] = {1, 2, 3};
  switch (e->trick) {
  case TRAILING_16: assert_int_equal(ln_buf_append(reply, junk, 16), LN_OK); break;
  case TRUNCATED: ln_buf_truncate(reply, reply->len - 4), ln_put_le32(len, ln_le32(len) - 4); break;
  case LENGTH_LIES: ln_put_le32(len, ln_le32(len) + 4); break;
  case LENGTH_ZERO: ln_put_le32(len, 0); break;
  case LENGTH_HUGE: ln_put_le32(len, 0xfffffffc); break;
  default: /* what padded transports may leave at the end */
    assert_int_equal(ln_buf_append(reply, junk, 15), LN_OK);
  }
  return id;
}

#endif
