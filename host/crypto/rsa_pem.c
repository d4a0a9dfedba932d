/* RSA keys as PEM text. A reader and a writer of just the four shapes that are wanted (PKCS#1 and
 * SubjectPublicKeyInfo, PKCS#1 and PKCS#8): OpenSSL's general decoders take milliseconds to set up, and this
 * runs in every start. The text may come from a file that somebody hands to the program. */
#include "crypto/rsa_key.h"

#include <stdio.h>
#include <openssl/crypto.h>
#include "base/alloc.h"
#include "base/base64.h"

#define MAX_DER 4096 /* a private key of 2048 bits takes 1,220 */

/* 1.2.840.113549.1.1.1 rsaEncryption with its NULL parameter. */
static const uint8_t rsa_algorithm[15] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

/* Takes one DER element with this tag off the front of s. */
static bool der_take(struct ln_slice *s, uint8_t tag, struct ln_slice *body)
{
  if (s->n < 2 || s->p[0] != tag) return false;
  size_t n = s->p[1], head = 2;
  if (n >= 0x80) {
    size_t bytes = n & 0x7f;
    if (bytes < 1 || bytes > 2 || s->n < 2 + bytes) return false;
    n = 0;
    for (size_t i = 0; i < bytes; i++) n = n << 8 | s->p[2 + i];
    head += bytes;
  }
  if (s->n - head < n) return false;
  *body = ln_slice(s->p + head, n);
  *s = ln_slice_from(*s, head + n);
  return true;
}

static bool der_int(struct ln_slice *s, uint8_t out[LN_RSA_BYTES])
{
  struct ln_slice body;
  if (!der_take(s, 0x02, &body) || body.n < 1 || body.p[0] & 0x80) return false;
  while (body.n && !body.p[0]) body = ln_slice_from(body, 1);
  if (body.n > LN_RSA_BYTES) return false;
  if (body.n) memcpy(out + LN_RSA_BYTES - body.n, body.p, body.n);
  return true;
}

static bool der_version_0(struct ln_slice *s)
{
  struct ln_slice body;
  return der_take(s, 0x02, &body) && body.n == 1 && body.p[0] == 0;
}

static bool der_algorithm(struct ln_slice *s)
{
  if (s->n < sizeof rsa_algorithm || memcmp(s->p, rsa_algorithm, sizeof rsa_algorithm) != 0) return false;
  *s = ln_slice_from(*s, sizeof rsa_algorithm);
  return true;
}

/* The integers of a PKCS#1 structure, one after the other. */
static bool read_pkcs1(struct ln_slice der, bool private, struct ln_rsa *k)
{
  struct ln_slice seq;
  if (!der_take(&der, 0x30, &seq) || der.n != 0) return false;
  if (private && !der_version_0(&seq)) return false;
  k->private = private;
  for (int i = 0; i < (private ? LN_RSA_PARTS : LN_RSA_D); i++)
    if (!der_int(&seq, k->part[i])) return false;
  return seq.n == 0;
}

static bool read_spki(struct ln_slice der, struct ln_rsa *k)
{
  struct ln_slice seq, bits;
  if (!der_take(&der, 0x30, &seq) || der.n != 0 || !der_algorithm(&seq)) return false;
  if (!der_take(&seq, 0x03, &bits) || seq.n != 0 || bits.n < 1 || bits.p[0] != 0) return false;
  return read_pkcs1(ln_slice_from(bits, 1), false, k);
}

static bool read_pkcs8(struct ln_slice der, struct ln_rsa *k)
{
  struct ln_slice seq, octets;
  if (!der_take(&der, 0x30, &seq) || der.n != 0 || !der_version_0(&seq) || !der_algorithm(&seq)) return false;
  return der_take(&seq, 0x04, &octets) && read_pkcs1(octets, true, k); /* attributes may follow */
}

static const char *const labels[4] = {"RSA PUBLIC KEY", "PUBLIC KEY", "RSA PRIVATE KEY", "PRIVATE KEY"};

static struct ln_slice find(struct ln_slice s, const char *what)
{
  size_t n = strlen(what);
  const uint8_t *at = s.n >= n ? memmem(s.p, s.n, what, n) : NULL;
  return at ? ln_slice_from(s, (size_t)(at - s.p)) : ln_slice(NULL, 0);
}

