/* A client's and a server's session in memory, with a clock of their own and two links whose payloads can be
 * lost, delayed, kept and replayed. Everything follows from the seed. */
#ifndef SPEC_SESSIONS_H
#define SPEC_SESSIONS_H

#include "mtproto/binding.h"
#include "mtproto/check.h"
#include "mtproto/container.h"
#include "mtproto/envelope.h"
#include "mtproto/msgid.h"
#include "mtproto/server_session.h"
#include "mtproto/session.h"
#include "base/clock.h"
#include "crypto/aes.h"
#include "tl/reader.h"
#include "tl/writer.h"
#include "tl_ids.h"
#include "wire.h"

#define PAIR_EPOCH (INT64_C(1800000000) * LN_US_PER_S) /* the server's time when `now` is 0 */
#define PAIR_ECHO UINT32_C(0xec400001)                 /* echo x → PAIR_ANSWER x */
#define PAIR_HOLD UINT32_C(0xec400002)                 /* stays unanswered until the spec answers */
#define PAIR_FAIL UINT32_C(0xec400003)                 /* 400 FAILED */
#define PAIR_BIG UINT32_C(0xec400004)                  /* 64 KiB come back */
#define PAIR_ANSWER UINT32_C(0xec400005)
#define PAIR_UPDATE UINT32_C(0xec400006)
#define PAIR_TAGS 4096

struct packet {
  uint8_t *p;
  size_t n;
};

struct link {
  struct packet at[4096];
  size_t n;
};

struct answer {
  int results, errors, err, code;
  uint32_t word; /* the second word of the last result */
  size_t len;
  char text[64];
};

struct pair {
  struct wire w;
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  struct ln_auth_key key;
  int64_t now;  /* the client's monotonic clock */
  int64_t wall; /* the server's time */
  struct ln_session *client;
  struct ln_server_session *server;
  struct ln_server_session_config server_config;
  struct link to_server, to_client;
  struct answer answers[PAIR_TAGS];
  /* what the server saw */
  uint64_t requests[PAIR_TAGS];
  uint32_t request_words[PAIR_TAGS];
  bool under_prefix[PAIR_TAGS];
  uint64_t after[PAIR_TAGS];
  size_t n_requests;
  uint64_t acked_pushes[PAIR_TAGS];
  size_t n_acked, n_dropped, n_closed;
  /* what the client saw */
  uint64_t updates[PAIR_TAGS];
  uint32_t update_words[PAIR_TAGS];
  size_t n_updates, n_new_sessions, n_states;
  bool ack_updates;
  uint64_t session_id; /* the client's, as last seen by the server */
  uint64_t salt;
  struct ln_slice prefix;
  /* a temporary key: `perm` is what it is bound to */
  struct ln_auth_key perm;
  int64_t expires;
  bool hold_binding;
  uint64_t binding_held;
  size_t n_bindings, n_wrong_bindings, n_bound, n_refused;
  struct ln_binding binding; /* the last */
  void (*on_update_hook)(struct pair *p);
  void (*on_plain)(struct pair *p, const struct ln_plain *plain); /* each payload that the client sent */
};

static void pair_on_result(void *ctx, void *tag, struct ln_slice result)
{
  struct pair *p = ctx;
  struct answer *a = &p->answers[(size_t)(uintptr_t)tag];
  a->results++;
  a->len = result.n;
  a->word = result.n >= 8 ? ln_le32(result.p + 4) : 0;
}

static void pair_on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  struct pair *p = ctx;
  struct answer *a = &p->answers[(size_t)(uintptr_t)tag];
  a->errors++;
  a->err = err;
  a->code = code;
  snprintf(a->text, sizeof a->text, "%.*s", (int)text.n, (const char *)text.p);
}

static void pair_on_update(void *ctx, struct ln_slice update, uint64_t msg_id)
{
  struct pair *p = ctx;
  assert_true(p->n_updates < PAIR_TAGS);
  p->update_words[p->n_updates] = update.n >= 8 ? ln_le32(update.p + 4) : 0;
  p->updates[p->n_updates++] = msg_id;
  if (p->ack_updates) ln_session_ack(p->client, msg_id);
  if (p->on_update_hook) p->on_update_hook(p);
}

static void pair_on_new_session(void *ctx)
{
  ((struct pair *)ctx)->n_new_sessions++;
}

static void pair_on_state(void *ctx)
{
  ((struct pair *)ctx)->n_states++;
}

