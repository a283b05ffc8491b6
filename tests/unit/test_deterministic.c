/* deterministic: equal values of a place are equal through rotations, everything else is different, and what was changed is refused. */
#include "keyring_fixture.h"

#include "base/encode.h"
#include "kit.h"

#define HEAD "version: 1\nnamespace: shop\nkeys: {k: 'local:k'}\n"
#define FIELDS                                                                                                       \
	"topics: [{match: t, protect: {$.a: {type: deterministic, key: k}, $.b: {type: deterministic, key: k}, "     \
	"$.c: {type: deterministic, key: k, bind: {domain: d}}, '$.l[*]': {type: deterministic, key: k, "            \
	"bind: {domain: d}}}}]\n"

/* A keyring with the convergent key k of one version, and engines over it. */
struct use {
	struct fixture f;
	struct kit kit;
};

static void use_key(struct use *u, bool derived, bool convergent)
{
	const struct key_admin_new how = {.type = "aes256-gcm96", .derived = derived, .convergent = convergent};

	fixture_open(&u->f);
	OK(&u->f, keyring_create(u->f.keyring, BYTES_LIT("k"), &how, &u->f.err));
}

static void use_policy(struct use *u, const char *policy)
{
	kit_close(&u->kit);
	if (kit_try(&u->kit, policy, &u->f.config, NULL, &u->f.err) != SEAL_OK)
		fail_msg("%s: %s", u->f.err.place, u->f.err.text);
}

static void use_begin(struct use *u, const char *policy)
{
	u->kit = (struct kit){.policy = NULL};
	use_key(u, true, true);
	use_policy(u, policy);
}

static void use_end(struct use *u)
{
	kit_close(&u->kit);
	fixture_close(&u->f);
}

/* The new value, which stays. */
static const char *run(struct use *u, enum engine_direction direction, const char *in)
{
	const struct engine_result *result = kit_one(&u->kit, direction, bytes_str(in));

	if (result->err != NULL)
		fail_msg("%s: %s: %s", in, result->err->place, result->err->text);
	return arena_strndup(&u->f.arena, (const char *)result->value.ptr, result->value.len);
}

static void refuse(struct use *u, enum engine_direction direction, const char *in, enum seal_code code)
{
	const struct engine_result *result = kit_one(&u->kit, direction, bytes_str(in));

	if (result->err == NULL)
		fail_msg("%s was taken", in);
	if (result->err->status != SEAL_DATA || result->err->code != code)
		fail_msg("%s: %s: %s", in, seal_code_name(result->err->code), result->err->text);
	assert_null(result->value.ptr);
}

/* The text at member `name` of a protected record. */
static const char *field(struct use *u, const char *record, const char *name)
{
	char head[32];
	const char *at;

	snprintf(head, sizeof(head), "\"%s\":\"", name);
	at = strstr(record, head);
	assert_non_null(at);
	at += strlen(head);
	return arena_strndup(&u->f.arena, at, strcspn(at, "\""));
}

static const char *protect_field(struct use *u, const char *record, const char *name)
{
	return field(u, run(u, ENGINE_PROTECT, record), name);
}

static void equal_values_are_equal(void **state)
{
	const char *a, *list;
	struct use u;

	use_begin(&u, HEAD FIELDS);
	a = protect_field(&u, "{\"a\":\"Zo\xc3\xab\"}", "a");
	assert_true(strncmp(a, "vault:v1:", 9) == 0);
	assert_string_equal(protect_field(&u, "{\"x\":1,\"a\":\"Zo\\u00eb\"}", "a"), a); /* the same text, escaped */
	assert_string_not_equal(protect_field(&u, "{\"a\":\"Zoe\"}", "a"), a);
	assert_string_not_equal(protect_field(&u, "{\"b\":\"Zo\xc3\xab\"}", "b"), a); /* another place */
	/* One domain, whatever the field; but a string is no number. */
	a = protect_field(&u, "{\"c\":\"7\"}", "c");
	list = run(&u, ENGINE_PROTECT, "{\"l\":[\"7\",\"8\",\"7\",7]}");
	assert_non_null(strstr(list, a));
	assert_non_null(strstr(strstr(list, a) + 1, a));
	assert_null(strstr(strstr(strstr(list, a) + 1, a) + 1, a));
	assert_non_null(strstr(list, "\"json+vault:v1:"));
	assert_string_equal(run(&u, ENGINE_REVEAL, list), "{\"l\":[\"7\",\"8\",\"7\",7]}");
	/* Nothing, and much. */
	assert_string_equal(protect_field(&u, "{\"a\":\"\"}", "a"), protect_field(&u, "{\"a\":\"\"}", "a"));
	use_end(&u);
}

static void payloads_are_equal_too(void **state)
{
	const char *first;
	struct use u;

	use_begin(&u, HEAD "topics: [{match: t, format: bytes, protect: {$: {type: deterministic, key: k}}}]\n");
	first = run(&u, ENGINE_PROTECT, "customer 7");
	assert_string_equal(run(&u, ENGINE_PROTECT, "customer 7"), first);
	assert_string_not_equal(run(&u, ENGINE_PROTECT, "customer 8"), first);
	assert_string_equal(run(&u, ENGINE_REVEAL, first), "customer 7");
	use_end(&u);
}

