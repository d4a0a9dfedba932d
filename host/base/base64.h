/* Base64 by groups of three bytes, for who writes it somewhere of its own: JSON, PEM. */
#ifndef LN_BASE_BASE64_H
#define LN_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* The next group of p, of which n > 0 bytes are left. */
static inline void ln_base64_group(const uint8_t *p, size_t n, char four[4])
{
  static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
  four[0] = set[v >> 18];
  four[1] = set[v >> 12 & 63];
  four[2] = n > 1 ? set[v >> 6 & 63] : '=';
  four[3] = n > 2 ? set[v & 63] : '=';
}

#endif
