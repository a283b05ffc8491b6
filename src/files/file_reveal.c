/*
 * Revealing a file. One chunk is read ahead: the last one is what nothing follows, and whoever cut or lengthened the container finds
 * that this does not open as the last.
 *
 *   in ──▶ next ──▶ now ──opened in place──▶ out            a part: in ──pread──▶ now ──opened in place──▶ the wanted bytes
 *
 * Invariant: nothing goes to `out` that has not been opened.
 */
#include "files/file_reveal.h"

#include "base/mem.h"

struct block {
	uint8_t *ptr; /* a chunk and a tag */
	size_t len;
};

struct run {
	const struct file_reveal *how;
	struct seal_buf header;
	struct file_opener *opener;
	const struct file_meta *meta;
	size_t sealed_chunk; /* bytes of a full chunk with its tag */
	uint8_t *memory; /* of both blocks */
	struct block now, next;
};

static enum seal_status read_header(struct run *run, struct file_header *header, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	size_t need = 1, got;
	enum seal_status rc;

	while (need > run->header.len) {
		size_t more = need - run->header.len;

		SEAL_TRY(buf_reserve(&run->header, more, err));
		SEAL_TRY(file_input_read(run->how->in, run->header.ptr + run->header.len, more, &got, err));
		run->header.len += got;
		err_clear(&why);
		rc = file_header_parse(buf_bytes(&run->header), header, &need, &why);
		if (rc == SEAL_OK)
			return SEAL_OK;
		if (need == 0 || got < more)
			break;
	}
	rc = err_set(err, why.status, why.code, "%s: %s", run->how->in->path, why.text);
out:
	return rc;
}

/* Bytes behind the header, of a regular file. */
static uint64_t body_size(const struct run *run)
{
	const uint64_t size = run->how->in->size;

	return size > run->header.len ? size - run->header.len : 0;
}

/* Bytes of a container whose plaintext has `size` bytes, without the header. */
static uint64_t sealed_size(const struct file_meta *meta)
{
	return meta->size + file_chunks(meta->size, meta->chunk_size) * FILE_TAG_LEN;
}

/* Where both sizes are known, what is wrong with them is told before anything is written. */
static enum seal_status check_size(const struct run *run, struct seal_err *err)
{
	const struct file_input *in = run->how->in;
	uint64_t have, want;

	if (!in->regular || run->meta->size == FILE_SIZE_UNKNOWN)
		return SEAL_OK;
	have = body_size(run);
	want = sealed_size(run->meta);
	if (have < want)
		return err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "%s is cut: %llu byte%s missing", in->path,
			       (unsigned long long)(want - have), want - have == 1 ? " is" : "s are");
	if (have > want)
		return err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "%s has %llu byte%s after its end", in->path,
			       (unsigned long long)(have - want), plural_s(have - want));
	return SEAL_OK;
}

static enum seal_status begin(struct run *run, struct seal_err *err)
{
	const struct file_reveal *how = run->how;
	struct file_header header;
	enum seal_status rc;

	SEAL_TRY(read_header(run, &header, err));
	rc = file_opener_new(&header, how->kek, how->derived, how->call, &run->opener, err);
	if (rc != SEAL_OK) {
		err_prefix(err, "%s", how->in->path);
		goto out;
	}
	run->meta = file_opener_meta(run->opener);
	run->sealed_chunk = (size_t)run->meta->chunk_size + FILE_TAG_LEN;
	run->memory = mem_alloc(2 * run->sealed_chunk);
	if (run->memory == NULL) {
		rc = err_memory(err);
		goto out;
	}
	run->now.ptr = run->memory;
	run->next.ptr = run->memory + run->sealed_chunk;
	SEAL_TRY(check_size(run, err));
out:
	return rc;
}

/* In place; *plain is a view of the block. */
static enum seal_status open_now(struct run *run, uint64_t index, bool last, struct seal_bytes *plain,
				 struct seal_err *err)
{
	const struct block now = run->now;
	enum seal_status rc;

