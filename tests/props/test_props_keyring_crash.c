/*
 * Durability laws of the keyring: whoever is killed at whatever moment leaves a whole keyring, nothing that was
 * reported done is lost, and processes that change one key at once each get what they did.
 */
#include "../unit/keyring_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "prop.h"

enum { KILLS = 220, KILLS_MOST = 20 * KILLS, FIRST_KILLS = 60, ROTATIONS = 40, LOTS = 60, LOT = 33, WRITERS = 3 };

/* What children have finished, seen by the parent. */
struct board {
	_Atomic uint32_t rotated; /* the newest version reported */
	_Atomic uint64_t encrypted;
	_Atomic uint32_t started; /* children that have opened the keyring */
	_Atomic uint32_t encrypting; /* children that have not encrypted all yet */
	_Atomic bool closing; /* one closes its key */
	_Atomic bool failed;
};

static struct board *board_new(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(board, MAP_FAILED);
	return board;
}

/* One rotation and one encryption, as a process that opens the key anew does them. */
static bool churn_once(struct keyring *k, struct fixture *f, struct board *board)
{
	struct key_item items[LOT] = {0};
	struct key_session *s;
	struct key *key;
	uint32_t version;

	if (keyring_rotate(k, BYTES_LIT("k"), &version, NULL) != SEAL_OK)
		return false;
	atomic_store(&board->rotated, version);
	if (keyring_source.key(keyring_as_source(k), BYTES_LIT("k"), &key, NULL) != SEAL_OK ||
	    key->ops->session(key, &s, NULL) != SEAL_OK || s->ops->encrypt(s, items, LOT, &f->call, NULL) != SEAL_OK)
		return false;
	s->ops->free(s);
	key->ops->free(key);
	arena_reset(&f->arena);
	return true;
}

/* Goes on until it is killed. Opens the keyring itself, as a process of its own would. */
static void churn(struct fixture *f, struct board *board)
{
	struct keyring *k;

	if (keyring_open(&f->config, &k, NULL) == SEAL_OK) {
		atomic_fetch_add(&board->started, 1);
		while (churn_once(k, f, board))
			;
	}
	atomic_store(&board->failed, true);
	_exit(1);
}

/* How long one round takes here and now, so that kills fall into rounds on slow machines, too. */
static uint32_t round_us(struct fixture *f, struct board *board)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 4; i++) {
		uint64_t begin = clock_mono_ns(), took;

		assert_true(churn_once(f->keyring, f, board));
		took = clock_mono_ns() - begin;
		least = took < least ? took : least;
	}
	return (uint32_t)(least / 1000) + 1;
}

/* What the kills prove: some died in the middle of writing, and some after a rotation. */
static bool has_met_all(const struct board *board, int torn)
{
	return torn > 0 && atomic_load(&board->rotated) > KILLS / 10;
}

static int leftovers(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] == '.' && strstr(entry->d_name, ".tmp") != NULL;
	closedir(d);
	return n;
}

static void killed_at_any_moment(void **state)
{
	struct prop_random seed = prop_seed(20260101);
	struct board *board = board_new();
	struct keyring_key_info info;
	struct key_session *s;
	uint32_t longest;
	int torn = 0;
	struct fixture f;
	char *text;
	struct key *key;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	text = mem_strdup(encrypt_text(&f, s, "written before the crashes", ""));
	longest = 2 * round_us(&f, board);
	for (uint32_t i = 0; i < KILLS || (!has_met_all(board, torn) && i < KILLS_MOST); i++) {
		struct arena arena;
		pid_t pid = fork();
		int status, n;

		if (pid == 0)
			churn(&f, board);
		if (i % KILLS == KILLS - 1 && longest < 1000000)
			longest *= 2; /* the machine has become slower since */
		while (atomic_load(&board->started) == i && !atomic_load(&board->failed))
			usleep(100);
		usleep(prop_below(&seed, longest));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && !atomic_load(&board->failed));
		n = leftovers(f.ring);
		assert_true(n <= 1); /* the next writer clears it away */
		torn += n;
		arena_init(&arena, 0);
		OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &arena, &info, &f.err));
		assert_true(info.latest_version >= atomic_load(&board->rotated)); /* nothing reported is lost */
		arena_clear(&arena);
	}
	assert_true(has_met_all(board, torn)); /* or this proves nothing */
	assert_string_equal(decrypt_text(&f, s, text, ""), "written before the crashes");
	OK(&f, keyring_rotate(f.keyring, BYTES_LIT("k"), NULL, &f.err));
	assert_int_equal(leftovers(f.ring), 0);
	mem_free(text);
	s->ops->free(s);
	key->ops->free(key);
	fixture_close(&f);
	munmap(board, sizeof(*board));
}

