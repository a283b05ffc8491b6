/* Audit trails: no line breaks the check, and a part of a good line is none. */
#include "audit/check.h"
#include "fuzz.h"

static void check_line(struct seal_bytes text)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_line line;
	enum audit_line_state state;

	CHECK(audit_line_parse(text, &line, &state, &err) == SEAL_OK);
	if (state != AUDIT_LINE_GOOD)
		return;
	CHECK(line.seq > 0 && audit_line_begins(text));
	for (size_t len = 0; len < text.len; len += 13)
		CHECK(audit_line_parse(bytes_of(text.ptr, len), &line, &state, &err) == SEAL_OK &&
		      state == AUDIT_LINE_FOREIGN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_check check;
	struct seal_bytes rest = bytes_of(data, size);

	audit_check_init(&check, &(struct audit_check_options){.n_expect = 0});
	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.ptr, '\n', rest.len);
		const struct seal_bytes text = bytes_of(rest.ptr, newline ? (size_t)(newline - rest.ptr) : rest.len);

		check_line(text);
		CHECK(audit_check_line(&check, text, "line", &err) == SEAL_OK);
		rest = bytes_skip(rest, text.len + 1);
	}
	audit_check_end(&check);
	CHECK(check.unfinished <= check.runs.n && check.chains.n <= check.lines);
	audit_check_clear(&check);
	return 0;
}
