/* What the files of the client's session share: session.c (life, clock), request.c (the two lists of
 * requests), session_send.c (what leaves), dispatch.c and on_*.c (what comes in). Included by nobody else. */
#ifndef LN_MTPROTO_SESSION_INTERNAL_H
#define LN_MTPROTO_SESSION_INTERNAL_H

#include "mtproto/session.h"
#include "mtproto/check.h"
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

#define LN_MAX_PENDING 8192
#define LN_MAX_ACKS 8192                 /* M19: in one msgs_ack, and in hand */
#define LN_ACKS_AT_ONCE 16               /* more than this are sent without waiting for company */
#define LN_ACK_WAIT_US (3 * LN_US_PER_S) /* within M19's 30 s */
#define LN_MAX_ASKED 1024                /* ids in one msgs_state_req of ours */
#define LN_MAX_QUERIES 8                 /* state requests in flight */
#define LN_MAX_SALTS 64
#define LN_SENT_RING 1024
#define LN_PONG_US (15 * LN_US_PER_S)
#define LN_BINDING_US (15 * LN_US_PER_S) /* as long as the server may take to bind a temporary key */
#define LN_UNACKED_US (15 * LN_US_PER_S) /* a request that nobody confirmed: ask */
#define LN_UNANSWERED_US (60 * LN_US_PER_S)
#define LN_ASK_AGAIN_US (10 * LN_US_PER_S)
#define LN_SALTS_AGAIN_US (60 * LN_US_PER_S)
#define LN_OLD_SESSION_US (60 * LN_US_PER_S)

enum ln_request_state { LN_REQUEST_QUEUED, LN_REQUEST_SENT, LN_REQUEST_ACKED };

struct ln_request {
  struct ln_request *prev, *next; /* in the list of its state */
  struct ln_request *after;       /* still pending, or NULL */
  struct ln_request *dependents, *next_dependent;
  void *tag;
  uint64_t order;  /* of its making: what is sent again keeps its place */
  uint64_t msg_id; /* 0: not sent yet */
  uint64_t old_id; /* the one before, whose answer is as good; 0: none */
  uint64_t container_id;
  int64_t check_at; /* when to ask the server about it */
  uint32_t len;
  uint8_t state, tries;
  bool no_prefix, no_response, prefixed;
  bool binding;   /* auth.bindTempAuthKey, made anew for each msg_id; session_binding.c */
  uint8_t body[]; /* as it goes out, after prefix and invokeAfterMsg */
};

struct ln_request_list {
  struct ln_request *first, *last;
};

struct ln_state_query { /* a msgs_state_req in flight */
  uint64_t msg_id;      /* 0: free */
  size_t n;
  uint64_t ids[LN_MAX_ASKED];
};

struct ln_ids { /* a growing list of msg_ids */
  uint64_t *at;
  size_t n, cap;
};

struct ln_session {
  struct ln_auth_key key;
  struct ln_rng rng;
  const struct ln_session_ops *ops;
  void *ctx;
  struct ln_gzip *gzip;
  struct ln_buf prefix, control, replies, unpacked, packed;
  size_t unpacked_in_frame;
  int64_t now, ping_every_us;
  bool connected, broken; /* broken: out of memory or randomness somewhere without a way to say so */

  /* outgoing */
  uint64_t session_id, old_session_id;
  int64_t old_session_until;
  struct ln_msgid msgid;
  uint32_t content_sent; /* half of the next seqno */
  uint32_t sent_n;       /* of all that went out: `sent` has the last of them */
  bool prefix_done;

  /* requests */
  struct ln_request_list queue, flight;
  struct ln_map by_id; /* msg_id (old ones too) → request in flight */
  size_t n_pending;
  uint64_t next_order;

  /* a temporary key */
  bool temporary, bound;
  struct ln_auth_key perm, old_key;
  int64_t expires, old_key_until; /* LN_NEVER: there is none */
  struct ln_request *binding;     /* not answered yet, or NULL */
  int64_t binding_due;            /* LN_NEVER where none is awaited */

  /* service messages to send */
  struct ln_ids acks, drops, wanted; /* wanted: for msg_resend_req */
  int64_t acks_due;
  int64_t check_due; /* the earliest check_at may be this */
  size_t n_asking;
  struct ln_state_query *queries[LN_MAX_QUERIES];
  size_t next_query;
  int64_t ping_due, pong_due; /* pong_due: LN_NEVER where none is awaited */
  uint64_t ping_id;

  /* salts */
  uint64_t salt;
  uint64_t salt_since; /* ids above went out with it */
  struct ln_salt salts[LN_MAX_SALTS];
  size_t n_salts;
  uint64_t salts_query; /* msg_id of get_future_salts, 0: none */
  int64_t salts_ask_at;
  int64_t salts_from, salts_until; /* s of the server: between these the list stays, and so does */
  uint64_t salts_best;

  /* incoming */
  int64_t offset_us;
  bool synchronised; /* this session has heard the server's clock */
  uint64_t newest_id;
  uint32_t newest_seqno;
  unsigned foreign, ahead; /* M5, M8: violations in a row */
  unsigned regressions;    /* M9: in a minute */
  int64_t regressed_at;
  uint64_t unique_ids[8]; /* of new_session_created */
  unsigned n_unique;
  int64_t fixes_since; /* M16: salts and clocks corrected in this minute */
  unsigned fixes;
  int64_t bugs_since;
  unsigned bugs;
  bool destroy_asked;

