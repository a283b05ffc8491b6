/* The public API as a stranger uses it: public headers, the shared library, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sealstream/engine.h"

#define POLICY                                                                                                       \
	"version: 1\nnamespace: shop\nkeys: {pii: 'local:pii', cards: 'local:cards'}\n"                              \
	"methods: {secret: {type: encrypt, key: pii}, card: {type: fpe, key: cards}}\n"                              \
	"topics:\n"                                                                                                  \
	"  - {match: [purchases, 'p-*'], on_error: dead_letter, dead_letter: {topic: dead, key: pii}, "              \
	"protect: {$.a: secret, $.c: card, $.m: {type: mask}}}\n"                                                    \
	"  - {match: other, on_error: drop, protect: {$.a: {type: remove}}}\n"

static char dir[64];
static struct seal_keyring *keyring;
static struct seal_policy *policy;
static struct seal_engine_options options;
static struct seal_keyring_options keys;

static struct seal_bytes text(const char *s)
{
	return (struct seal_bytes){(const uint8_t *)s, strlen(s)};
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info, (void)type, (void)at;
	return remove(path);
}

static int setup(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sealstream-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	keys = (struct seal_keyring_options){.size = sizeof(keys), .dir = dir, .create = true};
	options = (struct seal_engine_options){.size = sizeof(options), .keyring = &keys};
	assert_int_equal(seal_keyring_open(&keys, &keyring, &err), SEAL_OK);
	assert_string_equal(seal_keyring_path(keyring), dir);
	assert_non_null(seal_keyring_master_made(keyring));
	assert_int_equal(seal_keyring_create_key(keyring, "pii", "aes256-gcm96", false, &err), SEAL_OK);
	assert_int_equal(seal_keyring_create_key(keyring, "cards", "ff1", false, &err), SEAL_OK);
	assert_int_equal(seal_policy_load(text(POLICY), "p.yaml", &policy, &err), SEAL_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	seal_policy_free(policy);
	seal_keyring_close(keyring);
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void names_and_versions(void **state)
{
	(void)state;
	assert_string_equal(seal_status_name(SEAL_DATA), "data");
	assert_string_equal(seal_code_name(SEAL_E_TAMPERED), "tampered");
	assert_non_null(strchr(seal_version(), '.'));
	seal_policy_free(NULL);
	seal_engine_free(NULL);
	seal_keyring_close(NULL);
}

static void policies_can_be_read(void **state)
{
	const struct seal_topic *topic = seal_policy_topic(policy, "purchases");

	(void)state;
	assert_string_equal(seal_policy_namespace(policy), "shop");
	assert_int_equal(seal_policy_key_count(policy), 2);
	assert_string_equal(seal_policy_key_name(policy, 1), "cards");
	assert_string_equal(seal_policy_key_scheme(policy, 1), "local");
	assert_int_equal(seal_policy_key_reference(policy, 0).len, 3);
	assert_null(seal_policy_key_name(policy, 2));
	assert_null(seal_policy_key_scheme(policy, 2));
	assert_null(seal_policy_key_reference(policy, 2).ptr);
	assert_non_null(topic);
	assert_ptr_equal(topic, seal_policy_topic(policy, "p-1"));
	assert_null(seal_policy_topic(policy, "unknown"));
	assert_int_equal(seal_policy_topic_count(policy), 3);
	assert_non_null(seal_policy_topic_at(policy, 2));
	assert_null(seal_policy_topic_at(policy, 3));
	assert_string_equal(seal_topic_pattern(topic, 1), "p-*");
	assert_null(seal_topic_pattern(topic, 2));
	assert_int_equal(seal_topic_on_error(topic), SEAL_ON_ERROR_DEAD_LETTER);
	assert_int_equal(seal_topic_on_error(seal_policy_topic(policy, "other")), SEAL_ON_ERROR_DROP);
	assert_string_equal(seal_topic_dead_letter(topic), "dead");
	assert_null(seal_topic_dead_letter(seal_policy_topic(policy, "other")));
	assert_int_equal(seal_topic_rule_count(topic), 3);
	assert_string_equal(seal_topic_rule_path(topic, 1), "$.c");
	assert_string_equal(seal_topic_rule_type(topic, 1), "fpe");
	assert_string_equal(seal_topic_rule_key(topic, 1), "cards");
	assert_true(seal_topic_rule_reversible(topic, 1));
	assert_false(seal_topic_rule_reversible(topic, 2));
	assert_null(seal_topic_rule_key(topic, 2));
	assert_null(seal_topic_rule_path(topic, 3));
	assert_null(seal_topic_rule_type(topic, 3));
	assert_false(seal_topic_rule_reversible(topic, 3));
}

static void count_finding(void *arg, const struct seal_finding *finding)
{
	assert_true(finding->line > 0 && finding->text[0] != '\0');
	++*(unsigned *)arg;
}

static void policies_are_checked(void **state)
{
	static const char bad[] = "version: 1\nkeyz: {}\ntopics: [{match: t, protekt: {}}]\n";
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *out = policy;
	unsigned found = 0;

	(void)state;
	assert_int_equal(seal_policy_check(text(POLICY), NULL, count_finding, &found, &err), SEAL_OK);
	assert_int_equal(seal_policy_check(text(bad), "b.yaml", count_finding, &found, &err), SEAL_USAGE);
	assert_true(found >= 2);
	assert_non_null(strstr(err.place, "b.yaml:2:1"));
	err = (struct seal_err)SEAL_ERR_INIT;
	assert_int_equal(seal_policy_load(text(bad), NULL, &out, &err), SEAL_USAGE);
	assert_null(out);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_int_equal(seal_policy_load_file("/nonexistent/p.yaml", &out, NULL), SEAL_USAGE);
}

static void batches_go_there_and_back(void **state)
{
	const struct seal_topic *topic = seal_policy_topic(policy, "purchases");
	struct seal_bytes values[4] = {
		text("{\"a\":\"x\",\"c\":\"1234567\"}"), {NULL, 0}, text("{"), text("{\"z\":1}")};
	struct seal_engine *here, *there;
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_inspection form = {.size = sizeof(form)};

	(void)state;
	assert_int_equal(seal_engine_new(policy, &options, &here, &err), SEAL_OK);
	assert_int_equal(seal_engine_clone(here, &there, &err), SEAL_OK);
	assert_int_equal(seal_result_count(here), 0);
	assert_int_equal(seal_engine_protect(here, topic, values, 4, &err), SEAL_OK);
	assert_int_equal(seal_result_count(here), 4);
	assert_int_equal(seal_result_fields(here, 0), 2);
	assert_int_equal(seal_result_status(here, 1), SEAL_OK);
	assert_null(seal_result_value(here, 1).ptr);
	assert_int_equal(seal_result_status(here, 2), SEAL_DATA);
	assert_string_equal(seal_result_error(here, 2)->place, "byte 1");
	assert_null(seal_result_value(here, 2).ptr);
	assert_null(seal_result_error(here, 0));
	assert_memory_equal(seal_result_value(here, 3).ptr, "{\"z\":1}", 7);
	assert_int_equal(seal_result_status(here, 4), SEAL_USAGE);
	assert_null(seal_result_value(here, 4).ptr);
	assert_null(seal_result_error(here, 4));
	assert_int_equal(seal_result_fields(here, 4), 0);

	values[0] = seal_result_value(here, 0);
	assert_true(seal_inspect((struct seal_bytes){values[0].ptr + 6, values[0].len - 22}, &form));
	assert_string_equal(form.method, "encrypt");
	assert_int_equal(form.key_version, 1);
	assert_true(seal_looks_protected((struct seal_bytes){values[0].ptr + 6, values[0].len - 22}));
	assert_true(seal_looks_protected(text("vault:v1:cut")));
	assert_false(seal_looks_protected(text("vault:vx:cut")));
	assert_false(seal_looks_protected((struct seal_bytes){NULL, 0}));
	assert_false(seal_inspect(text("1234567"), &form));
	assert_null(form.method);
	assert_int_equal(form.size, sizeof(form));

	assert_int_equal(seal_engine_reveal(there, topic, values, 1, &err), SEAL_OK);
	assert_int_equal(seal_result_count(there), 1);
	assert_memory_equal(seal_result_value(there, 0).ptr, "{\"a\":\"x\",\"c\":\"1234567\"}", 23);
	assert_int_equal(seal_engine_protect(here, topic, values, 0, &err), SEAL_OK);
	seal_engine_free(here); /* the clone goes on */
	values[0] = text("{\"a\":\"y\"}");
	assert_int_equal(seal_engine_protect(there, topic, values, 1, &err), SEAL_OK);
	assert_int_equal(seal_result_fields(there, 0), 1);
	seal_engine_free(there);
}

