/* Media types by the suffix of a name: a hint for whoever receives the file, no more. */
#ifndef FILES_MEDIA_TYPE_H
#define FILES_MEDIA_TYPE_H

#include "base/bytes.h"

/* "text/csv"; "application/octet-stream" for a suffix that is not known, "" for an empty name. Static. */
const char *media_type_of(struct seal_bytes name);

#endif
