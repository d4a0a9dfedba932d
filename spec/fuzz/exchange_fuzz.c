/* The key exchange under bytes of a stranger. The first byte chooses: a conversation of both roles whose
 * payloads are bent on the way by a script; raw bytes to a server or a client; or an inner object, properly
 * sealed, whose content is the input, so that the parser behind the hash is reached. Whoever finishes has a
 * key that the other end has too. */
#include <stdlib.h>

#include "base/buf.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "mtproto/exchange.h"
#include "tl/reader.h"
#include "tl/writer.h"
#include "tl_ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1000000)
#define WALL (INT64_C(1750000000) * 1000000)

static void check(bool holds)
{
  if (!holds) abort();
}

static const struct ln_rsa *key(void)
{
  static struct ln_rsa *rsa;
  if (!rsa) check(ln_rsa_generate(&rsa) == LN_OK);
  return rsa;
}

/* Each draw of 32 bytes is new_nonce to the fuzzer, which so knows the temporary key. */
static int known_fill(void *ctx, void *out, size_t n)
{
  if (n == 32) {
    uint8_t *draws = ctx;
    memset(out, 7 + (*draws)++, n);
    return LN_OK;
  }
  memset(out, 0x5a, n);
  return LN_OK;
}

static int work(struct ln_exchange *x)
{
  struct ln_exchange_job *job;
  int err = LN_OK;
  while (!err && (job = ln_exchange_job(x))) {
    ln_exchange_job_run(job);
    err = ln_exchange_job_done(x, NOW, WALL);
  }
  return err;
}

static int feed(struct ln_exchange *x, const uint8_t *data, size_t size)
{
  int err = ln_exchange_input(x, ln_slice(data, size), NOW, WALL);
  return err ? err : work(x);
}

/* --- a bent conversation --- */

struct script {
  const uint8_t *p;
  size_t n;
};

static unsigned next(struct script *s)
{
  if (s->n == 0) return 0;
  s->n--;
  return *s->p++;
}

static size_t bend(struct script *s, uint8_t *payload, size_t n, size_t max, bool *twice)
{
  unsigned op = next(s), at;
  switch (op & 7) {
  case 1: /* a bit */
    at = next(s) | next(s) << 8;
    payload[at % n] ^= (uint8_t)(1u << (op >> 3 & 7));
    break;
  case 2: /* a byte */
    at = next(s) | next(s) << 8;
    payload[at % n] = (uint8_t)next(s);
    break;
  case 3: n = next(s) % (n + 1); break;
  case 4: *twice = true; break;
  case 5: /* a tail */
    for (unsigned k = next(s) & 31; k > 0 && n < max; k--) payload[n++] = (uint8_t)next(s);
    break;
  case 6: /* a word, where lengths stand */
    at = (next(s) * 4u) % (unsigned)(n & ~(size_t)3);
    for (int k = 0; k < 4; k++) payload[at + (unsigned)k] = (uint8_t)next(s);
    break;
  default: break;
  }
  return n;
}

static int carry(struct script *s, struct ln_exchange *from, struct ln_exchange *to, bool *moved, bool *bent)
{
  struct ln_slice payload;
  uint8_t copy[8192];
  bool twice = false;
  if (!ln_exchange_output(from, WALL, &payload)) return LN_OK;
  *moved = true;
  memcpy(copy, payload.p, payload.n);
  size_t n = bend(s, copy, payload.n, sizeof copy, &twice);
  if (n != payload.n || memcmp(copy, payload.p, n) != 0) *bent = true;
  int err = feed(to, copy, n);
  if (!err && twice) {
    err = feed(to, copy, n);
    if (err == LN_E_DISCARD) err = LN_OK;
  }
  return err;
}

static void converse(struct script s, struct ln_exchange *client, struct ln_exchange *server)
{
  struct ln_exchange_result a, b;
  bool moved = true, bent = false;
  int err = ln_exchange_start(client, NOW);
  for (int turn = 0; turn < 12 && !err && moved; turn++) {
    moved = false;
    err = carry(&s, client, server, &moved, &bent);
    if (!err) err = carry(&s, server, client, &moved, &bent);
  }
  if (ln_exchange_finished(client, &a)) {
    check(ln_exchange_finished(server, &b));
    check(memcmp(a.key.key, b.key.key, 256) == 0 && a.salt == b.salt);
  } else {
    check(err != LN_OK || bent || !moved);
  }
  check(bent || ln_exchange_finished(client, &a));
}

