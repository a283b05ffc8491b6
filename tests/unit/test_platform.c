/* platform, stream_address: do addresses find their stream, and options the struct that it opens with? With streams that nobody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/stream_address.h"

/* ---- two streams: one that is read and written, with options of its own on each side; one that is only written ---- */

struct queue_in {
	int64_t lend_ms;
	const char *region;
	bool exit, look;
	const char *group;
};

struct queue_out {
	const char *region;
	int headers;
};

#define IN(m) .offset = offsetof(struct queue_in, m)
#define OUT(m) .offset = offsetof(struct queue_out, m)

static const struct opt_row in_rows[] = {
	{.name = "lend",
	 .letter = 'l',
	 .help = "how long",
	 .def = "30s",
	 .env = "T_LEND",
	 .required = true,
	 .type = OPT_DURATION,
	 IN(lend_ms)},
	{.name = "region", .help = "where", .env = "T_REGION", .type = OPT_STRING, IN(region)},
	{.name = "exit", .help = "stop", .type = OPT_FLAG, IN(exit)},
	{.name = "group", .help = "group", .def = "nobody", .type = OPT_STRING, IN(group)},
	{.name = "look", .help = "look", .internal = true, .type = OPT_FLAG, IN(look)},
	OPT_END};
static const struct opt_row out_rows[] = {
	{.name = "region", .help = "where", .env = "T_REGION", .type = OPT_STRING, OUT(region)},
	{.name = "headers", .help = "what", .choices = "keep|drop", .def = "keep", .type = OPT_CHOICE, OUT(headers)},
	OPT_END};

static const struct stream_traits traits = {.title = "A Queue", .address = "NAME or URL"};

static struct seal_bytes last_part(const char *address)
{
	const char *slash = strrchr(address, '/');

	return bytes_str(slash ? slash + 1 : address);
}

static const struct source_ops queue_source = {.name = "queue",
					       .traits = &traits,
					       .options = in_rows,
					       .options_size = sizeof(struct queue_in),
					       .topic = last_part};
static const struct sink_ops queue_sink = {.name = "queue",
					   .traits = &traits,
					   .options = out_rows,
					   .options_size = sizeof(struct queue_out),
					   .topic = last_part};
/* Its source and its sink have the same options. */
static const struct source_ops log_source = {
	.name = "log", .traits = &traits, .options = out_rows, .options_size = sizeof(struct queue_out)};
static const struct sink_ops log_sink = {
	.name = "log", .traits = &traits, .options = out_rows, .options_size = sizeof(struct queue_out)};
static const struct opt_row no_rows[] = {OPT_END};
static const struct sink_ops board_sink = {.name = "board", .traits = &traits, .options = no_rows};
static const struct source_ops kafka_source = {
	.name = "kafka", .traits = &traits, .options = in_rows, .options_size = sizeof(struct queue_in)};
static const struct source_ops file_source = {.name = "file", .traits = &traits, .options = no_rows};

static const struct source_ops *const sources[] = {&kafka_source, &file_source, &queue_source, &log_source, NULL};
static const struct sink_ops *const sinks[] = {&queue_sink, &log_sink, &board_sink, NULL};
static const struct program program = {.sources = sources, .sinks = sinks};

/* ---- a command ---- */

struct opts {
	bool exit;
	const char *group;
};

static const struct opt_row rows[] = {
	{.name = "exit", .letter = 'e', .help = "stop", .type = OPT_FLAG, .offset = offsetof(struct opts, exit)},
	{.name = "group",
	 .letter = 'G',
	 .help = "group",
	 .env = "T_GROUP",
	 .type = OPT_STRING,
	 .offset = offsetof(struct opts, group)},
	OPT_END};
static const struct command both = {.name = "pump",
				    .options = rows,
				    .options_size = sizeof(struct opts),
				    .streams = COMMAND_READS | COMMAND_WRITES};
static const struct command writes = {.name = "produce", .streams = COMMAND_WRITES};
static const struct command neither = {.name = "key"};

