/* The schema as constant tables (made by host/gen/tl.lua from host/schema) and their look-up. A definition is
 * a constructor or a method; a name may have several variants, valid in different layers, the newest first.
 * No Lua in here: bind/tl_*.c walk these. */
#ifndef LN_TL_SCHEMA_H
#define LN_TL_SCHEMA_H

#include "base/err.h"
#include "base/slice.h"
#include "tl/reader.h"
#include "tl_ids.h"

enum ln_tl_kind {
  LN_TL_FLAGS,
  LN_TL_INT,
  LN_TL_LONG,
  LN_TL_DOUBLE,
  LN_TL_STRING,
  LN_TL_BYTES,
  LN_TL_INT128,
  LN_TL_INT256,
  LN_TL_BOOL,
  LN_TL_TRUE,   /* a flag without bytes */
  LN_TL_OBJECT, /* boxed, of the type `ref` */
  LN_TL_BARE,   /* of the constructor `ref`, without its id */
  LN_TL_METHOD, /* !X: a method call */
  LN_TL_ANY,    /* any boxed object */
};

struct ln_tl_field {
  uint16_t name;  /* number of a name */
  uint16_t ref;   /* type or definition, by kind */
  uint8_t kind;   /* enum ln_tl_kind */
  uint8_t vector; /* 0: single; 1: Vector, with its id; 2: vector, bare */
  uint8_t flag; /* 0: always there; n: there where `bit` is set in the nth field (from 1) of the definition */
  uint8_t bit;
};

struct ln_tl_def {
  uint32_t id;
  uint32_t first; /* in ln_tl_fields */
  uint16_t name;
  uint16_t type; /* constructor: its type; method: its result in ln_tl_results */
  uint8_t n_fields;
  uint8_t n_required; /* fields that are always there, flag words not counted */
  uint8_t from, to;   /* layers it is valid in; 0 and 255: open */
  uint8_t is_method;
  uint8_t only;      /* method: 1 users only, 2 bots only */
  uint16_t min_size; /* bytes of the shortest value, without the id */
};

struct ln_tl_type {
  uint16_t name;
  uint16_t first; /* in ln_tl_members: its constructors, all variants */
  uint16_t count;
};

struct ln_tl_error {
  int code;
  const char *name;    /* "FLOOD_WAIT_%d" */
  const char *methods; /* that are known to raise it, by spaces */
};

#define ln_tl_method ln_tl_def /* a definition with is_method set */

extern const char ln_tl_pool[];
extern const uint32_t ln_tl_name_offsets[];
extern const size_t ln_tl_n_names, ln_tl_n_defs, ln_tl_n_constructors, ln_tl_n_types, ln_tl_n_errors;
extern const uint16_t ln_tl_name_underscore; /* the number of "_" */
extern const struct ln_tl_field ln_tl_fields[], ln_tl_results[];
extern const struct ln_tl_def ln_tl_defs[];   /* constructors by name, then methods by name */
extern const struct ln_tl_type ln_tl_types[]; /* by name */
extern const uint16_t ln_tl_members[], ln_tl_hash[];
extern const struct ln_tl_error ln_tl_errors[];
extern const char ln_tl_keys[], ln_tl_keys_test[]; /* PEM of Telegram's servers */

static inline const char *ln_tl_name(uint16_t name)
{
  return ln_tl_pool + ln_tl_name_offsets[name];
}

static inline const char *ln_tl_def_name(const struct ln_tl_def *d)
{
  return ln_tl_name(d->name);
}
#define ln_tl_method_name ln_tl_def_name

/* NULL where there is none. By name: the variant of the newest layer. */
const struct ln_tl_def *ln_tl_by_id(uint32_t id);
const struct ln_tl_def *ln_tl_constructor_by_name(const char *name);
const struct ln_tl_def *ln_tl_method_by_name(const char *name);
const struct ln_tl_type *ln_tl_type_by_name(const char *name);
/* The variant of d's name that is valid in that layer, or NULL. */
const struct ln_tl_def *ln_tl_in_layer(const struct ln_tl_def *d, int layer);
/* The number of a name, or -1. */
int ln_tl_name_number(const char *name);

/* Walks over one value without building anything: its shape is right. def NULL: any boxed object or method.
 * Errors stick in r. */
void ln_tl_skip_field(struct ln_reader *r, const struct ln_tl_field *f, int depth);
void ln_tl_skip_object(struct ln_reader *r, const struct ln_tl_type *type, int depth);
/* The least bytes that an item of this kind takes, for bounding vectors. */
size_t ln_tl_min_size(const struct ln_tl_field *f);

#endif