/* Killed while the keyring itself is made: the next one makes it, or finds it. */
static void killed_on_first_use(void **state)
{
	struct prop_random seed = prop_seed(7);
	uint32_t longest = 0;

	for (int i = 0; i < FIRST_KILLS; i++) {
		struct fixture f;
		int status;
		pid_t pid;

		fixture_dir(&f);
		if (i == 0) {
			uint64_t begin = clock_mono_ns();

			OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
			longest = (uint32_t)((clock_mono_ns() - begin) / 500) + 1;
			fixture_close(&f);
			continue;
		}
		pid = fork();
		if (pid == 0)
			_exit(keyring_open(&f.config, &f.keyring, NULL) != SEAL_OK);
		usleep(prop_below(&seed, longest));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
		fixture_create(&f, "k", "aes256-gcm96");
		assert_int_equal(leftovers(f.ring), 0);
		fixture_close(&f);
	}
}

/* Runs `work` in WRITERS processes at once; all must succeed. */
static void at_once(struct fixture *f, struct board *board, void (*work)(struct fixture *f, struct board *board))
{
	pid_t pids[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			work(f, board);
			_exit(0);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void rotate_often(struct fixture *f, struct board *board)
{
	uint32_t version, last = 0;

	for (int i = 0; i < ROTATIONS; i++) {
		if (fixture_rotate(f->keyring, &version) != SEAL_OK || version <= last)
			_exit(1);
		last = version;
	}
}

static void every_rotation_counts(void **state)
{
	struct board *board = board_new();
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	at_once(&f, board, rotate_often);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	assert_int_equal(info.latest_version, 1 + WRITERS * ROTATIONS);
	fixture_close(&f);
	munmap(board, sizeof(*board));
}

/*
 * Until all have encrypted, and one after the other: giving back what a key has left waits two seconds for the lock, and then leaves it,
 * so that the count is too high where somebody is stopped who has it.
 */
static void wait_to_close(struct board *board)
{
	atomic_fetch_sub(&board->encrypting, 1);
	while ((atomic_load(&board->encrypting) > 0 && !atomic_load(&board->failed)) ||
	       atomic_exchange(&board->closing, true))
		usleep(1000);
}

static void fail_child(struct board *board, int code)
{
	atomic_store(&board->failed, true);
	_exit(code);
}

static void encrypt_often(struct fixture *f, struct board *board)
{
	struct key_item items[LOT] = {0};
	struct key_session *s;
	struct key *key;

	if (keyring_source.key(keyring_as_source(f->keyring), BYTES_LIT("k"), &key, NULL) != SEAL_OK ||
	    key->ops->session(key, &s, NULL) != SEAL_OK)
		fail_child(board, 1);
	for (int i = 0; i < LOTS; i++) {
		if (fixture_encrypt(s, items, LOT, &f->call) != SEAL_OK)
			fail_child(board, 2);
		atomic_fetch_add(&board->encrypted, LOT);
		arena_reset(&f->arena);
	}
	wait_to_close(board);
	s->ops->free(s);
	key->ops->free(key);
	atomic_store(&board->closing, false);
}

/* With a small rotation limit, so that counts, rotations and reloads of all processes cross. */
static void every_use_counts(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = 500};
	struct board *board = board_new();
	struct keyring_key_info info;
	uint64_t counted = 0;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	OK(&f, keyring_configure(f.keyring, BYTES_LIT("k"), &c, &f.err));
	atomic_store(&board->encrypting, WRITERS);
	at_once(&f, board, encrypt_often);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	for (uint32_t i = 0; i < info.latest_version; i++) {
		assert_true(info.versions[i].uses <= 500);
		counted += info.versions[i].uses;
	}
	assert_int_equal(atomic_load(&board->encrypted), WRITERS * LOTS * LOT);
	assert_true(counted >= WRITERS * LOTS * LOT);
	fixture_close(&f);
	munmap(board, sizeof(*board));
}

/* Without a limit in the way the count is exact once all have closed their keys. */
static void counts_are_exact_after_closing(void **state)
{
	struct board *board = board_new();
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	atomic_store(&board->encrypting, WRITERS);
	at_once(&f, board, encrypt_often);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	assert_int_equal(info.versions[0].uses, WRITERS * LOTS * LOT);
	fixture_close(&f);
	munmap(board, sizeof(*board));
}

static void open_first(struct fixture *f, struct board *board)
{
	struct keyring *k;

	if (keyring_open(&f->config, &k, NULL) != SEAL_OK)
		_exit(1);
	if (keyring_master_made(k) != NULL)
		atomic_fetch_add(&board->rotated, 1);
	keyring_close(k);
}

/* Several processes make the keyring at once: one does, all use it. */
static void one_keyring_is_made(void **state)
{
	for (int i = 0; i < 10; i++) {
		struct board *board = board_new();
		struct fixture f;

		fixture_dir(&f);
		at_once(&f, board, open_first);
		assert_int_equal(atomic_load(&board->rotated), 1);
		OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
		fixture_close(&f);
		munmap(board, sizeof(*board));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_moment),		  cmocka_unit_test(killed_on_first_use),
		cmocka_unit_test(every_rotation_counts),	  cmocka_unit_test(every_use_counts),
		cmocka_unit_test(counts_are_exact_after_closing), cmocka_unit_test(one_keyring_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
