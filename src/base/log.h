/*
 * Messages for people, on stderr, one line each: "sealstream: warning: …". Never a payload or a key.
 * Thread-safe. The library itself logs nothing; only the program does.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Default: LOG_INFO, text. Call before threads start. */
void log_setup(enum log_level level, enum log_format format);
/* What a JSON line says besides; a text line leaves it out. */
struct log_field {
	const char *name; /* NULL ends a list */
	const char *text; /* NULL: the number */
	int64_t number;
};

void log_say(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "sealstream: error: PLACE: TEXT", or a JSON object: ts (ms since 1970), level, class, code, place, msg. */
void log_err(enum log_level level, const struct seal_err *err);
/* The same with fields: `topic`, `partition`, `records_in` … */
void log_say_with(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_err_with(enum log_level level, const struct log_field *fields, const struct seal_err *err);
bool log_enabled(enum log_level level);

#endif