static void pair_result(struct pair *p, uint64_t req, struct ln_slice result)
{
  if (ln_server_session_result(p->server, req, result) == LN_E_NOMEM)
    ln_server_session_result(p->server, req, result); /* an owner tries again */
}

static void pair_answer(struct pair *p, uint64_t req, uint32_t word)
{
  uint8_t b[8];
  ln_put_le32(b, PAIR_ANSWER);
  ln_put_le32(b + 4, word);
  pair_result(p, req, ln_slice(b, 8));
}

static void pair_bind_answer(struct pair *p, uint64_t req)
{
  uint8_t yes[4];
  ln_put_le32(yes, LN_ID_boolTrue);
  pair_result(p, req, ln_slice(yes, 4));
}

/* auth.bindTempAuthKey: is it what a server would take? */
static void pair_on_binding(struct pair *p, uint64_t req, struct ln_slice body)
{
  struct ln_reader r;
  ln_reader_init(&r, body);
  ln_read_u32(&r);
  uint64_t perm = ln_read_u64(&r), nonce = ln_read_u64(&r);
  int32_t expires = ln_read_i32(&r);
  struct ln_slice sealed = ln_read_bytes(&r);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  struct ln_binding *b = &p->binding;
  assert_int_equal(ln_binding_open(&p->perm, sealed, b), LN_OK);
  bool right = perm == p->perm.id && b->perm_key_id == perm && b->temp_key_id == p->key.id &&
               b->session_id == p->session_id && b->msg_id == req && b->seqno == 0 && b->nonce == nonce &&
               b->expires_at == expires;
  p->n_bindings++;
  p->n_wrong_bindings += !right;
  p->binding_held = req;
  if (!p->hold_binding) pair_bind_answer(p, req);
}

static void pair_on_bound(void *ctx, int code, struct ln_slice text)
{
  struct pair *p = ctx;
  (void)text;
  if (code)
    p->n_refused++;
  else
    p->n_bound++;
}

static void pair_on_request(void *ctx, uint64_t req, struct ln_slice body)
{
  struct pair *p = ctx;
  if (ln_le32(body.p) == LN_ID_auth_bindTempAuthKey) {
    pair_on_binding(p, req, body);
    return;
  }
  assert_true(p->n_requests < PAIR_TAGS);
  size_t i = p->n_requests++;
  p->requests[i] = req;
  p->under_prefix[i] = p->prefix.n && body.n > p->prefix.n && !memcmp(body.p, p->prefix.p, p->prefix.n);
  if (p->under_prefix[i]) body = ln_slice_from(body, p->prefix.n);
  p->after[i] = 0;
  if (ln_le32(body.p) == LN_ID_invokeAfterMsg) {
    p->after[i] = ln_le64(body.p + 4);
    body = ln_slice_from(body, 12);
  }
  uint32_t id = ln_le32(body.p), word = body.n >= 8 ? ln_le32(body.p + 4) : 0;
  p->request_words[i] = word;
  if (id == PAIR_ECHO) pair_answer(p, req, word);
  if (id == PAIR_FAIL) ln_server_session_error(p->server, req, 400, "FAILED");
  if (id == PAIR_BIG) {
    static uint8_t big[65536];
    memset(big, 'a', sizeof big);
    ln_put_le32(big, PAIR_ANSWER);
    ln_put_le32(big + 4, word);
    pair_result(p, req, ln_slice(big, sizeof big));
  }
}

static bool pair_on_drop(void *ctx, uint64_t req)
{
  (void)req;
  ((struct pair *)ctx)->n_dropped++;
  return true;
}

static void pair_on_ack(void *ctx, uint64_t msg_id)
{
  struct pair *p = ctx;
  p->acked_pushes[p->n_acked++] = msg_id;
}

static void pair_on_close(void *ctx)
{
  ((struct pair *)ctx)->n_closed++;
}

static const struct ln_session_ops pair_client_ops = {pair_on_result,      pair_on_error, pair_on_update,
                                                      pair_on_new_session, pair_on_state, pair_on_bound};
static const struct ln_server_session_ops pair_server_ops = {pair_on_request, pair_on_drop, pair_on_ack,
                                                             pair_on_close};

/* The client believes that server time is `now` + PAIR_EPOCH + skew_us. life_us > 0: the key is a temporary
 * one with so much to live. */
