/*
 * Values of every method, made once by a second implementation (tests/interop/sealed.py) with fixed keys, and read for
 * ever. values-N/TOPIC.protected must reveal to TOPIC.plain, line by line; what has no nonce must be made again as it is.
 */
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

#define FOLDER COMPAT_DIR "/values-1/"

struct world {
	char dir[64];
	struct policy *policy;
	struct plan *plan;
	struct engine *engine;
};

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	return remove(path);
}

static void import(struct keyring *keyring, const char *name, const char *type, uint8_t first, size_t len)
{
	uint8_t material[32];

	for (size_t i = 0; i < len; i++)
		material[i] = (uint8_t)(first + i);
	assert_int_equal(keyring_import(keyring, bytes_str(name), &(struct key_admin_new){.type = type},
					bytes_of(material, len), NULL, NULL),
			 SEAL_OK);
}

static int setup(void **state)
{
	static struct world w;
	struct key_source_config config = {.keyring_dir = w.dir, .create = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct keyring *keyring;

	snprintf(w.dir, sizeof(w.dir), "/tmp/sealstream-test-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	assert_int_equal(keyring_open(&config, &keyring, &err), SEAL_OK);
	import(keyring, "pii", "aes256-gcm96", 0, 32);
	import(keyring, "pii", "aes256-gcm96", 32, 32);
	import(keyring, "small", "aes128-gcm96", 0x40, 16);
	import(keyring, "cards", "ff1", 0, 32);
	import(keyring, "mac", "hmac", 0, 32);
	keyring_close(keyring);
	if (policy_load_file(FOLDER "policy.yaml", &kit_schema, NULL, &w.policy, &err) != SEAL_OK ||
	    plan_new(w.policy, &kit_registry, &config, &w.plan, &err) != SEAL_OK ||
	    engine_new(w.plan, NULL, &w.engine, &err) != SEAL_OK)
		fail_msg("%s: %s", err.place, err.text);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	engine_free(w->engine);
	plan_free(w->plan);
	policy_free(w->policy);
	return nftw(w->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void read_golden(const char *topic, const char *what, struct seal_buf *out)
{
	char path[1024];

	snprintf(path, sizeof(path), FOLDER "%s.%s", topic, what);
	assert_int_equal(file_read(path, out, NULL), SEAL_OK);
}

/* The next line, without its end; false at the end. */
static bool next_line(struct seal_bytes *rest, struct seal_bytes *line)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*line = bytes_of(rest->ptr, (size_t)(end - rest->ptr));
	*rest = bytes_skip(*rest, line->len + 1);
	return true;
}

static void expect(struct world *w, const struct policy_topic *topic, enum engine_direction direction,
		   struct seal_bytes in, struct seal_bytes want)
{
	struct engine_result result;

	assert_int_equal(engine_run(w->engine, topic, direction, &in, 1, &result, NULL), SEAL_OK);
	if (result.err != NULL)
		fail_msg("%.*s: %s: %s", (int)in.len, (const char *)in.ptr, result.err->place, result.err->text);
	if (!bytes_eq(result.value, want))
		fail_msg("%.*s gave %.*s", (int)in.len, (const char *)in.ptr, (int)result.value.len,
			 (const char *)result.value.ptr);
}

/* Each line of one file gives the line of the other; returns how many there are. */
static size_t compare(struct world *w, const char *name, enum engine_direction direction, bool without_nonce)
{
	const struct policy_topic *topic = policy_topic_find(w->policy, bytes_str(name));
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, plain_line, line;
	size_t n = 0;

	read_golden(name, "plain", &plain);
	read_golden(name, "protected", &protected);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	while (next_line(&protecteds, &line)) {
		assert_true(next_line(&plains, &plain_line));
		if (without_nonce && memmem(line.ptr, line.len, "vault:", 6) != NULL)
			continue;
		if (direction == ENGINE_REVEAL)
			expect(w, topic, direction, line, plain_line);
		else
			expect(w, topic, direction, plain_line, line);
		n++;
	}
	assert_int_equal(plains.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	return n;
}

static void golden_values_are_revealed(void **state)
{
	assert_int_equal(compare(*state, "values", ENGINE_REVEAL, false), 25);
	assert_int_equal(compare(*state, "payloads", ENGINE_REVEAL, false), 3);
}

static void values_without_nonces_are_made_again(void **state)
{
	assert_int_equal(compare(*state, "values", ENGINE_PROTECT, true), 9);
	assert_int_equal(compare(*state, "one-way", ENGINE_PROTECT, false), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_values_are_revealed),
		cmocka_unit_test(values_without_nonces_are_made_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
