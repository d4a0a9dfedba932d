/* What the files of the server's session share: server_session.c (life, what comes in), server_service.c
 * (service messages), server_send.c (what leaves), server_salts.c. Included by nobody else. */
#ifndef LN_MTPROTO_SERVER_INTERNAL_H
#define LN_MTPROTO_SERVER_INTERNAL_H

#include "mtproto/server_session.h"
#include "mtproto/container.h"
#include "mtproto/envelope.h"
#include "mtproto/gzip.h"
#include "mtproto/msgid.h"
#include "mtproto/window.h"
#include "base/clock.h"
#include "base/map.h"
#include "tl/reader.h"
#include "tl/writer.h"
#include "tl_ids.h"

#define LN_SERVER_MAX_PUSHES 1024
#define LN_SERVER_MAX_ANSWERS 4096
#define LN_SERVER_MAX_KEPT ((size_t)64 << 20) /* bytes of answers that wait for their ack */
#define LN_SERVER_MAX_SERVICE 2048            /* unsent replies to service messages */
#define LN_SERVER_MAX_CALLS 16384             /* requests that run */
#define LN_SERVER_ACK_WAIT_US LN_US_PER_S
#define LN_SERVER_ACKS_AT_ONCE 64
#define LN_SALT_PERIOD_S 1800

enum ln_out_kind {
  LN_OUT_SERVICE,
  LN_OUT_ANSWER,
  LN_OUT_PUSH,
  LN_OUT_NOTICE /* kept, but nobody asks for acks */
};

struct ln_out { /* a message on its way to the client */
  struct ln_out *prev, *next;
  uint64_t msg_id; /* 0: gets one when it leaves */
  uint64_t req_msg_id;
  uint32_t seqno, len;
  uint8_t kind;
  bool sent; /* once at least: it leaves again under its id, and inside a container */
  bool queued;
  uint8_t body[];
};

struct ln_out_list {
  struct ln_out *first, *last;
};

struct ln_server_session {
  struct ln_auth_key key;
  uint64_t session_id;
  struct ln_rng rng;
  const struct ln_server_session_ops *ops;
  void *ctx;
  struct ln_gzip *gzip;
  struct ln_buf unpacked, packed;
  int64_t wall, created;
  bool connected, fresh; /* fresh: new_session_created is still to be said */

  struct ln_msgid msgid;
  uint32_t content_sent;
  struct ln_out_list queue, kept;
  struct ln_map outs;  /* msg_id → kept ln_out */
  struct ln_map calls; /* req_msg_id → &ln_call_running, or its answer (ln_out) */
  size_t n_pushes, n_answers, n_service, answer_bytes;
  uint64_t *acks;
  size_t n_acks, acks_cap;
  int64_t acks_due;
  bool acks_now;

  struct ln_window seen;
  uint64_t newest_id;
  uint32_t newest_seqno;
  int64_t disconnect_at;

  uint8_t salt_secret[32];
  uint64_t first_salt;
  int64_t salt_period; /* the period that the three below are for */
  uint64_t salts[3];   /* of this period and the two before */
};

extern char ln_call_running[1];

/* server_salts.c */
uint64_t ln_server_salt_now(struct ln_server_session *s);
bool ln_server_salt_good(struct ln_server_session *s, uint64_t salt);
/* Appends future_salts. */
void ln_server_future_salts(struct ln_server_session *s, uint64_t req_msg_id, uint32_t num,
                            struct ln_writer *w);

/* server_send.c */
/* A message of len bytes, not yet queued; NULL: no memory. */
struct ln_out *ln_out_new(enum ln_out_kind kind, size_t len);
int ln_out_queue(struct ln_server_session *s, struct ln_out *out);
void ln_out_again(struct ln_server_session *s, struct ln_out *out); /* a kept one: sends it again */
void ln_out_free(struct ln_server_session *s, struct ln_out *out);
void ln_out_number(struct ln_server_session *s, struct ln_out *out); /* gives it msg_id and seqno */
/* A service message from bytes. req_msg_id: what it answers, or 0. */
int ln_server_reply(struct ln_server_session *s, enum ln_out_kind kind, uint64_t req_msg_id,
                    struct ln_slice body);
void ln_server_queue_ack(struct ln_server_session *s, uint64_t msg_id);
void ln_server_unqueue_ack(struct ln_server_session *s, uint64_t msg_id);

/* server_service.c: true where the message was a service message, well-formed or not. */
bool ln_server_service(struct ln_server_session *s, const struct ln_message *m);
int ln_server_bad_msg(struct ln_server_session *s, uint64_t bad_id, uint32_t bad_seqno, int code);
int ln_server_bad_salt(struct ln_server_session *s, uint64_t bad_id, uint32_t bad_seqno);

#endif
