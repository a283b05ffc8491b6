/* Lines of audit trails; line.h has the form. */
#include "audit/line.h"

#include <inttypes.h>
#include <time.h>

#include "base/encode.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "json/string.h"

#define CUT "..."
#define HASH_MEMBER ",\"hash\":\""
#define TAIL_LEN (sizeof(HASH_MEMBER) - 1 + 2 * (size_t)SHA256_LEN + 2) /* ,"hash":"<64 hex>"} */
#define HEAD "{\"v\":"
#define EVENT_MAX 32

/* ---- writing ---- */

/* One that fits, is valid UTF-8 and steers no terminal. Returns the length. */
static size_t make_plain(const char *text, char out[AUDIT_TEXT_MAX])
{
	size_t len = strlen(text);
	const bool cut = len > AUDIT_TEXT_MAX;

	if (cut)
		len = AUDIT_TEXT_MAX - (sizeof(CUT) - 1);
	memcpy(out, text, len);
	utf8_keep_to_one_line(out, len); /* half a character at the cut, too */
	if (cut) {
		memcpy(out + len, CUT, sizeof(CUT) - 1);
		len += sizeof(CUT) - 1;
	}
	return len;
}

enum seal_status audit_put_text(struct seal_buf *members, const char *name, const char *text, struct seal_err *err)
{
	char plain[AUDIT_TEXT_MAX];
	const size_t len = make_plain(text, plain);
	enum seal_status rc;

	SEAL_TRY(buf_printf(members, err, ",\"%s\":", name));
	SEAL_TRY(buf_reserve(members, JSON_STRING_MAX(len), err));
	members->len += json_string_write(bytes_of(plain, len), members->ptr + members->len);
out:
	return rc;
}

enum seal_status audit_put_number(struct seal_buf *members, const char *name, uint64_t value, struct seal_err *err)
{
	return buf_printf(members, err, ",\"%s\":%" PRIu64, name, value);
}

static void time_text(int64_t now_ms, char out[AUDIT_TIME_LEN + 1])
{
	const time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm = {.tm_year = 70, .tm_mday = 1};
	char date[AUDIT_TIME_LEN];

	(void)gmtime_r(&seconds, &tm);
	if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) != 19)
		snprintf(date, sizeof(date), "1970-01-01T00:00:00"); /* a clock in the year 10000 */
	snprintf(out, AUDIT_TIME_LEN + 1, "%.19s.%03uZ", date, (unsigned)(now_ms % 1000) % 1000);
}

static enum seal_status put_hex(struct seal_buf *out, const char *before, const uint8_t *bytes, size_t len,
				struct seal_err *err)
{
	char text[2 * SHA256_LEN];
	enum seal_status rc;

	hex_encode(bytes_of(bytes, len), text);
	SEAL_TRY(buf_append_str(out, before, err));
	SEAL_TRY(buf_append(out, bytes_of(text, 2 * len), err));
out:
	return rc;
}

enum seal_status audit_line_write(struct seal_buf *out, struct audit_link *link, const uint8_t run[AUDIT_ID_LEN],
				  int64_t now_ms, const char *event, struct seal_bytes members, struct seal_err *err)
{
	const size_t start = out->len;
	char at[AUDIT_TIME_LEN + 1];
	uint8_t hash[SHA256_LEN];
	enum seal_status rc;

	time_text(now_ms, at);
	SEAL_TRY(put_hex(out, HEAD "1,\"chain\":\"", link->chain, AUDIT_ID_LEN, err));
	SEAL_TRY(buf_printf(out, err, "\",\"seq\":%" PRIu64, link->seq + 1));
	SEAL_TRY(put_hex(out, ",\"prev\":\"", link->hash, SHA256_LEN, err));
	SEAL_TRY(buf_printf(out, err, "\",\"time\":\"%s\"", at));
	SEAL_TRY(put_hex(out, ",\"run\":\"", run, AUDIT_ID_LEN, err));
	SEAL_TRY(buf_printf(out, err, "\",\"event\":\"%s\"", event));
	SEAL_TRY(buf_append(out, members, err));
	SEAL_TRY(sha256(bytes_of(out->ptr + start, out->len - start), hash, err));
	SEAL_TRY(put_hex(out, HASH_MEMBER, hash, sizeof(hash), err));
	SEAL_TRY(buf_append_str(out, "\"}\n", err));
	if (out->len - start > AUDIT_LINE_MAX + 1) {
		rc = err_set(err, SEAL_FATAL, SEAL_E_LIMIT, "a line of the audit trail would be longer than %d bytes",
			     AUDIT_LINE_MAX);
		goto out;
	}
	link->seq++;
	memcpy(link->hash, hash, sizeof(hash));
out:
	return rc;
}