/* --- a sealed inner object that is the input --- */

static struct ln_slice compose(struct ln_buf *b, uint32_t id, const uint8_t *nonces, struct ln_slice sealed)
{
  struct ln_writer w;
  static const uint8_t zeros[16];
  ln_buf_init(b, 1 << 16);
  ln_writer_init(&w, b);
  ln_write_raw(&w, zeros, 8);
  ln_write_u64(&w, UINT64_C(1750000000) << 32 | 1);
  ln_write_u32(&w, 0);
  ln_write_u32(&w, id);
  ln_write_raw(&w, nonces, 32);
  if (id == LN_ID_resPQ) {
    ln_write_bytes(&w, ln_slice("\x17\xED\x48\x94\x1A\x08\xF9\x81", 8));
    ln_write_vector(&w, true, 1);
    ln_write_u64(&w, ln_rsa_fingerprint(key()));
  } else {
    ln_write_bytes(&w, sealed);
  }
  check(w.err == LN_OK);
  ln_put_le32(ln_buf_data(b) + 16, (uint32_t)(b->len - 20));
  return ln_buf_slice(b);
}

static void inner(struct ln_exchange *client, const uint8_t *data, size_t size)
{
  struct ln_slice query;
  struct ln_buf b;
  uint8_t nonces[32], new_nonce[32], aes_key[32], aes_iv[32], plain[2048] = {0};
  if (size > 1500) size = 1500;
  check(ln_exchange_start(client, NOW) == LN_OK && ln_exchange_output(client, WALL, &query));
  memcpy(nonces, query.p + 24, 16);
  memset(nonces + 16, 3, 16);
  memset(new_nonce, 7, 32);
  struct ln_slice payload = compose(&b, LN_ID_resPQ, nonces, ln_slice(NULL, 0));
  check(feed(client, payload.p, payload.n) == LN_OK && ln_exchange_output(client, WALL, &query));
  ln_buf_deinit(&b);
  ln_kdf_exchange(new_nonce, nonces + 16, aes_key, aes_iv);
  /* With the right beginning the input goes on at g. */
  struct ln_buf object;
  struct ln_writer w;
  ln_buf_init(&object, 2000);
  ln_writer_init(&w, &object);
  ln_write_u32(&w, LN_ID_server_DH_inner_data);
  ln_write_raw(&w, nonces, 32);
  ln_write_raw(&w, data, size);
  size_t n = (20 + object.len + 15) & ~(size_t)15;
  ln_sha1(ln_buf_slice(&object), plain);
  memcpy(plain + 20, ln_buf_data(&object), object.len);
  ln_buf_deinit(&object);
  ln_aes_ige_encrypt(aes_key, aes_iv, plain, plain, n);
  payload = compose(&b, LN_ID_server_DH_params_ok, nonces, ln_slice(plain, n));
  int err = feed(client, payload.p, payload.n);
  check(err == LN_OK || err == LN_E_HANDSHAKE);
  ln_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ln_exchange *client, *server;
  struct ln_rng_seeded seed[2];
  uint8_t draws = 0;
  const struct ln_rsa *keys[] = {key()};
  if (size < 1) return 0;
  unsigned mode = data[0] & 3;
  struct ln_exchange_client_config cc = {
      .dc = 2, .keys = keys, .n_keys = 1, .rng = ln_rng_seeded(&seed[0], 1)};
  struct ln_exchange_server_config sc = {.key = keys[0], .rng = ln_rng_seeded(&seed[1], 2)};
  if (mode == 3) cc.rng = (struct ln_rng){known_fill, &draws};
  check(ln_exchange_client_new(&cc, &client) == LN_OK);
  check(ln_exchange_server_new(&sc, &server) == LN_OK);
  data++;
  size--;
  if (mode == 0) {
    converse((struct script){data, size}, client, server);
  } else if (mode == 1) {
    (void)feed(server, data, size);
  } else if (mode == 2) {
    struct ln_slice query;
    check(ln_exchange_start(client, NOW) == LN_OK && ln_exchange_output(client, WALL, &query));
    (void)feed(client, data, size);
  } else {
    inner(client, data, size);
  }
  ln_exchange_free(client);
  ln_exchange_free(server);
  return 0;
}
