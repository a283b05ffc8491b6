/* Addresses: what libpq takes as a URL, but for passwords, which have no place in a policy. */
#include "base/mem.h"
#include "stores/postgresql/work.h"

#define SCHEME "postgresql://"
#define ADDRESS_MAX 2000

static bool is_secret(const PQconninfoOption *option)
{
	return strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0;
}

bool postgresql_address_check(struct seal_bytes address, const char **why)
{
	PQconninfoOption *options = NULL;
	char text[ADDRESS_MAX + 1], *ignored = NULL; /* libpq's reason quotes the address */
	bool good;

	*why = "a server and its data base stand here as a URL, like postgresql://host:5432/name?sslmode=verify-full";
	if (!bytes_starts(address, BYTES_LIT(SCHEME)) || address.len > ADDRESS_MAX ||
	    memchr(address.ptr, '\0', address.len) != NULL)
		return false;
	memcpy(text, address.ptr, address.len);
	text[address.len] = '\0';
	options = PQconninfoParse(text, &ignored);
	good = options != NULL;
	for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
		if (!is_secret(option) || option->val == NULL)
			continue;
		*why = "a password has no place in a policy: take it out of the URL, and put it into the file of "
		       "PGPASSFILE (~/.pgpass) or into PGPASSWORD";
		good = false;
	}
	PQconninfoFree(options);
	PQfreemem(ignored);
	mem_wipe(text, address.len);
	return good;
}
