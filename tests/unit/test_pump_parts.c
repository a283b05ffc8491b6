/*
 * pump: record keys and headers with rules of their own. The engine of pump_fake.h puts "K:" before a key and "H:" before a
 * header where "P:" stands before a value, and "D:" before what a dead letter holds.
 */
#include "pump_fake.h"

static struct policy_topic key_rules = {.part = PART_KEY, .root = "key"};
static struct policy_topic x_rules = {.part = PART_HEADER, .header = "x", .root = "header:x"};
static struct policy_topic y_rules = {.part = PART_HEADER, .header = "y", .root = "header:y"};
static const struct policy_topic *const x_only[] = {&x_rules, NULL};
static const struct policy_topic *const x_and_y[] = {&y_rules, &x_rules, NULL};

static const struct record_header some_headers[] = {
	{BYTES_LIT("x"), BYTES_LIT("1")},	   {BYTES_LIT("trace"), BYTES_LIT("abc")},
	{BYTES_LIT("y"), {.ptr = NULL, .len = 0}}, {BYTES_LIT("x"), BYTES_LIT("2")},
	{BYTES_LIT("X"), BYTES_LIT("3")},
};

static void use_headers(const struct record_header *all, size_t n)
{
	t.headers = all;
	t.n_headers = n;
}

static void run_ok(void)
{
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
}

static int setup_few(void **state)
{
	int rc = setup(state);

	t.n = 3;
	t.keyed = true;
	return rc;
}

static void test_without_rules_keys_and_headers_pass(void **state)
{
	use_headers(some_headers, 5);
	run_ok();
	assert_string_equal(t.key_written, "k2");
	assert_string_equal(t.headers_written, "x=1;trace=abc;y=;x=2;X=3;");
	assert_ptr_equal(t.records[2].headers, some_headers);
	assert_int_equal(t.calls, 1);
	assert_int_equal(counts.fields, 3);
}

static void test_key(void **state)
{
	topic.key = &key_rules;
	run_ok();
	all_written_in_order(3);
	assert_string_equal(t.key_written, "K:k2");
	assert_int_equal(counts.fields, 6);
}

static void test_null_key_stays(void **state)
{
	topic.key = &key_rules;
	t.keyed = false;
	run_ok();
	assert_string_equal(t.key_written, "null");
	assert_int_equal(counts.fields, 3);
}

/* Every one of a name; the names are exact; null stays null. */
static void test_headers(void **state)
{
	use_headers(some_headers, 5);
	topic.headers = x_and_y;
	run_ok();
	all_written_in_order(3);
	assert_string_equal(t.headers_written, "x=H:1;trace=abc;y=;x=H:2;X=3;");
	assert_null(some_headers[2].value.ptr);
	assert_string_equal(t.key_written, "k2");
	assert_int_equal(counts.fields, 9);
}

/* More of them than a batch has records. */
static void test_many_headers(void **state)
{
	enum { MANY = 40 };
	struct record_header many[MANY];
	char expected[512] = "";

	for (size_t i = 0; i < MANY; i++) {
		many[i] = some_headers[0];
		snprintf(expected + i * strlen("x=H:1;"), sizeof("x=H:1;"), "x=H:1;");
	}
	use_headers(many, MANY);
	topic.headers = x_only;
	t.n = 200;
	run_ok();
	assert_string_equal(t.headers_written, expected);
	assert_int_equal(counts.fields, 200 * (MANY + 1));
}

/* seal-key comes and goes beside them. */
static void test_headers_beside_the_key_header(void **state)
{
	static const struct record_header all[] = {
		{BYTES_LIT("seal-key"), BYTES_LIT("old")},
		{BYTES_LIT("x"), BYTES_LIT("1")},
	};

	use_headers(all, 2);
	topic.headers = x_only;
	topic.key = &key_rules;
	t.uses_key_header = options.headers = true;
	t.key_header_out = BYTES_LIT("new");
	run_ok();
	assert_string_equal(t.headers_written, "seal-key=new;x=H:1;");
	assert_string_equal(t.key_written, "K:k2");
}

/* The record fails with its key, neighbours do not, and nothing of it leaves. */
static void test_bad_key_fails_its_record(void **state)
{
	topic.key = &key_rules;
	options.keep_going = true;
	t.bad_key_at = 1;
	run_ok();
	assert_int_equal(counts.failed, 1);
	assert_int_equal(t.n_written, 2);
	assert_string_equal(t.written[0], "P:r0");
	assert_string_equal(t.written[1], "P:r2");
	assert_string_equal(t.key_written, "K:k2");
	assert_string_equal(t.last_place, "in/3/1: $['a']");
	assert_int_equal(t.values, 3 + 2); /* its value is given to no key */
}

