/* Framing, the part that all kinds share: names, finding out what a client speaks, obfuscation of the stream,
 * events, error codes. The kinds themselves are codecs in frame_<kind>.c. Owned by a connection (client) or a
 * server's end of one (sandbox). */
#include "mtproto/frame.h"

#include "base/alloc.h"
#include "mtproto/check.h"
#include "mtproto/frame_impl.h"

#define MAX_ERROR_CODE 999

static const struct ln_frame_codec *codec_of(enum ln_frame_kind kind)
{
  switch (kind) {
  case LN_FRAME_ABRIDGED: return &ln_frame_abridged;
  case LN_FRAME_INTERMEDIATE: return &ln_frame_intermediate;
  case LN_FRAME_PADDED: return &ln_frame_padded;
  case LN_FRAME_FULL: return &ln_frame_full;
  }
  return NULL;
}

int ln_frame_config_parse(const char *name, struct ln_frame_config *out)
{
  static const char *const names[] = {"abridged", "intermediate", "padded", "full"};
  static const char prefix[] = "obfuscated-";
  memset(out, 0, sizeof *out);
  if (strncmp(name, prefix, sizeof prefix - 1) == 0) {
    out->obfuscated = true;
    name += sizeof prefix - 1;
  }
  for (int i = 0; i < 4; i++) {
    if (strcmp(name, names[i]) != 0) continue;
    out->kind = (enum ln_frame_kind)i;
    return LN_OK;
  }
  return LN_E_INVAL;
}

static struct ln_frame *frame_new(const struct ln_rng *rng)
{
  struct ln_frame *f = ln_calloc(1, sizeof *f);
  if (f) f->rng = *rng;
  return f;
}

int ln_frame_client_new(const struct ln_frame_config *config, const struct ln_rng *rng, struct ln_frame **out)
{
  *out = NULL;
  const struct ln_frame_codec *codec = codec_of(config->kind);
  if (!codec || config->dc < INT16_MIN || config->dc > INT16_MAX) return LN_E_INVAL;
  struct ln_frame *f = frame_new(rng);
  if (!f) return LN_E_NOMEM;
  f->config = *config;
  f->codec = codec;
  *out = f;
  return LN_OK;
}

int ln_frame_server_new(const struct ln_rng *rng, struct ln_frame **out)
{
  *out = frame_new(rng);
  if (!*out) return LN_E_NOMEM;
  (*out)->server = true;
  return LN_OK;
}

void ln_frame_free(struct ln_frame *f)
{
  if (!f) return;
  ln_aes_ctr_deinit(&f->rx);
  ln_aes_ctr_deinit(&f->tx);
  ln_free(f);
}

const struct ln_frame_config *ln_frame_get_config(const struct ln_frame *f)
{
  return &f->config;
}

/* Full has no tag. Under obfuscation the length of its first frame stands in the tag's place, and is not
 * repeated after the header: so the header waits for that frame (and gotd's server reads it alike). */
static bool late_header(const struct ln_frame *f)
{
  return f->config.obfuscated && f->config.kind == LN_FRAME_FULL && !f->server && !f->tx.ctx;
}

int ln_frame_hello(struct ln_frame *f, struct ln_buf *out)
{
  if (f->server || f->greeted) return LN_E_INVAL;
  f->greeted = true;
  if (late_header(f)) return LN_OK;
  if (!f->config.obfuscated) {
    uint8_t tag[4];
    ln_put_le32(tag, f->codec->tag);
    return ln_buf_append(out, tag, f->codec->tag_size);
  }
  uint8_t header[LN_OBFUSCATED_HEADER];
  int err = ln_obfuscated_open(f, f->codec->tag, header);
  return err ? err : ln_buf_append(out, header, sizeof header);
}

/* --- what comes in --- */

