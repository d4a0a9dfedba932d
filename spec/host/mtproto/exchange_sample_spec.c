/* The client against the protocol's own worked example: with the example's random numbers it has to arrive at
 * the example's messages and key. Only the RSA key is ours, since nobody has the private half of the
 * example's. */
#include "mtproto/exchange.h"

#include "auth_key_sample.h"
#include "exchange_evil.h"

struct numbers {
  uint8_t nonce[16], new_nonce[32], b[256];
  int drawn; /* of 32 bytes */
  struct ln_rng_seeded seed;
  struct ln_rng rest;
};

static int sample_fill(void *ctx, void *out, size_t n)
{
  struct numbers *s = ctx;
  if (n == 16) {
    memcpy(out, s->nonce, n);
  } else if (n == 256) {
    memcpy(out, s->b, n);
  } else if (n == 32 && s->drawn++ == 0) {
    memcpy(out, s->new_nonce, n);
  } else {
    return ln_rng_fill(&s->rest, out, n);
  }
  return LN_OK;
}

static uint8_t nonce[16], server_nonce[16];

static void answer(struct ln_exchange *x, struct ln_buf *body)
{
  envelope_end(body, 0, UINT64_C(0x65c53d5175d80101));
  assert_int_equal(pair_feed(x, ln_buf_slice(body), PAIR_NOW, PAIR_WALL), LN_OK);
  ln_buf_deinit(body);
}

static void begin_answer(struct ln_buf *body, struct ln_writer *w, uint32_t id)
{
  envelope_begin(body, w);
  ln_write_u32(w, id);
  ln_write_raw(w, nonce, 16);
  ln_write_raw(w, server_nonce, 16);
}

static void read_query(struct ln_exchange *x, struct ln_reader *r, uint32_t id, bool with_server_nonce)
{
  struct ln_slice query;
  assert_true(ln_exchange_output(x, PAIR_WALL, &query));
  envelope_body(query, r);
  assert_int_equal(ln_read_u32(r), id);
  assert_memory_equal(ln_read_raw(r, 16).p, nonce, 16);
  if (with_server_nonce) assert_memory_equal(ln_read_raw(r, 16).p, server_nonce, 16);
}

static void assert_hex(struct ln_slice got, const char *hex)
{
  uint8_t want[1024];
  size_t n = spec_hex(hex, want, sizeof want);
  assert_int_equal(got.n, n);
  assert_memory_equal(got.p, want, n);
}

static void the_client_arrives_at_the_published_key(void **state)
{
  (void)state;
  struct numbers numbers = {.drawn = 0};
  struct pair p;
  struct ln_reader r;
  struct ln_buf body;
  struct ln_writer w;
  struct ln_exchange_result result;
  uint8_t bytes[1024], key[32], iv[32], plain[1024], new_nonce[32];
  spec_hex(AUTH_SAMPLE_NONCE, nonce, 16);
  spec_hex(AUTH_SAMPLE_SERVER_NONCE, server_nonce, 16);
  spec_hex(AUTH_SAMPLE_NEW_NONCE, new_nonce, 32);
  memcpy(numbers.nonce, nonce, 16);
  memcpy(numbers.new_nonce, new_nonce, 32);
  assert_int_equal(spec_hex(AUTH_SAMPLE_B, numbers.b, 256), 256);
  numbers.rest = ln_rng_seeded(&numbers.seed, 1);
  pair_configure(&p, 1);
  p.client_config.rng = (struct ln_rng){sample_fill, &numbers};
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  assert_int_equal(ln_exchange_start(p.client, PAIR_NOW), LN_OK);

  read_query(p.client, &r, LN_ID_req_pq_multi, false);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  begin_answer(&body, &w, LN_ID_resPQ);
  ln_write_bytes(&w, ln_slice(bytes, spec_hex(AUTH_SAMPLE_PQ, bytes, 8)));
  ln_write_vector(&w, true, 3);
  ln_write_u64(&w, UINT64_C(0x0bc35f3509f7b7a5));
  ln_write_u64(&w, UINT64_C(0xc3b42b026ce86b21));
  ln_write_u64(&w, ln_rsa_fingerprint(pair_rsa()));
  answer(p.client, &body);

  read_query(p.client, &r, LN_ID_req_DH_params, true);
  assert_hex(ln_read_bytes(&r), AUTH_SAMPLE_P);
  assert_hex(ln_read_bytes(&r), AUTH_SAMPLE_Q);
  assert_true(ln_read_u64(&r) == ln_rsa_fingerprint(pair_rsa()));
  assert_int_equal(ln_read_bytes(&r).n, 256);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  begin_answer(&body, &w, LN_ID_server_DH_params_ok);
  ln_write_bytes(&w, ln_slice(bytes, spec_hex(AUTH_SAMPLE_ENCRYPTED_ANSWER, bytes, sizeof bytes)));
  answer(p.client, &body);

  read_query(p.client, &r, LN_ID_set_client_DH_params, true);
  struct ln_slice sealed = ln_read_bytes(&r);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  assert_int_equal(sealed.n, 336);
  ln_kdf_exchange(new_nonce, server_nonce, key, iv);
  ln_aes_ige_decrypt(key, iv, sealed.p, plain, sealed.n);
  ln_reader_init(&r, ln_slice(plain + 20, sealed.n - 20));
  assert_int_equal(ln_read_u32(&r), LN_ID_client_DH_inner_data);
  (void)ln_read_raw(&r, 32);
  assert_true(ln_read_u64(&r) == 0);
  assert_hex(ln_read_bytes(&r), AUTH_SAMPLE_G_B);
  begin_answer(&body, &w, LN_ID_dh_gen_ok);
  ln_write_raw(&w, bytes, spec_hex(AUTH_SAMPLE_NONCE_HASH_1, bytes, 16));
  answer(p.client, &body);

  assert_true(ln_exchange_finished(p.client, &result));
  assert_hex(ln_slice(result.key.key, 256), AUTH_SAMPLE_KEY);
  assert_true(result.server_offset_us == AUTH_SAMPLE_SERVER_TIME * LN_US_PER_S - PAIR_NOW);
  assert_true(result.salt == (UINT64_C(0x6cac2d5149c8bba8) ^ UINT64_C(0xa2917dc93bbc1de1)));
  ln_exchange_free(p.client);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_client_arrives_at_the_published_key)};
  return cmocka_run_group_tests_name("mtproto/exchange_sample", tests, NULL, NULL);
}
