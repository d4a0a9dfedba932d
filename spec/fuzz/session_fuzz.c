/* Service messages into live sessions of both roles. The input is a script: what the owner does (requests,
 * cancels, acks, time, broken connections) and what the other end says, properly sealed, with constructors,
 * ids and vectors that make sense or nearly do. No script may crash, run for ever, answer a request twice, or
 * make a session say something that the other role's envelope would not open. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/aes.h"
#include "mtproto/container.h"
#include "mtproto/envelope.h"
#include "mtproto/msgid.h"
#include "mtproto/server_session.h"
#include "mtproto/session.h"
#include "tl/reader.h"
#include "tl_ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EPOCH (INT64_C(1800000000) * LN_US_PER_S)
#define REQUESTS 64

static const uint32_t ids[] = {
    LN_ID_rpc_result,
    LN_ID_pong,
    LN_ID_new_session_created,
    LN_ID_future_salts,
    LN_ID_bad_server_salt,
    LN_ID_msgs_ack,
    LN_ID_bad_msg_notification,
    LN_ID_msgs_state_req,
    LN_ID_msgs_state_info,
    LN_ID_msgs_all_info,
    LN_ID_msg_detailed_info,
    LN_ID_msg_new_detailed_info,
    LN_ID_msg_resend_req,
    LN_ID_msg_container,
    LN_ID_gzip_packed,
    LN_ID_rpc_error,
    LN_ID_destroy_session_ok,
    LN_ID_destroy_auth_key_ok,
    LN_ID_ping,
    LN_ID_ping_delay_disconnect,
    LN_ID_get_future_salts,
    LN_ID_rpc_drop_answer,
    LN_ID_destroy_session,
    LN_ID_http_wait,
    LN_ID_destroy_auth_key,
    0xec400001,
};

static struct {
  const uint8_t *p, *end; /* the script */
  struct ln_auth_key key;
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  struct ln_session *client;
  struct ln_server_session *server;
  struct ln_frame *client_frame, *server_frame;
  struct ln_buf client_out, server_in, server_out, client_in;
  int64_t now;
  uint64_t session_id;
  struct ln_request *requests[REQUESTS];
  int open[REQUESTS];
  uint64_t known[32]; /* msg_ids of both sides */
  unsigned n_known;
  uint64_t updates[16];
  unsigned n_updates;
  uint64_t running[16];
  unsigned n_running;
} f;

static void check(bool holds)
{
  if (!holds) abort();
}

static uint32_t byte(void)
{
  return f.p < f.end ? *f.p++ : 0;
}

static uint32_t word(void)
{
  uint32_t w = byte();
  w |= byte() << 8;
  w |= byte() << 16;
  return w | byte() << 24;
}

static uint64_t some_id(void)
{
  uint32_t which = byte();
  if (which < 192 && f.n_known) return f.known[which % (f.n_known < 32 ? f.n_known : 32)];
  if (which < 224) return (uint64_t)word() << 32 | word();
  return (uint64_t)((f.now + EPOCH) / LN_US_PER_S) << 32 | word();
}

static void learn(uint64_t id)
{
  f.known[f.n_known++ % 32] = id;
}

static void end(void *tag)
{
  size_t i = (size_t)(uintptr_t)tag;
  check(i < REQUESTS && f.open[i] == 1); /* once, and only if it was asked */
  f.open[i] = 0;
  f.requests[i] = NULL;
}

static uint32_t eaten;

static void eat(struct ln_slice s) /* reads all of it, for the sanitizer */
{
  for (size_t i = 0; i < s.n; i++) eaten += s.p[i];
}

static void on_result(void *ctx, void *tag, struct ln_slice result)
{
  (void)ctx;
  eat(result);
  end(tag);
}

static void on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  (void)ctx;
  check(err || code);
  eat(text);
  end(tag);
}

static void on_update(void *ctx, struct ln_slice update, uint64_t msg_id)
{
  (void)ctx;
  eat(update);
  f.updates[f.n_updates++ % 16] = msg_id;
}

