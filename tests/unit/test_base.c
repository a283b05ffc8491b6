/* base: encodings, buffers, arenas, secrets, options keep their headers' promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ckd.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/secret.h"
#include "base/utf8.h"

/* RFC 4648 §10 */
static void base64_vectors(void **state)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[32];
		uint8_t raw[32];
		size_t n = base64_encode(bytes_str(pairs[i][0]), text), back;

		assert_int_equal(n, strlen(pairs[i][1]));
		assert_memory_equal(text, pairs[i][1], n);
		assert_true(base64_decode(bytes_of(text, n), raw, &back));
		assert_true(bytes_eq_str(bytes_of(raw, back), pairs[i][0]));
	}
}

/* Sixty bytes that hold each value of six bits, the first sixteen of them twice, with nothing behind them. */
static void base64_alphabets(void **state)
{
	static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint8_t *raw = mem_alloc(60);
	char text[BASE64_LEN(60)];

	assert_non_null(raw);
	for (unsigned i = 0; i < 20; i++) {
		const unsigned first = 4 * i % 64,
			       v = first << 18 | (first + 1) << 12 | (first + 2) << 6 | (first + 3);

		raw[3 * i] = (uint8_t)(v >> 16);
		raw[3 * i + 1] = (uint8_t)(v >> 8);
		raw[3 * i + 2] = (uint8_t)v;
	}
	assert_int_equal(base64_encode(bytes_of(raw, 60), text), 80);
	assert_memory_equal(text, common, 62);
	assert_memory_equal(text + 62, "+/", 2);
	assert_memory_equal(text + 64, common, 16);
	assert_int_equal(base64url_encode(bytes_of(raw, 60), text), 80);
	assert_memory_equal(text, common, 62);
	assert_memory_equal(text + 62, "-_", 2);
	assert_memory_equal(text + 64, common, 16);
	mem_free(raw);
}

static void base64_refuses(void **state)
{
	static const char *const bad[] = {"Zg",	  "Zg=",    "Zh==",	"Zm9=", "Zm9v=", "====", "Z===",
					  "Zm 9", "Zm9v\n", "Zg==Zg==", "Zm9-", "=",	 "Zm=v"};
	uint8_t raw[32];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64_decode(bytes_str(bad[i]), raw, &n));
	assert_false(base64url_decode(bytes_str("Zg=="), raw, &n));
	assert_false(base64url_decode(bytes_str("Zm9+"), raw, &n));
	assert_true(base64url_decode(bytes_str("-_-_"), raw, &n));
}

/* At each place of a text that is long enough for the wide way: every byte that is none of the alphabet is refused, others are not. */
static void base64_refuses_anywhere(void **state)
{
	char text[64];
	uint8_t raw[BASE64_RAW_MAX(64)];
	size_t n;

	for (size_t at = 0; at < sizeof(text); at++) {
		for (int byte = 0; byte < 256; byte++) {
			const bool letter = byte < 128 && isalnum(byte);

			memset(text, 'A', sizeof(text));
			text[at] = (char)byte;
			assert_int_equal(base64_decode(bytes_of(text, sizeof(text)), raw, &n),
					 letter || byte == '+' || byte == '/' || (byte == '=' && at == 63));
			assert_int_equal(base64url_decode(bytes_of(text, sizeof(text)), raw, &n),
					 letter || byte == '-' || byte == '_');
		}
	}
}

/* Each length into memory of just that length, and in place. */
static void base64_needs_no_room(void **state)
{
	uint8_t raw[150], place[BASE64_LEN(150)];
	size_t n, m;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 37);
	for (size_t len = 0; len <= sizeof(raw); len++) {
		uint8_t *just = mem_alloc(len);

		n = base64_encode(bytes_of(raw, len), (char *)place);
		assert_true(base64_decode(bytes_of(place, n), just, &m));
		assert_true(m == len && memcmp(just, raw, len) == 0);
		assert_true(base64_decode(bytes_of(place, n), place, &m));
		assert_true(m == len && memcmp(place, raw, len) == 0);
		mem_free(just);
	}
}

