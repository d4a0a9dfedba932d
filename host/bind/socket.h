/* Sockets and servers of luna.socket: the userdata behind both, which own their stream or listener. socket.c
 * reads and writes, socket_server.c connects, listens and accepts, socket_list.c looks at all of them: what a
 * reload ends, what virtual clocks wait for, what luna.loop counts. All on the loop's thread. */
#ifndef LN_BIND_SOCKET_H
#define LN_BIND_SOCKET_H

#include "base/buf.h"
#include "bind/task.h"
#include "loop/stream.h"

#define LN_SOCKET_NAME "luna.Socket"
#define LN_SERVER_NAME "luna.SocketServer"
#define LN_SOCKET_QUEUE 64 /* connections accepted before somebody asks for them */

struct ln_socket_link { /* in the list of all that are open; the first member of both structs */
  struct ln_socket_link *prev, *next;
  const void *mark; /* of sockets: socket.c */
  lua_Integer owner;
  int waits; /* tasks; each counts for the program unless it is unreferenced */
  bool is_server, linked, unreferenced;
};

struct ln_socket_write { /* what the kernel has not taken at once */
  struct ln_socket_write *next;
  struct ln_task *task; /* NULL: does not wait for it any more */
  int ref;              /* the string */
  const char *bytes;
  size_t n, at;
};

struct ln_socket {
  struct ln_socket_link link;
  struct ln_stream *stream; /* NULL: closed, or it has failed */
  struct ln_buf rest;       /* what had come by then */
  struct ln_task *opener, *reader;
  struct ln_socket_write *first, **last;
  bool reads; /* somebody has read: bytes are taken from the kernel as they come */
  bool full;  /* no more of them for now */
  bool ended; /* the peer has finished */
  bool finishing, finished, dialled;
  uint8_t place; /* of the other end: enum of socket_list.c */
  int err;       /* it has failed */
  char why[112], address[64];
  uint64_t sent, taken;   /* bytes */
  struct ln_socket *peer; /* the other end, where it is a socket of this process */
};

struct ln_socket_server {
  struct ln_socket_link link;
  struct ln_listener *listener; /* NULL: closed */
  struct ln_task *acceptor;
  struct ln_stream *queue[LN_SOCKET_QUEUE];
  unsigned first, n;
};

/* --- socket.c --- */

extern const struct ln_stream_ops ln_socket_ops;
struct ln_socket *ln_socket_push(lua_State *L); /* a new one, without a stream */
void ln_socket_opened(struct ln_socket *s);     /* the stream is there */
void ln_socket_close(struct ln_socket *s);
/* Raises the exception of that error. op: what was being done. */
int ln_socket_raise(lua_State *L, const char *op, int err, const char *why, const char *address);
/* Where a method was called with an options table at `index`: calls the method through Lua's half, which
 * waits as the options say. For `return`. */
int ln_socket_with_options(lua_State *L, lua_CFunction method, int index);
double ln_socket_seconds(lua_State *L, int index); /* an optional time limit, < 0: none */
/* The current task waits in *slot; `then` is called when it is over. */
int ln_socket_wait(lua_State *L, struct ln_socket_link *link, struct ln_task **slot, double seconds,
                   const struct ln_wait *wait, lua_KFunction then);
bool ln_socket_timed_out(lua_State *L); /* in `then`: whether the time was up; raises an error of the wake */
void ln_socket_wake(struct ln_socket_link *link, struct ln_task **slot);
/* The task no longer waits there; false where it did not. */
bool ln_socket_forget(struct ln_socket_link *link, struct ln_task **slot, struct ln_task *t);
void ln_socket_reference(struct ln_socket_link *link, bool referenced);
/* methods: those beside what sockets and servers share; get: the __index of what is no method. */
void ln_socket_metatable(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta,
                         lua_CFunction get);

/* --- socket_server.c --- */

void ln_socket_server_close(struct ln_socket_server *s);
void ln_socket_server_open(lua_State *L);
int ln_socket_connect(lua_State *L);
int ln_socket_listen(lua_State *L);

/* --- socket_list.c --- */

void ln_socket_link(struct ln_socket_link *l); /* owned by the current task */
void ln_socket_unlink(struct ln_socket_link *l);
/* Whether something is on its way that virtual clocks must not overtake. */
bool ln_socket_holds(void);
int ln_socket_list(lua_State *L);
int ln_socket_end_owned(lua_State *L);
/* Those of that environment, as luna.loop counts watchers: [1] where somebody waits. */
struct ln_socket_counts {
  lua_Integer reads[2], writes[2], referenced, unreferenced;
};
void ln_socket_count(lua_Integer env, struct ln_socket_counts *c);

#endif
