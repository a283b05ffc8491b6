/* files/names.h: whatever bytes come as a name, what goes to a directory is one harmless component of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "files/names.h"

static void safe_of(struct seal_bytes name, struct seal_buf *out, bool *changed)
{
	struct seal_err err = SEAL_ERR_INIT;

	buf_reset(out);
	assert_int_equal(file_name_safe(name, out, changed, &err), SEAL_OK);
}

static void expect(struct seal_bytes name, const char *want)
{
	struct seal_buf out = BUF_INIT(1024);
	bool changed;

	safe_of(name, &out, &changed);
	if (!bytes_eq_str(buf_bytes(&out), want))
		fail_msg("\"%.*s\" became \"%.*s\", not \"%s\"", BYTES_FMT(name), BYTES_FMT(out), want);
	assert_int_equal(changed, !bytes_eq_str(name, want));
	buf_clear(&out);
}

static void names_of_attackers(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{"../x", "x"},
		{"a/b", "b"},
		{"a\\b", "b"},
		{"a/b/", "b"},
		{"/", "file"},
		{"", "file"},
		{".", "file"},
		{"..", "file"},
		{"...", "file"},
		{"../..", "file"},
		{"/etc/passwd", "passwd"},
		{"C:\\Windows\\win.ini", "win.ini"},
		{".ssh", "ssh"},
		{".sealstream", "sealstream"},
		{"-rf", "rf"},
		{"--", "file"},
		{" .- x", "x"},
		{"CON", "_CON"},
		{"con", "_con"},
		{"nul.txt", "_nul.txt"},
		{"Aux.tar.gz", "_Aux.tar.gz"},
		{"com1", "_com1"},
		{"LPT9 .log", "_LPT9 .log"},
		{"COM\xc2\xb9", "_COM\xc2\xb9"},
		{"conin$", "_conin$"},
		{".con", "_con"},
		{"name. . ", "name"},
		{"a\nb\x1b[31m\x7f", "a_b_[31m_"},
		{"a\xc2\x85z", "a_z"}, /* a control of C1 */
		{"invoice\xe2\x80\xaegpj.exe", "invoice_gpj.exe"}, /* right-to-left override */
		{"a\xe2\x81\xa6z", "a_z"},
		{"a\xd8\x9cz", "a_z"},
		{"a\xe2\x80\x8ez", "a_z"},
		{"a\xe2\x80\xa8z", "a_z"},
		{"\xef\xbb\xbf"
		 "bom",
		 "_bom"},
		{"bad\xff\xc0\xaf.txt", "bad___.txt"},
		{"cut\xe2\x82", "cut__"},
		{"surrogate\xed\xa0\x80", "surrogate___"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(bytes_str(cases[i].name), cases[i].want);
	expect(bytes_of("a\0b", 3), "a_b");
	expect(bytes_of("\0", 1), "_");
}

