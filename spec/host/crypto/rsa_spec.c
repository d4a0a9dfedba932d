/* RSA keys as text and as numbers, and the two paddings of the key exchange. */
#include "spec.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include "crypto/hash.h"
#include "crypto/rsa.h"

/* Telegram's public keys: two old ones, in either form, and the one of today. */
static const char key_2013[] = "-----BEGIN RSA PUBLIC KEY-----\n"
                               "MIIBCgKCAQEAwVACPi9w23mF3tBkdZz+zwrzKOaaQdr01vAbU4E1pvkfj4sqDsm6\n"
                               "lyDONS789sVoD/xCS9Y0hkkC3gtL1tSfTlgCMOOul9lcixlEKzwKENj1Yz/s7daS\n"
                               "an9tqw3bfUV/nqgbhGX81v/+7RFAEd+RwFnK7a+XYl9sluzHRyVVaTTveB2GazTw\n"
                               "Efzk2DWgkBluml8OREmvfraX3bkHZJTKX4EQSjBbbdJ2ZXIsRrYOXfaA+xayEGB+\n"
                               "8hdlLmAjbCVfaigxX0CDqWeR1yFL9kwd9P0NsZRPsmoqVwMbMu7mStFai6aIhc3n\n"
                               "Slv8kg9qv1m6XHVQY3PnEw+QQtqSIXklHwIDAQAB\n"
                               "-----END RSA PUBLIC KEY-----\n";
static const char key_2018[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAruw2yP/BCcsJliRoW5eB\n"
                               "VBVle9dtjJw+OYED160Wybum9SXtBBLXriwt4rROd9csv0t0OHCaTmRqBcQ0J8fx\n"
                               "hN6/cpR1GWgOZRUAiQxoMnlt0R93LCX/j1dnVa/gVbCjdSxpbrfY2g2L4frzjJvd\n"
                               "l84Kd9ORYjDEAyFnEA7dD556OptgLQQ2e2iVNq8NZLYTzLp5YpOdO1doK+ttrltg\n"
                               "gTCy5SrKeLoCPPbOgGsdxJxyz5KKcZnSLj16yE5HvJQn0CNpRdENvRUXe6tBP78O\n"
                               "39oJ8BTHp9oIjd6XWXAsp2CvK45Ol8wFXGF710w9lwCGNbmNxNYhtIkdqfsEcwR5\n"
                               "JwIDAQAB\n"
                               "-----END PUBLIC KEY-----\n";
static const char key_2020[] = "-----BEGIN RSA PUBLIC KEY-----\n"
                               "MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g\n"
                               "5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO\n"
                               "62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/\n"
                               "+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9\n"
                               "t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs\n"
                               "5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB\n"
                               "-----END RSA PUBLIC KEY-----\n";

static struct ln_rsa *pair; /* made once */

static int setup(void **state)
{
  (void)state;
  return ln_rsa_generate(&pair);
}

static int teardown(void **state)
{
  (void)state;
  ln_rsa_free(pair);
  return 0;
}

static struct ln_rsa *parse(const char *pem)
{
  struct ln_rsa *k = NULL;
  assert_int_equal(ln_rsa_parse_public(ln_slice_str(pem), &k, NULL), LN_OK);
  return k;
}

static void fingerprints(void **state)
{
  (void)state;
  static const struct {
    const char *pem;
    uint64_t fingerprint;
  } keys[] = {
      {key_2013, UINT64_C(0xc3b42b026ce86b21)},
      {key_2018, UINT64_C(0x0bc35f3509f7b7a5)},
      {key_2020, UINT64_C(0xd09d1d85de64fd85)},
  };
  for (int i = 0; i < 3; i++) {
    struct ln_rsa *k = parse(keys[i].pem);
    assert_true(ln_rsa_fingerprint(k) == keys[i].fingerprint);
    ln_rsa_free(k);
  }
}

static void a_file_of_several_keys(void **state)
{
  (void)state;
  char text[4096];
  struct ln_rsa *k;
  size_t used;
  snprintf(text, sizeof text,
           "# comment\n%sbetween\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%s  \r\n%s",
           key_2013, key_2018, key_2020);
  struct ln_slice rest = ln_slice_str(text);
  static const uint64_t want[] = {UINT64_C(0xc3b42b026ce86b21), UINT64_C(0x0bc35f3509f7b7a5),
                                  UINT64_C(0xd09d1d85de64fd85)};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ln_rsa_parse_public(rest, &k, &used), LN_OK);
    assert_true(ln_rsa_fingerprint(k) == want[i]);
    ln_rsa_free(k);
    rest = ln_slice_from(rest, used);
  }
  assert_int_equal(ln_rsa_parse_public(rest, &k, &used), LN_E_NOT_FOUND);
  assert_null(k);
  assert_int_equal(ln_rsa_parse_public(ln_slice(NULL, 0), &k, &used), LN_E_NOT_FOUND);
}

