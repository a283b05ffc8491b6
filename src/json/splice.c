/*
 * Splicing: one pass that copies what is kept and writes what replaces.
 *
 *   {"a": 1, "b": 2, "c": 3}      remove b: from its name to the next member's name
 *            ^^^^^^^^
 *   {"a": 1, "b": 2, "c": 3}      remove c, the last one: from the comma before it to its end
 *                  ^^^^^^^^
 *
 * Whether an item is the last one is seen from the bytes after it; the comma before a last item is taken back from
 * the output, so that runs of removed items need no look-ahead: what stands there is always the `,` that belongs to
 * the item that was kept before, or the container's opening bracket.
 */
#include "json/splice.h"

struct splice {
	struct seal_bytes doc;
	size_t from; /* first byte of doc that is neither copied nor dropped */
	uint8_t *out, *to; /* written: [out, to) */
};

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static size_t skip_space(struct seal_bytes doc, size_t at)
{
	while (at < doc.len && is_space(doc.ptr[at]))
		at++;
	return at;
}

static void put(struct splice *s, struct seal_bytes bytes)
{
	if (bytes.len)
		memcpy(s->to, bytes.ptr, bytes.len);
	s->to += bytes.len;
}

/* Copies the document up to `until`. */
static void copy(struct splice *s, size_t until)
{
	SEAL_INVARIANT(until >= s->from && until <= s->doc.len);
	put(s, bytes_of(s->doc.ptr + s->from, until - s->from));
	s->from = until;
}

static void take_back_space(struct splice *s)
{
	while (s->to > s->out && is_space(s->to[-1]))
		s->to--;
}

static void remove_item(struct splice *s, const struct json_edit *edit)
{
	size_t next = skip_space(s->doc, edit->end);

	copy(s, edit->item_start);
	if (next < s->doc.len && s->doc.ptr[next] == ',') {
		s->from = skip_space(s->doc, next + 1);
		return;
	}
	s->from = edit->end;
	take_back_space(s);
	if (s->to == s->out) { /* the document itself: a JSON text needs a value */
		put(s, BYTES_LIT("null"));
	} else if (s->to[-1] == ',') {
		s->to--;
		take_back_space(s);
	}
}

static void replace_value(struct splice *s, const struct json_edit *edit)
{
	copy(s, edit->start);
	if (edit->quote)
		*s->to++ = '"';
	put(s, edit->with);
	if (edit->quote)
		*s->to++ = '"';
	s->from = edit->end;
}

size_t json_splice_max(struct seal_bytes doc, const struct json_edit *edits, size_t n)
{
	size_t max = doc.len;

	for (size_t i = 0; i < n; i++)
		max += edits[i].remove ? sizeof("null") : edits[i].with.len + 2;
	return max;
}

size_t json_splice(struct seal_bytes doc, const struct json_edit *edits, size_t n, uint8_t *out)
{
	struct splice s = {doc, 0, out, out};

	for (size_t i = 0; i < n; i++) {
		SEAL_INVARIANT(edits[i].item_start <= edits[i].start && edits[i].start <= edits[i].end);
		if (edits[i].remove)
			remove_item(&s, &edits[i]);
		else
			replace_value(&s, &edits[i]);
	}
	copy(&s, doc.len);
	return (size_t)(s.to - out);
}