struct fixture {
	struct arena arena;
	struct opts opts;
	struct parse parse;
	struct platform *platforms;
	const char *const *given;
	struct seal_err err;
};

static const char *env_name, *env_value; /* the one variable that is set */

static const char *env(const char *name)
{
	return env_name != NULL && strcmp(env_name, name) == 0 ? env_value : NULL;
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	env_name = NULL;
	arena_init(&f.arena, 0);
	f.parse.arena = &f.arena;
	f.parse.env = env;
	f.parse.sets[0] = (struct option_set){.rows = rows, .options = &f.opts};
	assert_int_equal(platforms_new(&program, &both, &f.arena, &f.platforms, &f.err), SEAL_OK);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	return 0;
}

/* A command line of up to 8 words, as a program reads it. */
static enum seal_status parse(struct fixture *f, char *const *words)
{
	int n = 0;
	enum seal_status rc;

	while (words[n] != NULL)
		n++;
	SEAL_TRY(platforms_prepare(f->platforms, &f->parse, &f->err));
	SEAL_TRY(parse_words(&f->parse, n, words, &f->err));
	SEAL_TRY(platforms_note(f->platforms, &f->parse, &f->given, &f->err));
	SEAL_TRY(parse_environment(&f->parse, &f->err));
	platforms_fill(f->platforms, &f->parse);
	rc = parse_required(&f->parse, &f->err);
out:
	return rc;
}

static const struct queue_in *queue_in(struct fixture *f)
{
	return platform_find(f->platforms, BYTES_LIT("queue"))->sides[PLATFORM_SOURCE].options;
}

static const struct queue_out *queue_out(struct fixture *f)
{
	return platform_find(f->platforms, BYTES_LIT("queue"))->sides[PLATFORM_SINK].options;
}

static void test_rows(void **state)
{
	struct fixture *f = *state;
	const struct platform *queue = platform_find(f->platforms, BYTES_LIT("queue"));
	static const char *const names[] = {"queue-lend", "queue-region", "queue-headers"};
	char text[PLATFORM_ADDRESS_MAX], title[PLATFORM_TITLE_MAX];

	/* Neither what the command has itself, nor what only commands set, nor one name twice. */
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(queue->rows[i].name, names[i]);
		assert_int_equal(queue->rows[i].letter, 0);
		assert_false(queue->rows[i].required);
	}
	assert_null(queue->rows[3].name);
	assert_null(platform_find(f->platforms, BYTES_LIT("kafka"))->rows[0].name);
	assert_string_equal(queue->rows[0].env, "T_LEND");
	assert_string_equal(queue->rows[2].env, "SEALSTREAM_QUEUE_HEADERS");
	assert_string_equal(platform_find(f->platforms, BYTES_LIT("log"))->rows[0].name, "log-region");
	assert_null(platform_find(f->platforms, BYTES_LIT("log"))->rows[2].name);
	platform_address(queue, text);
	assert_string_equal(text, "queue:NAME or URL");
	platform_title(queue, title);
	assert_string_equal(title, "Options for A Queue");
}

static void test_other_commands(void **state)
{
	struct fixture *f = *state;
	struct platform *platforms;

	assert_int_equal(platforms_new(&program, &writes, &f->arena, &platforms, &f->err), SEAL_OK);
	assert_false(platform_find(platforms, BYTES_LIT("kafka"))->usable);
	assert_true(platform_find(platforms, BYTES_LIT("board"))->usable);
	assert_string_equal(platform_find(platforms, BYTES_LIT("queue"))->rows[0].name, "queue-region");
	assert_string_equal(platform_find(platforms, BYTES_LIT("queue"))->rows[1].name, "queue-headers");
	assert_int_equal(platforms_new(&program, &neither, &f->arena, &platforms, &f->err), SEAL_OK);
	assert_null(platforms[0].scheme);
}