static void base64_round_trip(void **state)
{
	uint8_t raw[256], back[BASE64_RAW_MAX(BASE64_LEN(256))];
	char text[BASE64_LEN(256)];

	for (size_t len = 0; len <= sizeof(raw); len++) {
		size_t n, m;

		for (size_t i = 0; i < len; i++)
			raw[i] = (uint8_t)(i * 37 + len);
		n = base64_encode(bytes_of(raw, len), text);
		assert_int_equal(n, BASE64_LEN(len));
		assert_true(base64_decode(bytes_of(text, n), back, &m));
		assert_true(bytes_eq(bytes_of(raw, len), bytes_of(back, m)));
		n = base64url_encode(bytes_of(raw, len), text);
		assert_true(base64url_decode(bytes_of(text, n), back, &m));
		assert_true(bytes_eq(bytes_of(raw, len), bytes_of(back, m)));
	}
}

static void hex_both_ways(void **state)
{
	uint8_t raw[4];
	char text[8];

	assert_true(hex_decode(bytes_str("00fFa5"), raw));
	assert_memory_equal(raw, "\x00\xff\xa5", 3);
	hex_encode(bytes_of(raw, 3), text);
	assert_memory_equal(text, "00ffa5", 6);
	assert_false(hex_decode(bytes_str("0"), raw));
	assert_false(hex_decode(bytes_str("0g"), raw));
}