static void a_rotation_changes_nothing(void **state)
{
	static const char record[] = "{\"a\":\"a@example.com\",\"b\":[1]}";
	const char *first, *second;
	struct use u;

	use_begin(&u, HEAD FIELDS);
	first = run(&u, ENGINE_PROTECT, record);
	OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
	use_policy(&u, HEAD FIELDS); /* another process */
	assert_string_equal(run(&u, ENGINE_PROTECT, record), first);
	use_policy(&u, HEAD "topics: [{match: t, protect: {$.a: {type: deterministic, key: k, version: 2}, "
			    "$.b: {type: deterministic, key: k, version: 2}}}]\n");
	second = run(&u, ENGINE_PROTECT, record);
	assert_true(strncmp(field(&u, second, "a"), "vault:v2:", 9) == 0);
	/* Both versions reveal, and rewrap goes to the pinned one, up and down. */
	assert_string_equal(run(&u, ENGINE_REVEAL, first), record);
	assert_string_equal(run(&u, ENGINE_REVEAL, second), record);
	assert_string_equal(run(&u, ENGINE_REWRAP, first), second);
	assert_string_equal(run(&u, ENGINE_REWRAP, second), second);
	assert_int_equal(u.kit.result.kept, 2);
	use_policy(&u, HEAD FIELDS);
	assert_string_equal(run(&u, ENGINE_REWRAP, second), first);
	assert_int_equal(u.kit.result.kept, 0);
	use_end(&u);
}

/* What is no text of this key, at this place, of a version it has. Never a plaintext, never another's value. */
static void what_was_changed_is_refused(void **state)
{
	static const struct {
		const char *before; /* the base64; NULL: as it is */
		const char *after;
		enum seal_code code;
	} rows[] = {
		{"vault:v2:", "", SEAL_E_KEY_VERSION},
		{"vault:v4294967295:", "", SEAL_E_KEY_VERSION},
		{"vault:v4294967296:", "", SEAL_E_TAMPERED},
		{"vault:v0:", "", SEAL_E_TAMPERED},
		{"vault:v01:", "", SEAL_E_TAMPERED},
		{"vault:v1:", "A", SEAL_E_TAMPERED},
		{"vault:v1:", "=", SEAL_E_TAMPERED},
		{"vault:v1:", " ", SEAL_E_TAMPERED},
		{"vault:v1:AAAA", "", SEAL_E_TAMPERED},
		{"json+vault:v1:", "", SEAL_E_TAMPERED},
		{"json+json+vault:v1:", "", SEAL_E_PLAINTEXT},
		{"Vault:v1:", "", SEAL_E_PLAINTEXT},
		{" vault:v1:", "", SEAL_E_PLAINTEXT},
		{"vault:v1", "", SEAL_E_PLAINTEXT},
		{"", "", SEAL_E_PLAINTEXT},
	};
	const char *a;
	char text[512];
	struct use u;

	use_begin(&u, HEAD FIELDS);
	a = protect_field(&u, "{\"a\":\"a@example.com\"}", "a");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%s%s%s\"}", rows[i].before, a + 9, rows[i].after);
		refuse(&u, ENGINE_REVEAL, text, rows[i].code);
		if (strstr(rows[i].before, "vault:v1:") == NULL) /* what is of the pinned version stays, unread */
			refuse(&u, ENGINE_REWRAP, text, rows[i].code);
	}
	snprintf(text, sizeof(text), "{\"b\":\"%s\"}", a); /* moved */
	refuse(&u, ENGINE_REVEAL, text, SEAL_E_TAMPERED);
	snprintf(text, sizeof(text), "{\"c\":\"%s\"}", a);
	refuse(&u, ENGINE_REVEAL, text, SEAL_E_TAMPERED);
	snprintf(text, sizeof(text), "{\"a\":\"%s\"}", a); /* protected already */
	refuse(&u, ENGINE_PROTECT, text, SEAL_E_PROTECTED);
	use_end(&u);
}

/* Keys that do not make equal text of equal values are refused before the first record. */
static void other_keys_are_refused(void **state)
{
	struct use u;

	for (int derived = 0; derived < 2; derived++) {
		use_key(&u, derived, false);
		FAILS(&u.f, kit_try(&u.kit, HEAD FIELDS, &u.f.config, NULL, &u.f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
		      "key create NAME --convergent");
		assert_non_null(strstr(u.f.err.text, "policy key 'k'"));
		use_end(&u);
	}
	use_key(&u, true, true);
	FAILS(&u.f,
	      kit_try(&u.kit,
		      HEAD "topics: [{match: t, protect: {$.a: {type: deterministic, key: k, version: 2}}}]\n",
		      &u.f.config, NULL, &u.f.err),
	      SEAL_USAGE, SEAL_E_KEY_VERSION, "its latest is 1");
	FAILS(&u.f,
	      kit_try(&u.kit,
		      HEAD "topics: [{match: t, protect: {$.a: {type: deterministic, key: k, bind: none}}}]\n",
		      &u.f.config, NULL, &u.f.err),
	      SEAL_USAGE, SEAL_E_CONFIG, "type deterministic needs something to bind to");
	FAILS(&u.f,
	      kit_try(&u.kit,
		      HEAD "topics: [{match: t, protect: {$.a: {type: deterministic, key: k, version: 0}}}]\n",
		      &u.f.config, NULL, &u.f.err),
	      SEAL_USAGE, SEAL_E_CONFIG, "version must be a whole number from 1");
	use_end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values_are_equal),     cmocka_unit_test(payloads_are_equal_too),
		cmocka_unit_test(a_rotation_changes_nothing), cmocka_unit_test(what_was_changed_is_refused),
		cmocka_unit_test(other_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
