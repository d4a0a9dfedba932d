/* Each check of the protocol has a name here. In test builds (LN_TESTING) a check can be switched off by its
 * bit, and a named spec fails then: that is how we know that the spec tests the check. In all other builds
 * LN_CHECK is the condition alone. */
#ifndef LN_MTPROTO_CHECK_H
#define LN_MTPROTO_CHECK_H

#include <stdint.h>
#include <stdbool.h>

enum ln_check_id {
  LN_CK_K1,
  LN_CK_K2,
  LN_CK_K3,
  LN_CK_K4,
  LN_CK_K5,
  LN_CK_K6,
  LN_CK_K7,
  LN_CK_K8,
  LN_CK_K9,
  LN_CK_K10,
  LN_CK_K11,
  LN_CK_K12,
  LN_CK_K13,
  LN_CK_K14,
  LN_CK_K15,
  LN_CK_K16,
  LN_CK_K17,
  LN_CK_K18,
  LN_CK_M1,
  LN_CK_M2,
  LN_CK_M3,
  LN_CK_M4,
  LN_CK_M5,
  LN_CK_M6,
  LN_CK_M7,
  LN_CK_M8,
  LN_CK_M9,
  LN_CK_M10,
  LN_CK_M11,
  LN_CK_M12,
  LN_CK_M13,
  LN_CK_M14,
  LN_CK_M15,
  LN_CK_M16,
  LN_CK_M17,
  LN_CK_M18,
  LN_CK_M19,
  LN_CK_M20,
  LN_CK_M21,
  LN_CK_M22,
  LN_CK_M23,
  LN_CK_T1,
  LN_CK_T2,
  LN_CK_T3,
  LN_CK_T4,
  LN_CK_T5,
  LN_CK_P1,
  LN_CK_P2,
  LN_CK_P3,
  LN_CK_P4,
  LN_CK_P5,
  LN_CK_COUNT
};

#ifdef LN_TESTING
extern uint64_t ln_check_off; /* bit i set: check i always holds */
#define LN_CHECK(id, condition) ((condition) || ((ln_check_off >> LN_CK_##id) & 1))
#else
#define LN_CHECK(id, condition) (condition)
#endif

#endif
