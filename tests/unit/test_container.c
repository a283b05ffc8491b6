/* files/container.h over a real keyring: what is sealed opens, and nothing else does. */
#include "keyring_fixture.h"

#include "crypto/aead.h"
#include "crypto/mac.h"
#include "files/container.h"
#include "keys/data_keys.h"

#define CHUNK FILE_CHUNK_MIN
#define ROOM (8 * (CHUNK + FILE_TAG_LEN))

struct box {
	struct fixture f;
	struct key *key;
	struct key_session *kek;
	struct file_sealer *sealer;
	struct file_opener *opener;
	uint8_t sealed[ROOM], plain[ROOM];
};

static struct file_meta meta_of(uint64_t size)
{
	return (struct file_meta){.name = BYTES_LIT("a/../b.csv"),
				  .media_type = BYTES_LIT("text/csv"),
				  .size = size,
				  .mtime_ns = -1234567890123456789,
				  .chunk_size = CHUNK,
				  .id = "0123456789abcde"};
}

static void box_open(struct box *b, const char *type, bool derived)
{
	memset(b, 0, sizeof(*b));
	fixture_open(&b->f);
	OK(&b->f, keyring_create(b->f.keyring, BYTES_LIT("pii"),
				 &(struct key_admin_new){.type = type, .derived = derived}, &b->f.err));
	b->key = fixture_key(&b->f, "pii");
	b->kek = fixture_session(&b->f, b->key);
	for (size_t i = 0; i < sizeof(b->plain); i++)
		b->plain[i] = (uint8_t)(i * 7 + i / 251);
}

static void box_close(struct box *b)
{
	file_sealer_free(b->sealer);
	file_opener_free(b->opener);
	b->kek->ops->free(b->kek);
	b->key->ops->free(b->key);
	fixture_close(&b->f);
}

static void box_seal(struct box *b, uint64_t size)
{
	const struct file_meta meta = meta_of(size);

	file_sealer_free(b->sealer);
	OK(&b->f, file_sealer_new(&meta, b->kek, false, &b->f.call, &b->sealer, &b->f.err));
}

static enum seal_status box_open_header(struct box *b, struct seal_bytes header)
{
	struct file_header parsed;
	enum seal_status rc;
	size_t need;

	file_opener_free(b->opener);
	b->opener = NULL;
	SEAL_TRY(file_header_parse(header, &parsed, &need, &b->f.err));
	SEAL_TRY(file_opener_new(&parsed, b->kek, false, &b->f.call, &b->opener, &b->f.err));
out:
	return rc;
}

/* The whole file into b->sealed, one chunk after the other. */
static size_t box_fill(struct box *b, size_t size)
{
	const uint64_t chunks = file_chunks(size, CHUNK);
	size_t at = 0;

	for (uint32_t i = 0; i < chunks; i++) {
		size_t from = (size_t)i * CHUNK, len = i + 1 < chunks ? CHUNK : size - from;

		OK(&b->f, file_seal(b->sealer, i, i + 1 == chunks, bytes_of(b->plain + from, len), b->sealed + at,
				    &b->f.err));
		at += len + FILE_TAG_LEN;
	}
	return at;
}

static void counts(void **state)
{
	assert_int_equal(file_chunks(0, CHUNK), 1);
	assert_int_equal(file_chunks(1, CHUNK), 1);
	assert_int_equal(file_chunks(CHUNK, CHUNK), 1);
	assert_int_equal(file_chunks(CHUNK + 1, CHUNK), 2);
	assert_true(file_chunks(UINT64_MAX - 1, 1) == UINT64_MAX - 1);
}

static void sizes_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5};
	static const bool known[] = {true, false};
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int k = 0; k < 2; k++) {
			const uint64_t chunks = file_chunks(sizes[s], CHUNK);
			uint8_t out[CHUNK];
			size_t at = 0, len = 0;

			box_seal(&b, known[k] ? sizes[s] : FILE_SIZE_UNKNOWN);
			assert_int_equal(box_fill(&b, sizes[s]), sizes[s] + chunks * FILE_TAG_LEN);
			OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
			for (uint32_t i = 0; i < chunks; i++, at += len) {
				struct seal_bytes in;

				len = i + 1 < chunks ? CHUNK : sizes[s] - at;
				in = bytes_of(b.sealed + at + (size_t)i * FILE_TAG_LEN, len + FILE_TAG_LEN);
				OK(&b.f, file_open_chunk(b.opener, i, i + 1 == chunks, in, out, &b.f.err));
				assert_memory_equal(out, b.plain + at, len);
			}
		}
	box_close(&b);
}