static void test_bad_value_fails_with_its_key(void **state)
{
	topic.key = &key_rules;
	topic.headers = x_only;
	use_headers(some_headers, 5);
	options.keep_going = true;
	t.bad_at = 1;
	run_ok();
	assert_int_equal(counts.failed, 1);
	assert_int_equal(t.n_written, 2);
	assert_string_equal(t.key_written, "K:k2");
	assert_string_equal(t.headers_written, "x=H:1;trace=abc;y=;x=H:2;X=3;");
	assert_int_equal(counts.fields, 2 * 4);
}

/* One that the source could not read has no parts. */
static void test_broken_record(void **state)
{
	topic.key = &key_rules;
	options.keep_going = true;
	t.broken_at = 0;
	run_ok();
	assert_int_equal(t.values, 2 + 2);
	assert_int_equal(counts.failed, 1);
	assert_int_equal(t.n_written, 2);
	assert_string_equal(t.key_written, "K:k2");
}

/* Keys away: the batch waits whole. */
static void test_a_part_that_has_to_wait(void **state)
{
	topic.key = &key_rules;
	topic.headers = x_only;
	use_headers(some_headers, 5);
	atomic_store(&t.calls_before_away, 2);
	atomic_store(&t.away, 2);
	run_ok();
	all_written_in_order(3);
	assert_int_equal(counts.fields, 3 * 4);
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 1);
}

static void test_order_with_threads(void **state)
{
	topic.key = &key_rules;
	topic.headers = x_only;
	use_headers(some_headers, 5);
	options.threads = 4;
	t.n = 5000;
	t.lag = 2;
	run_ok();
	all_written_in_order(5000);
	assert_string_equal(t.key_written, "K:k4999");
	assert_int_equal(counts.fields, 5000 * 4);
}

static void test_plain_leaves_keys(void **state)
{
	topic.key = &key_rules;
	options.plain = true;
	run_ok();
	assert_string_equal(t.key_written, "k2");
}

static void test_cannot_rewrap_is_asked_of_every_part(void **state)
{
	topic.key = &key_rules;
	options.direction = ENGINE_REWRAP;
	t.cannot_rewrap = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_USAGE);
	assert_int_equal(t.given, 0);
}

/* Where its new key belongs; a key that stays keeps its partition. */
static void test_a_rewrapped_key_changes_its_partition(void **state)
{
	options.keep_partition = true;
	options.direction = ENGINE_REWRAP;
	run_ok();
	assert_int_equal(t.records[2].partition, 3);
	t.given = t.committed = t.ticket = 0;
	t.acknowledged = 0;
	topic.key = &key_rules;
	run_ok();
	assert_string_equal(t.key_written, "K:k2");
	assert_int_equal(t.records[5].partition, -1);
	options.direction = ENGINE_REVEAL;
	t.given = t.committed = t.ticket = 0;
	t.acknowledged = 0;
	run_ok();
	assert_int_equal(t.records[8].partition, 3);
}

/* ---- dead letters ---- */

static void to_dead_letters(void)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
}

/* The last record is the bad one, so that what was noted of the last one written is the letter. */
static void test_dead_letter_hides_key_and_headers(void **state)
{
	to_dead_letters();
	topic.key = &key_rules;
	topic.headers = x_and_y;
	use_headers(some_headers, 5);
	t.bad_at = 2;
	run_ok();
	assert_int_equal(counts.dead_letters, 1);
	assert_string_equal(t.written[2], "D:bad2");
	assert_string_equal(t.key_written, "null");
	assert_string_equal(t.headers_written, "x=D:1;trace=abc;y=;x=D:2;X=3;seal-record-key=D:k2;"
					       "seal-error=type;seal-topic=in;seal-partition=3;seal-offset=2;");
}

/* Where no header can hold a key with rules, no letter may lose it; keys without rules, and other settings, pass. */
static void test_dead_letters_without_headers(void **state)
{
	to_dead_letters();
	options.bare = true;
	t.bad_at = 2;
	run_ok();
	assert_int_equal(counts.dead_letters, 1);
	topic.key = &key_rules;
	t.given = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "keeps no headers"));
	assert_int_equal(t.given, 0);
	topic.on.on_error = ON_ERROR_DROP;
	t.given = t.committed = t.ticket = 0;
	t.acknowledged = 0;
	run_ok();
}

