/* Inside loop/: the libuv half of a TCP stream. It outlives the stream that uses it: until what was sent has
 * left, and until libuv has closed its handle. */
#ifndef LN_LOOP_TCP_H
#define LN_LOOP_TCP_H

#include "loop/stream_impl.h"

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
  size_t in_size; /* what to ask the kernel for at a time */
  bool reading, closing;
};

extern const struct ln_stream_kind ln_tcp_kind;

int ln_tcp_new(struct ln_loop *loop, struct ln_tcp **out);
int ln_tcp_new_local(struct ln_loop *loop, struct ln_tcp **out);
void ln_tcp_close(struct ln_tcp *t); /* frees it, soon */
/* A connected handle becomes the stream's: options, the peer's name, reading. */
void ln_tcp_attach(struct ln_tcp *t, struct ln_stream *s);
bool ln_sockaddr_is_loopback(const struct sockaddr *a);

/* tcp_dial.c: the owner has closed the stream while it was dialling. */
void ln_dial_abandon(struct ln_dial *d);

#endif
