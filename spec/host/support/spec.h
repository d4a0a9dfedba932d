/* What every C spec begins with: cmocka in its right order, and small helpers for bytes and hexadecimal. */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads hexadecimal digits (other characters are skipped); gives the number of bytes. */
static inline size_t spec_hex(const char *text, uint8_t *out, size_t max)
{
  size_t digits = 0;
  for (; *text && digits / 2 < max; text++) {
    int v = *text >= '0' && *text <= '9'   ? *text - '0'
            : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
            : *text >= 'A' && *text <= 'F' ? *text - 'A' + 10
                                           : -1;
    if (v < 0) continue;
    out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] << 4 | v : v);
    digits++;
  }
  return digits / 2;
}

/* Bytes that differ from their neighbours and for each seed. */
static inline void spec_pattern(uint8_t *out, size_t n, unsigned seed)
{
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed * 101 + 5);
}

#endif