static void meta_comes_back(void **state)
{
	const struct file_meta want = meta_of(5);
	const struct file_meta *got;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 5);
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	got = file_opener_meta(b.opener);
	assert_true(bytes_eq(got->name, want.name) && bytes_eq(got->media_type, want.media_type));
	assert_true(got->size == 5 && got->mtime_ns == want.mtime_ns && got->chunk_size == CHUNK);
	assert_memory_equal(got->id, want.id, FILE_ID_LEN);
	assert_true(bytes_starts(file_sealer_wrapped(b.sealer), BYTES_LIT("vault:v1:")));
	/* The name is not to be seen in what the broker holds. */
	assert_null(memmem(file_sealer_header(b.sealer).ptr, file_sealer_header(b.sealer).len, "b.csv", 5));
	box_close(&b);
}

static void opens_in_place_and_in_any_order(void **state)
{
	const size_t full = CHUNK + FILE_TAG_LEN;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 3 * CHUNK);
	box_fill(&b, 3 * CHUNK);
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	for (uint32_t i = 3; i-- > 0;) {
		uint8_t *at = b.sealed + i * full;

		OK(&b.f, file_open_chunk(b.opener, i, i == 2, bytes_of(at, full), at, &b.f.err));
		assert_memory_equal(at, b.plain + i * CHUNK, CHUNK);
	}
	box_close(&b);
}

static void derived_keys_serve(void **state)
{
	const struct file_meta meta = meta_of(1);
	struct file_header header;
	struct box b;
	size_t need;

	box_open(&b, "aes256-gcm96", true);
	OK(&b.f, file_sealer_new(&meta, b.kek, true, &b.f.call, &b.sealer, &b.f.err));
	OK(&b.f, file_header_parse(file_sealer_header(b.sealer), &header, &need, &b.f.err));
	OK(&b.f, file_opener_new(&header, b.kek, true, &b.f.call, &b.opener, &b.f.err));
	box_close(&b);
}