static bool starts(struct ln_slice s, const char *with)
{
  return s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

/* The base64 text of a block to bytes; anything but base64 and white space is refused. */
static int base64(struct ln_slice text, uint8_t *out, size_t *n)
{
  uint32_t word = 0;
  unsigned bits = 0;
  size_t pads = 0, chars = 0;
  *n = 0;
  for (size_t i = 0; i < text.n; i++) {
    uint8_t c = text.p[i];
    uint32_t v;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c == '=') {
      if (++pads > 2) return LN_E_BAD_KEY;
      continue;
    }
    if (pads) return LN_E_BAD_KEY;
    if (c >= 'A' && c <= 'Z')
      v = (uint32_t)(c - 'A');
    else if (c >= 'a' && c <= 'z')
      v = (uint32_t)(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
      v = (uint32_t)(c - '0') + 52;
    else if (c == '+' || c == '/')
      v = c == '+' ? 62 : 63;
    else
      return LN_E_BAD_KEY;
    chars++;
    word = word << 6 | v;
    bits += 6;
    if (bits >= 8) {
      if (*n == MAX_DER) return LN_E_BAD_KEY;
      bits -= 8;
      out[(*n)++] = (uint8_t)(word >> bits);
    }
  }
  /* Whole groups of four, and nothing in the bits that carry no byte. */
  return (chars + pads) % 4 == 0 && (word & ((1u << bits) - 1)) == 0 ? LN_OK : LN_E_BAD_KEY;
}

/* Finds the next block of one of the two labels and parses it; `used` is set whenever a block was found. */
static int parse(struct ln_slice pem, bool private, struct ln_rsa **out, size_t *used)
{
  struct ln_slice at = pem, body, end;
  int label = -1;
  *out = NULL;
  for (;;) {
    at = find(at, "-----BEGIN ");
    if (at.n == 0) return LN_E_NOT_FOUND;
    at = ln_slice_from(at, 11);
    for (int i = private ? 2 : 0; i < (private ? 4 : 2) && label < 0; i++) {
      size_t n = strlen(labels[i]);
      if (starts(at, labels[i]) && starts(ln_slice_from(at, n), "-----")) {
        label = i;
        body = ln_slice_from(at, n + 5);
      }
    }
    if (label >= 0) break;
  }
  char marker[48] = "-----END ";
  strcat(strcat(marker, labels[label]), "-----");
  end = find(body, marker);
  if (end.n == 0) {
    if (used) *used = pem.n;
    return LN_E_BAD_KEY;
  }
  if (used) *used = (size_t)(end.p - pem.p) + strlen(marker);
  body.n = (size_t)(end.p - body.p);

  uint8_t der[MAX_DER];
  size_t n;
  struct ln_rsa *k = ln_calloc(1, sizeof *k);
  if (!k) return LN_E_NOMEM;
  int err = base64(body, der, &n);
  if (!err) {
    struct ln_slice d = ln_slice(der, n);
    bool fine = label == 0   ? read_pkcs1(d, false, k)
                : label == 1 ? read_spki(d, k)
                : label == 2 ? read_pkcs1(d, true, k)
                             : read_pkcs8(d, k);
    err = fine ? ln_rsa_key_finish(k) : LN_E_BAD_KEY;
  }
  OPENSSL_cleanse(der, sizeof der);
  if (err) {
    ln_rsa_free(k);
    return err;
  }
  *out = k;
  return LN_OK;
}

int ln_rsa_parse_public(struct ln_slice pem, struct ln_rsa **out, size_t *used)
{
  return parse(pem, false, out, used);
}

int ln_rsa_parse_private(struct ln_slice pem, struct ln_rsa **out)
{
  return parse(pem, true, out, NULL);
}

/* DER is written from the end to the front, so that each length is known when its head is written. */
struct der {
  uint8_t bytes[MAX_DER];
  size_t at; /* first used byte */
};

static void put(struct der *d, const void *p, size_t n)
{
  d->at -= n;
  memcpy(d->bytes + d->at, p, n);
}

static void put_head(struct der *d, uint8_t tag, size_t n)
{
  if (n < 0x80)
    put(d, (uint8_t[]){tag, (uint8_t)n}, 2);
  else if (n < 0x100)
    put(d, (uint8_t[]){tag, 0x81, (uint8_t)n}, 3);
  else
    put(d, (uint8_t[]){tag, 0x82, (uint8_t)(n >> 8), (uint8_t)n}, 4);
}

static void put_int(struct der *d, struct ln_slice v)
{
  bool zero = v.n == 0 || v.p[0] & 0x80; /* one in front, where the first bit is set */
  put(d, v.p, v.n);
  if (zero) put(d, "", 1);
  put_head(d, 0x02, v.n + zero);
}

static void put_pkcs1(struct der *d, const struct ln_rsa *k, bool private)
{
  size_t end = d->at;
  for (int i = (private ? LN_RSA_PARTS : LN_RSA_D) - 1; i >= 0; i--) put_int(d, ln_rsa_part(k, i));
  if (private) put(d, (uint8_t[]){0x02, 0x01, 0x00}, 3);
  put_head(d, 0x30, end - d->at);
}

static int write_pem(struct der *d, const char *label, struct ln_buf *out)
{
  char text[MAX_DER / 48 * 66 + 128], *t = text;
  t += sprintf(t, "-----BEGIN %s-----\n", label);
  for (size_t i = d->at; i < MAX_DER; i += 3) {
    ln_base64_group(d->bytes + i, MAX_DER - i, t);
    t += 4;
    if ((i - d->at) % 48 == 45 || MAX_DER - i <= 3) *t++ = '\n';
  }
  t += sprintf(t, "-----END %s-----\n", label);
  int err = ln_buf_append(out, text, (size_t)(t - text));
  OPENSSL_cleanse(text, sizeof text);
  OPENSSL_cleanse(d, sizeof *d);
  return err;
}

int ln_rsa_write_public(const struct ln_rsa *k, struct ln_buf *out)
{
  struct der d;
  d.at = MAX_DER;
  put_pkcs1(&d, k, false);
  return write_pem(&d, labels[0], out);
}

int ln_rsa_write_private(const struct ln_rsa *k, struct ln_buf *out)
{
  struct der d;
  if (!k->private) return LN_E_INVAL;
  d.at = MAX_DER;
  put_pkcs1(&d, k, true);
  put_head(&d, 0x04, MAX_DER - d.at);
  put(&d, rsa_algorithm, sizeof rsa_algorithm);
  put(&d, (uint8_t[]){0x02, 0x01, 0x00}, 3);
  put_head(&d, 0x30, MAX_DER - d.at);
  return write_pem(&d, labels[3], out);
}
