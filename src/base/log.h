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
void log_say(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "sealstream: error: PLACE: TEXT", or a JSON object: ts (ms since 1970), level, class, code, place, msg. */
void log_err(enum log_level level, const struct seal_err *err);
bool log_enabled(enum log_level level);

#endif
