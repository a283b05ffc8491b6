/*
 * What tests of the receiver stand on: a topic in memory (its marks in shared memory, so that they outlive a process that is
 * killed), a key that counts what it is asked, a directory, and records made by the container's own sealer.
 */
#ifndef TESTS_RECEIVE_FAKE_H
#define TESTS_RECEIVE_FAKE_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "transfer/transfer.h"

#define FAKE_PARTITIONS 6
#define CHUNK FILE_CHUNK_MIN

/* ---- the topic ---- */

struct fake_log {
	struct record *records;
	size_t n, cap;
	size_t next; /* to read */
};

struct fake_marks {
	int64_t at[FAKE_PARTITIONS];
};

static struct {
	struct source source;
	struct fake_log logs[FAKE_PARTITIONS];
	struct fake_marks *marks; /* shared memory */
	uint64_t assignment[FAKE_PARTITIONS];
	size_t batch; /* records in one; 0: 16 */
	bool endless; /* READ_IDLE at the end */
	int away; /* reads that answer SEAL_RETRY */
	void (*before_read)(void);
	unsigned synced;
} topic;

static enum seal_status fake_read(struct source *source, struct batch *batch, size_t max, int timeout_ms,
				  enum read_result *result, struct seal_err *err)
{
	const size_t want = topic.batch ? topic.batch : 16;

	assert_int_equal(batch->n, 0);
	assert_true(batch->cap > 0); /* the records' room is the reader's, as a real source wants it */
	max = max < batch->cap ? max : batch->cap;
	if (topic.away > 0) {
		topic.away--;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the brokers are away");
	}
	if (topic.before_read != NULL)
		topic.before_read();
	for (int p = 0; p < FAKE_PARTITIONS; p++) {
		struct fake_log *log = &topic.logs[p];

		while (topic.assignment[p] != 0 && log->next < log->n && batch->n < want && batch->n < max)
			batch->records[batch->n++] = log->records[log->next++];
	}
	*result = batch->n > 0 ? READ_SOME : topic.endless ? READ_IDLE : READ_END;
	if (*result == READ_IDLE)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	return SEAL_OK;
}

static void fake_release(struct source *source, struct batch *batch)
{
}

static uint64_t fake_assignment(struct source *source, int32_t partition)
{
	return topic.assignment[partition];
}

static enum seal_status fake_mark(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				  struct seal_err *err)
{
	if (assignment != topic.assignment[partition])
		return SEAL_OK;
	assert_true(offset >= topic.marks->at[partition]); /* never back */
	assert_true((size_t)offset <= topic.logs[partition].n);
	topic.marks->at[partition] = offset;
	return SEAL_OK;
}

static enum seal_status fake_sync(struct source *source, struct seal_err *err)
{
	topic.synced++;
	return SEAL_OK;
}

static const struct source_ops fake_ops = {.size = sizeof(struct source_ops),
					   .name = "fake",
					   .read = fake_read,
					   .sync = fake_sync,
					   .release = fake_release,
					   .assignment = fake_assignment,
					   .mark = fake_mark};

/* A copy of `value` at the end of a partition. */
static struct record *topic_add(int32_t partition, struct seal_bytes value)
{
	struct fake_log *log = &topic.logs[partition];

	if (log->n == log->cap) {
		log->cap = log->cap ? log->cap * 2 : 16;
		log->records = mem_realloc_array(log->records, log->cap, sizeof(*log->records));
		assert_non_null(log->records);
	}
	log->records[log->n] = (struct record){.value = bytes_of(mem_dup(value.ptr, value.len), value.len),
					       .topic = BYTES_LIT("files"),
					       .timestamp_ms = 1700000000123,
					       .timestamp_type = TIMESTAMP_CREATE,
					       .partition = partition,
					       .offset = (int64_t)log->n};
	return &log->records[log->n++];
}

/* As a new member of the group: from the marks. */
static inline void topic_rewind(void)
{
	for (int p = 0; p < FAKE_PARTITIONS; p++)
		topic.logs[p].next = (size_t)topic.marks->at[p];
}

/* As another group. */
static inline void topic_forget_marks(void)
{
	memset(topic.marks, 0, sizeof(*topic.marks));
	topic_rewind();
}

/* ---- the key ---- */

