/* The server's end of the key exchange: all forms of inner data under both paddings, and clients that cheat.
 * Every attack is refused by the check that is there for it, and gets through once that check is off. */
#include "crypto/pq.h"
#include "mtproto/check.h"
#include "mtproto/exchange.h"

#include "exchange_evil.h"

#define THROUGH -1
#define RETRIED -2 /* the server asked for another key */
#define TROUBLE -3

enum cheat {
  FAIR,
  PARAMS_BY_NONCE,
  PARAMS_BY_SERVER_NONCE,
  INNER_BY_NONCE,
  INNER_BY_SERVER_NONCE,
  SET_BY_NONCE,
  CLIENT_INNER_BY_SERVER_NONCE,
  WITH_AUTH_KEY_ID,
  SERVER_MSG_ID,
  ODD_MSG_ID,
  LONG_TAIL,
  OTHER_FINGERPRINT,
  OTHER_P,
  OTHER_Q,
  OTHER_PQ_INSIDE,
  OLD_HASH,
  RSA_GARBAGE,
  RSA_ABOVE_N,
  RSA_STRIPPED,
  RSA_257,
  INNER_UNKNOWN,
  TEMP_WITHOUT_END,
  LONG_SEAL,
  UNALIGNED_SEAL,
  BAD_HASH,
  LONG_PADDING,
  GB_ONE,
  GB_ZERO,
  GB_LONG,
  RETRY_ID,
  SKIPS_A_STEP
};

struct form {
  uint32_t id;
  bool old, with_dc, temporary;
};

static const struct form forms[] = {
    {LN_ID_p_q_inner_data, false, false, false},     {LN_ID_p_q_inner_data_dc, false, true, false},
    {LN_ID_p_q_inner_data_temp, false, false, true}, {LN_ID_p_q_inner_data_temp_dc, false, true, true},
    {LN_ID_p_q_inner_data, true, false, false},      {LN_ID_p_q_inner_data_dc, true, true, false},
    {LN_ID_p_q_inner_data_temp, true, false, true},  {LN_ID_p_q_inner_data_temp_dc, true, true, true},
};

struct cheater {
  enum cheat cheat;
  struct form form;
  uint32_t query; /* LN_ID_req_pq or LN_ID_req_pq_multi */
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  uint8_t nonce[16], server_nonce[16], new_nonce[32], aes_key[32], aes_iv[32];
  uint64_t pq, fingerprint;
  uint32_t p, q;
  uint8_t secret[256], shared[256];
  uint64_t msg_id;
};

static void cheater_init(struct cheater *c, enum cheat cheat)
{
  memset(c, 0, sizeof *c);
  c->cheat = cheat;
  c->form = forms[cheat == OLD_HASH ? 4 : cheat == TEMP_WITHOUT_END ? 2 : 1];
  c->query = LN_ID_req_pq_multi;
  c->rng = ln_rng_seeded(&c->seed, 300 + (uint64_t)cheat);
  c->msg_id = UINT64_C(1750000000) << 32;
  assert_int_equal(ln_rng_fill(&c->rng, c->nonce, 16), LN_OK);
  assert_int_equal(ln_rng_fill(&c->rng, c->new_nonce, 32), LN_OK);
  assert_int_equal(ln_rng_fill(&c->rng, c->secret, 256), LN_OK);
}

static void write_big(struct ln_writer *w, uint64_t v)
{
  uint8_t b[8];
  size_t n = 0;
  for (int shift = 56; shift >= 0; shift -= 8)
    if (n || v >> shift) b[n++] = (uint8_t)(v >> shift);
  ln_write_bytes(w, ln_slice(b, n));
}

/* --- queries --- */

