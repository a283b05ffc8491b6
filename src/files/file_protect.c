/*
 * Protecting a file. One chunk is read ahead: whether a chunk is the last one is known when nothing follows it.
 *
 *   in ──▶ next ──▶ now ──sealed in place──▶ out
 */
#include "files/file_protect.h"

#include "base/mem.h"
#include "crypto/random.h"

struct block {
	uint8_t *ptr; /* a chunk and a tag */
	size_t len;
};

struct run {
	const struct file_protect *how;
	struct file_sealer *sealer;
	struct block now, next;
};

/* The size as far as it is known before the end: a first chunk that is not full is all there is. */
static uint64_t size_of(const struct run *run)
{
	const struct file_input *in = run->how->in;

	if (run->now.len < run->how->chunk_size)
		return run->now.len;
	return in->regular && in->size >= run->now.len ? in->size : FILE_SIZE_UNKNOWN;
}

static enum seal_status begin(struct run *run, struct seal_err *err)
{
	const struct file_protect *how = run->how;
	struct file_meta meta = {.name = how->name,
				 .media_type = how->media_type,
				 .size = size_of(run),
				 .mtime_ns = how->in->mtime_ns,
				 .chunk_size = how->chunk_size};
	enum seal_status rc;

	SEAL_TRY(random_bytes(meta.id, sizeof(meta.id), err));
	SEAL_TRY(file_sealer_new(&meta, how->kek, how->derived, how->call, &run->sealer, err));
	SEAL_TRY(file_target_write(how->out, file_sealer_header(run->sealer), err));
out:
	return rc;
}

static enum seal_status read_block(struct run *run, struct block *block, struct seal_err *err)
{
	return file_input_read(run->how->in, block->ptr, run->how->chunk_size, &block->len, err);
}

static enum seal_status all_chunks(struct run *run, struct seal_err *err)
{
	enum seal_status rc;
	bool last = false;

	for (uint64_t i = 0; !last; i++) {
		const struct block now = run->now;

		if (i == FILE_CHUNKS_MAX)
			return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
				       "%s has too many chunks of this size; take larger ones", run->how->in->path);
		SEAL_TRY(read_block(run, &run->next, err));
		last = run->next.len == 0;
		SEAL_TRY(file_seal(run->sealer, (uint32_t)i, last, bytes_of(now.ptr, now.len), now.ptr, err));
		SEAL_TRY(file_target_write(run->how->out, bytes_of(now.ptr, now.len + FILE_TAG_LEN), err));
		run->now = run->next;
		run->next = now;
	}
out:
	return rc;
}

enum seal_status file_protect(const struct file_protect *how, struct seal_err *err)
{
	const size_t room = (size_t)how->chunk_size + FILE_TAG_LEN;
	uint8_t *memory = mem_alloc(2 * room);
	struct run run = {.how = how};
	enum seal_status rc;

	if (memory == NULL)
		return err_memory(err);
	run.now.ptr = memory;
	run.next.ptr = memory + room;
	SEAL_TRY(read_block(&run, &run.now, err));
	SEAL_TRY(begin(&run, err));
	SEAL_TRY(all_chunks(&run, err));
out:
	file_sealer_free(run.sealer);
	mem_wipe(memory, 2 * room);
	mem_free(memory);
	return rc;
}
