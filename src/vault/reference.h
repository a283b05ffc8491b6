/* What stands after "vault:" in a policy: MOUNT/NAME of a Transit key, MOUNT/role/NAME of a Transform role. */
#ifndef VAULT_REFERENCE_H
#define VAULT_REFERENCE_H

#include "base/bytes.h"

#define VAULT_REFERENCE_MAX 190 /* bytes of a whole reference */

/* Views of the reference. */
struct vault_reference {
	struct seal_bytes mount; /* "transit"; may have slashes */
	struct seal_bytes name; /* of the key, or of the role */
	bool role; /* Transform's */
};

/* False when it is not well-formed; *why (static) says what it should look like. */
bool vault_reference_parse(struct seal_bytes reference, struct vault_reference *out, const char **why);

#endif
