/* Unix sockets that only their owner can reach: the socket is 0600 in a 0700 folder, and the peer's user has
 * to be ours. For the REPL; the streams are those of stream.h. */
#ifndef LN_LOOP_UNIX_H
#define LN_LOOP_UNIX_H

#include "loop/stream.h"

struct ln_unix_listener;

/* The folder has to exist, be ours, be no symlink, and be closed to others. A socket of ours that nobody
 * listens on any more is replaced; anything else at that path is left alone. LN_E_BUSY: somebody listens
 * there; LN_E_PERMISSION: folder or path are not as they have to be; LN_E_IO. *why: a text that lives on.
 * on_accept: as for ln_tcp_listen; never for another user's connection. */
int ln_unix_listen(struct ln_loop *loop, const char *path, void (*on_accept)(void *ctx, struct ln_stream *s),
                   void *ctx, struct ln_unix_listener **out, const char **why);
/* Removes the socket's file where it is still the one it made. */
void ln_unix_listener_close(struct ln_unix_listener *l);

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