static void broken_text(void **state)
{
  (void)state;
  struct ln_rsa *k;
  size_t used, n = strlen(key_2020);
  char text[1024];
  /* Cut at every byte: never a key, and the parser comes to an end. */
  for (size_t cut = 0; cut < n - 2; cut++) {
    char *copy = malloc(cut + 1); /* its own allocation: a read past the end shows under ASan */
    memcpy(copy, key_2020, cut);
    used = 0;
    int err = ln_rsa_parse_public(ln_slice(copy, cut), &k, &used);
    assert_true(err == LN_E_NOT_FOUND || err == LN_E_BAD_KEY);
    assert_null(k);
    if (err == LN_E_BAD_KEY) assert_true(used > 0 && used <= cut);
    free(copy);
  }
  /* A byte changed: mostly refused; where it is a key still, it is another one. */
  for (size_t at = 32; at < n - 1; at++) {
    memcpy(text, key_2020, n + 1);
    text[at] = text[at] == 'Q' ? 'R' : 'Q';
    int err = ln_rsa_parse_public(ln_slice_str(text), &k, NULL);
    if (err == LN_OK) assert_true(ln_rsa_fingerprint(k) != UINT64_C(0xd09d1d85de64fd85));
    ln_rsa_free(k);
  }
}

/* Keys as OpenSSL writes them, of other sizes and kinds. */
static void other_keys_are_refused(void **state)
{
  (void)state;
  static const unsigned bits[] = {1024, 2047, 2056};
  struct ln_rsa *k;
  for (int i = 0; i < 4; i++) {
    EVP_PKEY *key = i < 3 ? EVP_RSA_gen(bits[i]) : EVP_EC_gen("P-256");
    BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(public, key), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL), 1);
    char *p;
    size_t n = (size_t)BIO_get_mem_data(public, &p);
    assert_int_equal(ln_rsa_parse_public(ln_slice(p, n), &k, NULL), LN_E_BAD_KEY);
    n = (size_t)BIO_get_mem_data(private, &p);
    assert_int_equal(ln_rsa_parse_private(ln_slice(p, n), &k), LN_E_BAD_KEY);
    assert_int_equal(ln_rsa_parse_public(ln_slice(p, n), &k, NULL), LN_E_NOT_FOUND);
    BIO_free(public), BIO_free(private);
    EVP_PKEY_free(key);
  }
  /* Right size, exponent 3. */
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
  BIGNUM *e = BN_new();
  BN_set_word(e, 3);
  assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
  EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
  EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e);
  assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, key);
  char *p;
  size_t n = (size_t)BIO_get_mem_data(bio, &p);
  assert_int_equal(ln_rsa_parse_public(ln_slice(p, n), &k, NULL), LN_E_BAD_KEY);
  BIO_free(bio);
  EVP_PKEY_free(key);
  EVP_PKEY_CTX_free(ctx);
  BN_free(e);
}

