/*
 * Errors: how `struct seal_err` is filled and passed on.
 *
 * The first, most specific error wins: seal_err_set keeps an error that is already there. Outer layers add
 * where it happened (err_place) or a prefix (err_prefix). Texts are one line, say what failed and what to do,
 * and never hold a key or a value of a record.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "sealstream/seal.h"

/* The one guard macro: goes to the function's `out:` label with `rc` set when `expr` fails. */
#define SEAL_TRY(expr)                                                                                               \
	do {                                                                                                         \
		if ((rc = (expr)) != SEAL_OK)                                                                        \
			goto out;                                                                                    \
	} while (0)

/* Fills `err` (may be NULL) unless it already holds an error, and returns `status`. */
enum seal_status err_set(struct seal_err *err, enum seal_status status, enum seal_code code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* As err_set, with ": " and the text of `errno_value` added. */
enum seal_status err_set_errno(struct seal_err *err, enum seal_status status, enum seal_code code, int errno_value,
			       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Out of memory: SEAL_FATAL, SEAL_E_MEMORY. */
enum seal_status err_memory(struct seal_err *err);

/* Says where it happened, unless a place is already there. */
void err_place(struct seal_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the text. */
void err_prefix(struct seal_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Control characters become spaces, so that a text with words of somebody else's stays one line and commands no terminal.
 * Done to all texts of errors.
 */
void err_plain(char *text);

/* For counts in texts: the s of `n` things. */
static inline const char *plural_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Empties `err`, so that it can take another error. */
void err_clear(struct seal_err *err);

/* Aborts with a message: a caller's bug or a broken invariant, never something that input can cause. */
void err_bug(const char *file, int line, const char *what) __attribute__((noreturn));
#define SEAL_INVARIANT(cond) ((cond) ? (void)0 : err_bug(__FILE__, __LINE__, #cond))

#endif
