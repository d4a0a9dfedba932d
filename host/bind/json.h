/* Inside bind/: the two halves of _luna.json (json_encode.c, json_decode.c) and what they share. Buffers lie
 * in userdata on the stack, since anything in them may throw. */
#ifndef LN_BIND_JSON_H
#define LN_BIND_JSON_H

#include "base/buf.h"

#include <lauxlib.h>

#define LN_JSON_MAX_DEPTH 500 /* what an option may ask for */

/* Upvalues of both functions. */
#define LN_JSON_NULL lua_upvalueindex(1)
#define LN_JSON_ARRAY lua_upvalueindex(2)  /* metatable of empty lists */
#define LN_JSON_OBJECT lua_upvalueindex(3) /* of empty objects */

struct ln_buf *ln_json_push_buffer(lua_State *L);
/* The length of the UTF-8 sequence at p, 0 where it is none. */
size_t ln_json_utf8(const uint8_t *p, size_t n);
/* encode(value, indent (-1: one line), maxDepth, strict, loose (names in no order but "_" first)) → text;
 * raises what is wrong, without a position */
int ln_json_encode(lua_State *L);
/* decode(text, maxDepth, dropNull) → true, value | false, why, position (a byte, from 1), line, column */
int ln_json_decode(lua_State *L);

#endif
