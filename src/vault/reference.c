/*
 * References: the mount is all but the last segment, or all but the last two where the one before the name is "role".
 *
 *   transit/pii               mount transit, key pii
 *   team/eu/transit/pii       mount team/eu/transit, key pii
 *   transform/role/payments   mount transform, role payments
 *
 * Segments are what the server's own routes take, so a well-formed reference needs no percent-encoding.
 */
#include "vault/reference.h"

#include "vault/vault.h"

/* Takes the last segment, and the slash before it, off *path. */
static struct seal_bytes take_last(struct seal_bytes *path)
{
	size_t at = path->len;
	struct seal_bytes last;

	while (at > 0 && path->ptr[at - 1] != '/')
		at--;
	last = bytes_skip(*path, at);
	path->len = at > 0 ? at - 1 : 0;
	return last;
}

bool vault_reference_parse(struct seal_bytes reference, struct vault_reference *out, const char **why)
{
	struct seal_bytes rest = reference, before;

	*why = "write MOUNT/NAME for a Transit key (transit/pii) or MOUNT/role/NAME for a Transform role; names are "
	       "letters, "
	       "digits, '_', '-', '.'";
	*out = (struct vault_reference){.name = take_last(&rest)};
	out->mount = rest;
	if (reference.len > VAULT_REFERENCE_MAX || !bytes_is_name(out->name) || rest.len == 0)
		return false;
	before = take_last(&rest);
	if (rest.len > 0 && bytes_eq_str(before, "role")) {
		out->role = true;
		out->mount = rest;
	}
	for (rest = out->mount; rest.len > 0;) {
		const bool more = memchr(rest.ptr, '/', rest.len) != NULL;

		if (!bytes_is_name(take_last(&rest)) || (more && rest.len == 0))
			return false;
	}
	return true;
}

bool vault_reference_check(struct seal_bytes reference, const char **why)
{
	struct vault_reference parsed;

	return vault_reference_parse(reference, &parsed, why);
}
