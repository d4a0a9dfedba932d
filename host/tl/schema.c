/* See schema.h. */
#include "tl/schema.h"

#define HASH_SLOTS 8192u

const struct ln_tl_def *ln_tl_by_id(uint32_t id)
{
  for (uint32_t i = (id * UINT32_C(0x9E3779B1)) >> 19; ln_tl_hash[i]; i = (i + 1) % HASH_SLOTS) {
    const struct ln_tl_def *d = &ln_tl_defs[ln_tl_hash[i] - 1];
    if (d->id == id) return d;
  }
  return NULL;
}

/* First of defs[low, high) with this name. Scripts name the same few again and again, by strings that stay
 * where they are: what a string at that address was last time is looked at first. */
static const struct ln_tl_def *find(const char *name, size_t low, size_t high)
{
  static const struct ln_tl_def *recent[64];
  uintptr_t at = (uintptr_t)name >> 4;
  const struct ln_tl_def **last = &recent[(at ^ at >> 6) % 64], *d = *last;
  size_t end = high;
  if (d && d >= &ln_tl_defs[low] && d < &ln_tl_defs[high] && strcmp(ln_tl_def_name(d), name) == 0) return d;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (strcmp(ln_tl_def_name(&ln_tl_defs[mid]), name) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  if (low == end || strcmp(ln_tl_def_name(&ln_tl_defs[low]), name) != 0) return NULL;
  return *last = &ln_tl_defs[low];
}

const struct ln_tl_def *ln_tl_constructor_by_name(const char *name)
{
  return find(name, 0, ln_tl_n_constructors);
}

const struct ln_tl_def *ln_tl_method_by_name(const char *name)
{
  return find(name, ln_tl_n_constructors, ln_tl_n_defs);
}

const struct ln_tl_type *ln_tl_type_by_name(const char *name)
{
  size_t low = 0, high = ln_tl_n_types;
  while (low < high) {
    size_t mid = (low + high) / 2;
    int order = strcmp(ln_tl_name(ln_tl_types[mid].name), name);
    if (order == 0) return &ln_tl_types[mid];
    if (order < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return NULL;
}

const struct ln_tl_def *ln_tl_in_layer(const struct ln_tl_def *d, int layer)
{
  while (d > ln_tl_defs && d[-1].name == d->name && d[-1].is_method == d->is_method) d--;
  uint16_t name = d->name;
  uint8_t is_method = d->is_method;
  for (const struct ln_tl_def *best = NULL;; d++) {
    bool same = d < ln_tl_defs + ln_tl_n_defs && d->name == name && d->is_method == is_method;
    if (!same) return best;
    if (d->from <= layer && layer <= d->to) best = d; /* later ones end earlier: the narrowest fits best */
  }
}

int ln_tl_name_number(const char *name)
{
  size_t low = 0, high = ln_tl_n_names;
  while (low < high) {
    size_t mid = (low + high) / 2;
    int order = strcmp(ln_tl_name((uint16_t)mid), name);
    if (order == 0) return (int)mid;
    if (order < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return -1;
}

size_t ln_tl_min_size(const struct ln_tl_field *f)
{
  switch (f->kind) {
  case LN_TL_LONG:
  case LN_TL_DOUBLE: return 8;
  case LN_TL_INT128: return 16;
  case LN_TL_INT256: return 32;
  case LN_TL_BARE: return ln_tl_defs[f->ref].min_size ? ln_tl_defs[f->ref].min_size : 1;
  default: return 4;
  }
}

static void skip_fields(struct ln_reader *r, const struct ln_tl_def *d, int depth)
{
  uint32_t flags[256];
  const struct ln_tl_field *fields = ln_tl_fields + d->first;
  for (int i = 0; i < d->n_fields && !r->err; i++) {
    const struct ln_tl_field *f = &fields[i];
    if (f->kind == LN_TL_FLAGS)
      flags[i] = ln_read_u32(r);
    else if (!f->flag || (flags[f->flag - 1] >> f->bit & 1))
      ln_tl_skip_field(r, f, depth);
  }
}

static void skip_single(struct ln_reader *r, const struct ln_tl_field *f, int depth)
{
  switch (f->kind) {
  case LN_TL_FLAGS:
  case LN_TL_INT: ln_read_u32(r); return;
  case LN_TL_LONG:
  case LN_TL_DOUBLE: ln_read_u64(r); return;
  case LN_TL_STRING:
  case LN_TL_BYTES: ln_read_bytes(r); return;
  case LN_TL_INT128: ln_read_raw(r, 16); return;
  case LN_TL_INT256: ln_read_raw(r, 32); return;
  case LN_TL_BOOL: {
    uint32_t id = ln_read_u32(r);
    if (!r->err && id != LN_TL_BOOL_TRUE && id != LN_TL_BOOL_FALSE) ln_reader_fail(r, LN_E_BAD_TYPE);
    return;
  }
  case LN_TL_TRUE: return;
  case LN_TL_BARE: skip_fields(r, &ln_tl_defs[f->ref], depth + 1); return;
  case LN_TL_OBJECT: ln_tl_skip_object(r, &ln_tl_types[f->ref], depth + 1); return;
  default: ln_tl_skip_object(r, NULL, depth + 1); return;
  }
}

void ln_tl_skip_field(struct ln_reader *r, const struct ln_tl_field *f, int depth)
{
  if (!f->vector) {
    skip_single(r, f, depth);
    return;
  }
  uint32_t n = ln_read_vector(r, f->vector == 1, ln_tl_min_size(f));
  for (uint32_t i = 0; i < n && !r->err; i++) skip_single(r, f, depth);
}

void ln_tl_skip_object(struct ln_reader *r, const struct ln_tl_type *type, int depth)
{
  if (depth > LN_TL_MAX_DEPTH) {
    ln_reader_fail(r, LN_E_DEPTH);
    return;
  }
  uint32_t id = ln_read_u32(r);
  if (r->err) return;
  const struct ln_tl_def *d = ln_tl_by_id(id);
  if (!d) {
    ln_reader_fail(r, LN_E_UNKNOWN_ID);
    return;
  }
  if (type && (d->is_method || &ln_tl_types[d->type] != type)) {
    ln_reader_fail(r, LN_E_BAD_TYPE);
    return;
  }
  skip_fields(r, d, depth);
}
