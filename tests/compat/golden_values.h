/* Golden values: a folder with a policy, and files of lines before and after. The keys are fixed. */
#ifndef TESTS_GOLDEN_VALUES_H
#define TESTS_GOLDEN_VALUES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "keys/keyring.h"
#include "kit.h"

struct world {
	char dir[64];
	struct policy *policy;
	struct plan *plan;
	struct engine *engine;
};

static inline int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	return remove(path);
}

static inline void import_as(struct keyring *keyring, const char *name, const struct key_admin_new *how,
			     uint8_t first, size_t len)
{
	uint8_t material[32];

	for (size_t i = 0; i < len; i++)
		material[i] = (uint8_t)(first + i);
	assert_int_equal(keyring_import(keyring, bytes_str(name), how, bytes_of(material, len), NULL, NULL), SEAL_OK);
}

static inline void import(struct keyring *keyring, const char *name, const char *type, uint8_t first, size_t len)
{
	import_as(keyring, name, &(struct key_admin_new){.type = type}, first, len);
}

/* Opens the policy of `folder` over a keyring with the golden keys. */
static inline int golden_setup(struct world *w, const char *folder)
{
	char path[1024];
	const struct key_admin_new convergent = {.type = "aes256-gcm96", .derived = true, .convergent = true};
	struct key_source_config config = {.keyring_dir = w->dir, .create = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct keyring *keyring;

	snprintf(w->dir, sizeof(w->dir), "/tmp/sealstream-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(keyring_open(&config, &keyring, &err), SEAL_OK);
	import(keyring, "pii", "aes256-gcm96", 0, 32);
	import(keyring, "pii", "aes256-gcm96", 32, 32);
	import(keyring, "small", "aes128-gcm96", 0x40, 16);
	import(keyring, "cards", "ff1", 0, 32);
	import(keyring, "mac", "hmac", 0, 32);
	import_as(keyring, "ids", &convergent, 0x80, 32);
	import_as(keyring, "ids", &convergent, 0xa0, 32);
	keyring_close(keyring);
	snprintf(path, sizeof(path), "%s/%s/policy.yaml", COMPAT_DIR, folder);
	if (policy_load_file(path, &kit_schema, NULL, &w->policy, &err) != SEAL_OK ||
	    plan_new(w->policy, &kit_registry, &config, &w->plan, &err) != SEAL_OK ||
	    engine_new(w->plan, NULL, &w->engine, &err) != SEAL_OK)
		fail_msg("%s: %s", err.place, err.text);
	return 0;
}

static inline int golden_teardown(struct world *w)
{
	engine_free(w->engine);
	plan_free(w->plan);
	policy_free(w->policy);
	return nftw(w->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void read_golden(const char *folder, const char *topic, const char *what, struct seal_buf *out)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s/%s.%s", COMPAT_DIR, folder, topic, what);
	assert_int_equal(file_read(path, out, NULL), SEAL_OK);
}

/* The next line, without its end; false at the end. */
static inline bool next_line(struct seal_bytes *rest, struct seal_bytes *line)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*line = bytes_of(rest->ptr, (size_t)(end - rest->ptr));
	*rest = bytes_skip(*rest, line->len + 1);
	return true;
}

/* `header`: the record's seal-key. */
static inline void expect(struct world *w, const struct policy_topic *topic, enum engine_direction direction,
			  struct seal_bytes in, struct seal_bytes header, struct seal_bytes want)
{
	const struct engine_input input = {&in, &header, 1};
	struct engine_result result;

	assert_int_equal(engine_run_input(w->engine, topic, direction, &input, &result, NULL), SEAL_OK);
	if (result.err != NULL)
		fail_msg("%.*s: %s: %s", (int)in.len, (const char *)in.ptr, result.err->place, result.err->text);
	if (!bytes_eq(result.value, want))
		fail_msg("%.*s gave %.*s", (int)in.len, (const char *)in.ptr, (int)result.value.len,
			 (const char *)result.value.ptr);
}

#endif