static void nothing(void *ctx)
{
  (void)ctx;
}

static void on_request(void *ctx, uint64_t req, struct ln_slice body)
{
  (void)ctx;
  eat(body);
  f.running[f.n_running++ % 16] = req;
}

static bool on_drop(void *ctx, uint64_t req)
{
  (void)ctx;
  return req & 4;
}

static void on_ack(void *ctx, uint64_t msg_id)
{
  (void)ctx;
  check(msg_id & 1);
}

static const struct ln_session_ops client_ops = {on_result, on_error, on_update, nothing, nothing};
static const struct ln_server_session_ops server_ops = {on_request, on_drop, on_ack, nothing};

/* A body of some length: a constructor, then ids, small numbers, vectors and chance, as the script wants. */
static size_t body(uint8_t *to, size_t max)
{
  size_t n = 0, words = byte() % 24;
  ln_put_le32(to, ids[byte() % (sizeof ids / sizeof ids[0])]);
  n = 4;
  while (words-- && n + 12 <= max) switch (byte() % 6) {
    case 0:
    case 1:
      ln_put_le64(to + n, some_id());
      n += 8;
      break;
    case 2:
      ln_put_le32(to + n, byte());
      n += 4;
      break;
    case 3:
      ln_put_le32(to + n, LN_TL_VECTOR);
      ln_put_le32(to + n + 4, byte() % 8);
      n += 8;
      break;
    case 4:
      ln_put_le32(to + n, ids[byte() % (sizeof ids / sizeof ids[0])]);
      n += 4;
      break;
    default:
      ln_put_le32(to + n, word());
      n += 4;
      break;
    }
  return n;
}

static uint8_t *seal(enum ln_direction x, struct ln_plain *plain, size_t *size)
{
  *size = ln_envelope_size(plain->body.n);
  uint8_t *payload = calloc(1, *size);
  check(payload != NULL);
  memcpy(payload + LN_ENVELOPE_BODY, plain->body.p, plain->body.n);
  check(ln_envelope_seal(&f.key, x, &f.rng, plain, payload, *size, plain->body.n) == LN_OK);
  return payload;
}

/* Says something to one of the two. */
static int say(enum ln_direction x)
{
  static uint8_t bytes[4096];
  struct ln_msgid m = {0};
  uint32_t low = x == LN_TO_CLIENT ? byte() % 8 ? 1 + byte() % 2 * 2 : byte() % 4 : 0;
  uint64_t id = ln_msgid_next(&m, f.now + EPOCH, LN_MSGID_CLIENT, byte() * 16) + low;
  uint32_t seqno = byte();
  size_t n = 0;
  if (byte() % 3 == 0) { /* a container */
    uint32_t count = byte() % 6;
    ln_container_head(bytes, count);
    n = LN_CONTAINER_HEAD;
    for (uint32_t i = 0; i < count; i++) {
      uint64_t inner = byte() % 8 ? id - 4 * (1 + byte()) : some_id();
      size_t len = body(bytes + n + LN_MESSAGE_HEAD, 512);
      ln_message_head(bytes + n, inner, byte(), len);
      n += LN_MESSAGE_HEAD + len;
      learn(inner);
    }
  } else {
    n = body(bytes, 512);
  }
  learn(id);
  struct ln_plain plain = {1, byte() % 16 ? f.session_id : 99, id, seqno, ln_slice(bytes, n)};
  size_t size;
  uint8_t *payload = seal(x, &plain, &size);
  int err = LN_OK;
  if (x == LN_TO_CLIENT) {
    err = ln_session_input(f.client, payload, size, f.now);
    check(err == LN_OK || err == LN_E_RECONNECT || err == LN_E_HALT);
  } else {
    uint64_t session_id;
    struct ln_slice opened;
    check(ln_server_open(&f.key, payload, size, &session_id, &opened) == LN_OK);
    (void)ln_server_session_input(f.server, opened, f.now + EPOCH);
  }
  free(payload);
  return err;
}