/* What carries a key beside the record goes there and back; without headers it is refused. */
static void records_with_headers_go_there_and_back(void **state)
{
	static const char carried[] = "version: 1\nkeys: {pii: 'local:pii'}\ntopics:\n- match: t\n"
				      "  protect: {$.a: {type: envelope, key: pii, carry: header}}\n";
	struct seal_bytes values[3] = {text("{\"a\":\"x\"}"), {NULL, 0}, text("{\"a\":1}")};
	struct seal_bytes headers[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	struct seal_records records = {sizeof(records), values, headers, 3};
	struct seal_inspection form = {.size = sizeof(form)};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_engine *here, *there;
	const struct seal_topic *topic;
	struct seal_policy *mine;

	(void)state;
	assert_int_equal(seal_policy_load(text(carried), "carried", &mine, &err), SEAL_OK);
	topic = seal_policy_topic(mine, "t");
	assert_int_equal(seal_engine_new(mine, &options, &here, &err), SEAL_OK);
	assert_int_equal(seal_engine_new(mine, &options, &there, &err), SEAL_OK);
	assert_int_equal(seal_engine_protect(here, topic, values, 3, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	records.key_headers = NULL;
	assert_int_equal(seal_engine_protect_records(here, topic, &records, NULL), SEAL_USAGE);
	records.key_headers = headers;
	assert_int_equal(seal_engine_protect_records(here, topic, &records, NULL), SEAL_OK);
	assert_int_equal(seal_result_count(here), 3);
	assert_null(seal_result_key_header(here, 1).ptr);
	assert_null(seal_result_key_header(here, 3).ptr);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(seal_result_status(here, i), SEAL_OK);
		values[i] = seal_result_value(here, i);
		headers[i] = seal_result_key_header(here, i);
	}
	assert_non_null(headers[0].ptr);
	assert_true(seal_inspect((struct seal_bytes){values[0].ptr + 6, values[0].len - 8}, &form));
	assert_string_equal(form.method, "envelope");
	assert_int_equal(form.key_version, 0);
	assert_int_equal(seal_engine_reveal_records(here, topic, &records, NULL), SEAL_USAGE); /* its own results */
	assert_int_equal(seal_engine_reveal_records(there, topic, &records, NULL), SEAL_OK);
	assert_memory_equal(seal_result_value(there, 0).ptr, "{\"a\":\"x\"}", 9);
	assert_null(seal_result_key_header(there, 0).ptr);
	assert_memory_equal(seal_result_value(there, 2).ptr, "{\"a\":1}", 7);
	headers[0] = (struct seal_bytes){NULL, 0};
	assert_int_equal(seal_engine_reveal_records(there, topic, &records, NULL), SEAL_OK);
	assert_int_equal(seal_result_status(there, 0), SEAL_DATA);
	assert_int_equal(seal_result_error(there, 0)->code, SEAL_E_MISSING);
	seal_engine_free(there);
	seal_engine_free(here);
	seal_policy_free(mine);
}

/* A name that no entry matches must not end in a crash or in clear text. */
static void topics_are_of_the_policy(void **state)
{
	struct seal_bytes value = text("{\"a\":\"v\"}");
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *second;
	struct seal_engine *engine;

	(void)state;
	assert_int_equal(seal_policy_load(text(POLICY), NULL, &second, &err), SEAL_OK);
	assert_int_equal(seal_engine_new(policy, &options, &engine, &err), SEAL_OK);
	assert_null(seal_policy_topic(policy, "nowhere"));
	assert_int_equal(seal_engine_protect(engine, NULL, &value, 1, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "no topic"));
	assert_int_equal(seal_result_count(engine), 0);
	assert_int_equal(seal_engine_reveal(engine, NULL, &value, 1, NULL), SEAL_USAGE);
	assert_int_equal(seal_engine_dead_letter(engine, NULL, &value, 1, NULL), SEAL_USAGE);
	err = (struct seal_err)SEAL_ERR_INIT;
	assert_int_equal(seal_engine_protect(engine, seal_policy_topic(second, "other"), &value, 1, &err),
			 SEAL_USAGE);
	assert_non_null(strstr(err.text, "another policy"));
	assert_int_equal(seal_engine_dead_letter(engine, seal_policy_topic(second, "purchases"), &value, 1, NULL),
			 SEAL_USAGE);
	for (size_t i = 0; i < seal_policy_topic_count(policy); i++)
		assert_int_equal(seal_engine_protect(engine, seal_policy_topic_at(policy, i), &value, 1, NULL),
				 SEAL_OK);
	seal_engine_free(engine);
	seal_policy_free(second);
}

static void dead_letters_go_there_and_back(void **state)
{
	struct seal_bytes value = text("{ broken");
	struct seal_engine *here, *there;
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	assert_int_equal(seal_engine_new(policy, &options, &here, &err), SEAL_OK);
	assert_int_equal(seal_engine_clone(here, &there, &err), SEAL_OK);
	assert_int_equal(seal_engine_dead_letter(here, seal_policy_topic(policy, "other"), &value, 1, &err),
			 SEAL_USAGE);
	assert_int_equal(seal_result_count(here), 0);
	err = (struct seal_err)SEAL_ERR_INIT;
	assert_int_equal(seal_engine_dead_letter(here, seal_policy_topic(policy, "p-x"), &value, 1, &err), SEAL_OK);
	value = seal_result_value(here, 0);
	assert_memory_equal(value.ptr, "vault:v1:", 9);
	assert_int_equal(seal_engine_reveal(there, seal_policy_topic(policy, "dead"), &value, 1, &err), SEAL_OK);
	assert_memory_equal(seal_result_value(there, 0).ptr, "{ broken", 8);
	seal_engine_free(here);
	seal_engine_free(there);
}

/* Keys and headers have rules of their own; a field, a key and a header of one domain agree. */
static void keys_and_headers_go_there_and_back(void **state)
{
	static const char with_parts[] =
		"version: 1\nkeys: {pii: 'local:pii', cards: 'local:cards'}\n"
		"methods: {n: {type: fpe, key: cards, bind: {domain: d}}, s: {type: encrypt, key: pii}}\n"
		"topics:\n"
		"  - {match: t, protect: {$.n: n}, key: n, headers: {x: n, y: s}, on_error: dead_letter, "
		"dead_letter: {topic: dead, key: pii}}\n"
		"  - {match: json, protect: {$.n: n}, key: {$.id: n, $.a: n}}\n";
	/* seven digits would stand for themselves once in ten millions */
	static const char number[] = "123456789012";
	struct seal_bytes in[3] = {text(number), {NULL, 0}, text("7")}, hidden, again;
	const struct seal_topic *topic, *key;
	struct seal_engine *here, *there;
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *mine;

	(void)state;
	assert_int_equal(seal_policy_load(text(with_parts), NULL, &mine, &err), SEAL_OK);
	assert_int_equal(seal_policy_topic_count(mine), 3); /* with that of the dead letters */
	assert_null(seal_policy_topic_at(mine, 3));
	topic = seal_policy_topic(mine, "t");
	key = seal_topic_key(topic);
	assert_non_null(key);
	assert_null(seal_topic_key(key));
	assert_null(seal_topic_key(seal_policy_topic(mine, "dead")));
	assert_non_null(seal_topic_header(topic, "y"));
	assert_null(seal_topic_header(topic, "Y"));
	assert_null(seal_topic_header(key, "y"));
	assert_null(seal_topic_header(seal_policy_topic(mine, "json"), "y"));
	assert_null(seal_topic_pattern(key, 0));
	assert_string_equal(seal_topic_rule_path(key, 0), "key");
	assert_string_equal(seal_topic_rule_path(seal_topic_header(topic, "x"), 0), "header:x");
	assert_string_equal(seal_topic_rule_type(seal_topic_key(seal_policy_topic(mine, "json")), 1), "fpe");
	assert_int_equal(seal_topic_on_error(key), SEAL_ON_ERROR_DEAD_LETTER);

	assert_int_equal(seal_engine_new(mine, &options, &here, &err), SEAL_OK);
	assert_int_equal(seal_engine_clone(here, &there, &err), SEAL_OK);
	assert_int_equal(seal_engine_protect(here, key, in, 3, &err), SEAL_OK);
	hidden = seal_result_value(here, 0);
	assert_int_equal(hidden.len, sizeof(number) - 1);
	assert_memory_not_equal(hidden.ptr, number, hidden.len);
	assert_int_equal(seal_result_status(here, 1), SEAL_OK);
	assert_null(seal_result_value(here, 1).ptr);
	assert_int_equal(seal_result_status(here, 2), SEAL_DATA);
	assert_string_equal(seal_result_error(here, 2)->place, "key");
	assert_int_equal(seal_engine_protect(there, seal_topic_header(topic, "x"), in, 1, &err), SEAL_OK);
	again = seal_result_value(there, 0);
	assert_int_equal(again.len, hidden.len);
	assert_memory_equal(again.ptr, hidden.ptr, hidden.len);
	assert_int_equal(seal_engine_reveal(there, key, &hidden, 1, &err), SEAL_OK);
	assert_memory_equal(seal_result_value(there, 0).ptr, number, sizeof(number) - 1);
	/* A letter's key goes where its value goes. */
	assert_int_equal(seal_engine_dead_letter(there, topic, &in[2], 1, &err), SEAL_OK);
	assert_memory_equal(seal_result_value(there, 0).ptr, "vault:v1:", 9);
	seal_engine_free(there);
	seal_engine_free(here);
	seal_policy_free(mine);
}

static void engines_say_what_is_wrong(void **state)
{
	struct seal_engine *engine = (struct seal_engine *)dir;
	struct seal_engine_options wrong = options;
	struct {
		struct seal_engine_options known;
		uint64_t unknown;
	} newer = {.known = options, .unknown = 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *bad;

	(void)state;
	assert_int_equal(seal_policy_load(text("version: 1\nkeys: {k: 'local:piii'}\n"
					       "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n"),
					  NULL, &bad, &err),
			 SEAL_OK);
	assert_int_not_equal(seal_engine_new(bad, &options, &engine, &err), SEAL_OK);
	assert_null(engine);
	assert_int_equal(err.code, SEAL_E_KEY_UNKNOWN);
	assert_non_null(strstr(err.text, "pii"));
	seal_policy_free(bad);

	err = (struct seal_err)SEAL_ERR_INIT;
	wrong.size = 0;
	assert_int_equal(seal_engine_new(policy, &wrong, &engine, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "'size'"));
	err = (struct seal_err)SEAL_ERR_INIT;
	newer.known.size = sizeof(newer);
	assert_int_equal(seal_engine_new(policy, &newer.known, &engine, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "does not know"));
	newer.unknown = 0; /* a newer caller that asks for nothing new */
	assert_int_equal(seal_engine_new(policy, &newer.known, &engine, NULL), SEAL_OK);
	seal_engine_free(engine);
}

static void collect(void *arg, const char *name)
{
	const size_t used = strlen(arg);

	snprintf((char *)arg + used, 128 - used, "%s,", name);
}

/* Without a directory the environment says where keyring and master key are; what is named here counts first. */
static void the_environment_names_a_keyring(void **state)
{
	char other[sizeof(dir) + 16], passphrase[sizeof(dir) + 16];
	struct seal_keyring_options given = {.size = sizeof(given), .create = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_keyring *opened;
	FILE *file;

	(void)state;
	snprintf(other, sizeof(other), "%s-other", dir);
	snprintf(passphrase, sizeof(passphrase), "%s-passphrase", dir);
	file = fopen(passphrase, "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fputs("correct horse battery staple\n", file);
	assert_int_equal(fclose(file), 0);
	setenv("SEALSTREAM_KEYRING", other, 1);
	setenv("SEALSTREAM_PASSPHRASE_FILE", passphrase, 1);
	assert_int_equal(seal_keyring_open(&given, &opened, &err), SEAL_OK);
	assert_string_equal(seal_keyring_path(opened), other);
	assert_null(seal_keyring_master_made(opened));
	seal_keyring_close(opened);
	setenv("SEALSTREAM_PASSPHRASE_FILE", "", 1);
	assert_int_equal(seal_keyring_open(NULL, &opened, NULL), SEAL_DENIED);
	given = (struct seal_keyring_options){.size = sizeof(given), .dir = dir};
	setenv("SEALSTREAM_PASSPHRASE_FILE", passphrase, 1);
	assert_int_equal(seal_keyring_open(&given, &opened, &err), SEAL_OK);
	assert_string_equal(seal_keyring_path(opened), dir);
	seal_keyring_close(opened);
	unsetenv("SEALSTREAM_KEYRING");
	unsetenv("SEALSTREAM_PASSPHRASE_FILE");
	assert_int_equal(unlink(passphrase), 0);
	assert_int_equal(nftw(other, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void keyrings_are_kept(void **state)
{
	static const uint8_t material[32] = {1, 2, 3};
	struct seal_key_version version = {.size = sizeof(version)};
	struct seal_key_info info = {.size = sizeof(info)};
	struct seal_err err = SEAL_ERR_INIT;
	uint8_t out[SEAL_KEY_MATERIAL_MAX];
	char names[128] = "";
	uint32_t number;
	size_t len;

	(void)state;
	assert_int_equal(seal_keyring_import(keyring, "imported", "aes256-gcm96",
					     (struct seal_bytes){material, sizeof(material)}, true, &number, &err),
			 SEAL_OK);
	assert_int_equal(number, 1);
	assert_int_equal(seal_keyring_rotate(keyring, "imported", &number, &err), SEAL_OK);
	assert_int_equal(number, 2);
	assert_int_equal(seal_keyring_list(keyring, collect, names, &err), SEAL_OK);
	assert_string_equal(names, "cards,imported,pii,");
	assert_int_equal(seal_keyring_export(keyring, "imported", 1, out, sizeof(out), &len, &err), SEAL_OK);
	assert_int_equal(len, 32);
	assert_memory_equal(out, material, 32);
	assert_int_equal(seal_keyring_export(keyring, "imported", 1, out, 31, &len, &err), SEAL_USAGE);
	assert_int_equal(len, 0);
	assert_int_equal(seal_keyring_export(keyring, "pii", 1, out, sizeof(out), &len, NULL), SEAL_DENIED);

	assert_int_equal(seal_keyring_set_min_decryption(keyring, "imported", 2, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_set_min_encryption(keyring, "imported", 2, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_set_auto_rotate(keyring, "imported", 1000, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_info(keyring, "imported", &info, NULL), SEAL_OK);
	assert_string_equal(info.name, "imported");
	assert_string_equal(info.type, "aes256-gcm96");
	assert_int_equal(info.latest_version, 2);
	assert_int_equal(info.min_decryption_version, 2);
	assert_int_equal(info.min_encryption_version, 2);
	assert_int_equal(info.auto_rotate, 1000);
	assert_true(info.exportable && info.imported && !info.deletion_allowed);
	assert_int_equal(seal_keyring_version(keyring, "imported", 2, &version, NULL), SEAL_OK);
	assert_int_equal(version.version, 2);
	assert_true(version.created_ms >= info.created_ms);
	assert_int_not_equal(seal_keyring_version(keyring, "imported", 3, &version, NULL), SEAL_OK);
	assert_int_equal(version.version, 0);

	assert_int_equal(seal_keyring_destroy_key(keyring, "imported", NULL), SEAL_DENIED);
	assert_int_equal(seal_keyring_set_deletion_allowed(keyring, "imported", true, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_destroy_key(keyring, "imported", NULL), SEAL_OK);
	assert_int_not_equal(seal_keyring_info(keyring, "imported", &info, NULL), SEAL_OK);
	assert_string_equal(info.name, "");
}
/* What a caller built against the header before `derived` knows of a key: nothing is written behind that. */
static void older_callers_see_what_they_know(void)
{
	union {
		struct seal_key_info info;
		uint8_t bytes[sizeof(struct seal_key_info)];
	} u;

	memset(&u, 0xee, sizeof(u));
	u.info.size = offsetof(struct seal_key_info, derived);
	assert_int_equal(seal_keyring_info(keyring, "mails", &u.info, NULL), SEAL_OK);
	assert_string_equal(u.info.name, "mails");
	for (size_t i = offsetof(struct seal_key_info, derived); i < sizeof(u); i++)
		assert_int_equal(u.bytes[i], 0xee);
}

static void keys_are_derived(void **state)
{
	static const uint8_t material[32] = {4, 5, 6};
	struct seal_key_options how = {
		.size = sizeof(how), .type = "xchacha20-poly1305", .derived = true, .convergent = true};
	struct seal_key_info info = {.size = sizeof(info)};
	struct seal_err err = SEAL_ERR_INIT;
	uint32_t number = 7;

	(void)state;
	assert_int_equal(seal_keyring_create_key_with(keyring, "mails", &how, &err), SEAL_OK);
	assert_int_equal(seal_keyring_info(keyring, "mails", &info, NULL), SEAL_OK);
	assert_string_equal(info.type, "xchacha20-poly1305");
	assert_true(info.derived && info.convergent && !info.exportable);
	assert_int_equal(info.auto_rotate, 0);
	older_callers_see_what_they_know();
	assert_int_equal(
		seal_keyring_import_with(keyring, "mails", &how, (struct seal_bytes){material, 32}, &number, &err),
		SEAL_OK);
	assert_int_equal(number, 2);
	how.convergent = false;
	assert_int_equal(
		seal_keyring_import_with(keyring, "mails", &how, (struct seal_bytes){material, 32}, &number, &err),
		SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_KEY_TYPE);
	assert_int_equal(number, 0);
	how = (struct seal_key_options){.size = sizeof(how), .convergent = true};
	assert_int_equal(seal_keyring_create_key_with(keyring, "ids", &how, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_info(keyring, "ids", &info, NULL), SEAL_OK);
	assert_true(info.derived && info.convergent);
	how = (struct seal_key_options){.size = sizeof(how), .type = "ff1", .derived = true};
	assert_int_equal(seal_keyring_create_key_with(keyring, "x", &how, NULL), SEAL_USAGE);
	assert_int_equal(seal_keyring_create_key_with(keyring, "x", NULL, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_info(keyring, "x", &info, NULL), SEAL_OK);
	assert_string_equal(info.type, "aes256-gcm96");
	assert_true(!info.derived && !info.convergent);
	for (size_t i = 0; i < 3; i++) {
		const char *const names[] = {"mails", "ids", "x"};

		assert_int_equal(seal_keyring_set_deletion_allowed(keyring, names[i], true, NULL), SEAL_OK);
		assert_int_equal(seal_keyring_destroy_key(keyring, names[i], NULL), SEAL_OK);
	}
}

static void *work(void *arg)
{
	const struct seal_topic *topic = seal_policy_topic(policy, "purchases");
	struct seal_engine *here, *there;
	struct seal_bytes values[64];

	if (seal_engine_clone(arg, &here, NULL) != SEAL_OK || seal_engine_clone(arg, &there, NULL) != SEAL_OK)
		return NULL;
	for (unsigned round = 0; round < 50; round++) {
		for (size_t i = 0; i < 64; i++)
			values[i] = text("{\"a\":\"some text\",\"c\":\"1234567\"}");
		if (seal_engine_protect(here, topic, values, 64, NULL) != SEAL_OK)
			return NULL;
		for (size_t i = 0; i < 64; i++)
			values[i] = seal_result_value(here, i);
		if (seal_engine_reveal(there, topic, values, 64, NULL) != SEAL_OK)
			return NULL;
		for (size_t i = 0; i < 64; i++)
			if (seal_result_value(there, i).len != 31)
				return NULL;
	}
	seal_engine_free(here);
	seal_engine_free(there);
	return arg;
}

/* Engines of several threads share a plan; the first is freed before the others end. Run under TSan, too. */
static void engines_work_side_by_side(void **state)
{
	struct seal_engine *engine;
	pthread_t threads[4];
	void *result;

	(void)state;
	assert_int_equal(seal_engine_new(policy, &options, &engine, NULL), SEAL_OK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, engine), 0);
	assert_int_equal(seal_keyring_rotate(keyring, "pii", NULL, NULL), SEAL_OK);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, engine);
	}
	seal_engine_free(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_versions),
		cmocka_unit_test(policies_can_be_read),
		cmocka_unit_test(policies_are_checked),
		cmocka_unit_test(batches_go_there_and_back),
		cmocka_unit_test(records_with_headers_go_there_and_back),
		cmocka_unit_test(topics_are_of_the_policy),
		cmocka_unit_test(dead_letters_go_there_and_back),
		cmocka_unit_test(keys_and_headers_go_there_and_back),
		cmocka_unit_test(engines_say_what_is_wrong),
		cmocka_unit_test(the_environment_names_a_keyring),
		cmocka_unit_test(keyrings_are_kept),
		cmocka_unit_test(keys_are_derived),
		cmocka_unit_test(engines_work_side_by_side),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