static void a_key_that_cannot_wrap(void **state)
{
	const struct file_meta meta = meta_of(1);
	struct box b;

	box_open(&b, "hmac", false);
	FAILS(&b.f, file_sealer_new(&meta, b.kek, false, &b.f.call, &b.sealer, &b.f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "makes no data keys");
	assert_null(b.sealer);
	box_close(&b);
}

static void limits_of_the_meta(void **state)
{
	static uint8_t name[FILE_NAME_LEN_MAX + 1];
	struct file_meta meta;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	memset(name, 'n', sizeof(name));
#define REFUSED(member, value, part)                                                                                 \
	do {                                                                                                         \
		meta = meta_of(1);                                                                                   \
		meta.member = (value);                                                                               \
		FAILS(&b.f, file_sealer_new(&meta, b.kek, false, &b.f.call, &b.sealer, &b.f.err), SEAL_USAGE,        \
		      SEAL_E_USAGE, part);                                                                           \
	} while (0)
	REFUSED(chunk_size, FILE_CHUNK_MIN - 1, "chunk size");
	REFUSED(chunk_size, FILE_CHUNK_MAX + 1, "chunk size");
	REFUSED(chunk_size, 0, "chunk size");
	REFUSED(name, bytes_of(name, sizeof(name)), "name");
	REFUSED(media_type, bytes_of(name, FILE_TYPE_LEN_MAX + 1), "media type");
	REFUSED(media_type, BYTES_LIT("text/\nplain"), "media type");
	REFUSED(size, FILE_SIZE_MAX + 1, "256 TiB");
	REFUSED(size, FILE_CHUNKS_MAX * CHUNK + 1, "too many chunks");
	meta = meta_of(FILE_CHUNKS_MAX * CHUNK);
	meta.name = bytes_of(name, FILE_NAME_LEN_MAX);
	meta.media_type = bytes_of(name, FILE_TYPE_LEN_MAX);
	OK(&b.f, file_sealer_new(&meta, b.kek, false, &b.f.call, &b.sealer, &b.f.err));
	assert_true(file_sealer_header(b.sealer).len <= FILE_HEADER_MAX);
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	assert_int_equal(file_opener_meta(b.opener)->name.len, FILE_NAME_LEN_MAX);
	box_close(&b);
}

static void no_nonce_comes_twice(void **state)
{
	struct seal_bytes full;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	full = bytes_of(b.plain, CHUNK);
	box_seal(&b, FILE_SIZE_UNKNOWN);
	OK(&b.f, file_seal(b.sealer, 3, false, full, b.sealed, &b.f.err)); /* gaps are fine */
	FAILS(&b.f, file_seal(b.sealer, 3, false, full, b.sealed, &b.f.err), SEAL_FATAL, SEAL_E_INTERNAL, "chunk 3");
	FAILS(&b.f, file_seal(b.sealer, 2, false, full, b.sealed, &b.f.err), SEAL_FATAL, SEAL_E_INTERNAL, "chunk 2");
	OK(&b.f, file_seal(b.sealer, UINT32_MAX, true, full, b.sealed, &b.f.err));
	FAILS(&b.f, file_seal(b.sealer, UINT32_MAX, true, full, b.sealed, &b.f.err), SEAL_FATAL, SEAL_E_INTERNAL, "");
	FAILS(&b.f, file_seal(b.sealer, 0, false, full, b.sealed, &b.f.err), SEAL_FATAL, SEAL_E_INTERNAL, "chunk 0");
	box_seal(&b, FILE_SIZE_UNKNOWN);
	OK(&b.f, file_seal(b.sealer, 0, true, full, b.sealed, &b.f.err)); /* nothing follows the last one */
	FAILS(&b.f, file_seal(b.sealer, 1, true, full, b.sealed, &b.f.err), SEAL_FATAL, SEAL_E_INTERNAL, "chunk 1");
	box_close(&b);
}

/* 2^32 chunks of 8 MiB would be more than one key may encrypt. */
static void indexes_end(void **state)
{
	struct file_meta meta = meta_of(FILE_SIZE_UNKNOWN);
	uint8_t *chunk = calloc(1, FILE_CHUNK_MAX + FILE_TAG_LEN);
	uint32_t end = (uint32_t)(FILE_SIZE_MAX / FILE_CHUNK_MAX);
	struct box b;

	assert_non_null(chunk);
	box_open(&b, "aes256-gcm96", false);
	meta.chunk_size = FILE_CHUNK_MAX;
	OK(&b.f, file_sealer_new(&meta, b.kek, false, &b.f.call, &b.sealer, &b.f.err));
	FAILS(&b.f, file_seal(b.sealer, end, true, bytes_of(chunk, 1), chunk, &b.f.err), SEAL_DATA, SEAL_E_LIMIT,
	      "larger ones");
	OK(&b.f, file_seal(b.sealer, end - 1, false, bytes_of(chunk, FILE_CHUNK_MAX), chunk, &b.f.err));
	FAILS(&b.f, file_seal(b.sealer, end, true, bytes_of(chunk, 1), chunk, &b.f.err), SEAL_DATA, SEAL_E_LIMIT, "");
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	OK(&b.f, file_open_chunk(b.opener, end - 1, false, bytes_of(chunk, FILE_CHUNK_MAX + FILE_TAG_LEN), chunk,
				 &b.f.err));
	FAILS(&b.f, file_open_chunk(b.opener, end, true, bytes_of(chunk, FILE_TAG_LEN + 1), chunk, &b.f.err),
	      SEAL_DATA, SEAL_E_TAMPERED, "no file has so many");
	free(chunk);
	box_close(&b);
}

static void a_file_that_changed_while_it_was_read(void **state)
{
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, CHUNK + 10);
#define MISFITS(index, last, len)                                                                                    \
	FAILS(&b.f, file_seal(b.sealer, index, last, bytes_of(b.plain, len), b.sealed, &b.f.err), SEAL_DATA,         \
	      SEAL_E_DOMAIN, "change while it was read")
	MISFITS(0, false, CHUNK - 1);
	MISFITS(0, true, CHUNK);
	MISFITS(1, true, 9);
	MISFITS(1, true, 11);
	MISFITS(1, false, CHUNK);
	MISFITS(2, true, 1);
	box_seal(&b, FILE_SIZE_UNKNOWN);
	MISFITS(0, false, CHUNK - 1);
	MISFITS(1, true, 0);
	MISFITS(1, true, CHUNK + 1);
	box_close(&b);
}