/* What the client sends must open, and rise; it then goes to the server, or is lost. */
static void client_speaks(bool lost)
{
  struct ln_frame_event ev;
  for (int i = 0; i < 40 && ln_session_pending(f.client, f.now); i++)
    if (ln_session_flush(f.client, f.client_frame, &f.client_out, f.now)) return;
  check(!ln_session_pending(f.client, f.now));
  check(ln_buf_append(&f.server_in, ln_buf_data(&f.client_out), f.client_out.len) == LN_OK);
  ln_buf_clear(&f.client_out);
  while (ln_frame_next(f.server_frame, &f.server_in, &ev) == LN_OK) {
    uint64_t session_id;
    struct ln_slice opened;
    struct ln_plain plain;
    check(ln_server_open(&f.key, ev.payload, ev.len, &session_id, &opened) == LN_OK);
    check(ln_plain_parse(opened, &plain) == LN_OK);
    check(plain.msg_id % 4 == 0);
    f.session_id = session_id;
    learn(plain.msg_id);
    static struct ln_message m[LN_CONTAINER_MAX_IN];
    size_t n = 0;
    if (ln_le32(plain.body.p) == LN_ID_msg_container)
      check(ln_container_parse(plain.body, plain.msg_id, m, &n) == LN_OK);
    for (size_t i = 0; i < n; i++) learn(m[i].msg_id);
    if (!lost) (void)ln_server_session_input(f.server, opened, f.now + EPOCH);
  }
}

static int server_speaks(bool lost)
{
  struct ln_frame_event ev;
  int err = LN_OK;
  for (int i = 0; i < 40 && ln_server_session_pending(f.server); i++)
    if (ln_server_session_flush(f.server, f.server_frame, &f.server_out, f.now + EPOCH)) return LN_OK;
  check(!ln_server_session_pending(f.server));
  check(ln_buf_append(&f.client_in, ln_buf_data(&f.server_out), f.server_out.len) == LN_OK);
  ln_buf_clear(&f.server_out);
  while (!err && ln_frame_next(f.client_frame, &f.client_in, &ev) == LN_OK)
    if (!lost) err = ln_session_input(f.client, ev.payload, ev.len, f.now);
  return err;
}

static void ask(void)
{
  static uint8_t b[2048];
  size_t i = byte() % REQUESTS, n = 4 + 4 * (byte() % 8 ? byte() % 8 : 300);
  const struct ln_request *after = f.requests[byte() % REQUESTS];
  if (f.open[i]) return;
  ln_put_le32(b, 0xec400001);
  f.open[i] = 1;
  check(ln_session_request(f.client, ln_slice(b, n), (void *)(uintptr_t)i, after, byte() % 2,
                           &f.requests[i]) == LN_OK);
}

static void cancel(void)
{
  size_t i = byte() % REQUESTS;
  if (!f.open[i]) return;
  ln_session_cancel(f.client, f.requests[i]);
  f.open[i] = 0;
  f.requests[i] = NULL;
}

static void answer(void)
{
  if (!f.n_running) return;
  uint64_t req = f.running[byte() % (f.n_running < 16 ? f.n_running : 16)];
  static uint8_t b[2048];
  if (byte() % 2)
    ln_server_session_error(f.server, req, 400, "NO");
  else
    ln_server_session_result(f.server, req, ln_slice(b, 4 + 4 * byte()));
}

static void reconnect(void)
{
  ln_session_disconnected(f.client, f.now);
  ln_server_session_disconnected(f.server);
  ln_session_connected(f.client, f.now);
  ln_server_session_connected(f.server);
}

