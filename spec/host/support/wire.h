/* A client's and a server's end of one framed connection, in memory; bytes travel in pieces of any size. For
 * specs of framing and of what runs on it. */
#ifndef SPEC_WIRE_H
#define SPEC_WIRE_H

#include "mtproto/frame.h"
#include "spec.h"

struct wire_end {
  struct ln_frame *frame;
  struct ln_buf in, out;
};

struct wire {
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  struct wire_end client, server;
};

#define WIRE_MAX (((size_t)16 << 20) + 4096)

static inline const char *wire_way(int i)
{
  static const char *const ways[] = {"abridged",
                                     "intermediate",
                                     "padded",
                                     "full",
                                     "obfuscated-abridged",
                                     "obfuscated-intermediate",
                                     "obfuscated-padded",
                                     "obfuscated-full"};
  return i >= 0 && i < 8 ? ways[i] : NULL;
}

static inline void wire_open(struct wire *w, const char *way, int dc)
{
  struct ln_frame_config config;
  memset(w, 0, sizeof *w);
  w->rng = ln_rng_seeded(&w->seed, 7);
  assert_int_equal(ln_frame_config_parse(way, &config), LN_OK);
  config.dc = dc;
  assert_int_equal(ln_frame_client_new(&config, &w->rng, &w->client.frame), LN_OK);
  assert_int_equal(ln_frame_server_new(&w->rng, &w->server.frame), LN_OK);
  ln_buf_init(&w->client.in, WIRE_MAX);
  ln_buf_init(&w->client.out, WIRE_MAX);
  ln_buf_init(&w->server.in, WIRE_MAX);
  ln_buf_init(&w->server.out, WIRE_MAX);
  assert_int_equal(ln_frame_hello(w->client.frame, &w->client.out), LN_OK);
}

static inline void wire_end_close(struct wire_end *e)
{
  ln_frame_free(e->frame);
  ln_buf_deinit(&e->in);
  ln_buf_deinit(&e->out);
}

static inline void wire_close(struct wire *w)
{
  wire_end_close(&w->client);
  wire_end_close(&w->server);
}

static inline void wire_write(struct wire_end *e, struct ln_slice payload)
{
  uint8_t *to;
  assert_int_equal(ln_frame_begin(e->frame, &e->out, payload.n, &to), LN_OK);
  memcpy(to, payload.p, payload.n);
  assert_int_equal(ln_frame_end(e->frame, &e->out), LN_OK);
}

/* Moves what `from` wrote to `to`, piece bytes at a time (0: at once), until an event comes. The rest stays
 * in `from`. */
static inline int wire_read(struct wire_end *from, struct wire_end *to, size_t piece,
                            struct ln_frame_event *ev)
{
  for (;;) {
    int err = ln_frame_next(to->frame, &to->in, ev);
    if (err != LN_E_AGAIN || from->out.len == 0) return err;
    size_t n = piece && piece < from->out.len ? piece : from->out.len;
    assert_int_equal(ln_buf_append(&to->in, ln_buf_data(&from->out), n), LN_OK);
    ln_buf_consume(&from->out, n);
  }
}

#endif