static struct {
	struct key key;
	struct key_session session;
	unsigned unwrapped; /* calls of decrypt */
	int away; /* calls that answer SEAL_RETRY */
	bool denied;
	bool wrong; /* opens nothing */
	enum seal_code version_code; /* what an item under version 9 gets */
} kek;

static enum seal_status fake_data_key(struct key_session *session, size_t len, struct seal_bytes aad,
				      struct secret *plain, struct seal_bytes *wrapped, const struct key_call *call,
				      struct seal_err *err)
{
	uint8_t hidden[32];
	char text[64] = "vault:v1:";
	enum seal_status rc;

	SEAL_TRY(secret_alloc(plain, len, err));
	SEAL_TRY(random_bytes(plain->ptr, len, err));
	for (size_t i = 0; i < len; i++)
		hidden[i] = plain->ptr[i] ^ 0x5a;
	text[strlen(text) + base64_encode(bytes_of(hidden, len), text + strlen(text))] = '\0';
	*wrapped = bytes_str(arena_strndup(call->arena, text, strlen(text)));
out:
	return rc;
}

static enum seal_status fake_decrypt(struct key_session *session, struct key_item *items, size_t n,
				     const struct key_call *call, struct seal_err *err)
{
	kek.unwrapped++;
	if (kek.away > 0) {
		kek.away--;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the key server is away");
	}
	if (kek.denied)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the token may not decrypt");
	for (size_t i = 0; i < n; i++) {
		struct seal_bytes text = bytes_skip(items[i].in, 9);
		uint8_t *raw = arena_alloc(call->arena, BASE64_RAW_MAX(text.len), 1);
		struct seal_err *why = ARENA_NEW(call->arena, struct seal_err);
		size_t len = 0;

		if (raw == NULL || why == NULL)
			return err_memory(err);
		*why = (struct seal_err)SEAL_ERR_INIT;
		items[i].err = why;
		if (bytes_starts(items[i].in, BYTES_LIT("vault:v9:")))
			err_set(why, kek.version_code == SEAL_E_KEY_MINIMUM ? SEAL_DENIED : SEAL_DATA,
				kek.version_code, "there is no version 9");
		else if (kek.wrong || !bytes_starts(items[i].in, BYTES_LIT("vault:v1:")) ||
			 !base64_decode(text, raw, &len))
			err_set(why, SEAL_DATA, SEAL_E_TAMPERED, "the wrapped key does not open");
		else
			items[i].err = NULL;
		for (size_t k = 0; k < len; k++)
			raw[k] ^= 0x5a;
		items[i].out = bytes_of(raw, len);
	}
	return SEAL_OK;
}

static void fake_session_free(struct key_session *session)
{
}

static const struct key_session_ops fake_session_ops = {.size = sizeof(struct key_session_ops),
							.decrypt = fake_decrypt,
							.data_key = fake_data_key,
							.free = fake_session_free};

static enum seal_status fake_session(struct key *key, struct key_session **out, struct seal_err *err)
{
	*out = &kek.session;
	return SEAL_OK;
}

static const struct key_ops fake_key_ops = {.size = sizeof(struct key_ops), .session = fake_session};

/* ---- the run ---- */

static struct {
	char dir[64], to[80];
	struct receive_options options;
	struct transfer_counts counts;
	struct seal_err err;
	unsigned events[TRANSFER_ABANDONED + 1];
	char last_name[300], last_why[SEAL_ERR_TEXT_MAX];
	uint64_t last_bytes;
	unsigned foreign, waits, resumes;
	char foreign_why[SEAL_ERR_TEXT_MAX], foreign_place[SEAL_ERR_PLACE_MAX], waiting_why[SEAL_ERR_TEXT_MAX];
	unsigned stop_in; /* looks after which a stop request comes; 0: none */
	bool (*stop_when)(void);
} t;

static int on_stop(void)
{
	if (t.stop_in == 1)
		return 1; /* from now on */
	if (t.stop_in > 1)
		t.stop_in--;
	return t.stop_when != NULL && t.stop_when();
}

static void on_event(void *arg, const struct transfer_event *event)
{
	t.events[event->what]++;
	t.last_bytes = event->bytes;
	snprintf(t.last_name, sizeof(t.last_name), "%s", event->name);
	snprintf(t.last_why, sizeof(t.last_why), "%s", event->why ? event->why->text : "");
	assert_int_equal(event->why != NULL, event->what == TRANSFER_FAILED);
}