/* ---- reading ---- */

static bool take_literal(struct cursor *c, const char *text)
{
	struct seal_bytes found;

	return cursor_take(c, strlen(text), &found) && bytes_eq_str(found, text);
}

/* Up to the byte `end`, which is taken, too. */
static bool take_until(struct cursor *c, char end, size_t max, struct seal_bytes *out)
{
	const uint8_t *found = memchr(c->rest.ptr, end, c->rest.len < max + 1 ? c->rest.len : max + 1);
	uint8_t taken;

	return found != NULL && cursor_take(c, (size_t)(found - c->rest.ptr), out) && cursor_u8(c, &taken);
}

/* Lower case alone, so that each line has one text. */
static bool take_hex(struct cursor *c, uint8_t *out, size_t len)
{
	struct seal_bytes text;

	if (!cursor_take(c, 2 * len, &text) || !hex_decode(text, out))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
			return false;
	return true;
}

bool audit_line_begins(struct seal_bytes text)
{
	const struct seal_bytes head = BYTES_LIT(HEAD);

	return bytes_starts(text, head) || bytes_starts(head, text);
}

static bool take_head(struct cursor *c, struct audit_line *out)
{
	struct seal_bytes seq;

	return take_literal(c, "1,\"chain\":\"") && take_hex(c, out->chain, sizeof(out->chain)) &&
	       take_literal(c, "\",\"seq\":") && take_until(c, ',', 20, &seq) &&
	       bytes_to_u64(seq, UINT64_MAX - 1, &out->seq) && out->seq > 0 && take_literal(c, "\"prev\":\"") &&
	       take_hex(c, out->prev, sizeof(out->prev)) && take_literal(c, "\",\"time\":\"") &&
	       take_until(c, '"', AUDIT_TIME_LEN, &out->time) && take_literal(c, ",\"run\":\"") &&
	       take_hex(c, out->run, sizeof(out->run)) && take_literal(c, "\",\"event\":\"") &&
	       take_until(c, '"', EVENT_MAX, &out->event);
}

enum seal_status audit_line_parse(struct seal_bytes text, struct audit_line *out, enum audit_line_state *state,
				  struct seal_err *err)
{
	struct cursor c = {text}, tail = {bytes_skip(text, text.len < TAIL_LEN ? 0 : text.len - TAIL_LEN)};
	uint8_t hash[SHA256_LEN];
	enum seal_status rc = SEAL_OK;

	*out = (struct audit_line){.seq = 0};
	*state = AUDIT_LINE_FOREIGN;
	if (text.len > AUDIT_LINE_MAX || !take_literal(&c, HEAD) || !json_is_value(text, false))
		return SEAL_OK;
	if (!take_head(&c, out)) {
		if (!bytes_starts(bytes_skip(text, sizeof(HEAD) - 1), BYTES_LIT("1,")))
			*state = AUDIT_LINE_NEWER;
		return SEAL_OK;
	}
	if (c.rest.len < TAIL_LEN || !take_literal(&tail, HASH_MEMBER) ||
	    !take_hex(&tail, out->hash, sizeof(out->hash)) || !take_literal(&tail, "\"}"))
		return SEAL_OK;
	SEAL_TRY(sha256(bytes_of(text.ptr, text.len - TAIL_LEN), hash, err));
	*state = memcmp(hash, out->hash, sizeof(hash)) == 0 ? AUDIT_LINE_GOOD : AUDIT_LINE_CHANGED;
out:
	return rc;
}
