/* See filename.h. */
#include "base/filename.h"

/* The length of the UTF-8 sequence at p, 0 where there is none; *code: the character. */
static size_t utf8(const uint8_t *p, size_t n, uint32_t *code)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
  if (!len || len > n) return 0;
  uint32_t c = len == 1 ? p[0] : p[0] & (0x7f >> len);
  for (size_t i = 1; i < len; i++) {
    if (p[i] >> 6 != 2) return 0;
    c = c << 6 | (p[i] & 0x3f);
  }
  if (len > 1 && c < least[len]) return 0;
  if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
  *code = c;
  return len;
}

/* Characters that show nothing, or turn the direction of what follows. */
static bool is_hidden(uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
         c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff) ||
         (c & 0xfffe) == 0xfffe;
}

static size_t cut(const char *text, size_t n, size_t max)
{
  if (n <= max) return n;
  while (max > 0 && ((uint8_t)text[max] & 0xc0) == 0x80) max--;
  return max;
}

void ln_filename_clean(struct ln_slice name, char *out)
{
  char text[2048];
  size_t n = 0, step;
  for (size_t i = 0; i < name.n && n + 4 < sizeof text; i += step) {
    uint32_t c;
    step = utf8(name.p + i, name.n - i, &c);
    if (!step) {
      step = 1;
      text[n++] = '_';
    } else if (is_hidden(c)) {
      if (c < 0x20 && n > 0) text[n++] = ' ';
    } else if (c < 0x80 && strchr("/\\:*?\"<>|", (int)c)) {
      text[n++] = '_';
    } else {
      memcpy(text + n, name.p + i, step);
      n += step;
    }
  }
  size_t from = 0;
  while (from < n && (text[from] == '.' || text[from] == ' ' || text[from] == '-' || text[from] == '~'))
    from++;
  while (n > from && (text[n - 1] == '.' || text[n - 1] == ' ')) n--;
  const char *at = text + from;
  n -= from;
  size_t dot = n;
  while (dot > 0 && at[dot - 1] != '.') dot--;
  size_t extension = dot > 1 && n - dot < 20 ? n - dot + 1 : 0; /* with its dot */
  size_t stem = cut(at, n - extension, LN_FILENAME_MAX - extension);
  while (stem > 0 && n > LN_FILENAME_MAX && (at[stem - 1] == '.' || at[stem - 1] == ' ')) stem--;
  memcpy(out, at, stem);
  memmove(out + stem, at + n - extension, extension);
  out[stem + extension] = 0;
  if (!*out) strcpy(out, "file");
}
