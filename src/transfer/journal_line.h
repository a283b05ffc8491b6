/* One line of a journal, both ways; journal.h has the forms. */
#ifndef TRANSFER_JOURNAL_LINE_H
#define TRANSFER_JOURNAL_LINE_H

#include "base/buf.h"
#include "transfer/journal.h"

#define JOURNAL_LINE_MAX 16384
#define JOURNAL_HEAD "sealstream sent "
#define JOURNAL_VERSION "1"

enum journal_event { JOURNAL_BEGIN, JOURNAL_ACKED, JOURNAL_DONE, JOURNAL_GONE };

struct journal_line {
	enum journal_event event;
	uint8_t id[FILE_ID_LEN];
	struct seal_bytes target; /* this and the next two: of JOURNAL_BEGIN */
	struct journal_file file;
	uint32_t chunk_size;
	uint64_t acknowledged; /* of JOURNAL_ACKED */
	int64_t at_s; /* of these two: when it was noted, Unix time; 0: not known */
};

/* Appends the line and its newline. */
SEAL_MUST_USE enum seal_status journal_line_write(struct seal_buf *out, const struct journal_line *line,
						  struct seal_err *err);
/* `text` without its newline. Decodes in place: target and name are views of it. False: no such line. */
bool journal_line_parse(uint8_t *text, size_t len, struct journal_line *line);

#endif