/* It failed because of its key: that is encrypted all the same. */
static void test_dead_letter_of_a_bad_key(void **state)
{
	to_dead_letters();
	topic.key = &key_rules;
	t.bad_key_at = 2;
	run_ok();
	assert_string_equal(t.written[2], "D:r2");
	assert_string_equal(t.key_written, "null");
	assert_string_equal(t.headers_written, "trace=abc;seal-record-key=D:bad2;seal-error=type;seal-topic=in;"
					       "seal-partition=3;seal-offset=2;");
}

static void test_dead_letter_without_a_key(void **state)
{
	to_dead_letters();
	topic.key = &key_rules;
	t.keyed = false;
	t.bad_at = 2;
	run_ok();
	assert_string_equal(t.key_written, "null");
	assert_string_equal(t.headers_written,
			    "trace=abc;seal-error=type;seal-topic=in;seal-partition=3;seal-offset=2;");
}

/* An empty header would be more than SQS takes, and no letter of a file's record could be written there. */
static void test_dead_letter_of_a_file(void **state)
{
	to_dead_letters();
	t.nameless = true;
	t.bad_at = 2;
	run_ok();
	assert_string_equal(t.headers_written, "trace=abc;seal-error=type;seal-partition=3;seal-offset=2;");
}

/* Rules for headers say nothing of keys, nor of a header that has the name of theirs. */
static void test_dead_letter_keeps_a_key_without_rules(void **state)
{
	static const struct record_header all[] = {{BYTES_LIT("seal-record-key"), BYTES_LIT("own")}};

	to_dead_letters();
	topic.headers = x_only;
	use_headers(all, 1);
	t.bad_at = 2;
	run_ok();
	assert_string_equal(t.key_written, "k2");
	assert_int_equal(strncmp(t.headers_written, "seal-record-key=own;seal-error", 30), 0);
}

/* A header that came in under the name of ours does not take its place. */
static void test_dead_letter_drops_a_false_record_key(void **state)
{
	static const struct record_header all[] = {{BYTES_LIT("seal-record-key"), BYTES_LIT("false")}};

	to_dead_letters();
	topic.key = &key_rules;
	use_headers(all, 1);
	t.bad_at = 2;
	run_ok();
	assert_int_equal(strncmp(t.headers_written, "seal-record-key=D:k2;seal-error", 31), 0);
}

/* Many of them at once: every value finds its letter. */
static void test_many_dead_letters(void **state)
{
	to_dead_letters();
	topic.key = &key_rules;
	topic.headers = x_only;
	use_headers(some_headers, 5);
	t.n = 200;
	t.batch = 100;
	t.all_bad = true;
	run_ok();
	assert_int_equal(counts.dead_letters, 200);
	for (size_t i = 0; i < t.n; i++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "D:bad%zu", i);
		assert_string_equal(t.written[i], expected);
	}
	assert_non_null(strstr(t.headers_written, "seal-record-key=D:k199;"));
}

/* Its value could be encrypted, its key not: it does not leave, and the run stops in front of it. */
static void test_dead_letter_whose_key_cannot_be_encrypted(void **state)
{
	to_dead_letters();
	topic.key = &key_rules;
	t.dead_fails = true;
	t.bad_key_at = 1;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	all_written_in_order(1);
	assert_int_equal(counts.dead_letters, 0);
	assert_int_equal(counts.failed, 1);
	assert_int_equal(t.committed, 1);
}

/* ---- dead letters that come back ---- */

static const struct record_header sealed[] = {
	{BYTES_LIT("x"), BYTES_LIT("vault:v1:AAAA")},
	{BYTES_LIT("y"), BYTES_LIT("plain")},
	{BYTES_LIT("seal-record-key"), BYTES_LIT("vault:v1:BBBB")},
	{BYTES_LIT("z"), BYTES_LIT("vault:v1:CCCC")},
};

