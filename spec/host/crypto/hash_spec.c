/* Hashes: the standards' vectors, and pieces. */
#include "spec.h"
#include "crypto/hash.h"

static void assert_hex(const uint8_t *have, size_t n, const char *hex)
{
  uint8_t want[64];
  assert_int_equal(spec_hex(hex, want, sizeof want), n);
  assert_memory_equal(have, want, n);
}

static void check(const char *text, const char *sha1, const char *sha256)
{
  uint8_t out[32];
  ln_sha1(ln_slice_str(text), out);
  assert_hex(out, 20, sha1);
  ln_sha256(ln_slice_str(text), out);
  assert_hex(out, 32, sha256);
}

/* FIPS 180-4's examples. */
static void vectors(void **state)
{
  (void)state;
  check("", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  check("abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  static char a[1000001];
  memset(a, 'a', 1000000);
  check(a, "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Around where the padding no longer fits into the block, and a length above 255 bits. */
static void check_letters(size_t n, const char *hex)
{
  uint8_t out[32];
  char text[80];
  memset(text, 'a', n);
  ln_sha256(ln_slice(text, n), out);
  assert_hex(out, 32, hex);
}

static void blocks(void **state)
{
  (void)state;
  check_letters(1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
  check_letters(54, "a3f01b6939256127582ac8ae9fb47a382a244680806a3f613a118851c1ca1d47");
  check_letters(55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  check_letters(56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  check_letters(63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
  check_letters(64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  check_letters(65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
}

static void pieces(void **state)
{
  (void)state;
  uint8_t data[200], one[32], many[32];
  spec_pattern(data, sizeof data, 4);
  for (size_t cut = 0; cut <= 200; cut++) {
    struct ln_slice parts[4] = {ln_slice(data, cut / 2), ln_slice(NULL, 0),
                                ln_slice(data + cut / 2, cut - cut / 2), ln_slice(data + cut, 200 - cut)};
    ln_sha256(ln_slice(data, 200), one);
    ln_sha256_parts(parts, 4, many);
    assert_memory_equal(one, many, 32);
    ln_sha256(ln_slice(data, cut), one);
    ln_sha256_parts(parts, 3, many);
    assert_memory_equal(one, many, 32);
    ln_sha1(ln_slice(data, 200), one);
    ln_sha1_parts(parts, 4, many);
    assert_memory_equal(one, many, 20);
  }
}

/* RFC 4231, cases 1, 2, 4 and 6. */
static void hmac(void **state)
{
  (void)state;
  uint8_t key[131], data[50], out[32];
  memset(key, 0x0b, 20);
  ln_hmac_sha256(ln_slice(key, 20), ln_slice_str("Hi There"), out);
  assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  ln_hmac_sha256(ln_slice_str("Jefe"), ln_slice_str("what do ya want for nothing?"), out);
  assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  for (int i = 0; i < 25; i++) key[i] = (uint8_t)(i + 1);
  memset(data, 0xcd, 50);
  ln_hmac_sha256(ln_slice(key, 25), ln_slice(data, 50), out);
  assert_hex(out, 32, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  memset(key, 0xaa, 131);
  ln_hmac_sha256(ln_slice(key, 131), ln_slice_str("Test Using Larger Than Block-Size Key - Hash Key First"),
                 out);
  assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void comparing_and_wiping(void **state)
{
  (void)state;
  uint8_t a[40], b[40];
  spec_pattern(a, 40, 1);
  memcpy(b, a, 40);
  assert_true(ln_ct_equal(a, b, 40));
  assert_true(ln_ct_equal(a, b, 0));
  for (size_t i = 0; i < 40; i++) {
    for (int bit = 0; bit < 8; bit++) {
      b[i] ^= (uint8_t)(1 << bit);
      assert_false(ln_ct_equal(a, b, 40));
      assert_true(ln_ct_equal(a, b, i));
      b[i] ^= (uint8_t)(1 << bit);
    }
  }
  ln_cleanse(a, 39);
  for (size_t i = 0; i < 39; i++) assert_int_equal(a[i], 0);
  assert_int_equal(a[39], b[39]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vectors),
      cmocka_unit_test(blocks),
      cmocka_unit_test(pieces),
      cmocka_unit_test(hmac),
      cmocka_unit_test(comparing_and_wiping),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