static void test_options(void **state)
{
	struct fixture *f = *state;
	char *words[] = {"--queue-region", "north", "--queue-lend=5s", "-e", "-Gmine", "--log-headers", "drop", NULL};
	const struct queue_out *log;

	assert_int_equal(parse(f, words), SEAL_OK);
	assert_string_equal(queue_in(f)->region, "north");
	assert_string_equal(queue_out(f)->region, "north"); /* one option for both sides */
	assert_int_equal(queue_in(f)->lend_ms, 5000);
	assert_true(queue_in(f)->exit);
	assert_string_equal(queue_in(f)->group, "mine");
	assert_false(queue_in(f)->look);
	assert_int_equal(queue_out(f)->headers, 0);
	log = platform_find(f->platforms, BYTES_LIT("log"))->sides[PLATFORM_SINK].options;
	assert_int_equal(log->headers, 1);
	log = platform_find(f->platforms, BYTES_LIT("log"))->sides[PLATFORM_SOURCE].options;
	assert_int_equal(log->headers, 1);
	assert_string_equal(platform_find(f->platforms, BYTES_LIT("queue"))->flag, "queue-lend");
	assert_null(platform_find(f->platforms, BYTES_LIT("board"))->flag);
	assert_string_equal(f->given[0], "group");
	assert_string_equal(f->given[1], "exit");
	assert_null(f->given[2]);
}

/* What one side alone is told is not the other's, and above what both are told, wherever it is said. */
static void test_one_side(void **state)
{
	struct fixture *f = *state;
	char *words[] = {"--to-queue-region",
			 "south",
			 "--queue-region=north",
			 "--from-queue-lend",
			 "5s",
			 "--from-log-headers",
			 "drop",
			 NULL};
	struct platform *queue = platform_find(f->platforms, BYTES_LIT("queue"));
	struct platform *log = platform_find(f->platforms, BYTES_LIT("log"));

	assert_int_equal(parse(f, words), SEAL_OK);
	assert_string_equal(queue_in(f)->region, "north");
	assert_string_equal(queue_out(f)->region, "south");
	assert_int_equal(queue_in(f)->lend_ms, 5000);
	assert_int_equal(((const struct queue_out *)log->sides[PLATFORM_SOURCE].options)->headers, 1);
	assert_int_equal(((const struct queue_out *)log->sides[PLATFORM_SINK].options)->headers, 0);
	assert_string_equal(platform_own(queue, PLATFORM_SINK, "region")->name, "to-queue-region");
	assert_null(platform_own(queue, PLATFORM_SOURCE, "region"));
	assert_string_equal(queue->sides[PLATFORM_SOURCE].own_flag, "from-queue-lend");
	assert_null(log->sides[PLATFORM_SINK].own_flag);
	assert_string_equal(queue->flag, "queue-region");
	assert_null(log->flag);
}

static void test_one_side_from_environment(void **state)
{
	struct fixture *f = *state;
	char *words[] = {"--queue-region", "north", NULL};

	env_name = "SEALSTREAM_TO_QUEUE_REGION";
	env_value = "south";
	assert_int_equal(parse(f, words), SEAL_OK);
	assert_string_equal(queue_in(f)->region, "north");
	assert_string_equal(queue_out(f)->region, "south");
	assert_null(platform_find(f->platforms, BYTES_LIT("queue"))->sides[PLATFORM_SINK].own_flag);
}

static void test_defaults(void **state)
{
	struct fixture *f = *state;
	char *words[] = {NULL};

	assert_int_equal(parse(f, words), SEAL_OK);
	assert_int_equal(queue_in(f)->lend_ms, 30000);
	assert_null(queue_in(f)->region);
	assert_string_equal(queue_in(f)->group, "nobody"); /* the command's says nothing */
	assert_null(f->given[0]);
}

/* A variable counts, and is no mistake where the stream is not used. */
static void test_environment(void **state)
{
	struct fixture *f = *state;
	char *words[] = {NULL};

	env_name = "T_REGION";
	env_value = "south";
	assert_int_equal(parse(f, words), SEAL_OK);
	assert_string_equal(queue_in(f)->region, "south");
	assert_string_equal(queue_out(f)->region, "south");
	assert_null(platform_find(f->platforms, BYTES_LIT("queue"))->flag);
}