static void lengths_are_checked_before_opening(void **state)
{
	static const uint8_t zeros[2 * CHUNK];
	uint8_t out[2 * CHUNK];
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, CHUNK + 10);
	box_fill(&b, CHUNK + 10);
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
#define REFUSES(index, last, len, part)                                                                              \
	do {                                                                                                         \
		memset(out, 0xee, sizeof(out));                                                                      \
		FAILS(&b.f, file_open_chunk(b.opener, index, last, bytes_of(b.sealed, len), out, &b.f.err),          \
		      SEAL_DATA, SEAL_E_TAMPERED, part);                                                             \
		assert_memory_equal(out, zeros, (len) < 16 ? 0 : (len)-16);                                          \
	} while (0)
	REFUSES(0, false, 15, "cut");
	REFUSES(0, false, CHUNK + 15, "is full");
	REFUSES(0, false, CHUNK + 17, "is full");
	REFUSES(0, true, CHUNK + 16, "more chunks");
	REFUSES(1, false, CHUNK + 16, "last chunk");
	REFUSES(1, true, 25, "another size");
	REFUSES(2, true, 26, "fewer chunks");
	REFUSES(1, true, 26, "was changed"); /* right length, wrong chunk */
	box_close(&b);
}

/* Reordered, repeated, foreign, and with the wrong idea of being the last. */
static void chunks_stay_where_they_are(void **state)
{
	const size_t full = CHUNK + FILE_TAG_LEN;
	uint8_t out[CHUNK];
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, FILE_SIZE_UNKNOWN);
	box_fill(&b, 3 * CHUNK);
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t as = 0; as < 4; as++)
			for (int last = 0; last < 2; last++) {
				enum seal_status rc;

				err_clear(&b.f.err);
				rc = file_open_chunk(b.opener, as, last, bytes_of(b.sealed + i * full, full), out,
						     &b.f.err);
				assert_int_equal(rc, i == as && last == (i == 2) ? SEAL_OK : SEAL_DATA);
			}
	box_seal(&b, FILE_SIZE_UNKNOWN); /* the same name, size and id: another data key */
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer)));
	FAILS(&b.f, file_open_chunk(b.opener, 0, false, bytes_of(b.sealed, full), out, &b.f.err), SEAL_DATA,
	      SEAL_E_TAMPERED, "another file");
	box_close(&b);
}

static void every_bit_of_the_header_counts(void **state)
{
	struct seal_buf copy = BUF_INIT(FILE_HEADER_MAX);
	struct seal_bytes header;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 10);
	header = file_sealer_header(b.sealer);
	OK(&b.f, buf_append(&copy, header, &b.f.err));
	for (size_t bit = 0; bit < copy.len * 8; bit++) {
		copy.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err_clear(&b.f.err);
		if (box_open_header(&b, buf_bytes(&copy)) == SEAL_OK)
			fail_msg("bit %zu of the header can be flipped", bit);
		assert_null(b.opener);
		assert_true(b.f.err.text[0] != '\0');
		copy.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	OK(&b.f, box_open_header(&b, buf_bytes(&copy)));
	buf_clear(&copy);
	box_close(&b);
}

static void a_cut_header_says_what_it_needs(void **state)
{
	struct file_header parsed;
	struct seal_bytes header;
	struct box b;
	size_t need;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 10);
	header = file_sealer_header(b.sealer);
	for (size_t len = 0; len < header.len; len++) {
		FAILS(&b.f, file_header_parse(bytes_of(header.ptr, len), &parsed, &need, &b.f.err), SEAL_DATA,
		      SEAL_E_SYNTAX, "cut");
		assert_true(need > len && need <= header.len);
		assert_null(parsed.all.ptr);
	}
	/* Asking again with what was asked for ends. */
	need = 1;
	for (int tries = 0; need > 0; tries++) {
		assert_true(tries < 7);
		err_clear(&b.f.err);
		if (file_header_parse(bytes_of(header.ptr, need), &parsed, &need, &b.f.err) == SEAL_OK)
			break;
	}
	assert_int_equal(parsed.all.len, header.len);
	FAILS(&b.f, file_header_parse(BYTES_LIT("PK\3\4"), &parsed, &need, &b.f.err), SEAL_DATA, SEAL_E_SYNTAX,
	      "no sealstream container");
	assert_int_equal(need, 0);
	FAILS(&b.f, file_header_parse(BYTES_LIT("SEALFILE\2"), &parsed, &need, &b.f.err), SEAL_DATA, SEAL_E_SYNTAX,
	      "version 2");
	assert_int_equal(need, 0);
	box_close(&b);
}

