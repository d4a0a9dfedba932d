/* Names and texts of the error list in err.h. */
#include "base/err.h"

const char *ln_err_text(int err)
{
  switch (err) {
  case LN_OK: return "no error";
#define LN_ERR_TEXT(name, number, text) \
  case LN_E_##name: return text;
    LN_ERRORS(LN_ERR_TEXT)
#undef LN_ERR_TEXT
  default: return "unknown error";
  }
}

const char *ln_err_name(int err)
{
  switch (err) {
  case LN_OK: return "OK";
#define LN_ERR_NAME(name, number, text) \
  case LN_E_##name: return #name;
    LN_ERRORS(LN_ERR_NAME)
#undef LN_ERR_NAME
  default: return "UNKNOWN";
  }
}