static void on_foreign(void *arg, const struct seal_err *why)
{
	t.foreign++;
	if (getenv("SHOW_FOREIGN"))
		print_message("%s: %s\n", why->place, why->text);
	snprintf(t.foreign_why, sizeof(t.foreign_why), "%s", why->text);
	snprintf(t.foreign_place, sizeof(t.foreign_place), "%s", why->place);
	assert_null(strchr(why->text, '\n'));
}

static void on_waiting(void *arg, const struct seal_err *why)
{
	t.waits++;
	snprintf(t.waiting_why, sizeof(t.waiting_why), "%s", why->text);
}

static void on_resumed(void *arg, uint64_t waited_ms)
{
	t.resumes++;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int fake_setup(void **state)
{
	memset(&topic, 0, sizeof(topic));
	memset(&kek, 0, sizeof(kek));
	memset(&t, 0, sizeof(t));
	topic.source.ops = &fake_ops;
	topic.marks = mmap(NULL, sizeof(*topic.marks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(topic.marks != MAP_FAILED);
	for (int p = 0; p < FAKE_PARTITIONS; p++)
		topic.assignment[p] = 1;
	kek.key.ops = &fake_key_ops;
	kek.session.ops = &fake_session_ops;
	kek.version_code = SEAL_E_KEY_VERSION;
	/* In memory where that can be: these tests sync thousands of times. */
	snprintf(t.dir, sizeof(t.dir), "%s/sealreceiveXXXXXX",
		 getenv("TMPDIR")		 ? getenv("TMPDIR")
		 : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
						 : "/tmp");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.to, sizeof(t.to), "%s/to", t.dir);
	t.options = (struct receive_options){.directory = t.to,
					     .source = &topic.source,
					     .key = &kek.key,
					     .watch = {.stop = on_stop,
						       .event = on_event,
						       .foreign = on_foreign,
						       .waiting = on_waiting,
						       .resumed = on_resumed}};
	return 0;
}

static int fake_teardown(void **state)
{
	for (int p = 0; p < FAKE_PARTITIONS; p++) {
		for (size_t i = 0; i < topic.logs[p].n; i++)
			mem_free((void *)topic.logs[p].records[i].value.ptr);
		mem_free(topic.logs[p].records);
	}
	munmap(topic.marks, sizeof(*topic.marks));
	return nftw(t.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static enum seal_status receive_now(void)
{
	err_clear(&t.err);
	memset(t.events, 0, sizeof(t.events));
	t.foreign = t.waits = t.resumes = 0;
	return transfer_receive(&t.options, &t.counts, &t.err);
}

/* Fails the test with the error's text unless the run ends well. */
static inline void receive_ok(void)
{
	enum seal_status rc = receive_now();

	if (rc != SEAL_OK)
		fail_msg("%s: %s", seal_code_name(t.err.code), t.err.text);
}

/* ---- files to send ---- */

struct sent {
	uint8_t id[FILE_ID_LEN];
	const char *name;
	uint8_t *bytes;
	size_t size;
	uint32_t chunks;
	bool unknown_size;
	int64_t mtime_ns;
	/* of the header in use */
	struct file_sealer *sealer;
	uint8_t **parts; /* values of records, by index */
	size_t *lens;
};

/* (Re)seals all chunks under a new data key. */
static void sent_seal(struct sent *s)
{
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	struct file_meta meta = {.name = bytes_str(s->name),
				 .media_type = BYTES_LIT("text/plain"),
				 .size = s->unknown_size ? FILE_SIZE_UNKNOWN : s->size,
				 .mtime_ns = s->mtime_ns,
				 .chunk_size = CHUNK};
	struct seal_bytes header;

	arena_init(&arena, 0);
	memcpy(meta.id, s->id, FILE_ID_LEN);
	file_sealer_free(s->sealer);
	assert_int_equal(file_sealer_new(&meta, &kek.session, false, &call, &s->sealer, NULL), SEAL_OK);
	header = file_sealer_header(s->sealer);
	for (uint32_t i = 0; i < s->chunks; i++) {
		size_t from = (size_t)i * CHUNK, len = s->size - from < CHUNK ? s->size - from : CHUNK;
		bool last = i == s->chunks - 1;

		mem_free(s->parts[i]);
		s->lens[i] = header.len + FILE_PART_HEADER_LEN + len + FILE_TAG_LEN;
		s->parts[i] = mem_alloc(s->lens[i]);
		assert_non_null(s->parts[i]);
		memcpy(s->parts[i], header.ptr, header.len);
		be32_store(s->parts[i] + header.len, i);
		s->parts[i][header.len + 4] = last;
		assert_int_equal(file_seal(s->sealer, i, last, bytes_of(s->bytes + from, len),
					   s->parts[i] + header.len + FILE_PART_HEADER_LEN, NULL),
				 SEAL_OK);
	}
	arena_clear(&arena);
}

static struct sent sent_as(const char *name, size_t size, bool unknown_size)
{
	struct sent s = {.name = name, .size = size, .unknown_size = unknown_size, .mtime_ns = 1234567890987654321};

	s.chunks = (uint32_t)file_chunks(size, CHUNK);
	s.bytes = mem_alloc(size);
	s.parts = mem_calloc(s.chunks, sizeof(*s.parts));
	s.lens = mem_calloc(s.chunks, sizeof(*s.lens));
	assert_true(s.bytes != NULL && s.parts != NULL && s.lens != NULL);
	assert_int_equal(random_bytes(s.id, sizeof(s.id), NULL), SEAL_OK);
	for (size_t i = 0; i < size; i++)
		s.bytes[i] = (uint8_t)(i * 31 + i / CHUNK + s.id[0]);
	sent_seal(&s);
	return s;
}

static inline struct sent sent_new(const char *name, size_t size)
{
	return sent_as(name, size, false);
}

static inline void sent_clear(struct sent *s)
{
	for (uint32_t i = 0; i < s->chunks; i++)
		mem_free(s->parts[i]);
	mem_free(s->parts);
	mem_free(s->lens);
	mem_free(s->bytes);
	file_sealer_free(s->sealer);
}

static inline struct record *send_chunk(const struct sent *s, int32_t partition, uint32_t index)
{
	return topic_add(partition, bytes_of(s->parts[index], s->lens[index]));
}

static inline void send_all(const struct sent *s, int32_t partition)
{
	for (uint32_t i = 0; i < s->chunks; i++)
		send_chunk(s, partition, i);
}

/* ---- what arrived ---- */

static inline bool there_is(const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", t.to, name);
	return access(path, F_OK) == 0;
}

static inline void check_file(const struct sent *s, const char *name)
{
	char path[600];
	uint8_t *got = mem_alloc(s->size + 1);
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", t.to, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s did not arrive", name);
	assert_int_equal(read(fd, got, s->size + 1), s->size);
	assert_memory_equal(got, s->bytes, s->size);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_mtim.tv_sec, s->mtime_ns / 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, s->mtime_ns % 1000000000);
	close(fd);
	mem_free(got);
}

/* How many names in a directory below `to` end in `suffix` (hidden ones included; "" counts all but . and ..). */
static inline unsigned count_names(const char *below, const char *suffix)
{
	char path[200];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", t.to, below);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name), n_suffix = strlen(suffix);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && len >= n_suffix &&
		    strcmp(entry->d_name + len - n_suffix, suffix) == 0)
			n++;
	}
	closedir(dir);
	return n;
}

/* Files in the destination: all but the state directory. */
static inline unsigned count_files(void)
{
	return count_names("", "") - (there_is(".sealstream") ? 1 : 0);
}

/* Nothing is left of transfers under way. */
static inline void check_state_empty(void)
{
	assert_int_equal(count_names(".sealstream", ".part"), 0);
	assert_int_equal(count_names(".sealstream", ".state"), 0);
	assert_int_equal(count_names(".sealstream", ".tmp"), 0);
}

/* The destination, for *at calls; closed at the end of the process. */
static inline int to_fd(void)
{
	static int fd = -1;

	if (fd >= 0)
		close(fd);
	mkdir(t.to, 0700);
	fd = open(t.to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline bool when_failed(void)
{
	return t.events[TRANSFER_FAILED] > 0;
}

#endif