static void parts(void **state)
{
	struct seal_buf record = BUF_INIT(1 << 20);
	struct file_part part;
	struct box b;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 10);
	box_fill(&b, 10);
	OK(&b.f, buf_append(&record, file_sealer_header(b.sealer), &b.f.err));
	OK(&b.f, buf_append_be32(&record, 0, &b.f.err));
	OK(&b.f, buf_append_u8(&record, 1, &b.f.err));
	OK(&b.f, buf_append(&record, bytes_of(b.sealed, 26), &b.f.err));
	OK(&b.f, file_part_parse(buf_bytes(&record), &part, &b.f.err));
	assert_true(part.index == 0 && part.last && part.chunk.len == 26);
	assert_true(bytes_eq(part.header.all, file_sealer_header(b.sealer)));
	assert_true(bytes_eq(part.header.wrapped, file_sealer_wrapped(b.sealer)));
	OK(&b.f, box_open_header(&b, part.header.all));
	OK(&b.f, file_open_chunk(b.opener, part.index, part.last, part.chunk, b.sealed, &b.f.err));
	assert_memory_equal(b.sealed, b.plain, 10);
	for (size_t len = 0; len < part.header.all.len + FILE_PART_HEADER_LEN + FILE_TAG_LEN; len++) {
		struct file_part none;

		FAILS(&b.f, file_part_parse(bytes_of(record.ptr, len), &none, &b.f.err), SEAL_DATA, SEAL_E_SYNTAX,
		      "cut");
		assert_null(none.chunk.ptr);
	}
	record.ptr[part.header.all.len + 4] = 2;
	FAILS(&b.f, file_part_parse(buf_bytes(&record), &part, &b.f.err), SEAL_DATA, SEAL_E_SYNTAX, "damaged");
	buf_clear(&record);
	box_close(&b);
}

/*
 * The attack that the commitment is against: a header whose wrapped key is another valid one. Also what the KEK refuses, and a
 * wrapped text that is no data key.
 */
static void foreign_keys(void **state)
{
	struct seal_buf mixed = BUF_INIT(FILE_HEADER_MAX);
	struct seal_bytes first;
	struct key_item item = {.in = BYTES_LIT("0123456789abcdef")};
	struct box b;
	size_t at;

	box_open(&b, "aes256-gcm96", false);
	box_seal(&b, 10);
	OK(&b.f, buf_append(&mixed, file_sealer_header(b.sealer), &b.f.err));
	first = file_sealer_wrapped(b.sealer);
	at = (size_t)(first.ptr - file_sealer_header(b.sealer).ptr);
	box_seal(&b, 10);
	memcpy(mixed.ptr + at, file_sealer_wrapped(b.sealer).ptr, file_sealer_wrapped(b.sealer).len);
	FAILS(&b.f, box_open_header(&b, buf_bytes(&mixed)), SEAL_DATA, SEAL_E_TAMPERED, "not of the key");
	OK(&b.f, b.kek->ops->encrypt(b.kek, &item, 1, &b.f.call, &b.f.err));
	be32_store(mixed.ptr + at - 4, (uint32_t)item.out.len);
	mixed.len = at;
	OK(&b.f, buf_append(&mixed, item.out, &b.f.err));
	OK(&b.f, buf_append(&mixed, bytes_skip(file_sealer_header(b.sealer), at + first.len), &b.f.err));
	FAILS(&b.f, box_open_header(&b, buf_bytes(&mixed)), SEAL_DATA, SEAL_E_TAMPERED, "32 bytes");
	OK(&b.f, keyring_rotate(b.f.keyring, BYTES_LIT("pii"), NULL, &b.f.err));
	OK(&b.f, box_open_header(&b, file_sealer_header(b.sealer))); /* the old version serves on */
	buf_clear(&mixed);
	box_close(&b);
}

