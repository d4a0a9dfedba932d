/* Unix sockets; the streams are those of stream.h. Those of the REPL only their owner can reach: the socket
 * is 0600 in a 0700 folder, and the peer's user has to be ours. Those of scripts (luna.socket) are as the
 * system makes them. */
#ifndef LN_LOOP_UNIX_H
#define LN_LOOP_UNIX_H

#include "loop/stream.h"

/* ours: the folder has to exist, be ours, be no symlink, and be closed to others. A socket of ours that
 * nobody listens on any more is replaced; anything else at that path is left alone. LN_E_BUSY: somebody
 * listens there; LN_E_PERMISSION: folder or path are not as they have to be; LN_E_IO. *why: a text that lives
 * on. on_accept: as for ln_tcp_listen; not ours: for any user's connection. Its end removes the file where it
 * is still the one it made. */
int ln_unix_listen(struct ln_loop *loop, const char *path, bool ours,
                   void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx, struct ln_listener **out,
                   const char **why);

/* The same for anybody's socket, as ln_tcp_dial does. A crowded listener is asked again until the time is up.
 */
int ln_unix_connect(struct ln_loop *loop, const char *path, int64_t timeout_us,
                    const struct ln_stream_ops *ops, void *ctx, struct ln_stream **out);
/* Connects at once; the stream is not adopted yet. The socket has to be ours, and so has who listens there.
 * LN_E_CONNECT: nobody listens. */
int ln_unix_dial(struct ln_loop *loop, const char *path, struct ln_stream **out, const char **why);

/* A question whose answer this thread waits for, at most so many milliseconds: connects, sends `question`,
 * and takes the line after the first `skip` ones, without its end. The checks are ln_unix_dial's.
 * LN_E_TIMEOUT. */
int ln_unix_ask(const char *path, struct ln_slice question, int skip, int milliseconds,
                struct ln_buf *answer);

/* Whether that byte is among what has arrived and was not taken yet, without taking it: for a look at the
 * peer's wishes while the loop stands still. */
bool ln_unix_peek(const struct ln_stream *s, uint8_t byte);

#endif
