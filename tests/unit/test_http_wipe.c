/*
 * http: when all is over, neither a token from a header nor a word of a body is left in the memory of the process; and a name
 * server that does not answer does not hold up a deadline. Both look at the whole process, so they have one of their own.
 */
#include "http_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

/* The word is kept upside down, so that what searches for it does not find itself. */
enum { WORD = 40 };
static volatile uint8_t word[WORD];

static void write_word(char *to)
{
	for (int i = 0; i < WORD; i++)
		to[i] = (char)~word[i];
	to[WORD] = '\0';
}

static size_t count_in(const uint8_t *at, size_t len)
{
	size_t found = 0;

	for (size_t i = 0; i + WORD <= len; i++) {
		int k = 0;

		while (k < WORD && (at[i + (size_t)k] ^ word[k]) == 0xff)
			k++;
		found += k == WORD;
	}
	return found;
}

/* All that can be written to: heap, stacks, data. */
static size_t count_in_process(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	static uint8_t copy[1 << 20];
	unsigned long from, to;
	size_t found = 0;
	char line[512];

	assert_true(maps != NULL && memory >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || strstr(line, " rw-p ") == NULL ||
		    to - from > (1ul << 30))
			continue;
		while (from < to) {
			size_t want = to - from < sizeof(copy) ? to - from : sizeof(copy);
			ssize_t got = pread(memory, copy, want, (off_t)from);

			if (got <= WORD)
				break;
			found += from <= (unsigned long)copy && (unsigned long)copy < to
					 ? 0
					 : count_in(copy, (size_t)got);
			from += (unsigned long)got - (got == (ssize_t)want && from + want < to ? WORD : 0);
		}
	}
	mem_wipe(copy, sizeof(copy));
	fclose(maps);
	close(memory);
	return found;
}

static bool echoes(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->body);
}

static void nothing_is_left(void **state)
{
	char *token = mem_alloc(WORD + 1), *body = mem_alloc(8000 + WORD + 1);
	struct http_header header = {"X-Token", token};
	struct http_exchange ex = {.method = "POST", .path = "/x", .headers = &header, .n_headers = 1};
	struct test_server s;
	struct fixture f;

	for (int i = 0; i < WORD; i++)
		word[i] = (uint8_t) ~(unsigned)("tokenword"[i % 9] + i / 9);
	write_word(token);
	memset(body, 'x', 8000);
	write_word(body + 8000);
	ex.body = bytes_of(body, 8000 + WORD);
	test_server_start(&s, echoes, NULL);
	open_client(&f, &(struct http_config){.base = s.url});
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(&f, &ex), 200);
	test_server_stop(&s);
	assert_true(count_in_process() >= 3); /* ours, and the answer */
	http_exchange_clear(&ex);
	close_client(&f);
	mem_wipe(token, WORD + 1);
	mem_wipe(body, 8000 + WORD + 1);
	mem_free(token);
	mem_free(body);
	assert_int_equal(count_in_process(), 0);
}

static atomic_bool stalled = true;
static atomic_int asking; /* threads that are in it */

/* In the place of the C library's. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints, struct addrinfo **res)
{
	(void)node, (void)service, (void)hints, (void)res;
	atomic_fetch_add(&asking, 1);
	while (atomic_load(&stalled))
		usleep(1000);
	atomic_fetch_sub(&asking, 1);
	return EAI_AGAIN;
}

/* Of this process. */
static unsigned threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		n++;
	closedir(folder);
	return n - 2; /* "." and ".." */
}

/* Who waited for it would wait for ever. */
static void name_server_stalls(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	const unsigned before = threads();
	uint64_t begin = clock_mono_ms();
	struct fixture f;

	open_client(&f, &(struct http_config){.base = "http://nowhere.test"});
	start_in(&f, &ex, 1000);
	assert_ptr_equal(http_next(f.worker), &ex);
	assert_int_equal(ex.err.code, SEAL_E_TIMEOUT);
	assert_non_null(strstr(ex.err.text, "no connection within"));
	assert_true(clock_mono_ms() - begin >= 990);
	start_in(&f, &ex, 10000);
	usleep(50000);
	http_drop(f.worker);
	close_client(&f);
	atomic_store(&stalled, false);
	while (atomic_load(&asking) > 0 || threads() > before) /* else a leak checker sees those that asked */
		usleep(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(name_server_stalls),
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