static void seal_inner(struct cheater *c, uint8_t out[257])
{
  struct ln_buf inner;
  struct ln_writer w;
  ln_buf_init(&inner, 1024);
  ln_writer_init(&w, &inner);
  ln_write_u32(&w, c->cheat == INNER_UNKNOWN ? LN_ID_resPQ : c->form.id);
  write_big(&w, c->pq + (c->cheat == OTHER_PQ_INSIDE ? 2 : 0));
  write_big(&w, c->p);
  write_big(&w, c->q);
  write_nonce(&w, c->nonce, 16, c->cheat == INNER_BY_NONCE);
  write_nonce(&w, c->server_nonce, 16, c->cheat == INNER_BY_SERVER_NONCE);
  write_nonce(&w, c->new_nonce, 32, false);
  if (c->form.with_dc) ln_write_i32(&w, -10004);
  if (c->form.temporary) ln_write_i32(&w, c->cheat == TEMP_WITHOUT_END ? 0 : 86400);
  if (c->cheat == OLD_HASH) ln_write_u32(&w, 0); /* the hash covers four bytes more than the object */
  struct ln_slice data = ln_buf_slice(&inner);
  out[0] = 0;
  do {
    assert_int_equal(c->form.old ? ln_rsa_old_encrypt(pair_rsa(), &c->rng, data, out + 1)
                                 : ln_rsa_pad_encrypt(pair_rsa(), &c->rng, data, out + 1),
                     LN_OK);
  } while (c->cheat == RSA_STRIPPED && out[1] != 0);
  if (c->cheat == RSA_GARBAGE) memset(out + 1, 0x11, 256);
  if (c->cheat == RSA_ABOVE_N) memset(out + 1, 0xff, 256);
  ln_buf_deinit(&inner);
}

static void write_params(struct cheater *c, struct ln_writer *w)
{
  uint8_t sealed[257];
  ln_write_u32(w, LN_ID_req_DH_params);
  write_nonce(w, c->nonce, 16, c->cheat == PARAMS_BY_NONCE);
  write_nonce(w, c->server_nonce, 16, c->cheat == PARAMS_BY_SERVER_NONCE);
  write_big(w, c->p + (c->cheat == OTHER_P ? 2 : 0));
  write_big(w, c->q + (c->cheat == OTHER_Q ? 2 : 0));
  ln_write_u64(w, c->fingerprint + (c->cheat == OTHER_FINGERPRINT));
  seal_inner(c, sealed);
  if (c->cheat == RSA_STRIPPED)
    ln_write_bytes(w, ln_slice(sealed + 2, 255));
  else if (c->cheat == RSA_257)
    ln_write_bytes(w, ln_slice(sealed, 257));
  else
    ln_write_bytes(w, ln_slice(sealed + 1, 256));
}

static void write_set(struct cheater *c, struct ln_writer *w)
{
  uint8_t plain[4096] = {0}, g_b[257] = {0};
  struct ln_buf inner;
  struct ln_writer iw;
  size_t g_b_len = c->cheat == GB_LONG ? 257 : 256;
  assert_int_equal(ln_dh_public(ln_slice(ln_dh_telegram_prime, 256), 3, c->secret, g_b), LN_OK);
  if (c->cheat == GB_ONE || c->cheat == GB_ZERO) {
    memset(g_b, 0, sizeof g_b);
    g_b[255] = c->cheat == GB_ONE;
    memset(c->shared, 0, sizeof c->shared);
    c->shared[255] = c->cheat == GB_ONE;
  }
  ln_buf_init(&inner, 1024);
  ln_writer_init(&iw, &inner);
  ln_write_u32(&iw, LN_ID_client_DH_inner_data);
  write_nonce(&iw, c->nonce, 16, false);
  write_nonce(&iw, c->server_nonce, 16, c->cheat == CLIENT_INNER_BY_SERVER_NONCE);
  ln_write_u64(&iw, c->cheat == RETRY_ID ? 5 : 0);
  ln_write_bytes(&iw, ln_slice(g_b, g_b_len));
  struct ln_slice body = ln_buf_slice(&inner);
  ln_sha1(body, plain);
  plain[0] ^= c->cheat == BAD_HASH;
  memcpy(plain + 20, body.p, body.n);
  size_t n = (20 + body.n + 15) & ~(size_t)15;
  if (c->cheat == LONG_PADDING) n += 16;
  if (c->cheat == LONG_SEAL) n = 2048 + 16;
  ln_aes_ige_encrypt(c->aes_key, c->aes_iv, plain, plain, n);
  if (c->cheat == UNALIGNED_SEAL) n += 8;
  ln_write_u32(w, LN_ID_set_client_DH_params);
  write_nonce(w, c->nonce, 16, c->cheat == SET_BY_NONCE);
  write_nonce(w, c->server_nonce, 16, false);
  ln_write_bytes(w, ln_slice(plain, n));
  ln_buf_deinit(&inner);
}

