/* The clients of the echo servers of spec/bench/async: N connections to one server, each with 64 bytes under
 * way at a time.
 *
 *   clients PORT N
 *
 * A line on standard input is a number of round trips: it is shared out among the connections, and "done"
 * comes when all are back. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD 64
#define MAX_EVENTS 256

struct client {
  int fd;
  long left;  /* round trips to begin still */
  size_t got; /* bytes of the answer */
};

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static void open_client(struct client *c, int port, int loop)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
  int one = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &want)) fail("epoll_ctl");
}

/* The next round trip begins; false: that was the last. */
static int next(struct client *c)
{
  static const char payload[PAYLOAD];
  if (c->left == 0) return 0;
  c->left--;
  c->got = 0;
  if (write(c->fd, payload, PAYLOAD) != PAYLOAD) fail("write"); /* the buffer is empty: it fits */
  return 1;
}

static void round_trips(struct client *clients, int n, long count, int loop)
{
  struct epoll_event events[MAX_EVENTS];
  char answer[PAYLOAD];
  int busy = 0;
  for (int i = 0; i < n; i++) {
    clients[i].left = count / n + (i < count % n);
    busy += next(&clients[i]);
  }
  while (busy > 0) {
    int ready = epoll_wait(loop, events, MAX_EVENTS, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      struct client *c = events[i].data.ptr;
      ssize_t got = read(c->fd, answer, PAYLOAD - c->got);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) fail("read");
      c->got += (size_t)got;
      if (c->got == PAYLOAD && !next(c)) busy--;
    }
  }
}

int main(int argc, char **argv)
{
  char line[64];
  int n = argc == 3 ? atoi(argv[2]) : 0, loop = epoll_create1(0);
  struct client *clients = calloc((size_t)(n > 0 ? n : 1), sizeof *clients);
  if (n < 1 || loop < 0 || !clients) {
    fprintf(stderr, "clients PORT N\n");
    return 1;
  }
  for (int i = 0; i < n; i++) open_client(&clients[i], atoi(argv[1]), loop);
  while (fgets(line, sizeof line, stdin)) {
    round_trips(clients, n, atol(line), loop);
    puts("done");
    fflush(stdout);
  }
  return 0;
}
