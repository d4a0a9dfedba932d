/* Decryption and header with a known key. The first byte chooses: bytes as they are (never accepted: whoever
 * finds some has broken the cipher); bytes properly sealed, whose header, length and padding are the input,
 * so that what stands behind msg_key is reached; a good payload, bent; the same of the message that binds a
 * temporary key. */
#include <stdlib.h>

#include "crypto/aes.h"
#include "crypto/hash.h"
#include "mtproto/binding.h"
#include "mtproto/container.h"
#include "mtproto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
  if (!holds) abort();
}

static const struct ln_auth_key *key(void)
{
  static struct ln_auth_key k;
  static bool made;
  uint8_t bytes[256];
  if (!made) {
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)(i * 7 + 1);
    ln_auth_key_init(&k, bytes);
    made = true;
  }
  return &k;
}

static void look_inside(const struct ln_plain *p, const uint8_t *payload, size_t size)
{
  check(p->body.p >= payload && p->body.p + p->body.n <= payload + size && p->body.n % 4 == 0);
  size_t padding = (size_t)(payload + size - (p->body.p + p->body.n));
  check(padding >= 12 && padding <= 1024 + 15);
  static struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t n;
  if (ln_container_parse(p->body, p->msg_id, m, &n)) return;
  check(n <= LN_CONTAINER_MAX_IN);
  for (size_t i = 0; i < n; i++)
    check(m[i].body.p >= p->body.p && m[i].body.p + m[i].body.n <= p->body.p + p->body.n && m[i].body.n >= 4);
}

static void sealed(const uint8_t *data, size_t size, enum ln_direction x)
{
  size_t inner = (size + 15) & ~(size_t)15;
  uint8_t *payload = calloc(1, LN_ENVELOPE_OUTER + inner + 1);
  check(payload != NULL);
  uint8_t *at = payload + LN_ENVELOPE_OUTER, aes_key[32], iv[32];
  if (size) memcpy(at, data, size);
  ln_put_le64(payload, key()->id);
  ln_msg_key(key(), x, ln_slice(at, inner), payload + 8);
  ln_kdf(key(), payload + 8, x, aes_key, iv);
  ln_aes_ige_encrypt(aes_key, iv, at, at, inner);
  struct ln_plain p;
  if (ln_envelope_open(key(), x, payload, LN_ENVELOPE_OUTER + inner, &p) == LN_OK)
    look_inside(&p, payload, LN_ENVELOPE_OUTER + inner);
  free(payload);
}

static void bent(const uint8_t *data, size_t size)
{
  uint8_t payload[512] = {0};
  if (size < 4) return;
  size_t n = sizeof payload - LN_ENVELOPE_BODY - 12 - 4,
         where = (size_t)(data[0] | data[1] << 8) % sizeof payload;
  n &= ~(size_t)15;
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, data[3]);
  struct ln_plain p = {0};
  size_t whole = ln_envelope_size(n);
  check(whole <= sizeof payload);
  check(ln_envelope_seal(key(), LN_TO_CLIENT, &rng, &p, payload, whole, n) == LN_OK);
  payload[where % whole] ^= data[2];
  int err = ln_envelope_open(key(), LN_TO_CLIENT, payload, whole, &p);
  check(err == (data[2] ? LN_E_DECRYPT : LN_OK));
}

/* Random bytes, msg_id, seqno, length, inner object and padding are the input, under a right msg_key for the
 * length that they say. */
static void binding(const uint8_t *data, size_t size)
{
  size_t inner = (size + 15) & ~(size_t)15;
  uint8_t *sealed_bytes = calloc(1, LN_ENVELOPE_OUTER + inner + 1), sha[20], aes_key[32], iv[32];
  check(sealed_bytes != NULL);
  uint8_t *at = sealed_bytes + LN_ENVELOPE_OUTER;
  if (size) memcpy(at, data, size);
  size_t n = inner >= 32 ? 32 + (size_t)ln_le32(at + 28) : inner;
  ln_sha1(ln_slice(at, n < inner ? n : inner), sha);
  ln_put_le64(sealed_bytes, key()->id);
  memcpy(sealed_bytes + 8, sha + 4, 16);
  ln_kdf_old(key(), sealed_bytes + 8, LN_TO_SERVER, aes_key, iv);
  ln_aes_ige_encrypt(aes_key, iv, at, at, inner);
  struct ln_binding b;
  if (ln_binding_open(key(), ln_slice(sealed_bytes, LN_ENVELOPE_OUTER + inner), &b) == LN_OK)
    check(n == 72 && inner == 80 && b.msg_id == ln_le64(data + 16));
  free(sealed_bytes);
  uint8_t *copy = malloc(size + 1);
  check(copy != NULL);
  if (size) memcpy(copy, data, size);
  check(ln_binding_open(key(), ln_slice(copy, size), &b) == LN_E_DECRYPT);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1) return 0;
  uint8_t how = data[0];
  data++;
  size--;
  if (how % 5 == 4) {
    binding(data, size);
  } else if (how % 4 == 0) {
    uint8_t *copy = malloc(size + 1);
    struct ln_plain p;
    check(copy != NULL);
    memcpy(copy, data, size);
    check(ln_envelope_open(key(), LN_TO_CLIENT, copy, size, &p) == LN_E_DECRYPT);
    free(copy);
  } else if (how % 4 == 1) {
    bent(data, size);
  } else {
    sealed(data, size, how % 4 == 2 ? LN_TO_CLIENT : LN_TO_SERVER);
  }
  return 0;
}
