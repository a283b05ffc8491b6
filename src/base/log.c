/* One line on stderr a message, written with a single write so that threads don't mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/utf8.h"

#define FIELDS_MAX 1200

static enum log_level level_max = LOG_INFO;
static enum log_format format_now = LOG_TEXT;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_setup(enum log_level level, enum log_format format)
{
	level_max = level;
	format_now = format;
}

bool log_enabled(enum log_level level)
{
	return level <= level_max;
}

/* JSON-escapes `text` into `out`; what does not fit is left out. */
static size_t escape(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (; *text != '\0' && n + 7 < room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			n += (size_t)snprintf(out + n, room - n, "\\%c", c);
		else if (c < 0x20)
			n += (size_t)snprintf(out + n, room - n, "\\u%04x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

/* ",\"name\":value" of each; those that find no room are left out. */
static void write_fields(const struct log_field *fields, char *out, size_t room)
{
	size_t at = 0;

	out[0] = '\0';
	for (; fields != NULL && fields->name != NULL; fields++) {
		char text[400], one[480];
		int n;

		if (fields->text != NULL) {
			escape(fields->text, text, sizeof(text));
			n = snprintf(one, sizeof(one), ",\"%s\":\"%s\"", fields->name, text);
		} else {
			n = snprintf(one, sizeof(one), ",\"%s\":%lld", fields->name, (long long)fields->number);
		}
		if (n < 0 || (size_t)n >= sizeof(one) || (size_t)n >= room - at)
			continue;
		memcpy(out + at, one, (size_t)n + 1);
		at += (size_t)n;
	}
}

/* `status` and `code` are empty for what is not an error. */
static void emit(enum log_level level, const struct log_field *fields, const char *status, const char *code,
		 const char *place, const char *text)
{
	char safe_text[1400], safe_place[600], more[FIELDS_MAX], line[2400 + FIELDS_MAX];
	ssize_t ignored;
	int n;

	if (format_now == LOG_JSON) {
		escape(text, safe_text, sizeof(safe_text));
		escape(place, safe_place, sizeof(safe_place));
		write_fields(fields, more, sizeof(more));
		n = snprintf(line, sizeof(line),
			     "{\"ts\":%lld,\"level\":\"%s\",\"class\":\"%s\",\"code\":\"%s\",\"place\":\"%s\","
			     "\"msg\":\"%s\"%s}\n",
			     (long long)clock_unix_ms(), level_names[level], status, code, safe_place, safe_text,
			     more);
	} else {
		n = snprintf(line, sizeof(line), "sealstream: %s%s%s%s%s\n",
			     level == LOG_INFO ? "" : level_names[level], level == LOG_INFO ? "" : ": ", place,
			     place[0] ? ": " : "", text);
	}
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	utf8_keep_to_one_line(line, strlen(line) - 1); /* without its end */
	ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}

static void say(enum log_level level, const struct log_field *fields, const char *fmt, va_list args)
{
	char text[1200];

	vsnprintf(text, sizeof(text), fmt, args);
	emit(level, fields, "", "", "", text);
}

void log_say(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	say(level, NULL, fmt, args);
	va_end(args);
}

void log_say_with(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	say(level, fields, fmt, args);
	va_end(args);
}

void log_err_with(enum log_level level, const struct log_field *fields, const struct seal_err *err)
{
	if (log_enabled(level))
		emit(level, fields, seal_status_name(err->status), seal_code_name(err->code), err->place, err->text);
}

void log_err(enum log_level level, const struct seal_err *err)
{
	log_err_with(level, NULL, err);
}
