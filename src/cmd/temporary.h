/* A directory for files that end with the run: in TMPDIR, or /tmp. */
#ifndef CMD_TEMPORARY_H
#define CMD_TEMPORARY_H

#include "base/arena.h"
#include "base/err.h"

/* Only this user may look into it. The path is in `arena`. */
SEAL_MUST_USE enum seal_status temporary_make(struct arena *arena, char **out, struct seal_err *err);
/* With the files in it; NULL is fine. */
void temporary_remove(const char *path);

#endif