/* What we write OpenSSL reads, and what it writes (in the other form) we read. */
static void text_there_and_back(void **state)
{
  (void)state;
  struct ln_buf b;
  struct ln_rsa *k;
  ln_buf_init(&b, 1 << 16);
  assert_int_equal(ln_rsa_write_public(pair, &b), LN_OK);
  k = NULL;
  assert_int_equal(ln_rsa_parse_public(ln_buf_slice(&b), &k, NULL), LN_OK);
  assert_true(ln_rsa_fingerprint(k) == ln_rsa_fingerprint(pair));
  assert_int_equal(ln_rsa_write_private(k, &b), LN_E_INVAL); /* it has no private half */
  ln_rsa_free(k);

  ln_buf_clear(&b);
  assert_int_equal(ln_rsa_write_private(pair, &b), LN_OK);
  assert_int_equal(ln_rsa_parse_private(ln_buf_slice(&b), &k), LN_OK);
  assert_true(ln_rsa_fingerprint(k) == ln_rsa_fingerprint(pair));
  ln_rsa_free(k);
  BIO *in = BIO_new_mem_buf(ln_buf_data(&b), (int)b.len), *out = BIO_new(BIO_s_mem());
  EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
  assert_non_null(key);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
  assert_int_equal(EVP_PKEY_check(ctx), 1);
  assert_int_equal(PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL), 1);
  char *p;
  size_t n = (size_t)BIO_get_mem_data(out, &p);
  assert_non_null(strstr(p, "BEGIN RSA PRIVATE KEY"));
  assert_int_equal(ln_rsa_parse_private(ln_slice(p, n), &k), LN_OK);
  assert_true(ln_rsa_fingerprint(k) == ln_rsa_fingerprint(pair));
  ln_rsa_free(k);

  /* An encrypted file is no key for us. */
  BIO_reset(out);
  PEM_write_bio_PrivateKey_traditional(out, key, EVP_aes_128_cbc(), (unsigned char *)"pw", 2, NULL, NULL);
  n = (size_t)BIO_get_mem_data(out, &p);
  assert_int_equal(ln_rsa_parse_private(ln_slice(p, n), &k), LN_E_BAD_KEY);

  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(key);
  BIO_free(in), BIO_free(out);
  ln_buf_deinit(&b);
}

/* The public half of one key with the private half of another. */
static void halves_that_do_not_belong_together(void **state)
{
  (void)state;
  struct ln_buf ours, theirs;
  struct ln_rsa *other, *k;
  uint8_t a[2048], b[2048];
  char text[4096];
  ln_buf_init(&ours, 1 << 16);
  ln_buf_init(&theirs, 1 << 16);
  assert_int_equal(ln_rsa_generate(&other), LN_OK);
  assert_int_equal(ln_rsa_write_private(pair, &ours), LN_OK);
  assert_int_equal(ln_rsa_write_private(other, &theirs), LN_OK);
  const char *begin = "-----BEGIN PRIVATE KEY-----\n", *end = "-----END PRIVATE KEY-----\n";
  size_t head = strlen(begin), tail = strlen(end);
  int na = 0, nb = 0;
  struct ln_buf *bufs[2] = {&ours, &theirs};
  for (int i = 0; i < 2; i++) {
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    int n = 0, m = 0;
    EVP_DecodeInit(ctx);
    EVP_DecodeUpdate(ctx, i ? b : a, &n, ln_buf_data(bufs[i]) + head, (int)(bufs[i]->len - head - tail));
    EVP_DecodeFinal(ctx, (i ? b : a) + n, &m);
    *(i ? &nb : &na) = n + m;
    EVP_ENCODE_CTX_free(ctx);
  }
  /* n stands at byte 38 in both, 256 bytes after its zero. */
  assert_true(na > 300 && nb > 300 && a[36] == 0x01 && a[37] == 0x00 && a[33] == 0x02);
  memcpy(a + 38, b + 38, 256);
  strcpy(text, begin);
  EVP_EncodeBlock((uint8_t *)text + head, a, na);
  strcat(strcat(text, "\n"), end);
  assert_int_equal(ln_rsa_parse_private(ln_slice_str(text), &k), LN_E_BAD_KEY);
  ln_rsa_free(other);
  ln_buf_deinit(&ours);
  ln_buf_deinit(&theirs);
}

