/* Lines of a sender's journal: what parses is written again to a line that says the same. */
#include "base/mem.h"
#include "fuzz.h"
#include "transfer/journal_line.h"

static void check_same(const struct journal_line *a, const struct journal_line *b)
{
	CHECK(a->event == b->event && memcmp(a->id, b->id, FILE_ID_LEN) == 0);
	CHECK(a->acknowledged == b->acknowledged && a->chunk_size == b->chunk_size);
	CHECK(bytes_eq(a->target, b->target) && bytes_eq(a->file.name, b->file.name));
	CHECK(a->file.dev == b->file.dev && a->file.inode == b->file.inode && a->file.size == b->file.size);
	CHECK(a->file.mtime_ns == b->file.mtime_ns && a->file.ctime_ns == b->file.ctime_ns && a->at_s == b->at_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_buf text = BUF_INIT(1 << 24);
	struct seal_err err = SEAL_ERR_INIT;
	struct journal_line line, again;
	uint8_t *copy = mem_alloc(size); /* parsing decodes in place */

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (size <= JOURNAL_LINE_MAX && journal_line_parse(copy, size, &line)) {
		CHECK(journal_line_write(&text, &line, &err) == SEAL_OK);
		CHECK(text.ptr[text.len - 1] == '\n');
		CHECK(journal_line_parse(text.ptr, text.len - 1, &again));
		check_same(&line, &again);
	}
	buf_clear(&text);
	mem_free(copy);
	return 0;
}