/* --- answers --- */

static uint64_t read_big(struct ln_reader *r)
{
  uint64_t v = 0;
  struct ln_slice b = ln_read_bytes(r);
  assert_true(b.n <= 8);
  for (size_t i = 0; i < b.n; i++) v = v << 8 | b.p[i];
  return v;
}

static void on_res_pq(struct cheater *c, struct ln_reader *r)
{
  assert_memory_equal(ln_read_raw(r, 16).p, c->nonce, 16);
  memcpy(c->server_nonce, ln_read_raw(r, 16).p, 16);
  c->pq = read_big(r);
  assert_int_equal(ln_read_vector(r, true, 8), 1);
  c->fingerprint = ln_read_u64(r);
  assert_int_equal(ln_reader_finish(r), LN_OK);
  assert_true(c->fingerprint == ln_rsa_fingerprint(pair_rsa()));
  assert_int_equal(ln_pq_factor(c->pq, &c->p, &c->q), LN_OK);
}

static void on_params(struct cheater *c, struct ln_reader *r)
{
  uint8_t plain[1024], sha[20];
  struct ln_reader ir;
  assert_memory_equal(ln_read_raw(r, 16).p, c->nonce, 16);
  assert_memory_equal(ln_read_raw(r, 16).p, c->server_nonce, 16);
  struct ln_slice sealed = ln_read_bytes(r);
  assert_int_equal(ln_reader_finish(r), LN_OK);
  assert_int_equal(sealed.n, 592);
  ln_kdf_exchange(c->new_nonce, c->server_nonce, c->aes_key, c->aes_iv);
  ln_aes_ige_decrypt(c->aes_key, c->aes_iv, sealed.p, plain, sealed.n);
  ln_sha1(ln_slice(plain + 20, 564), sha);
  assert_memory_equal(sha, plain, 20);
  ln_reader_init(&ir, ln_slice(plain + 20, 564));
  assert_int_equal(ln_read_u32(&ir), LN_ID_server_DH_inner_data);
  assert_memory_equal(ln_read_raw(&ir, 16).p, c->nonce, 16);
  assert_memory_equal(ln_read_raw(&ir, 16).p, c->server_nonce, 16);
  assert_int_equal(ln_read_i32(&ir), 3);
  struct ln_slice prime = ln_read_bytes(&ir), g_a = ln_read_bytes(&ir);
  assert_true(ln_slice_equal(prime, ln_slice(ln_dh_telegram_prime, 256)));
  assert_int_equal(ln_dh_check_public(prime, g_a), LN_OK);
  assert_int_equal(ln_read_i32(&ir), PAIR_WALL / LN_US_PER_S);
  assert_int_equal(ln_reader_finish(&ir), LN_OK);
  assert_int_equal(ln_dh_shared(prime, g_a, c->secret, c->shared), LN_OK);
}

static int on_gen(struct cheater *c, uint32_t id, struct ln_reader *r)
{
  struct ln_auth_key key;
  uint8_t aux[8], sha[20], number = id == LN_ID_dh_gen_ok ? 1 : 2;
  ln_auth_key_init(&key, c->shared);
  ln_put_le64(aux, key.aux_hash);
  ln_sha1_parts((struct ln_slice[]){ln_slice(c->new_nonce, 32), ln_slice(&number, 1), ln_slice(aux, 8)}, 3,
                sha);
  (void)ln_read_raw(r, 32);
  assert_memory_equal(ln_read_raw(r, 16).p, sha + 4, 16);
  return number == 1 ? THROUGH : RETRIED;
}