static int zeros(void *ctx, void *out, size_t n)
{
  (void)ctx;
  memset(out, 0, n);
  return LN_OK;
}

/* gotd's vector: 144 times 'a', all randomness zero. */
static void rsa_pad_vector(void **state)
{
  (void)state;
  static const char want_hex[] =
      "bf68719e836806b040cd261ecaf66eb3c4ba19f3bbea3031b2e6cf29167bab647201d101b291dc5b716a42e789a38d94"
      "7fe59e9bcce8f30ef46a946743ea8b6babbce7fc0afc46b802aa453e83471d82a4dfad83f971f350b4b4fb474cd1c48f"
      "df427e4b5fecce9ec3178ae7dac3985856fdefa21d6fdc5e0e0fd8a57bc4f51580d637d372be8d87c9aa3fde8e6f8287"
      "bcb3be846aadcdd59465375479e248f62ed438f9804fbe36d41ca906243a5f740f3937949aa149ba8a8b8e68b3f3e1e3"
      "cd3f946387520e21eee55845e1f015a919a22f6a72bfaecd2cae946c91983b41f9ffabe97963bbde8f30eaf5fd3c5b8c"
      "ecab8711bd269e441b6084f385726ff0";
  const struct ln_rng rng = {zeros, NULL};
  uint8_t data[144], out[256], want[256];
  struct ln_rsa *k = parse(key_2020);
  memset(data, 'a', sizeof data);
  assert_int_equal(spec_hex(want_hex, want, 256), 256);
  assert_int_equal(ln_rsa_pad_encrypt(k, &rng, ln_slice(data, 144), out), LN_OK);
  assert_memory_equal(out, want, 256);
  ln_rsa_free(k);
}

struct counting {
  struct ln_rng inner;
  int calls;
};

static int count(void *ctx, void *out, size_t n)
{
  struct counting *c = ctx;
  c->calls++;
  return ln_rng_fill(&c->inner, out, n);
}

static void rsa_pad_there_and_back(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  struct counting c = {ln_rng_seeded(&s, 5), 0};
  const struct ln_rng rng = {count, &c};
  uint8_t data[145], out[256], back[192];
  spec_pattern(data, sizeof data, 8);
  assert_int_equal(ln_rsa_pad_encrypt(pair, &rng, ln_slice(data, 145), out), LN_E_TOOBIG);
  for (size_t n = 0; n <= 144; n += 24) {
    c.calls = 0;
    assert_int_equal(ln_rsa_pad_encrypt(pair, &rng, ln_slice(data, n), out), LN_OK);
    assert_true(c.calls >= 2); /* padding, key */
    assert_int_equal(ln_rsa_pad_decrypt(pair, out, back), LN_OK);
    assert_memory_equal(back, data, n);
  }
  /* A bit changed anywhere, another key, no private half. */
  for (int i = 0; i < 256; i += 15) {
    out[i] ^= 0x10;
    assert_int_equal(ln_rsa_pad_decrypt(pair, out, back), LN_E_DECRYPT);
    out[i] ^= 0x10;
  }
  struct ln_rsa *k = parse(key_2020);
  assert_int_equal(ln_rsa_pad_encrypt(k, &rng, ln_slice(data, 9), out), LN_OK);
  assert_int_equal(ln_rsa_pad_decrypt(k, out, back), LN_E_INVAL);
  int err = ln_rsa_pad_decrypt(pair, out, back);
  assert_int_equal(err, LN_E_DECRYPT);
  ln_rsa_free(k);
  memset(out, 0xff, 256); /* above every modulus */
  assert_int_equal(ln_rsa_pad_decrypt(pair, out, back), LN_E_DECRYPT);
}

/* Where the padded number is not below n, another temporary key is drawn; where the source always gives the
 * same key, it ends with an error instead of never. */
