/* tokens in a real store: processes that race agree, and one that is killed has lost no token that it gave out. */
#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tokens_fixture.h"

#include "stores/sqlite/sqlite.h"

enum { PROCESSES = 4, VALUES = 400, LOT = 50 };

struct place {
	char dir[64], address[112];
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "%s/sealtokensXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->address, sizeof(p->address), "sqlite:%s/tokens.db", p->dir);
}

static void place_remove(const struct place *p)
{
	nftw(p->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* As tokens_open, with a store in a file. */
static void open_there(struct tokens_fixture *f, const struct place *p)
{
	const struct store_config config = {.create = true};

	*f = (struct tokens_fixture){.kek = FAKE_KEK_INIT};
	f->session = fake_kek_session(&f->kek);
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = clock_mono_ms() + 300000};
	assert_int_equal(sqlite_store.open(p->address, &config, &f->store, &f->err), SEAL_OK);
	f->tokens = tokens_of(f, (struct data_keys_options){0});
}

static void close_there(struct tokens_fixture *f)
{
	tokens_free(f->tokens);
	sqlite_store.free(f->store);
	arena_clear(&f->arena);
}

static bool send_tokens(int to, const struct token_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (write(to, items[i].token.ptr, TOKEN_LEN) != TOKEN_LEN)
			return false;
	return true;
}

/* Reads what there is of `len` bytes; returns how many. */
static size_t receive(int from, uint8_t *bytes, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len && (n = read(from, bytes + got, len - got)) > 0)
		got += (size_t)n;
	return got;
}

static void number(char *text, size_t size, unsigned i)
{
	snprintf(text, size, "value %u", i);
}

/* A process: protects all values in an order of its own, and tells each one's token in the order of values. */
static bool be_process(const struct place *p, unsigned which, int to)
{
	static uint8_t tokens[VALUES][TOKEN_LEN];
	struct token_item items[LOT];
	struct tokens_fixture f;
	char values[LOT][24];
	bool good = true;

	open_there(&f, p);
	for (unsigned i = 0; good && i < VALUES; i += LOT) {
		unsigned at[LOT];

		for (unsigned j = 0; j < LOT; j++) {
			at[j] = which % 2 ? VALUES - 1 - (i + j) : i + j;
			number(values[j], sizeof(values[j]), at[j]);
			items[j] = value_item(values[j]);
		}
		good = protect_with(&f, f.tokens, &convergent_terms, items, LOT) == SEAL_OK;
		for (unsigned j = 0; good && j < LOT; j++) {
			good = items[j].err == NULL && items[j].token.len == TOKEN_LEN;
			if (good)
				memcpy(tokens[at[j]], items[j].token.ptr, TOKEN_LEN);
		}
	}
	if (!good)
		fprintf(stderr, "process %u: %s\n", which, f.err.text);
	close_there(&f);
	return good && write(to, tokens, sizeof(tokens)) == (ssize_t)sizeof(tokens);
}

static void processes_agree(void **state)
{
	static uint8_t tokens[PROCESSES][VALUES][TOKEN_LEN];
	pid_t pids[PROCESSES];
	int pipes[PROCESSES][2];
	struct tokens_fixture f;
	struct place p;

	place_make(&p);
	for (unsigned i = 0; i < PROCESSES; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(be_process(&p, i, pipes[i][1]) ? 0 : 1);
		close(pipes[i][1]);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status = -1;

		assert_int_equal(receive(pipes[i][0], tokens[i][0], sizeof(tokens[i])), sizeof(tokens[i]));
		close(pipes[i][0]);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		assert_memory_equal(tokens[i], tokens[0], sizeof(tokens[0]));
	}
	open_there(&f, &p);
	for (unsigned i = 0; i < VALUES; i++) {
		struct token_item item = value_item("");
		char value[24];

		number(value, sizeof(value), i);
		item.token = bytes_of(tokens[0][i], TOKEN_LEN);
		assert_int_equal(reveal_one(&f, f.tokens, item, value), SEAL_E_NONE);
	}
	close_there(&f);
	place_remove(&p);
}

/* Protects until it is killed, and tells each token only after it was given out. */
static void be_killed(const struct place *p, int to)
{
	struct token_item items[LOT];
	struct tokens_fixture f;
	char values[LOT][24];

	open_there(&f, p);
	for (unsigned i = 0;; i += LOT) {
		for (unsigned j = 0; j < LOT; j++) {
			number(values[j], sizeof(values[j]), i + j);
			items[j] = value_item(values[j]);
		}
		if (protect_with(&f, f.tokens, &convergent_terms, items, LOT) != SEAL_OK ||
		    !send_tokens(to, items, LOT))
			_exit(1);
		arena_reset(&f.arena);
	}
}

static void killed(void **state)
{
	enum { LEAST = 500, MOST = 100000 };
	static uint8_t tokens[MOST][TOKEN_LEN];
	struct tokens_fixture f;
	size_t got, more;
	struct place p;
	int ends[2];
	pid_t pid;

	place_make(&p);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_killed(&p, ends[1]);
	close(ends[1]);
	got = receive(ends[0], tokens[0], LEAST * TOKEN_LEN);
	assert_int_equal(got, LEAST * TOKEN_LEN);
	assert_int_equal(kill(pid, SIGKILL), 0);
	more = receive(ends[0], tokens[LEAST], sizeof(tokens) - got);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	open_there(&f, &p);
	for (unsigned i = 0; i < LEAST + more / TOKEN_LEN; i++) {
		struct token_item item = value_item("");
		char value[24];

		number(value, sizeof(value), i);
		item.token = bytes_of(tokens[i], TOKEN_LEN);
		assert_int_equal(reveal_one(&f, f.tokens, item, value), SEAL_E_NONE);
		item = protect_one(&f, f.tokens, &convergent_terms, value_item(value));
		assert_memory_equal(item.token.ptr, tokens[i], TOKEN_LEN);
		arena_reset(&f.arena);
	}
	close_there(&f);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_agree),
		cmocka_unit_test(killed),
	};

	return cmocka_run_group_tests_name("tokens_sqlite", tests, NULL, NULL);
}
