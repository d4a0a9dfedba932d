/* Which addresses a request may not reach unless it is told so: see http.h. The check is made on the address
 * that is dialled, not on the name, so that a name which resolves to a private address does not help. */
#include "loop/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

static bool v4(uint32_t a)
{
  static const struct {
    uint32_t net;
    int bits;
  } nets[] = {{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
              {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xe0000000, 3}};
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
    if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0) return true;
  return false;
}

static uint32_t be32(const uint8_t *p)
{
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool v6(const uint8_t *a)
{
  static const uint8_t zeros[16];
  static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
  if (memcmp(a, zeros, 10) == 0 && a[10] == 0xff && a[11] == 0xff)
    return v4(be32(a + 12));                  /* ::ffff:1.2.3.4 */
  if (memcmp(a, zeros, 12) == 0) return true; /* ::, ::1, and addresses of IPv4 in an old form */
  if (memcmp(a, nat64, 12) == 0) return v4(be32(a + 12));
  if (a[0] == 0x20 && a[1] == 0x02) return v4(be32(a + 2));                /* 6to4 */
  if ((a[0] & 0xfe) == 0xfc || a[0] == 0xff) return true;                  /* unique local, multicast */
  return a[0] == 0xfe && ((a[1] & 0xc0) == 0x80 || (a[1] & 0xc0) == 0xc0); /* link-local, site-local */
}

bool ln_address_is_private(const struct sockaddr *a)
{
  if (a->sa_family == AF_INET)
    return v4(ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr));
  if (a->sa_family == AF_INET6) return v6(((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr);
  return true; /* a Unix socket, or what we do not know */
}

bool ln_host_is_private(const char *host)
{
  char text[64];
  uint8_t a[16];
  size_t n = strlen(host);
  if (n > 0 && host[n - 1] == '.') n--;
  if (n >= 9 && strncasecmp(host + n - 9, "localhost", 9) == 0 && (n == 9 || host[n - 10] == '.'))
    return true;
  if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
    host++;
    n -= 2;
  }
  if (n == 0 || n >= sizeof text) return false;
  memcpy(text, host, n);
  text[n] = 0;
  char *zone = strchr(text, '%');
  if (zone) *zone = 0;
  if (inet_pton(AF_INET, text, a) == 1) return v4(be32(a));
  if (inet_pton(AF_INET6, text, a) == 1) return v6(a);
  return false;
}
