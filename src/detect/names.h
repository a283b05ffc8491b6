/* Names of fields: their words, and what these say of the values. Internal to src/detect. */
#ifndef DETECT_NAMES_H
#define DETECT_NAMES_H

#include "base/err.h"

struct names; /* the words of all detectors, longest first; immutable */

SEAL_MUST_USE enum seal_status names_new(struct names **out, struct seal_err *err);
void names_free(struct names *names); /* accepts NULL */
/* Bits of the detectors whose words stand in `name`. */
uint64_t names_match(const struct names *names, struct seal_bytes name);

#endif