static inline struct pair *pair_open_as(uint64_t seed, int64_t skew_us, struct ln_slice prefix,
                                        int64_t life_us)
{
  struct pair *p = calloc(1, sizeof *p);
  assert_non_null(p);
  wire_open(&p->w, "intermediate", 2);
  p->rng = ln_rng_seeded(&p->seed, seed);
  uint8_t key[256];
  spec_pattern(key, sizeof key, (unsigned)seed);
  ln_auth_key_init(&p->key, key);
  p->wall = PAIR_EPOCH;
  p->salt = UINT64_C(0x5a175a17);
  p->prefix = prefix;
  p->ack_updates = true;
  struct ln_session_config c = {.key = &p->key,
                                .salt = p->salt,
                                .server_offset_us = PAIR_EPOCH + skew_us,
                                .rng = p->rng,
                                .ops = &pair_client_ops,
                                .ctx = p,
                                .prefix = prefix};
  if (life_us) {
    spec_pattern(key, sizeof key, (unsigned)seed + 1);
    ln_auth_key_init(&p->perm, key);
    c.bind_to = &p->perm;
    c.expires = p->expires = p->now + life_us;
  }
  assert_int_equal(ln_session_new(&c, p->now, &p->client), LN_OK);
  p->server_config = (struct ln_server_session_config){
      .key = &p->key, .rng = p->rng, .ops = &pair_server_ops, .ctx = p, .first_salt = p->salt};
  memset(p->server_config.salt_secret, 9, sizeof p->server_config.salt_secret);
  return p;
}

static inline struct pair *pair_open_with(uint64_t seed, int64_t skew_us, struct ln_slice prefix)
{
  return pair_open_as(seed, skew_us, prefix, 0);
}

static inline struct pair *pair_open(uint64_t seed)
{
  return pair_open_with(seed, 0, ln_slice(NULL, 0));
}

static inline void link_clear(struct link *l)
{
  while (l->n) free(l->at[--l->n].p);
}

static inline void pair_close(struct pair *p)
{
  ln_session_free(p->client);
  ln_server_session_free(p->server);
  link_clear(&p->to_server);
  link_clear(&p->to_client);
  wire_close(&p->w);
  free(p);
}

static inline struct packet packet_copy(const uint8_t *bytes, size_t n)
{
  struct packet k = {malloc(n), n};
  assert_non_null(k.p);
  memcpy(k.p, bytes, n);
  return k;
}

static inline struct packet link_take(struct link *l, size_t i)
{
  assert_true(i < l->n);
  struct packet k = l->at[i];
  memmove(l->at + i, l->at + i + 1, (--l->n - i) * sizeof k);
  return k;
}

static inline void link_add(struct link *l, struct packet k)
{
  assert_true(l->n < sizeof l->at / sizeof l->at[0]);
  l->at[l->n++] = k;
}

static inline void pair_frames(struct wire_end *from, struct wire_end *to, struct link *l)
{
  struct ln_frame_event ev;
  int err;
  while ((err = wire_read(from, to, 0, &ev)) == LN_OK)
    if (ev.kind == LN_FRAME_PAYLOAD) link_add(l, packet_copy(ev.payload, ev.len));
  assert_int_equal(err, LN_E_AGAIN);
}

static inline void pair_flush(struct pair *p)
{
  while (ln_session_pending(p->client, p->now)) {
    assert_int_equal(ln_session_flush(p->client, p->w.client.frame, &p->w.client.out, p->now), LN_OK);
    pair_frames(&p->w.client, &p->w.server, &p->to_server);
  }
  while (p->server && ln_server_session_pending(p->server)) {
    assert_int_equal(ln_server_session_flush(p->server, p->w.server.frame, &p->w.server.out, p->wall), LN_OK);
    pair_frames(&p->w.server, &p->w.client, &p->to_client);
  }
}

/* The server gets a payload (consumed); makes its session where the client has a new one. */
static inline int pair_server_gets(struct pair *p, struct packet k)
{
  uint64_t session_id;
  struct ln_slice bytes;
  struct ln_plain plain;
  int err = ln_server_open(&p->key, k.p, k.n, &session_id, &bytes);
  if (!err) {
    assert_int_equal(ln_plain_parse(bytes, &plain), LN_OK);
    if (p->on_plain) p->on_plain(p, &plain);
    if (!p->server || session_id != p->session_id) {
      ln_server_session_free(p->server);
      p->server_config.session_id = p->session_id = session_id;
      assert_int_equal(ln_server_session_new(&p->server_config, p->wall, &p->server), LN_OK);
    }
    err = ln_server_session_input(p->server, bytes, p->wall);
  }
  free(k.p);
  return err;
}

static inline int pair_client_gets(struct pair *p, struct packet k)
{
  int err = ln_session_input(p->client, k.p, k.n, p->now);
  free(k.p);
  return err;
}

