/* Secrets from outside: from a file, and as text that ends with a zero byte. */
#ifndef BASE_SECRET_FILE_H
#define BASE_SECRET_FILE_H

#include "base/secret.h"

/*
 * A whole file of 1 … max bytes, straight into secret memory; `private_only` refuses a regular file that others may
 * read. SEAL_E_NO_INPUT, SEAL_E_DENIED, SEAL_E_LIMIT.
 */
SEAL_MUST_USE enum seal_status secret_read_file(const char *path, size_t max, bool private_only, struct secret *out,
						struct seal_err *err);

enum secret_trim { SECRET_LINE_END, SECRET_SPACE };
/*
 * A secret as text that ends with a zero byte, which counts in its length: `raw` without one line end, or without white
 * space around it. SEAL_USAGE/SEAL_E_CONFIG when nothing is left, or when it holds a zero byte; `what` names it.
 */
SEAL_MUST_USE enum seal_status secret_text(struct seal_bytes raw, enum secret_trim trim, const char *what,
					   struct secret *out, struct seal_err *err);
/* A token must be able to stand in a header: SEAL_USAGE/SEAL_E_CONFIG. */
SEAL_MUST_USE enum seal_status secret_token_check(const char *token, const char *what, struct seal_err *err);

#endif
