/* The generated tables: every definition is found, hangs together, and has the id that its own text gives. */
#include "spec.h"

#include "tl/schema.h"

/* --- the text that an id is the CRC-32 of: https://core.telegram.org/mtproto/TL#description-of-constructors
 * --- */

static uint32_t crc32_of(const char *text)
{
  uint32_t crc = UINT32_C(0xffffffff);
  for (; *text; text++) {
    crc ^= (uint8_t)*text;
    for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
  }
  return ~crc;
}

static void add(char *to, size_t room, const char *text)
{
  size_t n = strlen(to);
  assert_true(n + strlen(text) < room);
  strcpy(to + n, text);
}

static void add_type(char *to, size_t room, const struct ln_tl_field *f)
{
  static const char *const names[] = {"#",     "int",    "long",   "double", "string",
                                      "bytes", "int128", "int256", "Bool",   "true"};
  if (f->vector) add(to, room, f->vector == 1 ? "Vector " : "vector ");
  if (f->kind == LN_TL_BYTES && !f->vector)
    add(to, room, "string"); /* by the same rule */
  else if (f->kind < sizeof names / sizeof *names)
    add(to, room, names[f->kind]);
  else if (f->kind == LN_TL_OBJECT)
    add(to, room, ln_tl_name(ln_tl_types[f->ref].name));
  else if (f->kind == LN_TL_BARE)
    add(to, room, ln_tl_def_name(&ln_tl_defs[f->ref]));
  else
    add(to, room, f->kind == LN_TL_METHOD ? "!X" : "X");
}

static void text_of(const struct ln_tl_def *d, char *to, size_t room)
{
  const struct ln_tl_field *fields = ln_tl_fields + d->first;
  to[0] = 0;
  add(to, room, ln_tl_def_name(d));
  for (int i = 0; i < d->n_fields; i++)
    if (fields[i].kind == LN_TL_METHOD) add(to, room, " X:Type");
  for (int i = 0; i < d->n_fields; i++) {
    const struct ln_tl_field *f = &fields[i];
    if (f->kind == LN_TL_TRUE) continue;
    add(to, room, " ");
    add(to, room, ln_tl_name(f->name));
    add(to, room, ":");
    if (f->flag) {
      char flag[80];
      snprintf(flag, sizeof flag, "%s.%d?", ln_tl_name(fields[f->flag - 1].name), f->bit);
      add(to, room, flag);
    }
    add_type(to, room, f);
  }
  add(to, room, " = ");
  if (d->is_method)
    add_type(to, room, &ln_tl_results[d->type]);
  else
    add(to, room, ln_tl_name(ln_tl_types[d->type].name));
}

/* Ids that Telegram gave by hand, or from another text. */
static bool by_hand(const struct ln_tl_def *d)
{
  static const char *const names[] = {"accessPointRule", "help.configSimple",
                                      "inputPeerPhotoFileLocationLegacy", "inputStickerSetThumbLegacy",
                                      "ipPortSecret"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], ln_tl_def_name(d)) == 0) return true;
  return false;
}