static void names_of_people_stay(void **state)
{
	static const char *const names[] = {
		"report.csv", "a b.txt",   "Rechnung März.pdf",	  "日本語.txt", "CONSOLE",
		"COM",	      "com10",	   "archive.tar.gz",	  "x~",		"a..b",
		"(1).txt",    "12:30.log", "\xf0\x9f\x93\x84.md", "NULL.txt",	"_con",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect(bytes_str(names[i]), names[i]);
}

static void long_names_are_cut(void **state)
{
	struct seal_buf out = BUF_INIT(1024);
	char name[600], want[300];
	bool changed;

	memset(name, 'a', sizeof(name));
	memset(want, 'a', sizeof(want));
	want[255] = '\0';
	safe_of(bytes_of(name, 255), &out, &changed);
	assert_false(changed);
	assert_int_equal(out.len, 255);
	expect(bytes_of(name, 256), want);
	memcpy(name + 296, ".csv", 4);
	memcpy(want + 251, ".csv", 5);
	expect(bytes_of(name, 300), want);
	/* "é" has two bytes; 251 is odd, so one more byte has to go. */
	for (int i = 0; i < 300; i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	memcpy(name + 300, ".csv", 4);
	safe_of(bytes_of(name, 304), &out, &changed);
	assert_int_equal(out.len, 254);
	assert_true(utf8_valid(buf_bytes(&out)));
	assert_memory_equal(out.ptr + 250, ".csv", 4);
	/* A device's name with a suffix of its own length. */
	memset(name, 'b', sizeof(name));
	memcpy(name, "con.", 4);
	safe_of(bytes_of(name, 255), &out, &changed);
	assert_true(changed && out.len == 255);
	assert_memory_equal(out.ptr, "_con.b", 6);
	/* The cut may uncover a dot or a space. */
	memset(name, 'c', sizeof(name));
	memset(name + 250, ' ', 6);
	safe_of(bytes_of(name, 400), &out, &changed);
	assert_int_equal(out.len, 250);
	buf_clear(&out);
}

static void numbers_go_before_the_suffix(void **state)
{
	static const struct {
		const char *name;
		unsigned n;
		const char *want;
	} cases[] = {
		{"report.csv", 2, "report-2.csv"},
		{"README", 17, "README-17"},
		{"a.tar.gz", 3, "a.tar-3.gz"},
		{"_con.txt", 4294967295u, "_con-4294967295.txt"},
	};
	struct seal_buf out = BUF_INIT(1024);
	struct seal_err err = SEAL_ERR_INIT;
	char name[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		assert_int_equal(file_name_numbered(bytes_str(cases[i].name), cases[i].n, &out, &err), SEAL_OK);
		assert_true(bytes_eq_str(buf_bytes(&out), cases[i].want));
	}
	memset(name, 'x', sizeof(name));
	memcpy(name + 251, ".txt", 4);
	buf_reset(&out);
	assert_int_equal(file_name_numbered(bytes_of(name, 255), 1000, &out, &err), SEAL_OK);
	assert_int_equal(out.len, 255);
	assert_memory_equal(out.ptr + 246, "-1000.txt", 9);
	buf_clear(&out);
}

/* Short names of the bytes that matter: all of them keep the promise of the header, and are left alone the second time. */
static void every_short_name_is_safe(void **state)
{
	static const char alphabet[] = "/\\.- \0\x1f\xe2\x80\xae\xffnCu1";
	const unsigned n = sizeof(alphabet) - 1;
	struct seal_buf out = BUF_INIT(64), again = BUF_INIT(64);

	for (unsigned i = 0; i < n * n * n * n; i++) {
		const char name[4] = {alphabet[i % n], alphabet[i / n % n], alphabet[i / n / n % n],
				      alphabet[i / n / n / n]};
		bool changed;

		safe_of(bytes_of(name, 4), &out, &changed);
		assert_true(out.len > 0 && out.len <= FILE_LOCAL_NAME_MAX && utf8_valid(buf_bytes(&out)));
		assert_null(memchr(out.ptr, '/', out.len));
		assert_null(memchr(out.ptr, '\\', out.len));
		assert_null(memchr(out.ptr, 0, out.len));
		assert_null(memchr(". -", out.ptr[0], 3));
		assert_null(memchr(". ", out.ptr[out.len - 1], 2));
		safe_of(buf_bytes(&out), &again, &changed);
		assert_false(changed);
		assert_true(bytes_eq(buf_bytes(&out), buf_bytes(&again)));
	}
	buf_clear(&out);
	buf_clear(&again);
}

static void a_full_buffer_is_an_error(void **state)
{
	struct seal_buf out = BUF_INIT(8);
	struct seal_err err = SEAL_ERR_INIT;
	bool changed;

	assert_int_equal(buf_append_str(&out, "dir/", &err), SEAL_OK);
	assert_int_equal(file_name_safe(BYTES_LIT("report.csv"), &out, &changed, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(out.len, 4);
	buf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_attackers),	    cmocka_unit_test(names_of_people_stay),
		cmocka_unit_test(long_names_are_cut),	    cmocka_unit_test(numbers_go_before_the_suffix),
		cmocka_unit_test(every_short_name_is_safe), cmocka_unit_test(a_full_buffer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