/* --- a run --- */

static int run(struct cheater *c, struct ln_exchange *server)
{
  for (int step = c->cheat == SKIPS_A_STEP ? 2 : 0; step < 3; step++) {
    struct ln_buf query;
    struct ln_writer w;
    struct ln_reader r;
    struct ln_slice answer;
    envelope_begin(&query, &w);
    if (step == 0) {
      ln_write_u32(&w, c->query);
      ln_write_raw(&w, c->nonce, 16);
    } else if (step == 1) {
      write_params(c, &w);
    } else {
      write_set(c, &w);
    }
    assert_int_equal(w.err, LN_OK);
    c->msg_id += 4;
    envelope_end(&query, c->cheat == WITH_AUTH_KEY_ID ? 9 : 0,
                 c->msg_id + (c->cheat == SERVER_MSG_ID ? 1
                              : c->cheat == ODD_MSG_ID  ? 2
                                                        : 0));
    if (c->cheat == LONG_TAIL) assert_int_equal(ln_buf_append(&query, c->secret, 16), LN_OK);
    int err = pair_feed(server, ln_buf_slice(&query), PAIR_NOW, PAIR_WALL);
    ln_buf_deinit(&query);
    if (err) {
      assert_false(ln_exchange_output(server, PAIR_WALL, &answer)); /* nothing tells which check it was */
      return err == LN_E_HANDSHAKE ? ln_exchange_failed_check(server) : TROUBLE;
    }
    assert_true(ln_exchange_output(server, PAIR_WALL, &answer));
    assert_int_equal(answer.p[8] & 3, 1);
    envelope_body(answer, &r);
    uint32_t id = ln_read_u32(&r);
    if (step == 0) {
      assert_int_equal(id, LN_ID_resPQ);
      on_res_pq(c, &r);
    } else if (step == 1) {
      assert_int_equal(id, LN_ID_server_DH_params_ok);
      on_params(c, &r);
    } else {
      return on_gen(c, id, &r);
    }
  }
  return TROUBLE;
}

static int cheat(int what)
{
  struct pair p;
  struct cheater c;
  pair_configure(&p, 1);
  cheater_init(&c, (enum cheat)what);
  assert_int_equal(ln_exchange_server_new(&p.server_config, &p.server), LN_OK);
  int outcome = run(&c, p.server);
  struct ln_exchange_result r;
  if (outcome == THROUGH) {
    assert_true(ln_exchange_finished(p.server, &r));
    assert_memory_equal(r.key.key, c.shared, 256);
    assert_true(r.salt == (ln_le64(c.new_nonce) ^ ln_le64(c.server_nonce)));
  } else {
    assert_false(ln_exchange_finished(p.server, &r));
  }
  ln_exchange_free(p.server);
  return outcome;
}

static int fill_but_secrets(void *ctx, void *out, size_t n)
{
  if (n == 256) return LN_E_CRYPTO;
  return ln_rng_fill(ctx, out, n);
}

static int without_secret(int what)
{
  struct pair p;
  struct ln_exchange_result r;
  (void)what;
  pair_configure(&p, 1);
  struct ln_rng rest = p.server_config.rng;
  p.server_config.rng = (struct ln_rng){fill_but_secrets, &rest};
  pair_open(&p);
  ln_exchange_start(p.client, PAIR_NOW);
  int err = pair_run(&p, PAIR_NOW, NULL);
  int outcome = ln_exchange_finished(p.server, &r) ? THROUGH : ln_exchange_failed_check(p.server);
  assert_true((outcome == THROUGH) == (err == LN_OK));
  pair_close(&p);
  return outcome;
}