static void utf8_table(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {{"", true},
		    {"plain ascii text", true},
		    {"\xc3\xa9", true},
		    {"\xe2\x82\xac", true},
		    {"\xf0\x9f\x98\x80", true},
		    {"\xf4\x8f\xbf\xbf", true},
		    {"\xc0\x80", false},
		    {"\xc1\xbf", false},
		    {"\xe0\x9f\xbf", false},
		    {"\xed\xa0\x80", false},
		    {"\xed\xbf\xbf", false},
		    {"\xf0\x8f\xbf\xbf", false},
		    {"\xf4\x90\x80\x80", false},
		    {"\xf5\x80\x80\x80", false},
		    {"\x80", false},
		    {"\xc3", false},
		    {"\xe2\x82", false},
		    {"12345678\xff", false},
		    {"\xc3\x28", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_valid(bytes_str(rows[i].text)), rows[i].valid);
	for (uint32_t cp = 1; cp <= 0x10ffff; cp += 257) {
		uint8_t raw[4];
		size_t at = 0, n;
		uint32_t back;

		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		n = utf8_put(cp, raw);
		assert_true(utf8_next(bytes_of(raw, n), &at, &back));
		assert_int_equal(at, n);
		assert_int_equal(back, cp);
	}
}

static void buffers_are_bounded(void **state)
{
	struct seal_buf b = BUF_INIT(300);
	struct seal_err err = SEAL_ERR_INIT;

	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_append_str(&b, "abc", &err), SEAL_OK);
	assert_int_equal(b.len, 300);
	assert_int_equal(buf_append_u8(&b, 1, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(b.len, 300);
	buf_reset(&b);
	assert_int_equal(buf_append_lp32(&b, BYTES_LIT("xy"), NULL), SEAL_OK);
	assert_memory_equal(b.ptr, "\0\0\0\2xy", 6);
	assert_int_equal(buf_printf(&b, NULL, "%d-%s", 7, "z"), SEAL_OK);
	assert_memory_equal(b.ptr + 6, "7-z", 3);
	buf_clear(&b);
	assert_null(b.ptr);
}

static void cursors_never_pass_the_end(void **state)
{
	static const uint8_t raw[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 9, 'x'};
	struct cursor c = {bytes_of(raw, sizeof(raw))};
	struct seal_bytes part;
	uint64_t v64;
	uint8_t v8;

	assert_true(cursor_lp32(&c, 10, &part));
	assert_true(bytes_eq_str(part, "ab"));
	assert_false(cursor_lp32(&c, 10, &part));
	assert_int_equal(c.rest.len, 5);
	assert_false(cursor_be64(&c, &v64));
	assert_true(cursor_take(&c, 4, &part));
	assert_true(cursor_u8(&c, &v8));
	assert_false(cursor_u8(&c, &v8));
	assert_int_equal(v8, 'x');
}

static void numbers_are_strict(void **state)
{
	uint64_t v;

	assert_true(bytes_to_u64(bytes_str("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_false(bytes_to_u64(bytes_str("18446744073709551616"), UINT64_MAX, &v));
	assert_false(bytes_to_u64(bytes_str("01"), UINT64_MAX, &v));
	assert_false(bytes_to_u64(bytes_str("+1"), UINT64_MAX, &v));
	assert_false(bytes_to_u64(bytes_str(""), UINT64_MAX, &v));
	assert_false(bytes_to_u64(bytes_str("11"), 10, &v));
}

static void dates_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_ms;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-22T04:37:57.917388927Z", 1795322277917},
		{"2026-11-22T04:37:57.9Z", 1795322277900},
		{"2026-11-22T05:37:57.91+01:00", 1795322277910},
		{"2026-11-21T23:07:57-05:30", 1795322277000},
		{"2024-02-29T23:59:60Z", 1709251200000},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
	};
	static const char *const bad[] = {"",
					  "2026-11-22",
					  "2026-11-22T04:37:57",
					  "2026-11-22 04:37:57Z",
					  "2026-11-22t04:37:57Z",
					  "2026-11-22T04:37:57z",
					  "1969-12-31T23:59:59Z",
					  "1970-01-01T00:00:00+01:00",
					  "2026-13-22T04:37:57Z",
					  "2026-00-22T04:37:57Z",
					  "2026-11-32T04:37:57Z",
					  "2026-11-22T24:37:57Z",
					  "2026-11-22T04:60:57Z",
					  "2026-11-22T04:37:61Z",
					  "2026-11-22T04:37:57.Z",
					  "2026-11-22T04:37:57Zx",
					  "2026-11-22T04:37:57+0100",
					  "2026-11-22T04:37:57+01:00x",
					  "2026-11-22T04:37:+7Z"};
	int64_t ms;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(clock_of_rfc3339(bytes_str(good[i].text), &ms));
		assert_true(ms == good[i].unix_ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (clock_of_rfc3339(bytes_str(bad[i]), &ms))
			fail_msg("taken: %s", bad[i]);
}

static void arena_reuses_and_wipes(void **state)
{
	struct arena a;
	uint8_t *p;
	size_t held;

	arena_init(&a, 1 << 20);
	p = arena_alloc(&a, 100, 16);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 16, 0);
	memset(p, 0xaa, 100);
	for (int i = 0; i < 1000; i++)
		assert_non_null(arena_alloc(&a, 333, 8));
	held = arena_held(&a);
	arena_reset(&a);
	for (int i = 0; i < 1000; i++) {
		uint8_t *q = arena_alloc(&a, 333, 8);

		assert_non_null(q);
		assert_int_equal(q[0], i == -1);
	}
	assert_int_equal(arena_held(&a), held);
	p = arena_alloc(&a, 8 << 20, 64);
	assert_non_null(p);
	assert_true(arena_owns(&a, p) && arena_owns(&a, p + (8 << 20) - 1));
	assert_false(arena_owns(&a, &a) || arena_owns(&a, NULL));
	arena_reset(&a);
	assert_true(arena_held(&a) <= 1 << 20);
	assert_null(arena_alloc(&a, SIZE_MAX - 10, 8));
	arena_clear(&a);
	assert_int_equal(arena_held(&a), 0);
}

static void secrets(void **state)
{
	struct secret s = SECRET_INIT;

	assert_int_equal(secret_copy(&s, BYTES_LIT("0123456789abcdef"), NULL), SEAL_OK);
	assert_true(ct_equal(s.ptr, "0123456789abcdef", 16));
	assert_false(ct_equal(s.ptr, "0123456789abcdeF", 16));
	assert_true(ct_equal("", "", 0));
	secret_clear(&s);
	assert_null(s.ptr);
	secret_clear(&s);
}

/* munmap as secret.c sees it (linked with --wrap): the pages of `watched` must be empty when they go. */
static const uint8_t *watched;
static size_t watched_len;
static bool went, went_wiped;

int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);

int __wrap_munmap(void *at, size_t len)
{
	if (watched != NULL && at == watched) {
		went = went_wiped = true;
		for (size_t i = 0; i < watched_len; i++)
			went_wiped &= watched[i] == 0;
		watched = NULL;
	}
	return __real_munmap(at, len);
}

static void secrets_are_wiped(void **state)
{
	struct secret s = SECRET_INIT;

	assert_int_equal(secret_copy(&s, BYTES_LIT("0123456789abcdef"), NULL), SEAL_OK);
	watched = s.ptr;
	watched_len = s.len;
	secret_clear(&s);
	assert_true(went);
	assert_true(went_wiped);
}

/* True when the line "VmFlags:" of the mapping at `at` has the two letters `flag` (proc(5)). */
static bool mapping_has(const void *at, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool here = false, has = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= (uintptr_t)at && (uintptr_t)at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line + 8, flag) != NULL;
	}
	fclose(maps);
	return has;
}

