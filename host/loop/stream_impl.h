/* Inside loop/: what every stream has (stream.c), and what TCP and pipes add to it. A stream's struct lives
 * until nobody is inside one of its callbacks; what libuv holds is in structs of its own (tcp.h). */
#ifndef LN_LOOP_STREAM_IMPL_H
#define LN_LOOP_STREAM_IMPL_H

#include "loop/internal.h"
#include "loop/stream.h"

struct ln_stream_kind {
  void (*send)(struct ln_stream *s); /* s->out has bytes; leaves it empty */
  void (*pause)(struct ln_stream *s);
  /* Nobody will hear of it any more; what was sent may still leave, unless `now` is set. */
  void (*close)(struct ln_stream *s, bool now);
  void (*free)(struct ln_stream *s); /* the kind's own part; s itself is freed by stream.c */
  size_t (*write)(struct ln_stream *s, struct ln_slice bytes, int *err); /* nothing is unsent; may be NULL */
  void (*finish)(struct ln_stream *s); /* what was sent, and no more; may be NULL */
  /* What has not left, where s->unsent does not follow each byte; may be NULL. */
  size_t (*unsent)(const struct ln_stream *s);
};

struct ln_stream {
  struct ln_open open;
  const struct ln_stream_kind *kind;
  const struct ln_stream_ops *ops; /* NULL: not adopted yet */
  void *ctx;
  struct ln_buf in, out;
  size_t unsent; /* handed over by send, not gone yet */
  int busy;      /* depth of callbacks under way */
  bool connected, paused;
  bool ended, finished; /* the peer's side, and this one */
  bool sent_before_open;
  bool dead; /* closed, or on_close was called */
  bool loopback;
  struct ln_deferred late; /* calls that must not happen inside of a call of the owner */
  bool late_open, late_data, late_drain;
  int late_close;
  const char *late_why;
  char peer[64];
  void *impl; /* struct ln_tcp, or the end of a pipe */
};

int ln_stream_new(struct ln_loop *loop, const struct ln_stream_kind *kind, const struct ln_stream_ops *ops,
                  void *ctx, struct ln_stream **out);
/* Around calls that may close the stream; leave gives false where one did (it may be freed then). */
void ln_stream_enter(struct ln_stream *s);
bool ln_stream_leave(struct ln_stream *s);
/* The callbacks of the owner, guarded. Any of them may close the stream; it is alive after them only where
 * they give true. */
bool ln_stream_opened(struct ln_stream *s);
bool ln_stream_arrived(struct ln_stream *s);
bool ln_stream_drained(struct ln_stream *s);
void ln_stream_end(struct ln_stream *s); /* the peer has finished: on_end, or on_close */
void ln_stream_fail(struct ln_stream *s, int err,
                    const char *why); /* on_close; the stream is gone after it */
/* The same soon, from the loop. why: a text that lives on. */
void ln_stream_fail_later(struct ln_stream *s, int err, const char *why);
void ln_stream_late(struct ln_stream *s);
/* Called by a kind when the count of unsent bytes changes: keeps out's limit. */
void ln_stream_set_unsent(struct ln_stream *s, size_t unsent);

#endif