/* Until nothing is on its way in either direction. */
static inline void pair_run(struct pair *p)
{
  for (int i = 0; i < 10000; i++) {
    pair_flush(p);
    if (!p->to_server.n && !p->to_client.n) return;
    while (p->to_server.n) assert_int_equal(pair_server_gets(p, link_take(&p->to_server, 0)), LN_OK);
    pair_flush(p);
    while (p->to_client.n) assert_int_equal(pair_client_gets(p, link_take(&p->to_client, 0)), LN_OK);
  }
  fail_msg("the two never come to rest");
}

static inline int pair_pass(struct pair *p, int64_t us)
{
  p->now += us;
  p->wall += us;
  if (p->server) ln_server_session_tick(p->server, p->wall);
  return ln_session_tick(p->client, p->now);
}

static inline struct ln_request *pair_ask_after(struct pair *p, uint32_t id, uint32_t word,
                                                const struct ln_request *after, unsigned flags)
{
  uint8_t b[8];
  struct ln_request *r = NULL;
  ln_put_le32(b, id);
  ln_put_le32(b + 4, word);
  assert_true(word < PAIR_TAGS);
  assert_int_equal(ln_session_request(p->client, ln_slice(b, 8), (void *)(uintptr_t)word, after, flags, &r),
                   LN_OK);
  return r;
}

static inline struct ln_request *pair_ask(struct pair *p, uint32_t id, uint32_t word)
{
  return pair_ask_after(p, id, word, NULL, 0);
}

static inline uint64_t pair_push(struct pair *p, uint32_t word)
{
  uint8_t b[8];
  uint64_t msg_id = 0;
  ln_put_le32(b, PAIR_UPDATE);
  ln_put_le32(b + 4, word);
  assert_int_equal(ln_server_session_push(p->server, ln_slice(b, 8), p->wall, &msg_id), LN_OK);
  return msg_id;
}

/* --- a server's messages made by hand --- */

/* Seals without any rule: `len` is what the length field says, inner everything that is encrypted. */
static inline struct packet pair_seal_raw(const struct pair *p, enum ln_direction x,
                                          const struct ln_plain *plain, uint32_t len, size_t inner)
{
  struct packet k = {calloc(1, LN_ENVELOPE_OUTER + inner), LN_ENVELOPE_OUTER + inner};
  assert_non_null(k.p);
  uint8_t *at = k.p + LN_ENVELOPE_OUTER, key[32], iv[32];
  ln_put_le64(at, plain->salt);
  ln_put_le64(at + 8, plain->session_id);
  ln_put_le64(at + 16, plain->msg_id);
  ln_put_le32(at + 24, plain->seqno);
  ln_put_le32(at + 28, len);
  if (plain->body.n) memcpy(at + LN_ENVELOPE_INNER, plain->body.p, plain->body.n);
  ln_put_le64(k.p, p->key.id);
  ln_msg_key(&p->key, x, ln_slice(at, inner), k.p + 8);
  ln_kdf(&p->key, k.p + 8, x, key, iv);
  ln_aes_ige_encrypt(key, iv, at, at, inner);
  return k;
}

static inline struct packet pair_seal(const struct pair *p, enum ln_direction x, const struct ln_plain *plain)
{
  return pair_seal_raw(p, x, plain, (uint32_t)plain->body.n,
                       ln_envelope_size(plain->body.n) - LN_ENVELOPE_OUTER);
}

/* The next msg_id that a server would take; `ago` µs in the past. */
static inline uint64_t pair_server_id(const struct pair *p, int64_t ago, unsigned low)
{
  static uint64_t step;
  struct ln_msgid m = {0};
  return ln_msgid_next(&m, p->wall - ago, LN_MSGID_CLIENT, 0) + (step += 4) % 4000 + low;
}

static inline struct packet pair_forge(struct pair *p, uint64_t msg_id, uint32_t seqno, struct ln_slice body)
{
  struct ln_plain plain = {p->salt, p->session_id, msg_id, seqno, body};
  return pair_seal(p, LN_TO_CLIENT, &plain);
}

static inline struct ln_slice pair_words(uint32_t *to, size_t n, ...)
{
  va_list list;
  va_start(list, n);
  for (size_t i = 0; i < n; i++) ln_put_le32(&to[i], va_arg(list, uint32_t));
  va_end(list);
  return ln_slice(to, n * 4);
}

#define LO(x) (uint32_t)((uint64_t)(x)&UINT32_MAX)
#define HI(x) (uint32_t)((uint64_t)(x) >> 32)

#endif
