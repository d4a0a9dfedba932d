/* Inside loop/: the libuv half of a TCP stream. It outlives the stream that uses it: until what was sent has
 * left, and until libuv has closed its handle. */
#ifndef LN_LOOP_TCP_H
#define LN_LOOP_TCP_H

#include "loop/stream_impl.h"

#include <sys/un.h>

struct ln_dial;

struct ln_tcp {
  union {
    uv_tcp_t handle;
    uv_pipe_t local; /* of unix.c; all that streams share works through either */
  };
  uv_connect_t connecting;
  uv_write_t write;
  struct ln_open open; /* while it lingers */
  struct ln_loop *loop;
  struct ln_stream *stream; /* NULL: nobody listens any more */
  struct ln_dial *dial;     /* while it connects */
  struct ln_buf sending;    /* under way in `write` */
  struct ln_buf queued;     /* sent by the owner meanwhile */
  struct ln_timer linger;
  uv_os_fd_t fd;  /* once it is connected */
  size_t in_size; /* what to ask the kernel for at a time */
  bool reading, closing;
};

/* Of tcp_listen.c; unix.c makes some, too. */
struct ln_listener {
  struct ln_open open;
  union {
    uv_tcp_t tcp;
    uv_pipe_t local;
  };
  bool is_local;
  bool paused, waiting; /* waiting: libuv has one that is not accepted yet */
  int port;
  void (*on_accept)(void *ctx, struct ln_stream *s);
  void *ctx;
  bool (*admits)(const struct ln_listener *l, int fd); /* NULL: everybody */
  void (*on_closing)(struct ln_listener *l);           /* may be NULL */
  dev_t dev;                                           /* of unix.c: which file it made, and where */
  ino_t ino;
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

extern const struct ln_stream_kind ln_tcp_kind;

/* A handle that is bound listens from now on: a libuv code. Before that the listener belongs to the caller.
 */
int ln_listener_start(struct ln_listener *l, struct ln_loop *loop, int backlog,
                      void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx);

int ln_tcp_new(struct ln_loop *loop, struct ln_tcp **out);
int ln_tcp_new_local(struct ln_loop *loop, struct ln_tcp **out);
void ln_tcp_close(struct ln_tcp *t); /* frees it, soon */
/* What getsockname or getpeername says, as ln_stream_address (address.c). */
size_t ln_fd_address(int fd, bool peer, char *out, size_t size);
/* A connected handle becomes the stream's: options, the peer's name. */
void ln_tcp_attach_any(struct ln_tcp *t, struct ln_stream *s); /* what both kinds have */
void ln_tcp_attach(struct ln_tcp *t, struct ln_stream *s);
void ln_tcp_attach_local(struct ln_tcp *t, struct ln_stream *s);
bool ln_sockaddr_is_loopback(const struct sockaddr *a);

/* tcp_dial.c: the owner has closed the stream while it was dialling. */
void ln_dial_abandon(struct ln_dial *d);

#endif
