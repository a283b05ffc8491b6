/* aws/xml: is what AWS's services send read, and everything else refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "aws/xml.h"

static char seen[1000];

static enum seal_status note(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%s=%.*s;", path, BYTES_FMT(text));
	return strcmp(path, "stop") == 0 ? err_set(err, SEAL_DENIED, SEAL_E_DENIED, "stopped") : SEAL_OK;
}

static enum seal_status read_it(const char *doc)
{
	struct seal_err err = SEAL_ERR_INIT;

	seen[0] = '\0';
	return aws_xml_read(bytes_str(doc), note, NULL, &err);
}

static void elements(void **state)
{
	(void)state;
	assert_int_equal(read_it("<?xml version='1.0'?>\n<a x='1'> <b>1 &lt; 2<!-- c "
				 "--></b>\n<c/><b><![CDATA[<&>]]>&#233;</b></a>\n"),
			 SEAL_OK);
	assert_string_equal(seen, "a/b=1 < 2;a/c=;a/b=<&>\xc3\xa9;a=;");
}

static void refused(void **state)
{
	static const char deep[] =
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>"
		"</a></a></a></a></a></a></a></a>";
	static const char *const docs[] = {"",
					   "text",
					   "<a>",
					   "<a></b>",
					   "<a/><b/>",
					   "{\"a\":1}",
					   "<a>&unknown;</a>",
					   "<a>\xff</a>",
					   "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
					   "<!DOCTYPE html><html></html>",
					   deep};

	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		if (read_it(docs[i]) != SEAL_DATA)
			fail_msg("%s", docs[i]);
	assert_int_equal(read_it("<stop>x</stop>"), SEAL_DENIED);
}

static void tails(void **state)
{
	(void)state;
	assert_true(aws_xml_ends("a/b/Code", "b/Code"));
	assert_true(aws_xml_ends("Code", "Code"));
	assert_false(aws_xml_ends("a/myCode", "Code"));
	assert_false(aws_xml_ends("Code", "a/Code"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(elements), cmocka_unit_test(refused),
					   cmocka_unit_test(tails)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
