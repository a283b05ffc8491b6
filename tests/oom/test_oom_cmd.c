/* cmd: a command line for which there is no memory is refused, whichever allocation fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/parse.h"
#include "oom.h"

struct opts {
	const char *name;
	struct opt_list *list;
};

static const struct opt_row rows[] = {
	{.name = "name",
	 .help = "n",
	 .def = "d",
	 .env = "N",
	 .type = OPT_STRING,
	 .offset = offsetof(struct opts, name)},
	{.name = "list", .letter = 'X', .help = "l", .type = OPT_LIST, .offset = offsetof(struct opts, list)},
	OPT_END};

static const char *env(const char *name)
{
	return "from the environment";
}

static enum seal_status parse_all(void *arg, struct seal_err *err)
{
	static char long_word[300000];
	char *argv[] = {"-X", "a", "file", "--list", long_word, "--", "b"};
	struct opts opts = {NULL, NULL};
	struct arena arena;
	struct parse parse = {.sets[0] = {.rows = rows, .options = &opts}, .env = env, .arena = &arena};
	enum seal_status rc;

	memset(long_word, 'x', sizeof(long_word) - 1);
	arena_init(&arena, 0);
	SEAL_TRY(parse_words(&parse, sizeof(argv) / sizeof(argv[0]), argv, err));
	SEAL_TRY(parse_environment(&parse, err));
	assert_int_equal(parse.n_args, 2);
	assert_string_equal(opts.name, "from the environment");
	assert_non_null(opts.list->next);
out:
	arena_clear(&arena);
	return rc;
}

static void parses(void **state)
{
	assert_true(oom_each(parse_all, NULL) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