static bool always_taken(void *ctx, uint64_t id)
{
  uint64_t *asked = ctx;
  *asked = id;
  return true;
}

static int key_in_use(int what)
{
  struct pair p;
  struct cheater c;
  struct ln_auth_key key;
  uint64_t asked = 0;
  (void)what;
  pair_configure(&p, 1);
  p.server_config.taken = always_taken;
  p.server_config.ctx = &asked;
  cheater_init(&c, FAIR);
  assert_int_equal(ln_exchange_server_new(&p.server_config, &p.server), LN_OK);
  int outcome = run(&c, p.server);
  ln_auth_key_init(&key, c.shared);
  assert_true(asked == key.id);
  ln_exchange_free(p.server);
  return outcome == RETRIED ? (int)LN_CK_K16 : outcome;
}

static int slow_client(int what)
{
  struct pair p;
  struct ln_slice s;
  (void)what;
  pair_configure(&p, 1);
  pair_open(&p);
  ln_exchange_start(p.client, PAIR_NOW);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.server, s, PAIR_NOW, PAIR_WALL), LN_OK);
  int err = ln_exchange_tick(p.server, PAIR_NOW + 11 * LN_US_PER_S);
  int outcome = err == LN_E_TIMEOUT ? ln_exchange_failed_check(p.server) : err ? TROUBLE : THROUGH;
  pair_close(&p);
  return outcome;
}

#define OFF(k) (UINT64_C(1) << LN_CK_##k)

static const struct {
  enum ln_check_id check;
  const char *name;
  int (*run)(int what);
  enum cheat what;
  uint64_t also_off;
} attacks[] = {
    {LN_CK_K1, "req_DH_params with another nonce", cheat, PARAMS_BY_NONCE, 0},
    {LN_CK_K1, "req_DH_params with another server_nonce", cheat, PARAMS_BY_SERVER_NONCE, 0},
    {LN_CK_K1, "p_q_inner_data with another nonce", cheat, INNER_BY_NONCE, 0},
    {LN_CK_K1, "p_q_inner_data with another server_nonce", cheat, INNER_BY_SERVER_NONCE, 0},
    {LN_CK_K1, "set_client_DH_params with another nonce", cheat, SET_BY_NONCE, 0},
    {LN_CK_K1, "client_DH_inner_data with another server_nonce", cheat, CLIENT_INNER_BY_SERVER_NONCE, 0},
    {LN_CK_K2, "an auth_key_id", cheat, WITH_AUTH_KEY_ID, 0},
    {LN_CK_K2, "a server's msg_id", cheat, SERVER_MSG_ID, 0},
    {LN_CK_K2, "a msg_id of nobody", cheat, ODD_MSG_ID, 0},
    {LN_CK_K2, "16 bytes after the body", cheat, LONG_TAIL, 0},
    {LN_CK_K3, "a key that was not offered", cheat, OTHER_FINGERPRINT, 0},
    {LN_CK_K4, "another p", cheat, OTHER_P, 0},
    {LN_CK_K4, "another q", cheat, OTHER_Q, 0},
    {LN_CK_K4, "another pq inside", cheat, OTHER_PQ_INSIDE, 0},
    {LN_CK_K5, "the older padding with a hash of more", cheat, OLD_HASH, 0},
    {LN_CK_K8, "a seal above 2048 bytes", cheat, LONG_SEAL, OFF(K9)},
    {LN_CK_K8, "a seal that is not in blocks", cheat, UNALIGNED_SEAL, 0},
    {LN_CK_K9, "a hash of something else", cheat, BAD_HASH, 0},
    {LN_CK_K9, "16 bytes more padding", cheat, LONG_PADDING, 0},
    {LN_CK_K12, "g_b = 1", cheat, GB_ONE, 0},
    {LN_CK_K12, "g_b = 0", cheat, GB_ZERO, 0},
    {LN_CK_K13, "no randomness for the secret", without_secret, FAIR, OFF(K12)},
    {LN_CK_K14, "a leading zero stripped from RSA's output", cheat, RSA_STRIPPED, 0},
    {LN_CK_K15, "a retry of nothing", cheat, RETRY_ID, 0},
    {LN_CK_K16, "a key that is in use", key_in_use, FAIR, 0},
    {LN_CK_K18, "a client that falls silent", slow_client, FAIR, 0},
};