static int step(void)
{
  switch (byte() % 16) {
  case 0:
  case 1: ask(); break;
  case 2: cancel(); break;
  case 3: client_speaks(byte() % 4 == 0); break;
  case 4: return server_speaks(byte() % 4 == 0);
  case 5: answer(); break;
  case 6: f.now += (int64_t)byte() * byte() * 10000; break;
  case 7: ln_server_session_tick(f.server, f.now + EPOCH); return ln_session_tick(f.client, f.now);
  case 8: reconnect(); break;
  case 9: ln_session_ack(f.client, f.n_updates ? f.updates[byte() % 16] : some_id()); break;
  case 10: {
    uint64_t id;
    uint32_t update[2] = {LN_ID_updatesTooLong, 0};
    if (ln_server_session_push(f.server, ln_slice(update, 8), f.now + EPOCH, &id) == LN_OK) learn(id);
    break;
  }
  case 11: say(LN_TO_SERVER); break;
  case 12: ln_server_session_forget(f.server); break;
  default: return say(LN_TO_CLIENT);
  }
  return LN_OK;
}

static void begin(void)
{
  uint8_t key[256];
  struct ln_frame_config frame = {.kind = LN_FRAME_INTERMEDIATE};
  static const uint8_t prefix[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int i = 0; i < 256; i++) key[i] = (uint8_t)(i * 5 + 3);
  ln_auth_key_init(&f.key, key);
  f.rng = ln_rng_seeded(&f.seed, 1);
  f.now = 1000000;
  struct ln_session_config c = {.key = &f.key,
                                .salt = 1,
                                .server_offset_us = EPOCH,
                                .rng = f.rng,
                                .ops = &client_ops,
                                .prefix = ln_slice(prefix, byte() % 2 ? 8 : 0)};
  check(ln_session_new(&c, f.now, &f.client) == LN_OK);
  check(ln_frame_client_new(&frame, &f.rng, &f.client_frame) == LN_OK);
  check(ln_frame_server_new(&f.rng, &f.server_frame) == LN_OK);
  ln_buf_init(&f.client_out, 1 << 24);
  ln_buf_init(&f.server_out, 1 << 24);
  ln_buf_init(&f.client_in, 1 << 24);
  ln_buf_init(&f.server_in, 1 << 24);
  check(ln_frame_hello(f.client_frame, &f.client_out) == LN_OK);
  ask();
  struct ln_server_session_config s = {.key = &f.key, .rng = f.rng, .ops = &server_ops, .first_salt = 1};
  /* The first payload tells the session's id. */
  check(ln_session_flush(f.client, f.client_frame, &f.client_out, f.now) == LN_OK);
  check(ln_buf_append(&f.server_in, ln_buf_data(&f.client_out), f.client_out.len) == LN_OK);
  ln_buf_clear(&f.client_out);
  struct ln_frame_event ev;
  struct ln_slice opened;
  check(ln_frame_next(f.server_frame, &f.server_in, &ev) == LN_OK);
  check(ln_server_open(&f.key, ev.payload, ev.len, &f.session_id, &opened) == LN_OK);
  s.session_id = f.session_id;
  check(ln_server_session_new(&s, f.now + EPOCH, &f.server) == LN_OK);
  (void)ln_server_session_input(f.server, opened, f.now + EPOCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  ln_log_set_level(LN_LOG_FATAL_ERROR);
  memset(&f, 0, sizeof f);
  f.p = data;
  f.end = data + size;
  begin();
  for (int steps = 0; f.p < f.end && steps < 2000; steps++) {
    int err = step();
    if (err == LN_E_HALT) break;
    if (err) reconnect();
    int64_t due = ln_session_deadline(f.client);
    check(due >= 0);
  }
  ln_session_free(f.client);
  for (int i = 0; i < REQUESTS; i++) check(f.open[i] == 0);
  ln_server_session_free(f.server);
  ln_frame_free(f.client_frame);
  ln_frame_free(f.server_frame);
  ln_buf_deinit(&f.client_in);
  ln_buf_deinit(&f.client_out);
  ln_buf_deinit(&f.server_in);
  ln_buf_deinit(&f.server_out);
  return 0;
}
