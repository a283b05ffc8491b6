/* people's keys in a real store: processes that race agree, and a forgotten key is gone from the files. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "person_keys_fixture.h"

#include "keys/person_row.h"
#include "stores/sqlite/sqlite.h"

enum { PROCESSES = 4, PEOPLE = 200, LOT = 10, USES = 30 };

struct place {
	char dir[64], path[96], address[112];
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "%s/sealpeopleXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/keys.db", p->dir);
	snprintf(p->address, sizeof(p->address), "sqlite:%s", p->path);
}

static void place_remove(const struct place *p)
{
	nftw(p->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* As people_open, with a store in a file. */
static void open_there(struct people_fixture *f, const struct place *p, struct data_keys_options options)
{
	const struct store_config config = {.create = true};

	*f = (struct people_fixture){.kek = FAKE_KEK_INIT};
	f->session = fake_kek_session(&f->kek);
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = clock_mono_ms() + 300000};
	assert_int_equal(sqlite_store.open(p->address, &config, &f->store, &f->err), SEAL_OK);
	f->people = people_new(f, options);
}

static void close_there(struct people_fixture *f)
{
	person_keys_free(f->people);
	sqlite_store.free(f->store);
	arena_clear(&f->arena);
}

/* A process: writes for all people, in an order of its own, and tells their keys' commitments. True: all well. */
static bool be_process(const struct place *p, unsigned number, int to)
{
	static uint8_t commitments[PEOPLE][DATA_KEY_COMMITMENT_LEN];
	struct person_want wants[LOT];
	struct people_fixture f;
	char names[LOT][12];
	bool good = true;

	open_there(&f, p, (struct data_keys_options){.max_uses = USES});
	for (unsigned i = 0; good && i < PEOPLE; i += LOT) {
		unsigned who[LOT];

		for (unsigned j = 0; j < LOT; j++) {
			who[j] = (i + j) * (2 * number + 1) * 7 %
				 PEOPLE; /* 7, 21, 35 … mod 200: some of them come twice */
			snprintf(names[j], sizeof(names[j]), "p%u", who[j]);
			wants[j] = (struct person_want){.person = bytes_str(names[j])};
		}
		good = person_keys_writer(f.people, &f.session.base, wants, LOT, &f.call, &f.err) == SEAL_OK;
		for (unsigned j = 0; good && j < LOT; j++) {
			good = wants[j].key != NULL;
			if (good)
				memcpy(commitments[who[j]], data_key_commitment(wants[j].key),
				       DATA_KEY_COMMITMENT_LEN);
			data_key_unref(wants[j].key);
		}
	}
	if (!good)
		fprintf(stderr, "process %u: %s\n", number, f.err.text);
	good = good && write(to, commitments, sizeof(commitments)) == (ssize_t)sizeof(commitments);
	close_there(&f);
	return good;
}

static void read_all(int from, uint8_t *bytes, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(from, bytes + got, len - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
}

/* Four processes begin a store and make the same 200 people's keys, under store keys of 30 uses. */
static void processes_agree(void **state)
{
	static uint8_t commitments[PROCESSES][PEOPLE][DATA_KEY_COMMITMENT_LEN];
	static const uint8_t none[DATA_KEY_COMMITMENT_LEN];
	pid_t pids[PROCESSES];
	int pipes[PROCESSES][2];
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

		read_all(pipes[i][0], commitments[i][0], sizeof(commitments[i]));
		close(pipes[i][0]);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (unsigned person = 0; person < PEOPLE; person++) {
		const uint8_t *first = NULL;

		for (unsigned i = 0; i < PROCESSES; i++) {
			if (memcmp(commitments[i][person], none, sizeof(none)) == 0)
				continue;
			if (first == NULL)
				first = commitments[i][person];
			assert_memory_equal(commitments[i][person], first, DATA_KEY_COMMITMENT_LEN);
		}
		assert_non_null(first);
	}
	place_remove(&p);
}

/* Is `what` in any file of the store? */
static bool found_in_files(const struct place *p, struct seal_bytes what)
{
	static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
	bool found = false;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		char path[128];
		struct stat st;
		uint8_t *bytes;
		int fd;

		snprintf(path, sizeof(path), "%s%s", p->path, endings[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		bytes = malloc((size_t)st.st_size + 1);
		assert_non_null(bytes);
		read_all(fd, bytes, (size_t)st.st_size);
		found = found || memmem(bytes, (size_t)st.st_size, what.ptr, what.len) != NULL;
		free(bytes);
		close(fd);
	}
	return found;
}

/* What sealed the key is nowhere in the files afterwards, while another process has the store open. */
static void forgotten_on_disk(void **state)
{
	struct store_item item = {0};
	struct store_session *session = NULL;
	struct people_fixture f, other;
	struct person_want want;
	struct data_key *key;
	struct store_call call;
	struct seal_bytes sealed;
	struct place p;

	place_make(&p);
	open_there(&f, &p, (struct data_keys_options){0});
	open_there(&other, &p, (struct data_keys_options){0});
	key = person_write(&f, f.people, "c-1", &want);
	assert_non_null(key);
	data_key_unref(person_write(&other, other.people, "c-2", NULL));
	call = (struct store_call){.arena = &f.arena, .deadline_ms = f.call.deadline_ms};
	item.key = bytes_of(want.id, PERSON_ID_LEN);
	assert_int_equal(sqlite_store.session(f.store, &session, NULL), SEAL_OK);
	assert_int_equal(sqlite_store.get(session, "people", &item, 1, &call, NULL), SEAL_OK);
	sqlite_store.session_free(session);
	sealed = bytes_of(row_parse(item.value).sealed, ROW_SEALED_LEN);
	assert_true(found_in_files(&p, sealed)); /* so the search finds what is there */
	assert_int_equal(person_forget(&f, f.people, "c-1"), PERSON_LIVE);
	assert_false(found_in_files(&p, sealed));
	assert_null(person_write(&other, other.people, "c-1", NULL));
	assert_int_equal(other.err.code, SEAL_E_KEY_FORGOTTEN);
	data_key_unref(key);
	close_there(&other);
	close_there(&f);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_agree),
		cmocka_unit_test(forgotten_on_disk),
	};

	return cmocka_run_group_tests_name("person_keys_sqlite", tests, NULL, NULL);
}