static void a_number_that_is_too_large_is_made_anew(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  const struct ln_rng fixed = {zeros, NULL};
  struct ln_rsa *k = parse(key_2013); /* n begins with c1: one number in four is too large */
  uint8_t data[144], out[256];
  int again = 0, given_up = 0;
  for (uint64_t seed = 0; seed < 60; seed++) {
    struct counting c = {ln_rng_seeded(&s, seed), 0};
    const struct ln_rng rng = {count, &c};
    spec_pattern(data, sizeof data, (unsigned)seed);
    assert_int_equal(ln_rsa_pad_encrypt(k, &rng, ln_slice(data, 144), out), LN_OK);
    again += c.calls > 2;
    int err = ln_rsa_pad_encrypt(k, &fixed, ln_slice(data, 144), out);
    if (err) assert_int_equal(err, LN_E_CRYPTO);
    given_up += err != LN_OK;
  }
  assert_in_range(again, 3, 40);
  assert_in_range(given_up, 3, 40);
  ln_rsa_free(k);
}

static int broken(void *ctx, void *out, size_t n)
{
  (void)ctx, (void)out, (void)n;
  return LN_E_CRYPTO;
}

static void without_randomness_nothing_is_sent(void **state)
{
  (void)state;
  const struct ln_rng rng = {broken, NULL};
  uint8_t out[256];
  assert_int_equal(ln_rsa_pad_encrypt(pair, &rng, ln_slice("x", 1), out), LN_E_CRYPTO);
  assert_int_equal(ln_rsa_old_encrypt(pair, &rng, ln_slice("x", 1), out), LN_E_CRYPTO);
}

static void the_older_padding(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  const struct ln_rng rng = ln_rng_seeded(&s, 6);
  uint8_t data[236], out[256], hash[20], want[20], back[235];
  spec_pattern(data, sizeof data, 2);
  assert_int_equal(ln_rsa_old_encrypt(pair, &rng, ln_slice(data, 236), out), LN_E_TOOBIG);
  for (size_t n = 0; n <= 235; n += 47) {
    assert_int_equal(ln_rsa_old_encrypt(pair, &rng, ln_slice(data, n), out), LN_OK);
    assert_int_equal(ln_rsa_old_decrypt(pair, out, hash, back), LN_OK);
    ln_sha1(ln_slice(data, n), want);
    assert_memory_equal(hash, want, 20);
    assert_memory_equal(back, data, n);
  }
  /* RSA_PAD's number mostly has no zero in front: that is told from the older padding. */
  int refused = 0;
  for (int i = 0; i < 10; i++) {
    assert_int_equal(ln_rsa_pad_encrypt(pair, &rng, ln_slice(data, 100), out), LN_OK);
    refused += ln_rsa_old_decrypt(pair, out, hash, back) == LN_E_DECRYPT;
  }
  assert_true(refused >= 7);
}

/* One number in 256 is shorter than the others: it is sent with zeros in front, and read so. */
static void numbers_with_zeros_in_front(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  const struct ln_rng rng = ln_rng_seeded(&s, 11);
  uint8_t data[40], out[256], back[192];
  int met = 0;
  spec_pattern(data, sizeof data, 3);
  for (int i = 0; i < 20000 && met < 3; i++) {
    memset(out, 0xee, 256);
    assert_int_equal(ln_rsa_pad_encrypt(pair, &rng, ln_slice(data, 40), out), LN_OK);
    if (out[0]) continue;
    met++;
    assert_int_equal(ln_rsa_pad_decrypt(pair, out, back), LN_OK);
    assert_memory_equal(back, data, 40);
  }
  assert_int_equal(met, 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fingerprints),
      cmocka_unit_test(a_file_of_several_keys),
      cmocka_unit_test(broken_text),
      cmocka_unit_test(other_keys_are_refused),
      cmocka_unit_test(text_there_and_back),
      cmocka_unit_test(halves_that_do_not_belong_together),
      cmocka_unit_test(rsa_pad_vector),
      cmocka_unit_test(rsa_pad_there_and_back),
      cmocka_unit_test(a_number_that_is_too_large_is_made_anew),
      cmocka_unit_test(without_randomness_nothing_is_sent),
      cmocka_unit_test(the_older_padding),
      cmocka_unit_test(numbers_with_zeros_in_front),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