static void each_check_refuses_and_nothing_else_does(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
    ln_check_off = attacks[i].also_off;
    int outcome = attacks[i].run((int)attacks[i].what);
    ln_check_off |= UINT64_C(1) << attacks[i].check;
    int without = attacks[i].run((int)attacks[i].what);
    ln_check_off = 0;
    if (outcome != (int)attacks[i].check) fail_msg("%s: %d", attacks[i].name, outcome);
    if (without != THROUGH) fail_msg("%s, check off: %d", attacks[i].name, without);
  }
}

static void what_cannot_be_read_is_refused(void **state)
{
  (void)state;
  static const struct {
    enum cheat what;
    enum ln_check_id check;
  } broken[] = {
      {RSA_GARBAGE, LN_CK_K5},   {RSA_ABOVE_N, LN_CK_K5}, {RSA_257, LN_CK_K14},
      {INNER_UNKNOWN, LN_CK_K5}, {GB_LONG, LN_CK_K12},    {TEMP_WITHOUT_END, LN_CK_K5},
      {SKIPS_A_STEP, LN_CK_K2},
  };
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    int outcome = cheat((int)broken[i].what);
    if (outcome != (int)broken[i].check) fail_msg("cheat %d: %d", broken[i].what, outcome);
  }
}

static void all_forms_of_inner_data_are_taken_under_both_paddings(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    for (int multi = 0; multi < 2; multi++) {
      struct pair p;
      struct cheater c;
      struct ln_exchange_result r;
      pair_configure(&p, 1);
      cheater_init(&c, FAIR);
      c.form = forms[i];
      c.query = multi ? LN_ID_req_pq_multi : LN_ID_req_pq;
      assert_int_equal(ln_exchange_server_new(&p.server_config, &p.server), LN_OK);
      assert_int_equal(run(&c, p.server), THROUGH);
      assert_true(ln_exchange_finished(p.server, &r));
      assert_memory_equal(r.key.key, c.shared, 256);
      assert_int_equal(r.dc, forms[i].with_dc ? -10004 : 0);
      assert_int_equal(r.temporary, forms[i].temporary);
      assert_int_equal(r.expires_in, forms[i].temporary ? 86400 : 0);
      ln_exchange_free(p.server);
    }
  }
}

static void a_server_key_without_its_private_half_serves_nobody(void **state)
{
  (void)state;
  struct pair p;
  struct cheater c;
  struct ln_buf pem;
  struct ln_rsa *public_half;
  ln_buf_init(&pem, 8192);
  assert_int_equal(ln_rsa_write_public(pair_rsa(), &pem), LN_OK);
  assert_int_equal(ln_rsa_parse_public(ln_buf_slice(&pem), &public_half, NULL), LN_OK);
  pair_configure(&p, 1);
  p.server_config.key = public_half;
  cheater_init(&c, FAIR);
  assert_int_equal(ln_exchange_server_new(&p.server_config, &p.server), LN_OK);
  assert_int_equal(run(&c, p.server), TROUBLE);
  ln_exchange_free(p.server);
  ln_rsa_free(public_half);
  ln_buf_deinit(&pem);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_forms_of_inner_data_are_taken_under_both_paddings),
      cmocka_unit_test(each_check_refuses_and_nothing_else_does),
      cmocka_unit_test(what_cannot_be_read_is_refused),
      cmocka_unit_test(a_server_key_without_its_private_half_serves_nobody),
  };
  return cmocka_run_group_tests_name("mtproto/exchange_server", tests, NULL, NULL);
}