/* Metas that authenticate and are wrong all the same: another implementation, or a later version. */
static void forged_metas(void **state)
{
	static const struct {
		const char *what, *part;
		uint8_t text[40];
		size_t len;
		bool foreign; /* the commitment is another key's, all else in order */
	} cases[] = {
		{"later version", "newer", {2, 0, 0, 4}, 29, false},
		{"tail", "not what it should be", {1, 0, 0, 4}, 30, false},
		{"name too long", "not what it should be", {[0] = 1, [3] = 4, [21] = 0xff}, 29, false},
		{"chunk of 1023", "chunk size", {1, 0, 0, 3, 0xff}, 29, false},
		{"too large", "256 TiB", {1, 0, 0, 4, 0, 0x7f}, 29, false},
		{"control in type", "media type", {[0] = 1, [3] = 4, [28] = 1, [29] = '\n'}, 30, false},
		{"foreign commitment", "not of the key", {1, 0, 0, 4}, 29, true},
		{"fine", NULL, {1, 0, 0, 4}, 29, false},
	};
	static const uint8_t nonce[AEAD_NONCE_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret key = SECRET_INIT, commitment = SECRET_INIT, meta = SECRET_INIT;
		struct seal_buf header = BUF_INIT(FILE_HEADER_MAX);
		struct seal_bytes wrapped;
		struct aead *aead = NULL;
		struct aead_item item;
		struct box b;

		box_open(&b, "aes256-gcm96", false);
		OK(&b.f, b.kek->ops->data_key(b.kek, 32, BYTES_EMPTY, &key, &wrapped, &b.f.call, &b.f.err));
		OK(&b.f, hkdf_sha256(secret_bytes(&key), BYTES_EMPTY, BYTES_LIT("sealstream file v1 commit"), 32,
				     &commitment, &b.f.err));
		OK(&b.f, hkdf_sha256(secret_bytes(&key), BYTES_EMPTY, BYTES_LIT("sealstream file v1 meta"), 32, &meta,
				     &b.f.err));
		OK(&b.f, buf_append(&header, BYTES_LIT("SEALFILE\1idididididididid"), &b.f.err));
		OK(&b.f, buf_append_lp32(&header, wrapped, &b.f.err));
		commitment.ptr[31] ^= cases[i].foreign;
		OK(&b.f, buf_append(&header, secret_bytes(&commitment), &b.f.err));
		OK(&b.f, buf_reserve(&header, 100, &b.f.err));
		OK(&b.f, aead_new(secret_bytes(&meta), &aead, &b.f.err));
		item = (struct aead_item){.nonce = nonce,
					  .aad = buf_bytes(&header),
					  .in = bytes_of(cases[i].text, cases[i].len),
					  .out = header.ptr + header.len + 4,
					  .tag = header.ptr + header.len + 4 + cases[i].len};
		OK(&b.f, aead_seal_many(aead, &item, 1, &b.f.err));
		be32_store(header.ptr + header.len, (uint32_t)cases[i].len + 16);
		header.len += 4 + cases[i].len + 16;
		err_clear(&b.f.err);
		if (cases[i].part == NULL)
			OK(&b.f, box_open_header(&b, buf_bytes(&header)));
		else if (box_open_header(&b, buf_bytes(&header)) != SEAL_DATA ||
			 strstr(b.f.err.text, cases[i].part) == NULL)
			fail_msg("%s: %s", cases[i].what, b.f.err.text);
		aead_free(aead);
		secret_clear(&key);
		secret_clear(&commitment);
		secret_clear(&meta);
		buf_clear(&header);
		box_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(sizes_come_back),
		cmocka_unit_test(meta_comes_back),
		cmocka_unit_test(opens_in_place_and_in_any_order),
		cmocka_unit_test(derived_keys_serve),
		cmocka_unit_test(a_key_that_cannot_wrap),
		cmocka_unit_test(limits_of_the_meta),
		cmocka_unit_test(no_nonce_comes_twice),
		cmocka_unit_test(indexes_end),
		cmocka_unit_test(a_file_that_changed_while_it_was_read),
		cmocka_unit_test(lengths_are_checked_before_opening),
		cmocka_unit_test(chunks_stay_where_they_are),
		cmocka_unit_test(every_bit_of_the_header_counts),
		cmocka_unit_test(a_cut_header_says_what_it_needs),
		cmocka_unit_test(parts),
		cmocka_unit_test(foreign_keys),
		cmocka_unit_test(forged_metas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