static void test_shared_from_environment(void **state)
{
	struct fixture *f = *state;
	char *words[] = {NULL};

	env_name = "T_GROUP";
	env_value = "theirs";
	assert_int_equal(parse(f, words), SEAL_OK);
	assert_string_equal(queue_in(f)->group, "theirs");
	assert_null(f->given[0]);
}

static void test_mistakes(void **state)
{
	static const struct {
		char *words[3];
		const char *says;
	} bad[] = {
		{{"--queue-lend", "soon"}, "--queue-lend must be a duration"},
		{{"--queue-regoin", "x"}, "there is no option --queue-regoin; did you mean --queue-region?"},
		{{"--queue-exit"}, "there is no option --queue-exit"},
		{{"--queue-look"}, "there is no option --queue-look"},
		{{"--kafka-lend", "1s"}, "there is no option --kafka-lend"},
		{{"-l", "1s"}, "there is no option -l"},
		{{"--queue-region"}, "--queue-region needs a value"},
		{{"--to-queue-lend", "5s"}, "there is no option --to-queue-lend"},
		{{"--from-queue-lend", "soon"}, "--from-queue-lend must be a duration"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fixture *f;

		teardown(state);
		setup(state);
		f = *state;
		assert_int_equal(parse(f, bad[i].words), SEAL_USAGE);
		assert_int_equal(f->err.code, SEAL_E_USAGE);
		if (strncmp(f->err.text, bad[i].says, strlen(bad[i].says)) != 0)
			fail_msg("%s", f->err.text);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *scheme, *rest, *topic;
	} good[] = {
		{"purchases", "kafka", "purchases", "purchases"},
		{"kafka:purchases", "kafka", "purchases", "purchases"},
		{"-", "file", "-", ""},
		{"file:-", "file", "-", ""},
		{"file:a:b/c", "file", "a:b/c", ""},
		{"queue:http://host:1/a/purchases", "queue", "http://host:1/a/purchases", "purchases"},
		{"log:purchases", "log", "purchases", "purchases"},
	};
	struct fixture *f = *state;
	struct stream_address at;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct seal_bytes topic;

		assert_int_equal(stream_address_parse(f->platforms, PLATFORM_SOURCE, good[i].text, &at, &f->err),
				 SEAL_OK);
		assert_true(stream_address_is(&at, good[i].scheme));
		assert_string_equal(at.rest, good[i].rest);
		topic = stream_address_topic(&at);
		assert_int_equal(topic.len, strlen(good[i].topic));
		assert_memory_equal(topic.len ? (const char *)topic.ptr : "", good[i].topic, topic.len);
	}
}

static void test_bad_addresses(void **state)
{
	static const struct {
		const char *text, *says;
		int side;
	} bad[] = {
		{"queu:a", "there is no stream queu:; did you mean queue:? there are kafka:, file:, queue: and log:",
		 PLATFORM_SOURCE},
		{"arn:aws:x", "there is no stream arn:; there are queue:, log: and board:", PLATFORM_SINK},
		{"board:a", "nothing can be read from board: itself, only written to it; what can be read: kafka:,",
		 PLATFORM_SOURCE},
		{"purchases",
		 "kafka: can only be read; what can be written to: queue:, log: and board:", PLATFORM_SINK},
		{"queue:", "queue: needs what it is the scheme of: queue:NAME or URL", PLATFORM_SOURCE},
		{"", "kafka: needs what it is the scheme of", PLATFORM_SOURCE},
		{":a", "there is no stream :", PLATFORM_SOURCE},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fixture *f = *state;
		struct stream_address at;

		err_clear(&f->err);
		assert_int_equal(stream_address_parse(f->platforms, bad[i].side, bad[i].text, &at, &f->err),
				 SEAL_USAGE);
		if (strncmp(f->err.text, bad[i].says, strlen(bad[i].says)) != 0)
			fail_msg("%s", f->err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_side, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_side_from_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_from_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_addresses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