bool ln_frame_length_fits(size_t len)
{
  return LN_CHECK(M1,
                  len <= LN_FRAME_MAX + LN_FRAME_MAX_PAD && (len >= LN_FRAME_MIN || (len >= 4 && len < 20)));
}

static void set_kind(struct ln_frame *f, enum ln_frame_kind kind)
{
  f->config.kind = kind;
  f->codec = codec_of(kind);
}

static int detect_obfuscated(struct ln_frame *f, struct ln_buf *in)
{
  uint8_t *data = ln_buf_data(in);
  uint32_t tag;
  int err = ln_obfuscated_accept(f, data, &tag);
  if (err) return err;
  size_t used = LN_OBFUSCATED_HEADER;
  switch (tag) {
  case LN_TAG_ABRIDGED: set_kind(f, LN_FRAME_ABRIDGED); break;
  case LN_TAG_INTERMEDIATE: set_kind(f, LN_FRAME_INTERMEDIATE); break;
  case LN_TAG_PADDED: set_kind(f, LN_FRAME_PADDED); break;
  default: /* the length of a first frame, see late_header; it is moved to where its frame goes on */
    used -= 4;
    ln_put_le32(data + used, tag);
    f->plain = 4;
    set_kind(f, LN_FRAME_FULL);
  }
  ln_buf_consume(in, used);
  return LN_OK;
}

/* A server's first bytes: which of the eight ways is it? */
static int detect(struct ln_frame *f, struct ln_buf *in)
{
  const uint8_t *data = ln_buf_data(in);
  if (in->len < 1) return LN_E_AGAIN;
  if (data[0] == 0xef) {
    set_kind(f, LN_FRAME_ABRIDGED);
    ln_buf_consume(in, 1);
    return LN_OK;
  }
  if (in->len < 8) return LN_E_AGAIN; /* no client sends less in one go, whichever it speaks */
  uint32_t first = ln_le32(data);
  if (first == LN_TAG_INTERMEDIATE || first == LN_TAG_PADDED) {
    set_kind(f, first == LN_TAG_PADDED ? LN_FRAME_PADDED : LN_FRAME_INTERMEDIATE);
    ln_buf_consume(in, 4);
    return LN_OK;
  }
  if (ln_le32(data + 4) == 0) { /* seqno 0; an obfuscated header has something else there (T4) */
    set_kind(f, LN_FRAME_FULL);
    return LN_OK;
  }
  if (!LN_CHECK(T4, !ln_frame_forbidden(data))) return LN_E_FRAME;
  if (in->len < LN_OBFUSCATED_HEADER) return LN_E_AGAIN;
  return detect_obfuscated(f, in);
}

/* Payloads too short for a message are a server's error codes (T1: nobody has signed them). */
static int read_code(const struct ln_frame *f, const uint8_t *payload, size_t len, struct ln_frame_event *ev)
{
  if (f->server || len < 4 || (len != 4 && f->config.kind != LN_FRAME_PADDED)) return LN_E_FRAME;
  int32_t code = (int32_t)ln_le32(payload);
  if (code >= 0 || code < -MAX_ERROR_CODE) return LN_E_FRAME;
  ev->kind = LN_FRAME_ERROR_CODE;
  ev->code = -code;
  return LN_OK;
}

static int next_event(struct ln_frame *f, struct ln_buf *in, struct ln_frame_event *ev)
{
  if (f->eaten > in->len) return LN_E_FRAME; /* the owner took bytes away */
  ln_buf_consume(in, f->eaten);
  f->plain -= f->eaten < f->plain ? f->eaten : f->plain;
  f->eaten = 0;
  if (!f->codec) {
    int err = detect(f, in);
    if (err) return err;
  }
  if (f->config.obfuscated) {
    if (!f->rx.ctx || f->plain > in->len) return LN_E_FRAME;
    ln_aes_ctr_apply(&f->rx, ln_buf_data(in) + f->plain, in->len - f->plain);
    f->plain = in->len;
  }
  struct ln_frame_span span = {0};
  uint8_t *data = ln_buf_data(in);
  int err = f->codec->parse(f, data, in->len, &span);
  if (err) return err;
  f->eaten = span.whole;
  memset(ev, 0, sizeof *ev);
  if (span.quick_ack) {
    ev->kind = LN_FRAME_QUICK_ACK;
    ev->token = span.token;
    return LN_OK;
  }
  if (span.len < 20) return read_code(f, data + span.at, span.len, ev);
  ev->kind = LN_FRAME_PAYLOAD;
  ev->payload = data + span.at;
  ev->len = span.len;
  return LN_OK;
}