	if (index >= FILE_CHUNKS_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "%s has more chunks than a container can have",
			       run->how->in->path);
	rc = file_open_chunk(run->opener, (uint32_t)index, last, bytes_of(now.ptr, now.len), now.ptr, err);
	if (rc == SEAL_OK)
		*plain = bytes_of(now.ptr, now.len - FILE_TAG_LEN);
	else
		err_prefix(err, "%s is cut or damaged, or something follows it", run->how->in->path);
	return rc;
}

static enum seal_status read_block(struct run *run, struct block *block, struct seal_err *err)
{
	return file_input_read(run->how->in, block->ptr, run->sealed_chunk, &block->len, err);
}

static enum seal_status reveal_all(struct run *run, struct seal_err *err)
{
	enum seal_status rc;
	bool last = false;

	SEAL_TRY(read_block(run, &run->now, err));
	for (uint64_t i = 0; !last; i++) {
		const struct block now = run->now;
		struct seal_bytes plain;

		SEAL_TRY(read_block(run, &run->next, err));
		last = run->next.len == 0;
		SEAL_TRY(open_now(run, i, last, &plain, err));
		SEAL_TRY(file_target_write(run->how->out, plain, err));
		run->now = run->next;
		run->next = now;
	}
out:
	return rc;
}

/* The container's size says how many chunks there are; that none is missing is proved by the last one, if it is wanted. */
static enum seal_status part_bounds(struct run *run, uint64_t *chunks, uint64_t *end, struct seal_err *err)
{
	const struct file_reveal *how = run->how;
	uint64_t sealed = body_size(run), size = run->meta->size;

	*chunks = sealed / run->sealed_chunk + (sealed % run->sealed_chunk != 0);
	if (size == FILE_SIZE_UNKNOWN)
		size = sealed - (*chunks * FILE_TAG_LEN < sealed ? *chunks * FILE_TAG_LEN : sealed);
	if (how->offset > size)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "offset %llu is beyond the end of the file, which has %llu byte%s",
			       (unsigned long long)how->offset, (unsigned long long)size, plural_s(size));
	*end = how->length < size - how->offset ? how->offset + how->length : size;
	return SEAL_OK;
}

static enum seal_status reveal_part(struct run *run, struct seal_err *err)
{
	const uint32_t chunk_size = run->meta->chunk_size;
	uint64_t chunks, end = 0, at = run->how->offset;
	enum seal_status rc;

	SEAL_TRY(part_bounds(run, &chunks, &end, err));
	while (at < end) {
		const uint64_t i = at / chunk_size, from = at % chunk_size;
		struct seal_bytes plain;

		SEAL_TRY(file_input_read_at(run->how->in, run->header.len + i * run->sealed_chunk, run->now.ptr,
					    run->sealed_chunk, &run->now.len, err));
		SEAL_TRY(open_now(run, i, i + 1 == chunks, &plain, err));
		plain = bytes_skip(plain, (size_t)from);
		if (plain.len > end - at)
			plain.len = (size_t)(end - at);
		SEAL_INVARIANT(plain.len > 0);
		SEAL_TRY(file_target_write(run->how->out, plain, err));
		at += plain.len;
	}
out:
	return rc;
}

/* To a pipe: whoever reads it must hear that it is not all. */
static void tell_not_whole(const struct file_target *out, struct seal_err *err)
{
	if (!file_target_is_file(out) && out->written > 0)
		err_prefix(err, "what was written is not the whole file (%llu byte%s of it)",
			   (unsigned long long)out->written, plural_s(out->written));
}

enum seal_status file_reveal(const struct file_reveal *how, int64_t *mtime_ns, struct seal_err *err)
{
	struct run run = {.how = how, .header = BUF_INIT(FILE_HEADER_MAX)};
	enum seal_status rc;

	*mtime_ns = INT64_MIN;
	if (how->part && !how->in->regular)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "a part can be read of a regular file only, not of %s",
			       how->in->path);
	SEAL_TRY(begin(&run, err));
	SEAL_TRY(how->part ? reveal_part(&run, err) : reveal_all(&run, err));
	*mtime_ns = run.meta->mtime_ns;
out:
	if (rc != SEAL_OK)
		tell_not_whole(how->out, err);
	file_opener_free(run.opener);
	if (run.memory != NULL)
		mem_wipe(run.memory, 2 * run.sealed_chunk);
	mem_free(run.memory);
	buf_clear(&run.header);
	return rc;
}