/* Sanitizers make mlock do nothing and succeed. */
static bool mlock_works(void)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works;

	assert_ptr_not_equal(page, MAP_FAILED);
	works = mlock(page, size) != 0 || mapping_has(page, " lo");
	munmap(page, size);
	return works;
}

static void secrets_are_locked_and_not_dumped(void **state)
{
	struct secret s = SECRET_INIT;

	assert_int_equal(secret_alloc(&s, 32, NULL), SEAL_OK);
	assert_true(mapping_has(s.ptr, " dd"));
	assert_false(mapping_has(&s, " dd"));
	/* Either it is locked, or we are told that it is not; under a sanitizer nothing ever is. */
	if (mlock_works())
		assert_int_equal(mapping_has(s.ptr, " lo"), secret_all_locked());
	secret_clear(&s);
}

/* In a child: the limits of this process are wanted by others. */
static void processes_are_hardened(void **state)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit core;

		secret_harden_process();
		_exit(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 &&
				      prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The steps of file_replace_at that a power failure could tell apart (linked with --wrap). */
static char steps[8];

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);

static void note_step(char step)
{
	const size_t n = strlen(steps);

	if (n + 1 < sizeof(steps))
		steps[n] = step;
}

int __wrap_fsync(int fd)
{
	struct stat st;

	note_step(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'd' : st.st_size == 3 ? 'f' : '?');
	return __real_fsync(fd);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	note_step('r');
	return __real_renameat(from_dir, from, to_dir, to);
}

/* The whole content is on the disk before it takes the name, and the name before the call returns. */
static void files_are_replaced_durably(void **state)
{
	char path[] = "/tmp/sealbaseXXXXXX";
	int dir;

	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(file_replace_at(dir, "x", BYTES_LIT("abc"), 0600, "x", NULL), SEAL_OK);
	assert_string_equal(steps, "frd");
	assert_int_equal(unlinkat(dir, "x", 0), 0);
	close(dir);
	assert_int_equal(rmdir(path), 0);
}

/* In a container a program has the same number each time: what it left when it was killed must not stop the next one. */
static void leftovers_are_passed_by(void **state)
{
	char path[] = "/tmp/sealbaseXXXXXX", name[FILE_TEMPORARY_MAX];
	int dir, fd;

	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), ".x.%ld.%u.tmp", (long)getpid(), i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(file_replace_at(dir, "x", BYTES_LIT("abc"), 0600, "x", NULL), SEAL_OK);
	assert_int_equal(unlinkat(dir, "x", 0), 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), ".x.%ld.%u.tmp", (long)getpid(), i);
		assert_int_equal(unlinkat(dir, name, 0), 0);
	}
	close(dir);
	assert_int_equal(rmdir(path), 0);
}

static bool refuse(void *arg, size_t size)
{
	return false;
}