  /* Lists of ids as long as their counts say. What is beyond is never read nor written, here and below: a
   * session that sends little has no pages for it. */
  uint64_t sent[LN_SENT_RING];
  uint64_t asking[LN_MAX_ASKED];
  struct ln_window seen; /* incoming */
};

#define LN_SESSION_ZEROED offsetof(struct ln_session, sent)

/* session.c */
int64_t ln_session_server_us(const struct ln_session *s);
void ln_session_queue_ack(struct ln_session *s, uint64_t msg_id);
int ln_ids_add(struct ln_ids *l, uint64_t id, size_t max); /* LN_E_FULL, LN_E_NOMEM */
void ln_ids_drop(struct ln_ids *l, size_t n);              /* the first n */
/* Reaction S. Calls on_new_session. */
void ln_session_renew(struct ln_session *s);
bool ln_session_sent_recently(const struct ln_session *s, uint64_t msg_id);
int64_t ln_session_msgid_offset(const struct ln_session *s, uint64_t msg_id);

/* request.c */
void ln_request_list_add(struct ln_request_list *l, struct ln_request *r);
void ln_request_list_remove(struct ln_request_list *l, struct ln_request *r);
/* Takes it out of everything; dependents lose it. The caller frees. */
void ln_request_detach(struct ln_session *s, struct ln_request *r);
/* Back into the queue, at its place by order; it will leave under a new msg_id. */
void ln_request_again(struct ln_session *s, struct ln_request *r);
/* All in flight that match (NULL: all), in one pass. */
void ln_request_all_again(struct ln_session *s, bool (*match)(const struct ln_request *r, uint64_t id),
                          uint64_t id);
struct ln_request *ln_request_find(struct ln_session *s, uint64_t msg_id);
void ln_request_acked(struct ln_session *s, struct ln_request *r);
/* The server is to be asked about it at the next flush. */
void ln_request_check(struct ln_session *s, struct ln_request *r, int64_t at);
/* Puts requests whose time has come on the list of ids to ask about. */
void ln_request_collect(struct ln_session *s);
size_t ln_request_wire_size(const struct ln_session *s, const struct ln_request *r);
size_t ln_request_write(const struct ln_session *s, struct ln_request *r, uint8_t *to);

/* session_binding.c */
int ln_binding_queue(struct ln_session *s);                         /* to be bound (anew) */
int ln_binding_compose(struct ln_session *s, struct ln_request *r); /* for its msg_id */
/* The key that a payload names, where we have it; else the present one. */
const struct ln_auth_key *ln_binding_key(const struct ln_session *s, const uint8_t *payload, size_t len);
void ln_binding_forget_old(struct ln_session *s);
void ln_binding_answer(struct ln_session *s, struct ln_request *r, struct ln_slice result);
/* P1: may it leave by the key as it is? */
static inline bool ln_binding_lets(const struct ln_session *s, const struct ln_request *r)
{
  return !s->temporary || s->bound || r->binding || LN_CHECK(P1, false);
}

/* session_salts.c */
/* Chooses the salt for now; asks for more where they run out. */
void ln_salts_update(struct ln_session *s);
void ln_salts_set(struct ln_session *s, uint64_t salt);

/* on_*.c: body starts with the constructor. LN_OK; LN_E_DISCARD (D), LN_E_RECONNECT (R), LN_E_NEW_SESSION
 * (S), LN_E_HALT (H). depth: 1 inside gzip_packed. */
int ln_on_rpc_result(struct ln_session *s, const struct ln_message *m, int depth);
int ln_on_pong(struct ln_session *s, const struct ln_message *m);
int ln_on_new_session(struct ln_session *s, const struct ln_message *m);
int ln_on_future_salts(struct ln_session *s, const struct ln_message *m);
int ln_on_bad_msg(struct ln_session *s, const struct ln_message *m); /* bad_server_salt too */
/* The id that a bad_msg_notification or bad_server_salt names; 0: neither. */
uint64_t ln_bad_msg_names(struct ln_slice body);
int ln_on_msgs_ack(struct ln_session *s, const struct ln_message *m);
int ln_on_state_req(struct ln_session *s, const struct ln_message *m);
int ln_on_state_info(struct ln_session *s, const struct ln_message *m);
int ln_on_all_info(struct ln_session *s, const struct ln_message *m);
int ln_on_detailed_info(struct ln_session *s, const struct ln_message *m);
int ln_on_resend_req(struct ln_session *s, const struct ln_message *m);
int ln_on_destroy(struct ln_session *s, const struct ln_message *m);

/* dispatch.c: inflates into s->unpacked under both caps. packed starts with gzip_packed's constructor. */
int ln_session_unpack(struct ln_session *s, struct ln_slice packed, struct ln_slice *out);

/* Reads a Vector<long> whose constructor comes next; calls each id back. At most 8192 (M17, M19). */
static inline uint32_t ln_read_ids(struct ln_reader *r)
{
  uint32_t n = ln_read_vector(r, true, 8);
  if (n > 8192) ln_reader_fail(r, LN_E_TOOBIG);
  return r->err ? 0 : n;
}

/* M14: a service message that is not read to its end is none. */
static inline bool ln_read_whole(struct ln_reader *r)
{
  return !r->err && LN_CHECK(M14, ln_reader_finish(r) == LN_OK);
}

#endif
