/*
 * Containers of every released format, for ever. files-1/ was made by 0.1.0 with chunks of 1024 bytes: under version 3 of the key pii
 * of keyring-1/raw, derived.seal under version 2 of the key derived of keyring-2/raw. Byte i of every file is
 * (31 i + i / 256) mod 256. chunk-1.record is a record of a transfer of chunks.csv.
 */
#include "golden.h"

#include "files/container.h"

#define CHUNK 1024
#define MTIME INT64_C(1600000000123456789)

static const struct {
	const char *file, *name, *type;
	size_t size;
	bool known, derived;
} goldens[] = {
	{"chunks.csv.seal", "chunks.csv", "text/csv", 3000, true, false},
	{"empty.seal", "empty", "application/octet-stream", 0, true, false},
	{"one.txt.seal", "one.txt", "text/plain", 1, true, false},
	{"exact.bin.seal", "exact.bin", "application/octet-stream", 2048, true, false},
	{"pipe.seal", "../pipe", "application/octet-stream", 2500, false, false},
	{"derived.seal", "one.txt", "text/plain", 1, true, true},
};

static struct key_session *open_key(struct fixture *f, bool derived, struct key **key)
{
	const char *ring = derived ? "keyring-2" : "keyring-1";
	static char master[100];

	fixture_dir(f);
	assert_int_equal(mkdir(f->ring, 0700), 0);
	golden_copy(f, ring, "raw/keyring.head", "ring/keyring.head");
	golden_copy(f, ring, derived ? "raw/derived.skey" : "raw/pii.skey",
		    derived ? "ring/derived.skey" : "ring/pii.skey");
	golden_copy(f, ring, "master", "secret");
	snprintf(master, sizeof(master), "%s/secret", f->dir);
	f->config.create = false;
	f->config.master_key_file = master;
	OK(f, keyring_open(&f->config, &f->keyring, &f->err));
	*key = fixture_key(f, derived ? "derived" : "pii");
	return fixture_session(f, *key);
}

static void read_golden(struct fixture *f, const char *file, struct seal_buf *bytes)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/files-1/%s", COMPAT_DIR, file);
	OK(f, file_read(path, bytes, &f->err));
}

static void expect_plain(const uint8_t *at, size_t from, size_t len)
{
	for (size_t i = from; i < from + len; i++)
		assert_int_equal(at[i - from], (uint8_t)(i * 31 + i / 256));
}

static void containers_open(void **state)
{
	for (size_t g = 0; g < sizeof(goldens) / sizeof(goldens[0]); g++) {
		const uint64_t chunks = file_chunks(goldens[g].size, CHUNK);
		struct seal_buf bytes = BUF_INIT(1 << 16);
		struct file_opener *opener = NULL;
		const struct file_meta *meta;
		struct file_header header;
		struct key_session *kek;
		struct fixture f;
		struct key *key;
		size_t need, at;

		kek = open_key(&f, goldens[g].derived, &key);
		read_golden(&f, goldens[g].file, &bytes);
		OK(&f, file_header_parse(buf_bytes(&bytes), &header, &need, &f.err));
		OK(&f, file_opener_new(&header, kek, goldens[g].derived, &f.call, &opener, &f.err));
		meta = file_opener_meta(opener);
		assert_true(bytes_eq_str(meta->name, goldens[g].name) &&
			    bytes_eq_str(meta->media_type, goldens[g].type));
		assert_true(meta->chunk_size == CHUNK);
		assert_true(meta->size == (goldens[g].known ? goldens[g].size : FILE_SIZE_UNKNOWN));
		assert_true(meta->mtime_ns == (goldens[g].known ? MTIME : INT64_MIN));
		at = header.all.len;
		for (uint32_t i = 0; i < chunks; i++) {
			size_t len = i + 1 < chunks ? CHUNK : goldens[g].size - i * CHUNK;

			OK(&f, file_open_chunk(opener, i, i + 1 == chunks,
					       bytes_of(bytes.ptr + at, len + FILE_TAG_LEN), bytes.ptr + at, &f.err));
			expect_plain(bytes.ptr + at, i * CHUNK, len);
			at += len + FILE_TAG_LEN;
		}
		assert_int_equal(at, bytes.len);
		file_opener_free(opener);
		kek->ops->free(kek);
		key->ops->free(key);
		buf_clear(&bytes);
		fixture_close(&f);
	}
}

static void a_record_opens(void **state)
{
	struct seal_buf bytes = BUF_INIT(1 << 16);
	struct file_opener *opener = NULL;
	struct key_session *kek;
	struct file_part part;
	uint8_t out[CHUNK];
	struct fixture f;
	struct key *key;

	kek = open_key(&f, false, &key);
	read_golden(&f, "chunk-1.record", &bytes);
	OK(&f, file_part_parse(buf_bytes(&bytes), &part, &f.err));
	assert_true(part.index == 1 && !part.last && part.chunk.len == CHUNK + FILE_TAG_LEN);
	assert_true(bytes_starts(part.header.wrapped, BYTES_LIT("vault:v3:")));
	OK(&f, file_opener_new(&part.header, kek, false, &f.call, &opener, &f.err));
	OK(&f, file_open_chunk(opener, part.index, part.last, part.chunk, out, &f.err));
	expect_plain(out, CHUNK, CHUNK);
	file_opener_free(opener);
	kek->ops->free(kek);
	key->ops->free(key);
	buf_clear(&bytes);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(containers_open), cmocka_unit_test(a_record_opens)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
