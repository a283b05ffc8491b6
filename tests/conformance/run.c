/*
 * The cases, run by the C API: public headers, the shared library, and jansson to read them. README.md has the format.
 *
 *   file ─▶ keyring of its keys ─▶ group ─▶ policy, two engines ─▶ case ─▶ a batch ─▶ each record is compared
 *                                                                             └─▶ revealed by the other engine
 *
 * A test program: it ends at the first thing that is not as the file says.
 */
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sealstream/engine.h"

#define RECORDS_MAX 64
#define BATCH_MAX (16 * RECORDS_MAX)

/* What is looked at, for messages. */
static const char *file, *group_name, *case_name;
static char dir[] = "/tmp/sealstream-conformance-XXXXXX";
static size_t records_done;

struct side {
	struct seal_bytes value, key_header;
};

/* Records of one case, and what they point to. */
struct batch {
	struct side sides[RECORDS_MAX];
	void *owned[BATCH_MAX];
	size_t n, n_owned;
};

/* A group at work. */
struct run {
	const struct seal_policy *policy;
	const struct seal_topic *rules;
	struct seal_engine *engine, *reader;
	bool carried;
};

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: %s: %s: ", file, group_name, case_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *have(void *made)
{
	if (made == NULL)
		fail("out of memory");
	return made;
}

static const json_t *member(const json_t *object, const char *name)
{
	const json_t *found = json_object_get(object, name);

	if (found == NULL)
		fail("the file has no %s here", name);
	return found;
}

static const char *text_of(const json_t *object, const char *name)
{
	return have((void *)json_string_value(member(object, name)));
}

static bool flag_of(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static struct seal_bytes own(struct batch *batch, void *bytes, size_t len)
{
	if (batch->n_owned == BATCH_MAX)
		fail("more records than this program takes");
	batch->owned[batch->n_owned++] = bytes;
	return (struct seal_bytes){bytes, len};
}

static void batch_clear(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_owned; i++)
		free(batch->owned[i]);
	batch->n = batch->n_owned = 0;
}

static struct seal_bytes copy(struct batch *batch, struct seal_bytes from)
{
	uint8_t *to;

	if (from.ptr == NULL)
		return from;
	to = have(malloc(from.len + 1)); /* an empty value is no NULL */
	memcpy(to, from.ptr, from.len);
	return own(batch, to, from.len);
}

static struct seal_bytes from_base64(struct batch *batch, const char *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *to = have(malloc(strlen(text) + 1));
	unsigned bits = 0, n_bits = 0;
	size_t len = 0;

	for (; *text != '\0' && *text != '='; text++) {
		const char *at = strchr(alphabet, *text);

		if (at == NULL)
			fail("not base64");
		bits = bits << 6 | (unsigned)(at - alphabet);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			to[len++] = (uint8_t)(bits >> n_bits);
		}
	}
	return own(batch, to, len);
}

/* [[text, times], …] */
static struct seal_bytes from_parts(struct batch *batch, const json_t *parts)
{
	const json_t *part;
	size_t i, len = 0;
	uint8_t *to, *at;

	json_array_foreach(parts, i, part) len +=
		json_string_length(json_array_get(part, 0)) * (size_t)json_integer_value(json_array_get(part, 1));
	at = to = have(malloc(len + 1));
	json_array_foreach(parts, i, part)
	{
		const json_t *text = json_array_get(part, 0);

		for (json_int_t times = json_integer_value(json_array_get(part, 1)); times > 0; times--) {
			memcpy(at, json_string_value(text), json_string_length(text));
			at += json_string_length(text);
		}
	}
	return own(batch, to, len);
}

static struct seal_bytes data_of(struct batch *batch, const json_t *given)
{
	const json_t *base64 = json_object_get(given, "base64");

	if (json_is_null(given))
		return (struct seal_bytes){NULL, 0};
	if (json_is_string(given))
		return copy(batch, (struct seal_bytes){(const uint8_t *)json_string_value(given),
						       json_string_length(given)});
	if (base64 != NULL)
		return from_base64(batch, json_string_value(base64));
	return from_parts(batch, member(given, "parts"));
}

static void add(struct batch *batch, const json_t *given)
{
	const bool both = json_object_get(given, "value") != NULL;

	if (batch->n == RECORDS_MAX)
		fail("more records than this program takes");
	batch->sides[batch->n].value = data_of(batch, both ? member(given, "value") : given);
	batch->sides[batch->n].key_header =
		both ? data_of(batch, member(given, "key_header")) : (struct seal_bytes){NULL, 0};
	batch->n++;
}

