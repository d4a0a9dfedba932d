/* A byte stream with one interface: TCP through libuv, or an in-memory pipe for worlds and simulation. The
 * owner appends to the out buffer and calls send; what came in lies in the in buffer until the owner consumes
 * it. */
#ifndef LN_LOOP_STREAM_H
#define LN_LOOP_STREAM_H

#include "base/buf.h"
#include "loop/loop.h"
#include "loop/timer.h"

struct ln_stream;

struct ln_stream_ops {
  void (*on_open)(void *ctx);                            /* connected (never inside the dialling call) */
  void (*on_data)(void *ctx, struct ln_buf *in);         /* more bytes are in `in`; consume what you take */
  void (*on_drain)(void *ctx);                           /* all that was sent has left; may be NULL */
  void (*on_close)(void *ctx, int err, const char *why); /* by the peer or an error; the stream is dead after
                                                            it. Never after ln_stream_close. */
  void (*on_end)(void *ctx); /* the peer has finished: nothing more comes, but it may still read. NULL: that
                                is on_close with LN_E_CLOSED */
};

/* host: name, IPv4 or IPv6; timeout_us for name look-up and connecting together. Gives LN_E_DNS,
 * LN_E_CONNECT, LN_E_TIMEOUT through on_close. Sets TCP_NODELAY, TCP_USER_TIMEOUT 30 s and keep-alive. */
int ln_tcp_dial(struct ln_loop *loop, const char *host, int port, int64_t timeout_us,
                const struct ln_stream_ops *ops, void *ctx, struct ln_stream **out);

struct ln_listener;
/* host: localhost or an address; port 0: any. on_accept: take the stream with ln_stream_adopt, or close it.
 * *why: a text that lives on, of the error. */
int ln_tcp_listen(struct ln_loop *loop, const char *host, int port,
                  void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx, struct ln_listener **out,
                  const char **why);
int ln_listener_port(const struct ln_listener *l);
/* Paused, connections wait in the kernel. */
void ln_listener_pause(struct ln_listener *l, bool paused);
size_t ln_listener_address(const struct ln_listener *l, char *out, size_t size); /* as ln_stream_address */
int ln_listener_fd(const struct ln_listener *l);
void ln_listener_close(struct ln_listener *l);
void ln_stream_adopt(struct ln_stream *s, const struct ln_stream_ops *ops, void *ctx);

/* Two ends that are connected: what one sends arrives at the other in a later turn. `a` gets on_open. A
 * filter may sit between (faults). */
int ln_pipe_pair(struct ln_loop *loop, const struct ln_stream_ops *ops_a, void *ctx_a, struct ln_stream **a,
                 struct ln_stream **b);
/* Called for each piece that travels (from end `from_a` or the other); may change the bytes, and say what
 * becomes of them. Delays are on `clock`, which has to outlive both ends. Other streams: nothing. */
enum ln_pipe_verdict { LN_PIPE_PASS, LN_PIPE_DROP_CONNECTION, LN_PIPE_HOLD /* deliver after *delay_us */ };
typedef enum ln_pipe_verdict (*ln_pipe_filter)(void *ctx, bool from_a, struct ln_buf *bytes,
                                               int64_t *delay_us);
void ln_pipe_set_filter(struct ln_stream *end, struct ln_clock *clock, ln_pipe_filter filter, void *ctx);

/* Where the owner appends. Its max is LN_STREAM_OUT_MAX; a peer that does not read makes appends fail with
 * LN_E_TOOBIG. */
#define LN_STREAM_OUT_MAX ((size_t)64 << 20)
#define LN_STREAM_IN_MAX (((size_t)16 << 20) + 4096)
struct ln_buf *ln_stream_out(struct ln_stream *s);
/* Sends what is in the out buffer (one write; the buffer is empty and reusable afterwards). Errors come
 * through on_close, later; one that is known already is given, too. */
int ln_stream_send(struct ln_stream *s);
/* What the kernel takes of the bytes at once, without a copy and without on_drain; 0 where it has not taken
 * all that was sent before. *err: an error, which comes through on_close, too. Not for pipes. */
size_t ln_stream_write(struct ln_stream *s, struct ln_slice bytes, int *err);
size_t ln_stream_unsent(const struct ln_stream *s);     /* bytes handed over that have not left */
void ln_stream_pause(struct ln_stream *s, bool paused); /* stop or go on reading: backpressure */
/* Nothing more will be sent: the peer sees the end behind what was. What it sends still comes. */
void ln_stream_finish(struct ln_stream *s);
void ln_stream_close(struct ln_stream *s); /* no callback after this; what was sent still leaves (up to 1 s),
                                              then freed by itself */
struct ln_buf *ln_stream_in(struct ln_stream *s); /* what has come and was not consumed, in on_close too */
/* A peer that does not read for long is no failure: without TCP_USER_TIMEOUT. */
void ln_stream_patient(struct ln_stream *s);
/* "127.0.0.1:1234", "[::1]:1234" or a Unix socket's path ("@name" where it is in no file), of the peer or of
 * this end: its length; 0 where it has none. */
size_t ln_stream_address(const struct ln_stream *s, bool peer, char *out, size_t size);
int ln_stream_fd(const struct ln_stream *s);                /* -1 where there is none */
const char *ln_stream_peer(const struct ln_stream *s);      /* "127.0.0.1:1234" or "pipe" */
bool ln_stream_peer_is_loopback(const struct ln_stream *s); /* pipes count as loopback */

#endif
