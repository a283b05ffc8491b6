/* parse, help, exit codes: does the command line mean what the rows say? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/help.h"
#include "cmd/output.h"
#include "cmd/parse.h"
#include "cmd/platform.h"
#include "cmd/program.h"

struct opts {
	const char *brokers;
	int64_t threads;
	bool json, end;
	struct opt_list *props;
	int mode;
};

#define AT(m) .offset = offsetof(struct opts, m)

static const struct opt_row rows[] = {
	{.name = "brokers",
	 .letter = 'b',
	 .help = "hosts",
	 .arg = "HOSTS",
	 .env = "T_BROKERS",
	 .type = OPT_STRING,
	 AT(brokers)},
	{.name = "threads",
	 .letter = 'j',
	 .help = "how many",
	 .arg = "N",
	 .def = "2",
	 .min = 1,
	 .max = 64,
	 .env = "T_THREADS",
	 .type = OPT_INT,
	 AT(threads)},
	{.name = "bootstrap-server", .type = OPT_STRING, AT(brokers)},
	{.name = "json", .letter = 'J', .help = "json", .env = "T_JSON", .type = OPT_FLAG, AT(json)},
	{.name = "end", .letter = 'e', .help = "end", .type = OPT_FLAG, AT(end)},
	{.name = "property",
	 .letter = 'X',
	 .help = "prop",
	 .arg = "K=V",
	 .env = "T_PROP",
	 .type = OPT_LIST,
	 AT(props)},
	{.name = "mode", .help = "mode", .choices = "slow|fast", .def = "fast", .type = OPT_CHOICE, AT(mode)},
	OPT_END};

static const struct opt_row needed[] = {{.name = "policy",
					 .help = "policy",
					 .arg = "FILE",
					 .required = true,
					 .env = "T_POLICY",
					 .type = OPT_STRING,
					 AT(brokers)},
					OPT_END};

struct fixture {
	struct arena arena;
	struct opts opts;
	struct parse parse;
	struct seal_err err;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	f.parse.arena = &f.arena;
	f.parse.sets[0] = (struct option_set){.rows = rows, .options = &f.opts};
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	arena_clear(&((struct fixture *)*state)->arena);
	return 0;
}

static enum seal_status words(struct fixture *f, const char *const *list)
{
	int n = 0;

	while (list[n] != NULL)
		n++;
	return parse_words(&f->parse, n, (char *const *)list, &f->err);
}

#define WORDS(f, ...) words(f, (const char *const[]){__VA_ARGS__, NULL})

static void test_spellings(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(WORDS(f, "-bhost:1", "-Je", "--threads=7", "in", "-X", "a=b", "--property", "c=d", "-Xe=f",
			       "-", "--mode", "slow", "--", "-b"),
			 SEAL_OK);
	assert_string_equal(f->opts.brokers, "host:1");
	assert_true(f->opts.json && f->opts.end);
	assert_int_equal(f->opts.threads, 7);
	assert_int_equal(f->opts.mode, 0);
	assert_string_equal(f->opts.props->text, "a=b");
	assert_string_equal(f->opts.props->next->text, "c=d");
	assert_string_equal(f->opts.props->next->next->text, "e=f");
	assert_int_equal(f->parse.n_args, 3);
	assert_string_equal(f->parse.args[0], "in");
	assert_string_equal(f->parse.args[1], "-");
	assert_string_equal(f->parse.args[2], "-b");
	assert_null(f->parse.args[3]);
}

static void test_cluster_ends_with_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(WORDS(f, "-Jej9", "--json=false"), SEAL_OK);
	assert_false(f->opts.json);
	assert_true(f->opts.end);
	assert_int_equal(f->opts.threads, 9);
	assert_int_equal(f->opts.mode, 1);
}

static void test_alias(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(WORDS(f, "--bootstrap-server", "h"), SEAL_OK);
	assert_string_equal(f->opts.brokers, "h");
	assert_ptr_equal(option_main_row(rows, &rows[2]), &rows[0]);
	assert_ptr_equal(option_main_row(rows, &rows[0]), &rows[0]);
}

static const char *fake_env(const char *name)
{
	static const char *const values[][2] = {{"T_BROKERS", "from-env"},
						{"T_THREADS", "5"},
						{"T_JSON", "1"},
						{"T_PROP", "env=1"},
						{"T_POLICY", "p.yaml"}};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i][0], name) == 0)
			return values[i][1];
	return NULL;
}

static void test_precedence(void **state)
{
	struct fixture *f = *state;

	f->parse.env = fake_env;
	assert_int_equal(WORDS(f, "--bootstrap-server=flag", "-Xflag=1"), SEAL_OK);
	assert_int_equal(parse_environment(&f->parse, &f->err), SEAL_OK);
	assert_string_equal(f->opts.brokers, "flag");
	assert_int_equal(f->opts.threads, 5);
	assert_true(f->opts.json);
	assert_string_equal(f->opts.props->text, "flag=1");
	assert_null(f->opts.props->next);
	assert_int_equal(f->opts.mode, 1);
}

static const char *bad_env(const char *name)
{
	return strcmp(name, "T_THREADS") == 0 ? "many" : NULL;
}

static void test_bad_environment(void **state)
{
	struct fixture *f = *state;

	f->parse.env = bad_env;
	assert_int_equal(WORDS(f, "-e"), SEAL_OK);
	assert_int_equal(parse_environment(&f->parse, &f->err), SEAL_USAGE);
	assert_int_equal(f->err.code, SEAL_E_CONFIG);
	assert_string_equal(f->err.place, "T_THREADS");
}

static void fails(struct fixture *f, const char *const *list, const char *text)
{
	err_clear(&f->err);
	assert_int_equal(words(f, list), SEAL_USAGE);
	assert_int_equal(f->err.code, SEAL_E_USAGE);
	assert_string_equal(f->err.text, text);
}

#define FAILS(f, text, ...) fails(f, (const char *const[]){__VA_ARGS__, NULL}, text)

static void test_mistakes(void **state)
{
	struct fixture *f = *state;

	FAILS(f, "there is no option --thread; did you mean --threads?", "--thread=3");
	FAILS(f, "there is no option --zzzzzzzz; see --help", "--zzzzzzzz");
	FAILS(f, "there is no option -z; see --help", "-Jz");
	FAILS(f, "there is no option -?; see --help", "-\n");
	FAILS(f, "--threads must be a whole number from 1 to 64", "--threads=65");
	FAILS(f, "-j must be a whole number from 1 to 64", "-jx");
	FAILS(f, "-j needs a value: N", "-Jj");
	FAILS(f, "--mode needs a value: slow|fast", "--mode");
	FAILS(f, "--mode must be one of slow|fast", "--mode=medium");
	FAILS(f, "--json must be true or false", "--json=yes");
	FAILS(f, "there is no option --; see --help", "--=x");
}

static void test_required(void **state)
{
	struct fixture *f = *state;

	f->parse.sets[0].rows = needed;
	assert_int_equal(WORDS(f, "x"), SEAL_OK);
	assert_int_equal(parse_required(&f->parse, &f->err), SEAL_USAGE);
	assert_string_equal(f->err.text, "--policy is needed (or the environment variable T_POLICY)");
	f->parse.env = fake_env;
	err_clear(&f->err);
	assert_int_equal(parse_environment(&f->parse, &f->err), SEAL_OK);
	assert_int_equal(parse_required(&f->parse, &f->err), SEAL_OK);
}

static int ran_with;
static char ran_arg[32];

static enum seal_status fake_run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct opts *opts = call->options;

	ran_with = (int)opts->threads;
	snprintf(ran_arg, sizeof(ran_arg), "%s", call->n_args ? call->args[0] : "");
	*exit_code = opts->end ? 1 : 0;
	return opts->json ? err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "changed") : SEAL_OK;
}

static const struct command sub = {
	.name = "rotate",
	.usage = "NAME",
	.summary = "Make a new version",
	.details = "One.\nTwo words and so many more of them that this paragraph goes on, and on, "
		   "until the line is full.",
	.options = rows,
	.options_size = sizeof(struct opts),
	.args_min = 1,
	.args_max = 1,
	.run = fake_run};
static const struct command *const subs[] = {&sub, NULL};
static const struct command group = {.name = "key", .summary = "Keys", .subs = subs};
static const struct command *const commands[] = {&group, NULL};

static int program(const char *const *list)
{
	int n = 0;

	while (list[n] != NULL)
		n++;
	return program_run(&(const struct program){.commands = commands}, n, (char *const *)list);
}

#define PROGRAM(...) program((const char *const[]){__VA_ARGS__, NULL})

static void test_program(void **state)
{
	assert_int_equal(PROGRAM("-q", "key", "rotate", "-j", "3", "pii"), 0);
	assert_int_equal(ran_with, 3);
	assert_string_equal(ran_arg, "pii");
	assert_int_equal(PROGRAM("key", "rotate", "pii", "-e"), 1);
	assert_int_equal(PROGRAM("key", "rotate", "pii", "-J"), 65);
	assert_int_equal(PROGRAM("key", "rotate"), 64);
	assert_int_equal(PROGRAM("key", "rotate", "a", "b"), 64);
	assert_int_equal(PROGRAM("key", "rot"), 64);
	assert_int_equal(PROGRAM("key"), 64);
	assert_int_equal(PROGRAM("kye"), 64);
	assert_int_equal(PROGRAM("--nothing"), 64);
}

static void test_exit_codes(void **state)
{
	static const struct {
		enum seal_status status;
		enum seal_code code;
		int exit;
	} table[] = {
		{SEAL_OK, SEAL_E_NONE, 0},
		{SEAL_USAGE, SEAL_E_USAGE, 64},
		{SEAL_DATA, SEAL_E_TAMPERED, 65},
		{SEAL_DATA, SEAL_E_KEY_VERSION, 65},
		{SEAL_USAGE, SEAL_E_NO_INPUT, 66},
		{SEAL_RETRY, SEAL_E_SERVICE, 69},
		{SEAL_USAGE, SEAL_E_SERVICE, 78},
		{SEAL_FATAL, SEAL_E_INTERNAL, 70},
		{SEAL_FATAL, SEAL_E_MEMORY, 70},
		{SEAL_FATAL, SEAL_E_CREATE, 73},
		{SEAL_FATAL, SEAL_E_IO, 74},
		{SEAL_RETRY, SEAL_E_BUSY, 75},
		{SEAL_RETRY, SEAL_E_TIMEOUT, 75},
		{SEAL_DENIED, SEAL_E_DENIED, 77},
		{SEAL_DENIED, SEAL_E_MASTER, 77},
		{SEAL_USAGE, SEAL_E_CONFIG, 78},
		{SEAL_USAGE, SEAL_E_KEY_UNKNOWN, 78},
		{SEAL_FATAL, SEAL_E_PIPE, 141},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct seal_err err = {.status = table[i].status, .code = table[i].code};

		assert_int_equal(exit_code_of(&err), table[i].exit);
	}
}

static void json_is(const char *text, size_t len, const char *expected)
{
	char *made = NULL;
	size_t made_len;
	FILE *to = open_memstream(&made, &made_len);

	output_json_string(to, bytes_of(text, len));
	fclose(to);
	assert_string_equal(made, expected);
	free(made);
}

static void test_json_strings(void **state)
{
	json_is("", 0, "\"\"");
	json_is("a\"b\\c\n\0\x7f", 8, "\"a\\\"b\\\\c\\u000a\\u0000\\u007f\"");
	json_is("\xc3\xa9\xff\xc3", 4, "\"\xc3\xa9\\ufffd\\ufffd\"");
}

static void test_help_layout(void **state)
{
	static const char start[] = "Usage: sealstream key rotate [OPTION]... NAME\n"
				    "\n"
				    "Make a new version\n"
				    "\n"
				    "One.\n"
				    "\n"
				    "Two words and so many more of them that this paragraph goes on, and on, until\n"
				    "the line is full.\n"
				    "\n"
				    "Options:\n"
				    "  -b, --brokers, --bootstrap-server HOSTS\n"
				    "                              hosts (environment: T_BROKERS)\n"
				    "  -j, --threads N             how many (default: 2; environment: T_THREADS)\n"
				    "  -J, --json                  json (environment: T_JSON)\n"
				    "  -e, --end                   end\n"
				    "  -X, --property K=V          prop (may be repeated; environment: T_PROP)\n"
				    "      --mode slow|fast        mode (default: fast)\n"
				    "\n"
				    "Options of every command:\n";
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	help_command(to, &sub, "key rotate", &(struct platform){.scheme = NULL});
	fclose(to);
	assert_memory_equal(text, start, sizeof(start) - 1);
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\n") <= 80);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_spellings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cluster_ends_with_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
		cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_required, setup, teardown),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_help_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
