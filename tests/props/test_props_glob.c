/* glob: on random globs and names, the same answers as the C library's fnmatch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fnmatch.h>

#include "policy/pattern.h"
#include "prop.h"

#define CASES 300000

static void fill(struct prop_random *r, char *text, uint32_t max, const char *letters)
{
	uint32_t len = prop_below(r, max);

	for (uint32_t i = 0; i < len; i++)
		text[i] = letters[prop_below(r, (uint32_t)strlen(letters))];
	text[len] = '\0';
}

/* Backslashes stay out: fnmatch takes them as escapes inside of sets, too. */
static void as_fnmatch(void **state)
{
	struct prop_random r = prop_seed(6);
	size_t matched = 0, tried = 0;

	for (int i = 0; i < CASES; i++) {
		char glob[14], name[10];
		const char *why;
		bool match;

		fill(&r, glob, sizeof(glob), "aab**??[]!-b^");
		fill(&r, name, sizeof(name), "aaabb]-");
		if (!glob_check(bytes_str(glob), &why))
			continue;
		tried++;
		match = fnmatch(glob, name, 0) == 0;
		matched += match;
		if (glob_match(bytes_str(glob), bytes_str(name)) != match)
			fail_msg("\"%s\" on \"%s\": fnmatch says %d", glob, name, match);
	}
	assert_true(tried > CASES / 4);
	assert_true(matched > tried / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_fnmatch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