static void use_dead_topic(enum engine_direction direction)
{
	static const char *const matches[] = {"dead", NULL};
	static const struct policy_topic *const x_again[] = {&x_rules, NULL};
	static struct policy_topic topics[3];

	/* Two topics whose dead letters go there; and one whose do not. */
	topics[0] = (struct policy_topic){.dead_letter_topic = "dead", .headers = x_and_y};
	topics[1] = (struct policy_topic){.dead_letter_topic = "dead", .headers = x_again};
	topics[2] = (struct policy_topic){.dead_letter_topic = "other", .headers = x_only};
	policy = (struct policy){.topics = topics, .n_topics = 3};
	topic.is_dead_letter = true;
	topic.matches = matches;
	options.direction = direction;
	t.keyed = false;
	use_headers(sealed, 4);
}

static void test_dead_letters_are_revealed_whole(void **state)
{
	use_dead_topic(ENGINE_REVEAL);
	run_ok();
	assert_string_equal(t.headers_written, "x=P:vault:v1:AAAA;y=plain;z=vault:v1:CCCC;");
	assert_string_equal(t.key_written, "P:vault:v1:BBBB");
	assert_int_equal(counts.fields, 9);
	assert_int_equal(counts.failed, 0);
}

static void test_dead_letters_are_rewrapped_whole(void **state)
{
	use_dead_topic(ENGINE_REWRAP);
	run_ok();
	assert_string_equal(t.headers_written,
			    "x=P:vault:v1:AAAA;y=plain;seal-record-key=P:vault:v1:BBBB;z=vault:v1:CCCC;");
	assert_string_equal(t.key_written, "null");
}

static void test_protecting_leaves_headers_of_dead_letters(void **state)
{
	use_dead_topic(ENGINE_PROTECT);
	run_ok();
	assert_int_equal(t.calls, 1);
	assert_string_equal(t.key_written, "null");
}

/* Two keys would leave open which one is the record's. */
static void test_dead_letter_with_two_keys(void **state)
{
	static const struct record_header twice[] = {
		{BYTES_LIT("seal-record-key"), BYTES_LIT("vault:v1:BBBB")},
		{BYTES_LIT("seal-record-key"), BYTES_LIT("vault:v1:BBBB")},
	};

	use_dead_topic(ENGINE_REVEAL);
	options.keep_going = true;
	use_headers(twice, 1);
	t.broken_at = t.n; /* not the source's fault, but records fail */
	t.keyed = true;
	run_ok();
	assert_int_equal(counts.failed, 3);
	t.keyed = false;
	use_headers(twice, 2);
	t.given = t.committed = t.ticket = 0;
	t.acknowledged = 0;
	run_ok();
	assert_int_equal(counts.failed, 3);
	assert_int_equal(t.n_written, 0);
}

/* The rules speak of "$"; the reason says which header it was. */
static void test_place_of_a_dead_letters_header(void **state)
{
	static const struct record_header bad[] = {{BYTES_LIT("x"), BYTES_LIT("vault:v1:AAAA")}};

	use_dead_topic(ENGINE_REVEAL);
	options.keep_going = true;
	use_headers(bad, 1);
	t.bad_text = "vault:v1:AAAA";
	run_ok();
	assert_int_equal(counts.failed, 3);
	assert_string_equal(t.last_place, "in/3/2: header:x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_few, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_rules_keys_and_headers_pass),
		TEST(test_key),
		TEST(test_null_key_stays),
		TEST(test_headers),
		TEST(test_many_headers),
		TEST(test_headers_beside_the_key_header),
		TEST(test_bad_key_fails_its_record),
		TEST(test_bad_value_fails_with_its_key),
		TEST(test_broken_record),
		TEST(test_a_part_that_has_to_wait),
		TEST(test_order_with_threads),
		TEST(test_plain_leaves_keys),
		TEST(test_cannot_rewrap_is_asked_of_every_part),
		TEST(test_a_rewrapped_key_changes_its_partition),
		TEST(test_dead_letter_hides_key_and_headers),
		TEST(test_dead_letters_without_headers),
		TEST(test_dead_letter_of_a_bad_key),
		TEST(test_dead_letter_without_a_key),
		TEST(test_dead_letter_of_a_file),
		TEST(test_dead_letter_keeps_a_key_without_rules),
		TEST(test_dead_letter_drops_a_false_record_key),
		TEST(test_many_dead_letters),
		TEST(test_dead_letter_whose_key_cannot_be_encrypted),
		TEST(test_dead_letters_are_revealed_whole),
		TEST(test_dead_letters_are_rewrapped_whole),
		TEST(test_protecting_leaves_headers_of_dead_letters),
		TEST(test_dead_letter_with_two_keys),
		TEST(test_place_of_a_dead_letters_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