int ln_frame_next(struct ln_frame *f, struct ln_buf *in, struct ln_frame_event *ev)
{
  if (f->broken) return LN_E_FRAME;
  int err = next_event(f, in, ev);
  if (err && err != LN_E_AGAIN) f->broken = true;
  return err;
}

/* --- what goes out --- */

static int begin(struct ln_frame *f, struct ln_buf *out, size_t len, bool pad, uint8_t **payload)
{
  if (f->begun.open || !f->codec || (!f->server && !f->greeted)) return LN_E_INVAL;
  /* The last 4 bytes of a late header stand where the frame's length would. */
  size_t prefix = late_header(f) ? LN_OBFUSCATED_HEADER - 4 : 0;
  size_t head = f->codec->head_size(len), tail = 0;
  int err = pad || f->config.kind != LN_FRAME_PADDED ? f->codec->tail_size(f, &tail) : LN_OK;
  uint8_t *at;
  if (!err) err = ln_buf_extend(out, prefix + head + len + tail, &at);
  if (err) return err;
  f->begun.open = true;
  f->begun.at = out->len - (prefix + head + len + tail);
  f->begun.prefix = prefix;
  f->begun.head = head;
  f->begun.len = len;
  f->begun.tail = tail;
  *payload = at + prefix + head;
  return LN_OK;
}

int ln_frame_begin(struct ln_frame *f, struct ln_buf *out, size_t len, uint8_t **payload)
{
  if (len % 4 != 0 || len < LN_FRAME_MIN) return LN_E_INVAL;
  if (len > LN_FRAME_MAX) return LN_E_TOOBIG;
  return begin(f, out, len, true, payload);
}

static int complete(struct ln_frame *f, uint8_t *at, size_t n)
{
  uint8_t *frame = at + f->begun.prefix;
  int err = f->codec->close(f, frame, f->begun.head, f->begun.len, f->begun.tail);
  if (err || !f->config.obfuscated) return err;
  size_t clear = 0; /* bytes at the front that are no part of the ciphered stream */
  if (f->begun.prefix) {
    uint8_t header[LN_OBFUSCATED_HEADER];
    err = ln_obfuscated_open(f, ln_le32(frame), header);
    if (err) return err;
    memcpy(at, header, sizeof header);
    clear = sizeof header;
  }
  ln_aes_ctr_apply(&f->tx, at + clear, n - clear);
  return LN_OK;
}

int ln_frame_end(struct ln_frame *f, struct ln_buf *out)
{
  size_t n = f->begun.prefix + f->begun.head + f->begun.len + f->begun.tail;
  if (!f->begun.open || f->begun.at > out->len || out->len - f->begun.at != n) return LN_E_INVAL;
  f->begun.open = false;
  int err = complete(f, ln_buf_data(out) + f->begun.at, n);
  if (err) ln_buf_truncate(out, f->begun.at);
  return err;
}

int ln_frame_error(struct ln_frame *f, struct ln_buf *out, int code)
{
  uint8_t *payload;
  if (!f->server || code < 1 || code > MAX_ERROR_CODE) return LN_E_INVAL;
  int err = begin(f, out, 4, false, &payload);
  if (err) return err;
  ln_put_le32(payload, (uint32_t)-code);
  return ln_frame_end(f, out);
}
