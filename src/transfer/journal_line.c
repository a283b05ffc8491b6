/*
 * Words parted by one blank. Names may hold any byte, so all but letters, digits, '.', '_' and '-' is written as %XX, and an empty
 * one as "%".
 */
#include "transfer/journal_line.h"

#include "base/encode.h"

#define ID_TEXT_LEN (2 * (size_t)FILE_ID_LEN)

static const char *const words[] = {"begin", "acked", "done", "gone"};

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static enum seal_status put_name(struct seal_buf *out, struct seal_bytes name, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (name.len == 0)
		return buf_append_u8(out, '%', err);
	for (size_t i = 0; i < name.len && rc == SEAL_OK; i++) {
		if (is_plain(name.ptr[i]))
			rc = buf_append_u8(out, name.ptr[i], err);
		else
			rc = buf_printf(out, err, "%%%02x", name.ptr[i]);
	}
	return rc;
}

enum seal_status journal_line_write(struct seal_buf *out, const struct journal_line *line, struct seal_err *err)
{
	const struct journal_file *f = &line->file;
	char id[ID_TEXT_LEN + 1] = "";
	enum seal_status rc;

	hex_encode(bytes_of(line->id, FILE_ID_LEN), id);
	SEAL_TRY(buf_printf(out, err, "%s %s", words[line->event], id));
	if (line->event == JOURNAL_BEGIN) {
		SEAL_TRY(buf_append_u8(out, ' ', err));
		SEAL_TRY(put_name(out, line->target, err));
		SEAL_TRY(buf_printf(out, err, " %llu %llu %llu %lld %lld %u ", (unsigned long long)f->dev,
				    (unsigned long long)f->inode, (unsigned long long)f->size, (long long)f->mtime_ns,
				    (long long)f->ctime_ns, line->chunk_size));
		SEAL_TRY(put_name(out, f->name, err));
		SEAL_TRY(buf_printf(out, err, " %lld", (long long)line->at_s));
	} else if (line->event == JOURNAL_ACKED) {
		SEAL_TRY(buf_printf(out, err, " %llu %lld", (unsigned long long)line->acknowledged,
				    (long long)line->at_s));
	}
	SEAL_TRY(buf_append_u8(out, '\n', err));
out:
	return rc;
}

struct words_left {
	uint8_t *at, *end; /* at == NULL: there are no more */
};

/* The next word; false when there is none or it is empty. */
static bool take_word(struct words_left *w, struct seal_bytes *out)
{
	uint8_t *blank;

	if (w->at == NULL)
		return false;
	blank = memchr(w->at, ' ', (size_t)(w->end - w->at));
	*out = bytes_of(w->at, (size_t)((blank ? blank : w->end) - w->at));
	w->at = blank ? blank + 1 : NULL;
	return out->len > 0;
}

static bool take_number(struct words_left *w, uint64_t max, uint64_t *out)
{
	struct seal_bytes word;

	return take_word(w, &word) && bytes_to_u64(word, max, out);
}

static bool take_time(struct words_left *w, int64_t *out)
{
	struct seal_bytes word;
	uint64_t value;
	bool negative;

	if (!take_word(w, &word))
		return false;
	negative = word.ptr[0] == '-';
	if (!bytes_to_u64(bytes_skip(word, negative), INT64_MAX, &value))
		return false;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* Decodes where it stands. */
static bool take_name(struct words_left *w, struct seal_bytes *out)
{
	struct seal_bytes word;
	uint8_t *start = w->at;
	size_t len = 0;

	if (!take_word(w, &word))
		return false;
	for (size_t i = 0; i < word.len && !(word.len == 1 && word.ptr[0] == '%'); i++) {
		uint8_t byte = word.ptr[i];

		if (byte == '%') {
			if (word.len - i < 3 || !hex_decode(bytes_of(word.ptr + i + 1, 2), &byte))
				return false;
			i += 2;
		} else if (!is_plain(byte)) {
			return false;
		}
		start[len++] = byte;
	}
	*out = bytes_of(start, len);
	return true;
}

static bool take_begin(struct words_left *w, struct journal_line *line)
{
	struct journal_file *f = &line->file;
	uint64_t chunk_size;

	if (!take_name(w, &line->target) || !take_number(w, UINT64_MAX, &f->dev) ||
	    !take_number(w, UINT64_MAX, &f->inode) || !take_number(w, UINT64_MAX, &f->size) ||
	    !take_time(w, &f->mtime_ns) || !take_time(w, &f->ctime_ns) || !take_number(w, UINT32_MAX, &chunk_size) ||
	    !take_name(w, &f->name))
		return false;
	line->chunk_size = (uint32_t)chunk_size;
	return chunk_size > 0 && f->name.len > 0;
}

bool journal_line_parse(uint8_t *text, size_t len, struct journal_line *line)
{
	struct words_left w = {text, text + len};
	struct seal_bytes word;
	size_t event = 0;

	*line = (struct journal_line){.event = JOURNAL_GONE};
	if (!take_word(&w, &word))
		return false;
	while (event < sizeof(words) / sizeof(words[0]) && !bytes_eq_str(word, words[event]))
		event++;
	if (event == sizeof(words) / sizeof(words[0]) || !take_word(&w, &word) || word.len != ID_TEXT_LEN ||
	    !hex_decode(word, line->id))
		return false;
	line->event = (enum journal_event)event;
	if (line->event == JOURNAL_BEGIN && !take_begin(&w, line))
		return false;
	if (line->event == JOURNAL_ACKED && !take_number(&w, UINT64_MAX, &line->acknowledged))
		return false;
	if (w.at != NULL && (line->event == JOURNAL_BEGIN || line->event == JOURNAL_ACKED) &&
	    !take_time(&w, &line->at_s))
		return false;
	return w.at == NULL;
}
