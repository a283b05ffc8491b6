/* Names of files that came over the wire are data: what of them may become a file's name in a directory. */
#ifndef FILES_NAMES_H
#define FILES_NAMES_H

#include "base/buf.h"

#define FILE_LOCAL_NAME_MAX 255

/*
 * A safe name for `name` (any bytes, perhaps a path): its last component, without separators ('/' and '\'), leading dots and
 * dashes, control characters, invalid UTF-8, and names that some system reserves (CON, nul.txt …); at most 255 bytes with its
 * suffix kept; "file" where nothing is left. *changed: it differs from what was sent, which should be told.
 */
SEAL_MUST_USE enum seal_status file_name_safe(struct seal_bytes name, struct seal_buf *out, bool *changed,
					      struct seal_err *err);
/* "report.csv" → "report-2.csv": the n-th name (from 2) to try where the first is taken. At most 255 bytes. */
SEAL_MUST_USE enum seal_status file_name_numbered(struct seal_bytes safe, unsigned n, struct seal_buf *out,
						  struct seal_err *err);

#endif
