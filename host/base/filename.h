/* Names that a stranger gives to a file, made harmless. Called by bind/files.c for whatever is downloaded. */
#ifndef LN_BASE_FILENAME_H
#define LN_BASE_FILENAME_H

#include "base/slice.h"

#define LN_FILENAME_MAX 200

/* Writes a name of 1 to LN_FILENAME_MAX bytes and a NUL to `out` (LN_FILENAME_MAX + 1 bytes): one component
 * of a path, valid UTF-8, no slash, no control or direction character, nothing that a shell or another
 * system's files would take for more than a name, no dot or space at its ends; the extension is kept where
 * the name is cut. What is left of nothing is "file". */
void ln_filename_clean(struct ln_slice name, char *out);

#endif