static bool same(struct seal_bytes a, struct seal_bytes b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool matches(const char *pattern, struct seal_bytes got)
{
	char *anchored = NULL, *text = have(strndup(got.ptr != NULL ? (const char *)got.ptr : "", got.len));
	regex_t regex;
	bool is;

	if (asprintf(&anchored, "^(%s)$", pattern) < 0 || regcomp(&regex, anchored, REG_EXTENDED | REG_NOSUB) != 0)
		fail("not a pattern: %s", pattern);
	is = got.ptr != NULL && strlen(text) == got.len && regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	free(anchored);
	free(text);
	return is;
}

static bool is_like(const json_t *wanted, struct seal_bytes got)
{
	const json_t *pattern = json_object_get(wanted, "like");
	struct batch own_bytes = {.n = 0};
	bool is;

	if (pattern != NULL)
		return matches(json_string_value(pattern), got);
	is = same(data_of(&own_bytes, wanted), got);
	batch_clear(&own_bytes);
	return is;
}

static void check_fits(const json_t *wanted, const struct side *got, const char *what, size_t index)
{
	const bool both = json_object_get(wanted, "value") != NULL;

	if (!is_like(both ? member(wanted, "value") : wanted, got->value) ||
	    (both && !is_like(member(wanted, "key_header"), got->key_header)))
		fail("record %zu %s another value: %.*s", index, what, (int)got->value.len,
		     (const char *)got->value.ptr);
}

static void check_failure(const json_t *wanted, const struct seal_err *err, const char *what, size_t index)
{
	const char *const got[] = {seal_status_name(err->status), seal_code_name(err->code), err->place};
	static const char *const names[] = {"status", "code", "place"};

	for (size_t i = 0; i < 3; i++) {
		const json_t *expected = json_object_get(wanted, names[i]);

		if (expected != NULL && strcmp(json_string_value(expected), got[i]) != 0)
			fail("%s %zu: %s %s, not %s: %s", what, index, names[i], got[i], json_string_value(expected),
			     err->text);
	}
	if (err->status == SEAL_OK)
		fail("%s %zu does not fail", what, index);
}

static enum seal_status call(struct run *run, struct seal_engine *engine, const char *direction,
			     const struct batch *in, struct seal_err *err)
{
	struct seal_bytes values[RECORDS_MAX], headers[RECORDS_MAX];
	const struct seal_records records = {
		.size = sizeof(records), .values = values, .key_headers = headers, .n = in->n};
	const bool protects = strcmp(direction, "protect") == 0;

	for (size_t i = 0; i < in->n; i++) {
		values[i] = in->sides[i].value;
		headers[i] = in->sides[i].key_header;
	}
	if (strcmp(direction, "dead_letter") == 0)
		return seal_engine_dead_letter(engine, run->rules, values, in->n, err);
	if (run->carried)
		return protects ? seal_engine_protect_records(engine, run->rules, &records, err)
				: seal_engine_reveal_records(engine, run->rules, &records, err);
	return protects ? seal_engine_protect(engine, run->rules, values, in->n, err)
			: seal_engine_reveal(engine, run->rules, values, in->n, err);
}

/* Copies, since the engine's next call wipes them. */
static void take_results(const struct seal_engine *engine, struct batch *out)
{
	for (out->n = 0; out->n < seal_result_count(engine); out->n++) {
		out->sides[out->n].value = copy(out, seal_result_value(engine, out->n));
		out->sides[out->n].key_header = copy(out, seal_result_key_header(engine, out->n));
	}
}

/* Of record `index`, what it says about another of its batch. */
static void check_others(const json_t *record, const struct batch *out, size_t index)
{
	const json_t *as = json_object_get(record, "same_as"), *from = json_object_get(record, "differs_from");

	if (as != NULL && !same(out->sides[index].value, out->sides[json_integer_value(as)].value))
		fail("record %zu differs from %lld", index, json_integer_value(as));
	if (from != NULL && same(out->sides[index].value, out->sides[json_integer_value(from)].value))
		fail("record %zu is the same as %lld", index, json_integer_value(from));
}

static void check_result(struct run *run, const json_t *record, const struct batch *out, size_t index)
{
	const struct seal_err *err = seal_result_error(run->engine, index);
	const json_t *error = json_object_get(record, "error"), *wanted = json_object_get(record, "out");

	records_done++;
	if (error != NULL) {
		if (err == NULL || out->sides[index].value.ptr != NULL)
			fail("record %zu does not fail", index);
		if (seal_result_status(run->engine, index) != err->status)
			fail("record %zu has two statuses", index);
		check_failure(error, err, "record", index);
		return;
	}
	if (err != NULL)
		fail("record %zu fails at %s: %s", index, err->place, err->text);
	if (wanted != NULL)
		check_fits(wanted, &out->sides[index], "becomes", index);
	check_others(record, out, index);
}

/* Each record that says what it reveals to, by itself. */
static void check_reveals(struct run *run, const json_t *records, const struct batch *out)
{
	struct seal_err err = SEAL_ERR_INIT;
	const json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
	{
		const json_t *wanted = json_object_get(record, "reveals_to");
		struct batch one = {.sides = {out->sides[i]}, .n = 1}, back = {.n = 0};

		if (wanted == NULL)
			continue;
		if (call(run, run->reader, "reveal", &one, &err) != SEAL_OK)
			fail("revealing fails: %s", err.text);
		if (seal_result_status(run->reader, 0) != SEAL_OK)
			fail("record %zu is not revealed: %s", i, seal_result_error(run->reader, 0)->text);
		take_results(run->reader, &back);
		check_fits(wanted, &back.sides[0], "reveals to", i);
		batch_clear(&back);
	}
}

/* `which`: the member that names the topic. */
static const struct seal_topic *rules_of(const struct seal_policy *policy, const json_t *of, const char *which)
{
	const struct seal_topic *topic = seal_policy_topic(policy, text_of(of, which));
	const char *part = json_string_value(json_object_get(of, "part"));

	if (topic == NULL || part == NULL)
		return topic;
	return strcmp(part, "key") == 0 ? seal_topic_key(topic) : seal_topic_header(topic, part + strlen("header:"));
}

static void check_on_error(const struct run *run, const json_t *of)
{
	static const char *const names[] = {"reject", "dead_letter", "drop"};
	const char *wanted = json_string_value(json_object_get(of, "on_error"));

	if (wanted != NULL && strcmp(names[seal_topic_on_error(run->rules)], wanted) != 0)
		fail("on_error is %s", names[seal_topic_on_error(run->rules)]);
}

static void run_case(struct run *run, const json_t *of)
{
	const json_t *records = member(of, "records"), *fails = json_object_get(of, "fails"), *record;
	struct batch in = {.n = 0}, out = {.n = 0};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc;
	size_t i;

	case_name = text_of(of, "name");
	run->rules = rules_of(run->policy, of, "topic");
	run->carried = flag_of(of, "carried");
	json_array_foreach(records, i, record) add(&in, member(record, "in"));
	rc = call(run, run->engine, text_of(of, "direction"), &in, &err);
	if (rc != err.status)
		fail("it returns %s", seal_status_name(rc));
	if (fails != NULL) {
		check_failure(fails, &err, "call", 0);
	} else {
		if (rc != SEAL_OK || seal_result_count(run->engine) != in.n || in.n == 0)
			fail("%zu results of %zu: %s", seal_result_count(run->engine), in.n, err.text);
		check_on_error(run, of);
		take_results(run->engine, &out);
		json_array_foreach(records, i, record) check_result(run, record, &out, i);
		if (json_object_get(of, "reveal_topic") != NULL)
			run->rules = rules_of(run->policy, of, "reveal_topic");
		check_reveals(run, records, &out);
	}
	batch_clear(&in);
	batch_clear(&out);
}

/* Its lines, with the store's path. */
static char *policy_text(const json_t *group, size_t number, size_t *len)
{
	static const char mark[] = "{store}";
	FILE *to;
	const json_t *line;
	char *text = NULL;
	size_t i;

	to = have(open_memstream(&text, len));
	json_array_foreach(member(group, "policy"), i, line)
	{
		const char *from = json_string_value(line), *at = strstr(from, mark);

		if (at != NULL) {
			fprintf(to, "%.*s%s/%zu.db", (int)(at - from), from, dir, number);
			from = at + strlen(mark);
		}
		fprintf(to, "%s\n", from);
	}
	if (fclose(to) != 0)
		fail("out of memory");
	return text;
}

/* Engines for one case: some have limits of their own. */
static enum seal_status open_engines(const json_t *of, const struct seal_keyring_options *keys, struct run *run,
				     struct seal_err *err)
{
	struct seal_engine_options options = {.size = sizeof(options), .keyring = keys};
	enum seal_status rc;

	options.max_record_bytes = (size_t)json_integer_value(json_object_get(of, "max_record_bytes"));
	rc = seal_engine_new(run->policy, &options, &run->engine, err);
	if (rc == SEAL_OK)
		rc = seal_engine_clone(run->engine, &run->reader, err);
	return rc;
}

static void run_cases(const json_t *group, const struct seal_keyring_options *keys, struct run *run)
{
	struct seal_err err = SEAL_ERR_INIT;
	const json_t *of;
	size_t i;

	json_array_foreach(member(group, "cases"), i, of)
	{
		if (flag_of(of, "whole"))
			continue;
		if (open_engines(of, keys, run, &err) != SEAL_OK)
			fail("no engine: %s", err.text);
		run_case(run, of);
		seal_engine_free(run->engine);
		seal_engine_free(run->reader);
	}
}

static void run_group(const json_t *group, size_t number, const struct seal_keyring_options *keys)
{
	const json_t *fails = json_object_get(group, "fails");
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_policy *policy = NULL;
	struct run run = {.policy = NULL};
	struct seal_bytes yaml;
	enum seal_status rc;
	char *text;

	group_name = text_of(group, "name");
	case_name = "start";
	text = policy_text(group, number, &yaml.len);
	yaml.ptr = (const uint8_t *)text;
	rc = seal_policy_load(yaml, "policy.yaml", &policy, &err);
	run.policy = policy;
	if (fails != NULL) {
		if (rc == SEAL_OK)
			rc = open_engines(NULL, keys, &run, &err);
		if (rc != err.status)
			fail("it returns %s", seal_status_name(rc));
		check_failure(fails, &err, "start", 0);
		records_done++;
	} else if (rc != SEAL_OK) {
		fail("no policy: %s: %s", err.place, err.text);
	} else {
		run_cases(group, keys, &run);
	}
	seal_policy_free(policy);
	free(text);
}

static struct seal_bytes from_hex(const char *text, uint8_t *to)
{
	size_t len = 0;

	for (; len < SEAL_KEY_MATERIAL_MAX && sscanf(text + 2 * len, "%2hhx", &to[len]) == 1; len++)
		;
	if (len != strlen(text) / 2)
		fail("not hexadecimal");
	return (struct seal_bytes){to, len};
}

static void import_key(struct seal_keyring *keyring, const char *name, const json_t *key)
{
	const struct seal_key_options options = {.size = sizeof(options),
						 .type = text_of(key, "type"),
						 .derived = flag_of(key, "derived"),
						 .convergent = flag_of(key, "convergent")};
	const json_t *least = json_object_get(key, "min_decryption_version"), *material;
	struct seal_err err = SEAL_ERR_INIT;
	uint8_t raw[SEAL_KEY_MATERIAL_MAX];
	size_t i;

	json_array_foreach(member(key, "versions"), i,
			   material) if (seal_keyring_import_with(keyring, name, &options,
								  from_hex(json_string_value(material), raw), NULL,
								  &err) != SEAL_OK)
		fail("key %s: %s", name, err.text);
	if (least != NULL &&
	    seal_keyring_set_min_decryption(keyring, name, (uint32_t)json_integer_value(least), &err) != SEAL_OK)
		fail("key %s: %s", name, err.text);
}

static void run_file(json_t *document, const char *keyring_dir)
{
	const struct seal_keyring_options keys = {.size = sizeof(keys), .dir = keyring_dir, .create = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_keyring *keyring = NULL;
	const json_t *group;
	json_t *key;
	const char *name;
	size_t i;

	group_name = case_name = "keys";
	if (seal_keyring_open(&keys, &keyring, &err) != SEAL_OK)
		fail("%s", err.text);
	json_object_foreach(json_object_get(document, "keys"), name, key) import_key(keyring, name, key);
	json_array_foreach(member(document, "groups"), i, group) run_group(group, i, &keys);
	seal_keyring_close(keyring);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	return remove(path);
}

static void remove_dir(void)
{
	if (nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "%s stays\n", dir);
}

int main(int argc, char **argv)
{
	char keyring_dir[sizeof(dir) + 16];
	json_error_t error;
	json_t *document;

	file = argc == 2 ? argv[1] : "FILE";
	document = argc == 2 ? json_load_file(file, JSON_ALLOW_NUL, &error) : NULL;
	if (document == NULL || mkdtemp(dir) == NULL) {
		fprintf(stderr, "%s: cannot be read, or no directory in /tmp\n", file);
		return 1;
	}
	atexit(remove_dir);
	snprintf(keyring_dir, sizeof(keyring_dir), "%s/keyring", dir);
	run_file(document, keyring_dir);
	json_decref(document);
	printf("%s: %zu records are as they should be\n", file, records_done);
	return records_done > 0 ? 0 : 1;
}
