/* Metadata of tokens, as a policy has it: "Department=Sales,Region=EU". */
#ifndef METHODS_METADATA_H
#define METHODS_METADATA_H

#include "base/bytes.h"

/* Each part has a name and "="; no control characters; at most `max` bytes. */
bool metadata_is_valid(struct seal_bytes text, size_t max);

#endif