static void every_id_is_the_checksum_of_its_definition(void **state)
{
  (void)state;
  static char text[8192];
  size_t wrong = 0;
  for (size_t i = 0; i < ln_tl_n_defs; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[i];
    text_of(d, text, sizeof text);
    if ((crc32_of(text) == d->id) != by_hand(d)) continue;
    print_error("%s#%08x, but %08x by: %s\n", ln_tl_def_name(d), d->id, crc32_of(text), text);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

static void every_definition_is_found_by_its_id(void **state)
{
  (void)state;
  assert_true(ln_tl_n_constructors > 1500);
  assert_true(ln_tl_n_defs - ln_tl_n_constructors > 700);
  for (size_t i = 0; i < ln_tl_n_defs; i++) assert_ptr_equal(ln_tl_by_id(ln_tl_defs[i].id), &ln_tl_defs[i]);
  assert_null(ln_tl_by_id(0));
  assert_null(ln_tl_by_id(UINT32_C(0xffffffff)));
  assert_null(ln_tl_by_id(UINT32_C(0xdeadbeef)));
  uint32_t id = 1;
  for (int i = 0; i < 100000; i++) { /* chains end also for what is not there */
    id = id * UINT32_C(1664525) + UINT32_C(1013904223);
    const struct ln_tl_def *d = ln_tl_by_id(id);
    assert_true(!d || d->id == id);
  }
}

static void every_name_gives_its_newest_variant(void **state)
{
  (void)state;
  for (size_t i = 0; i < ln_tl_n_defs; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[i];
    const char *name = ln_tl_def_name(d);
    assert_int_equal(d->is_method, i >= ln_tl_n_constructors);
    const struct ln_tl_def *found =
        d->is_method ? ln_tl_method_by_name(name) : ln_tl_constructor_by_name(name);
    assert_non_null(found);
    assert_string_equal(ln_tl_def_name(found), name);
    assert_int_equal(found->is_method, d->is_method);
    assert_true(found->to >= d->to);
  }
  static const char *const none[] = {
      "", "a", "zzz", "messages", "messages.sendMessag", "messages.sendMessages", "Message", "_"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    assert_null(ln_tl_method_by_name(none[i]));
    assert_null(ln_tl_constructor_by_name(none[i]));
  }
  assert_null(ln_tl_constructor_by_name("messages.sendMessage"));
  assert_null(ln_tl_method_by_name("message"));
  assert_null(ln_tl_type_by_name("message"));
  assert_non_null(ln_tl_type_by_name("Message"));
}

static void names_are_numbered_in_order(void **state)
{
  (void)state;
  for (size_t i = 0; i < ln_tl_n_names; i++) {
    assert_int_equal(ln_tl_name_number(ln_tl_name((uint16_t)i)), (int)i);
    if (i) assert_true(strcmp(ln_tl_name((uint16_t)(i - 1)), ln_tl_name((uint16_t)i)) < 0);
  }
  assert_int_equal(ln_tl_name_number("no_such_name"), -1);
  assert_string_equal(ln_tl_name(ln_tl_name_underscore), "_");
}

static void types_know_their_constructors(void **state)
{
  (void)state;
  size_t seen = 0;
  for (size_t i = 0; i < ln_tl_n_types; i++) {
    const struct ln_tl_type *t = &ln_tl_types[i];
    assert_ptr_equal(ln_tl_type_by_name(ln_tl_name(t->name)), t);
    for (int k = 0; k < t->count; k++) {
      const struct ln_tl_def *d = &ln_tl_defs[ln_tl_members[t->first + k]];
      assert_false(d->is_method);
      assert_ptr_equal(&ln_tl_types[d->type], t);
      seen++;
    }
  }
  assert_int_equal(seen, ln_tl_n_constructors);
}

static void fields_refer_to_what_there_is(void **state)
{
  (void)state;
  for (size_t i = 0; i < ln_tl_n_defs; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[i];
    const struct ln_tl_field *fields = ln_tl_fields + d->first;
    int required = 0;
    size_t least = 0;
    for (int k = 0; k < d->n_fields; k++) {
      const struct ln_tl_field *f = &fields[k];
      assert_true(f->name < ln_tl_n_names);
      assert_true(strcmp(ln_tl_name(f->name), "_") != 0);
      assert_true(strcmp(ln_tl_name(f->name), "onResolve") != 0); /* a promise's one reserved word */
      if (f->kind == LN_TL_OBJECT) assert_true(f->ref < ln_tl_n_types);
      if (f->kind == LN_TL_BARE) assert_true(f->ref < ln_tl_n_constructors);
      if (f->flag) {
        assert_true(f->flag <= k); /* the word comes before what it speaks of */
        assert_int_equal(fields[f->flag - 1].kind, LN_TL_FLAGS);
        assert_true(f->bit < 32);
      } else {
        assert_int_not_equal(f->kind, LN_TL_TRUE);
        if (f->kind != LN_TL_FLAGS) required++;
        least += f->vector == 1 ? 8 : f->vector == 2 ? 4 : f->kind == LN_TL_FLAGS ? 4 : ln_tl_min_size(f);
      }
    }
    assert_int_equal(d->n_required, required);
    assert_true(d->min_size <= least);
    if (!d->is_method) assert_true(d->type < ln_tl_n_types);
  }
}

/* What a client of an older layer reads and writes. */
static void layers_have_their_variants(void **state)
{
  (void)state;
  assert_int_equal(LN_TL_LAYER, 230);
  assert_int_equal(LN_TL_FIRST_LAYER, 227);
  const struct ln_tl_def *user = ln_tl_constructor_by_name("user");
  assert_ptr_equal(ln_tl_in_layer(user, 230), user);
  const struct ln_tl_def *old = ln_tl_by_id(UINT32_C(0x31774388));
  assert_non_null(old);
  assert_ptr_equal(ln_tl_in_layer(user, 227), old);
  assert_ptr_equal(ln_tl_in_layer(old, 230), user); /* from any variant */
  assert_ptr_equal(ln_tl_in_layer(old, 227), old);
  const struct ln_tl_def *self = ln_tl_constructor_by_name("inputPeerSelf");
  for (int layer = 227; layer <= 230; layer++) {
    assert_ptr_equal(ln_tl_in_layer(self, layer), self);
    size_t n = 0;
    for (size_t i = 0; i < ln_tl_n_defs; i++) {
      const struct ln_tl_def *d = &ln_tl_defs[i], *fit = ln_tl_in_layer(d, layer);
      if (!fit) continue;
      assert_string_equal(ln_tl_def_name(fit), ln_tl_def_name(d));
      assert_int_equal(fit->is_method, d->is_method);
      assert_true(fit->from <= layer && layer <= fit->to);
      n++;
      /* In one layer a name has one meaning; of 228 it is not known when in it things changed: the older is
       * taken. */
      if (d != fit && layer != 228) assert_false(d->from <= layer && layer <= d->to);
    }
    assert_true(n > 2400 && n < ln_tl_n_defs);
  }
}

static void ids_and_texts_stand_beside(void **state)
{
  (void)state;
  assert_int_equal(ln_tl_constructor_by_name("resPQ")->id, LN_ID_resPQ);
  assert_int_equal(ln_tl_method_by_name("invokeWithLayer")->id, LN_ID_invokeWithLayer);
  assert_int_equal(LN_ID_resPQ, 0x05162463);
  assert_int_equal(ln_tl_constructor_by_name("boolTrue")->id, LN_TL_BOOL_TRUE);
  assert_int_equal(ln_tl_constructor_by_name("boolFalse")->id, LN_TL_BOOL_FALSE);
  assert_non_null(strstr(ln_tl_keys, "-----BEGIN RSA PUBLIC KEY-----"));
  assert_non_null(strstr(ln_tl_keys_test, "-----BEGIN RSA PUBLIC KEY-----"));
  assert_string_not_equal(ln_tl_keys, ln_tl_keys_test);
  bool flood = false, peer = false;
  for (size_t i = 0; i < ln_tl_n_errors; i++) {
    flood |= ln_tl_errors[i].code == 420 && strcmp(ln_tl_errors[i].name, "FLOOD_WAIT_%d") == 0;
    peer |= ln_tl_errors[i].code == 400 && strcmp(ln_tl_errors[i].name, "PEER_ID_INVALID") == 0;
    assert_true(ln_tl_errors[i].name[0] != 0 &&
                strcspn(ln_tl_errors[i].name, " \t\n") == strlen(ln_tl_errors[i].name));
  }
  assert_true(flood && peer);
  assert_int_equal(ln_tl_method_by_name("bots.setBotCommands")->only, 2);
  assert_int_equal(ln_tl_method_by_name("messages.getDialogs")->only, 1);
  assert_int_equal(ln_tl_method_by_name("messages.sendMessage")->only, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_id_is_the_checksum_of_its_definition),
      cmocka_unit_test(every_definition_is_found_by_its_id),
      cmocka_unit_test(every_name_gives_its_newest_variant),
      cmocka_unit_test(names_are_numbered_in_order),
      cmocka_unit_test(types_know_their_constructors),
      cmocka_unit_test(fields_refer_to_what_there_is),
      cmocka_unit_test(layers_have_their_variants),
      cmocka_unit_test(ids_and_texts_stand_beside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
