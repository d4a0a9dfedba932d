/* The address of a socket's end as text, for streams and listeners. */
#include "loop/tcp.h"

#include <arpa/inet.h>
#include <sys/un.h>

size_t ln_fd_address(int fd, bool peer, char *out, size_t size)
{
  struct sockaddr_storage addr;
  socklen_t len = sizeof addr;
  struct sockaddr *any = (struct sockaddr *)&addr;
  char ip[INET6_ADDRSTRLEN];
  int n = 0;
  memset(&addr, 0, sizeof addr); /* a path need not end with a zero */
  *out = 0;
  if (fd < 0 || (peer ? getpeername(fd, any, &len) : getsockname(fd, any, &len)) != 0) return 0;
  if (any->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&addr;
    inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
    n = snprintf(out, size, "%s:%u", ip, ntohs(in->sin_port));
  } else if (any->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr;
    inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
    n = snprintf(out, size, "[%s]:%u", ip, ntohs(in6->sin6_port));
  } else if (any->sa_family == AF_UNIX) {
    const char *path = ((const struct sockaddr_un *)&addr)->sun_path;
    size_t most = len - offsetof(struct sockaddr_un, sun_path); /* 0: it has no name */
    bool in_a_file = most && *path;
    if (most)
      n = snprintf(out, size, "%s%.*s", in_a_file ? "" : "@", (int)most - !in_a_file, path + !in_a_file);
  }
  return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
