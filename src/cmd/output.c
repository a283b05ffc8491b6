/* What commands print. */
#include "cmd/output.h"

#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"

enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

void output_json_string(FILE *to, struct seal_bytes text)
{
	size_t at = 0;

	fputc('"', to);
	while (at < text.len) {
		size_t from = at;
		uint32_t code;

		if (!utf8_next(text, &at, &code)) {
			at = from + 1;
			fputs("\\ufffd", to);
		} else if (code == '"' || code == '\\') {
			fprintf(to, "\\%c", (char)code);
		} else if (utf8_steers(code)) {
			fprintf(to, "\\u%04x", (unsigned)code);
		} else {
			fwrite(text.ptr + from, 1, at - from, to);
		}
	}
	fputc('"', to);
}

void output_waiting(const struct seal_err *why)
{
	struct seal_err told = *why;

	err_prefix(&told, "waiting, and trying again");
	log_err(LOG_WARNING, &told);
}

void output_resumed(uint64_t waited_ms)
{
	log_say(LOG_WARNING, "going on, after %.1f s of waiting", (double)waited_ms / 1000);
}

bool output_colored(const struct global_options *global, FILE *to)
{
	const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */

	if (global->color == COLOR_ALWAYS)
		return true;
	return global->color == COLOR_AUTO && (no_color == NULL || no_color[0] == '\0') && isatty(fileno(to));
}
