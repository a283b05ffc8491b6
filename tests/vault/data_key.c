/*
 * Makes data keys under a Transit key of the server that the environment names, and shows them: no command of the program
 * makes one by itself.
 *
 *     data_key MOUNT/NAME BOUND     BOUND: what they are bound to, "" for nothing
 *
 * Prints six lines, of 16, 32 and 64 bytes each: the key in base64 and its wrapped form, then "-" and a wrapped form whose
 * key was not asked for. No test by itself: key_cases.py asserts what the lines must be.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "vault/vault.h"

#define LIMIT_MS 30000

struct maker {
	struct key_source *source;
	struct key *key;
	struct key_session *session;
	struct arena arena;
};

static enum seal_status show(struct maker *m, size_t len, bool wrapped_only, struct seal_bytes bound,
			     struct seal_err *err)
{
	const struct key_call call = {.arena = &m->arena, .deadline_ms = clock_mono_ms() + LIMIT_MS};
	struct secret plain = SECRET_INIT;
	char text[BASE64_LEN(64) + 1] = "-";
	struct seal_bytes wrapped;
	enum seal_status rc;

	SEAL_TRY(m->session->ops->data_key(m->session, len, bound, wrapped_only ? NULL : &plain, &wrapped, &call,
					   err));
	if (!wrapped_only)
		text[base64_encode(secret_bytes(&plain), text)] = '\0';
	printf("%s %.*s\n", text, BYTES_FMT(wrapped));
out:
	secret_clear(&plain);
	return rc;
}

static enum seal_status make(struct maker *m, const char *reference, const char *bound, struct seal_err *err)
{
	const struct key_source_config config = {.vault = NULL};
	enum seal_status rc;

	SEAL_TRY(vault_source.open(&config, &m->source, err));
	SEAL_TRY(vault_source.key(m->source, bytes_str(reference), &m->key, err));
	SEAL_TRY(m->key->ops->session(m->key, &m->session, err));
	for (size_t len = 16; len <= 64; len *= 2)
		for (int i = 0; i < 2; i++)
			SEAL_TRY(show(m, len, i == 1, bytes_str(bound), err));
out:
	return rc;
}

int main(int argc, char **argv)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct maker m = {.source = NULL};
	enum seal_status rc;

	if (argc != 3)
		return 64;
	arena_init(&m.arena, 0);
	rc = make(&m, argv[1], argv[2], &err);
	if (rc != SEAL_OK)
		fprintf(stderr, "data_key: %s\n", err.text);
	if (m.session != NULL)
		m.session->ops->free(m.session);
	if (m.key != NULL)
		m.key->ops->free(m.key);
	if (m.source != NULL)
		vault_source.free(m.source);
	arena_clear(&m.arena);
	return rc != SEAL_OK;
}
