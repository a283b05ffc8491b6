/*
 * Containers: what parses is written in exactly one way, a cut says how much it wants and gets there, and nothing of it opens
 * unless this key sealed it. A key of keys that takes any text lets the fuzzer past the wrapping: then the commitment stands.
 */
#include "base/mem.h"
#include "files/container.h"
#include "fuzz.h"
#include "keys/data_key.h"

/* Unwraps everything to 32 bytes of its text. */
static enum seal_status unwrap_all(struct key_session *session, struct key_item *items, size_t n,
				   const struct key_call *call, struct seal_err *err)
{
	static uint8_t key[DATA_KEY_LEN];

	CHECK(n == 1 && items->aad.len == 0);
	memset(key, 7, sizeof(key));
	memcpy(key, items->in.ptr, items->in.len < sizeof(key) ? items->in.len : sizeof(key));
	items->out = bytes_of(key, sizeof(key));
	return SEAL_OK;
}

static const struct key_session_ops ops = {.size = sizeof(ops), .decrypt = unwrap_all};

static void check_header(struct seal_bytes in, const struct file_header *header)
{
	struct seal_buf again = BUF_INIT(FILE_HEADER_MAX);

	CHECK(buf_append(&again, BYTES_LIT("SEALFILE\1"), NULL) == SEAL_OK);
	CHECK(buf_append(&again, bytes_of(header->id, FILE_ID_LEN), NULL) == SEAL_OK);
	CHECK(buf_append_lp32(&again, header->wrapped, NULL) == SEAL_OK);
	CHECK(buf_append(&again, bytes_of(header->commitment, DATA_KEY_COMMITMENT_LEN), NULL) == SEAL_OK);
	CHECK(buf_append_lp32(&again, header->sealed_meta, NULL) == SEAL_OK);
	CHECK(bytes_eq(buf_bytes(&again), header->all));
	CHECK(header->all.ptr == in.ptr && header->all.len <= in.len);
	buf_clear(&again);
}

static void check_opening(const struct file_header *header, struct seal_bytes rest)
{
	struct key_session kek = {&ops};
	struct key_call call = {.arena = NULL};
	struct file_opener *opener = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	uint8_t *out;

	if (file_opener_new(header, &kek, false, &call, &opener, &err) != SEAL_OK) {
		CHECK(opener == NULL && err.status == SEAL_DATA && err.text[0] != '\0');
		return;
	}
	/* A seed, or somebody who knows the key. */
	CHECK(file_opener_meta(opener)->chunk_size >= FILE_CHUNK_MIN);
	out = mem_alloc(rest.len + 1);
	CHECK(out != NULL);
	for (uint32_t i = 0; i < 3; i++)
		(void)!file_open_chunk(opener, i, i == 0, rest, out, NULL);
	mem_free(out);
	file_opener_free(opener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seal_bytes in = bytes_of(data, size);
	struct seal_err err = SEAL_ERR_INIT;
	struct file_header header;
	struct file_part part;
	size_t need;

	if (file_header_parse(in, &header, &need, &err) != SEAL_OK) {
		CHECK(err.status == SEAL_DATA && header.all.ptr == NULL);
		CHECK(need == 0 || (need > size && need <= FILE_HEADER_MAX));
		CHECK(file_part_parse(in, &part, NULL) == SEAL_DATA);
		return 0;
	}
	CHECK(need == 0);
	check_header(in, &header);
	check_opening(&header, bytes_skip(in, header.all.len));
	if (file_part_parse(in, &part, NULL) == SEAL_OK) {
		CHECK(part.header.all.len == header.all.len && part.chunk.len >= FILE_TAG_LEN);
		CHECK(header.all.len + FILE_PART_HEADER_LEN + part.chunk.len == size);
	}
	return 0;
}
