/*
 * A token as a line of `token export`, written and read. One JSON object; every member that it may have is named here.
 *
 *   {"token":"seal:t1:…","kind":"string","value":"4111 …","place":"AQIA…","created_ms":1795338000000}
 *
 *   token          as it stands in records
 *   shaped         hex of 8 bytes, shaped tokens alone: what they share with others of their shape
 *   kind           string, json, bytes
 *   value          text; json: the exact JSON text. value_base64 in its stead where it is no UTF-8
 *   place          base64url of what it is bound to (docs/FORMAT.md, "Place"); left out: nothing
 *   convergent     true, or left out
 *   created_ms, expires_ms     since 1970; expires_ms left out: never
 *   metadata       left out: none
 */
#ifndef CMD_TOKEN_LINE_H
#define CMD_TOKEN_LINE_H

#include "json/path.h"
#include "json/scan.h"
#include "tokens/tokens.h"

/* Appends the line with its end. */
SEAL_MUST_USE enum seal_status token_line_write(const struct token_record *record, struct arena *arena,
						struct seal_buf *out, struct seal_err *err);

/* Its parts, compiled, and scratch. */
struct token_reader {
	struct json_paths *paths;
	struct json_scan scan;
};

SEAL_MUST_USE enum seal_status token_reader_init(struct token_reader *reader, struct seal_err *err);
void token_reader_clear(struct token_reader *reader); /* all zero is fine */
/* What the record holds is in the arena, or are views of `line`. SEAL_DATA: it is none. */
SEAL_MUST_USE enum seal_status token_line_read(struct token_reader *reader, struct seal_bytes line,
					       struct arena *arena, struct token_record *record,
					       struct seal_err *err);

#endif