static void allocation_can_fail(void **state)
{
	struct seal_buf b = BUF_INIT(100);
	struct seal_err err = SEAL_ERR_INIT;
	struct secret s = SECRET_INIT;
	struct arena a;
	size_t product;

	arena_init(&a, 0);
	mem_set_hook(refuse, NULL);
	assert_null(mem_alloc(1));
	assert_int_equal(buf_append_u8(&b, 1, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_MEMORY);
	assert_null(arena_alloc(&a, 1, 1));
	assert_int_equal(secret_alloc(&s, 1, NULL), SEAL_FATAL);
	mem_set_hook(NULL, NULL);
	assert_null(mem_calloc(SIZE_MAX, 2));
	assert_true(ckd_mul(&product, SIZE_MAX, (size_t)2));
}

static void errors_keep_the_first(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(err_set(&err, SEAL_DATA, SEAL_E_TYPE, "first"), SEAL_DATA);
	assert_int_equal(err_set(&err, SEAL_FATAL, SEAL_E_IO, "second"), SEAL_FATAL);
	err_prefix(&err, "outer");
	err_place(&err, "%s:%d", "file", 3);
	err_place(&err, "elsewhere");
	assert_string_equal(err.text, "outer: first");
	assert_string_equal(err.place, "file:3");
	assert_int_equal(err.code, SEAL_E_TYPE);
	assert_string_equal(seal_code_name(err.code), "type");
	assert_int_equal(err_set(NULL, SEAL_RETRY, SEAL_E_BUSY, "x"), SEAL_RETRY);
}

struct sample_options {
	bool flag;
	int64_t count, size, wait;
	const char *text;
	struct seal_bytes hex;
	int choice;
	struct opt_list *list;
};

#define AT(member) .offset = offsetof(struct sample_options, member)
static const struct opt_row sample_rows[] = {
	{.name = "flag", .type = OPT_FLAG, AT(flag), .letter = 'f'},
	{.name = "count", .type = OPT_INT, AT(count), .def = "3", .min = -5, .max = 10},
	{.name = "size", .type = OPT_SIZE, AT(size), .def = "16MiB"},
	{.name = "wait", .type = OPT_DURATION, AT(wait), .def = "5m"},
	{.name = "text", .type = OPT_STRING, AT(text), .def = "hello"},
	{.name = "hex", .type = OPT_HEX, AT(hex)},
	{.name = "choice", .type = OPT_CHOICE, AT(choice), .choices = "red|green|blue", .def = "green"},
	{.name = "list", .type = OPT_LIST, AT(list)},
	OPT_END,
};

static enum seal_status set(struct sample_options *o, struct arena *a, const char *name, const char *value)
{
	struct seal_err err = SEAL_ERR_INIT;

	return opt_set(opt_find(sample_rows, bytes_str(name)), o, bytes_str(value), a, &err);
}

static void option_values(void **state)
{
	struct sample_options o = {0};
	struct arena a;

	arena_init(&a, 0);
	assert_int_equal(opt_defaults(sample_rows, &o, &a, NULL), SEAL_OK);
	assert_int_equal(o.count, 3);
	assert_int_equal(o.size, 16 << 20);
	assert_int_equal(o.wait, 300000);
	assert_string_equal(o.text, "hello");
	assert_int_equal(o.choice, 1);
	assert_int_equal(set(&o, &a, "flag", "true"), SEAL_OK);
	assert_true(o.flag);
	assert_int_equal(set(&o, &a, "flag", "yes"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "count", "-5"), SEAL_OK);
	assert_int_equal(set(&o, &a, "count", "11"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "size", "9223372036854775807GiB"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "wait", "10"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "hex", "00ff"), SEAL_OK);
	assert_int_equal(o.hex.len, 2);
	assert_int_equal(set(&o, &a, "hex", "0"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "choice", "blue"), SEAL_OK);
	assert_int_equal(o.choice, 2);
	assert_int_equal(set(&o, &a, "choice", "gree"), SEAL_USAGE);
	assert_int_equal(set(&o, &a, "list", "one"), SEAL_OK);
	assert_int_equal(set(&o, &a, "list", "two"), SEAL_OK);
	assert_string_equal(o.list->next->text, "two");
	assert_string_equal(opt_nearest(sample_rows, bytes_str("cuont")), "count");
	assert_null(opt_nearest(sample_rows, bytes_str("entirely")));
	assert_ptr_equal(opt_find_letter(sample_rows, 'f'), sample_rows);
	arena_clear(&a);
}

/* What log_err writes for a place that came from a record, without its end. */
static const char *logged(enum log_format format, const char *place)
{
	static char line[2500];
	struct seal_err err = SEAL_ERR_INIT;
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	(void)err_set(&err, SEAL_DATA, SEAL_E_SYNTAX, "text");
	err_place(&err, "%s", place);
	dup2(ends[1], STDERR_FILENO);
	log_setup(LOG_INFO, format);
	log_err(LOG_ERROR, &err);
	log_setup(LOG_INFO, LOG_TEXT);
	dup2(saved, STDERR_FILENO);
	n = read(ends[0], line, sizeof(line) - 1);
	close(ends[0]);
	close(ends[1]);
	close(saved);
	assert_true(n > 0 && line[n - 1] == '\n');
	line[n - 1] = '\0';
	return line;
}

static void log_lines_steer_nothing(void **state)
{
	static const char *const rows[][2] = {
		{"plain \xc3\xa9 \xf0\x9f\x98\x80 \xc2\xa0", "plain \xc3\xa9 \xf0\x9f\x98\x80 \xc2\xa0"},
		{"a\nb\x1b[31m\x7f", "a?b?[31m?"},
		{"\xc2\x9b"
		 "31m \xc2\x85 \xc2\x80",
		 "??31m ?? ??"}, /* CSI, NEL */
		{"\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xae \xe2\x81\xa6", "??? ??? ??? ???"},
		{"\xe2\x80\xa7 \xe2\x80\xaf \xe2\x81\xaa", "\xe2\x80\xa7 \xe2\x80\xaf \xe2\x81\xaa"},
		{"cut \xf0\x9f\x98", "cut ???"},
	};
	char want[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(want, sizeof(want), "sealstream: error: %s: text", rows[i][1]);
		assert_string_equal(logged(LOG_TEXT, rows[i][0]), want);
		assert_null(strchr(logged(LOG_JSON, rows[i][0]), '\n'));
	}
	assert_non_null(strstr(logged(LOG_JSON, rows[2][0]), "\"place\":\"??31m ?? ??\""));
	assert_non_null(strstr(logged(LOG_JSON, rows[5][0]), "\"place\":\"cut ???\""));
}

/* base64_is_canonical takes what base64_decode takes, of any length and piece by piece. */
static void base64_checked(void **state)
{
	uint8_t raw[800], decoded[BASE64_RAW_MAX(1100)];
	char text[1100];
	size_t len, said;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 31 + 7);
	for (size_t n = 0; n < sizeof(raw); n++) {
		const size_t size = base64_encode(bytes_of(raw, n), text);

		assert_true(base64_is_canonical(bytes_of(text, size), &said) && said == n);
		for (size_t at = n % 5; at < size; at += 37) {
			const char was = text[at];

			text[at] = "*=A"[at % 3];
			assert_true(base64_is_canonical(bytes_of(text, size), &said) ==
				    base64_decode(bytes_of(text, size), decoded, &len));
			text[at] = was;
		}
		assert_false(size > 0 && base64_is_canonical(bytes_of(text, size - 1), &said));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_vectors),	   cmocka_unit_test(base64_alphabets),
		cmocka_unit_test(base64_refuses),	   cmocka_unit_test(base64_refuses_anywhere),
		cmocka_unit_test(base64_needs_no_room),	   cmocka_unit_test(base64_round_trip),
		cmocka_unit_test(hex_both_ways),	   cmocka_unit_test(utf8_table),
		cmocka_unit_test(buffers_are_bounded),	   cmocka_unit_test(cursors_never_pass_the_end),
		cmocka_unit_test(numbers_are_strict),	   cmocka_unit_test(dates_are_read),
		cmocka_unit_test(arena_reuses_and_wipes),  cmocka_unit_test(secrets),
		cmocka_unit_test(secrets_are_wiped),	   cmocka_unit_test(secrets_are_locked_and_not_dumped),
		cmocka_unit_test(processes_are_hardened),  cmocka_unit_test(files_are_replaced_durably),
		cmocka_unit_test(leftovers_are_passed_by), cmocka_unit_test(allocation_can_fail),
		cmocka_unit_test(errors_keep_the_first),   cmocka_unit_test(option_values),
		cmocka_unit_test(base64_checked),	   cmocka_unit_test(log_lines_steer_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
