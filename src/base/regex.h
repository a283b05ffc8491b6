/*
 * Regular expressions (PCRE2 syntax). They match a whole text, never a part of it, in bounded time.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"

#define REGEX_LENGTH_MAX 1000

struct regex;

enum regex_result {
	REGEX_NO,
	REGEX_YES,
	REGEX_LIMIT /* gave up: too much work or no memory. Callers take the safe side */
};

/* Compiles. SEAL_USAGE/SEAL_E_CONFIG with the offset of what is wrong in *error_at. */
SEAL_MUST_USE enum seal_status regex_new(struct seal_bytes text, struct regex **out, size_t *error_at,
					 struct seal_err *err);
void regex_free(struct regex *regex);

/* Any thread. Bytes that are not UTF-8 match nothing. */
enum regex_result regex_match(const struct regex *regex, struct seal_bytes subject);

#endif
