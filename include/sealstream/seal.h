/*
 * sealstream: protect the fields of records before they enter an event stream.
 *
 * This page holds for every function of the library.
 *
 * Errors      Functions that can fail return `enum seal_status`; SEAL_OK is 0. The last argument is a
 *             `struct seal_err *` that the caller owns; it may be NULL. Branch on the status alone:
 *             it is the class of the failure. `code` is finer and stable; `text` and `place` are for people.
 *             A function that fails leaves its outputs empty (NULL, zero length).
 * NULL        A pointer may be NULL only where the function says so. Every `*_free`, `*_close` accepts NULL.
 * Bytes       `struct seal_bytes` is a borrowed view: pointer and length, not terminated by NUL. A view with
 *             length 0 may have any pointer. Where "absent" differs from "empty" (a record's value), absent is
 *             a NULL pointer and empty is a non-NULL pointer with length 0.
 * Ownership   Objects from `*_new`, `*_open`, `*_load` belong to the caller. Views in results belong to the
 *             object that made them and are valid until the next call on it, unless said otherwise.
 * Threads     A policy and a keyring may be used by any number of threads at once. A seal_engine belongs to
 *             one thread at a time; make one for each worker.
 * Secrets     Keys live in locked memory that is not dumped, and are wiped. Neither keys nor values of
 *             records ever appear in `text` or `place`.
 * Versions    Structs that callers fill start with `size`; set it to sizeof. Symbols are never removed and
 *             never change meaning within a major version.
 */
#ifndef SEALSTREAM_SEAL_H
#define SEALSTREAM_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SEAL_API __attribute__((visibility("default")))
#define SEAL_MUST_USE __attribute__((warn_unused_result))
#else
#define SEAL_API
#define SEAL_MUST_USE
#endif

/* The class of a failure: all that a caller needs to decide what to do. */
enum seal_status {
	SEAL_OK = 0,
	SEAL_RETRY = 1, /* nothing is wrong with the request; later may work */
	SEAL_DATA = 2, /* this record or input is bad and always will be */
	SEAL_DENIED = 3, /* not allowed: credentials, permissions, a key's own limits */
	SEAL_USAGE = 4, /* the caller, the command line or the configuration is wrong */
	SEAL_FATAL = 5 /* cannot go on: memory, disk, internal */
};

/* What failed, finer than the class. Stable numbers; new ones may be added. */
enum seal_code {
	SEAL_E_NONE = 0,
	SEAL_E_MEMORY = 1, /* no memory */
	SEAL_E_INTERNAL = 2, /* a bug, or a library that failed without a reason */
	SEAL_E_USAGE = 3, /* arguments */
	SEAL_E_CONFIG = 4, /* policy or configuration */
	SEAL_E_NO_INPUT = 5, /* a file that does not exist or cannot be read */
	SEAL_E_CREATE = 6, /* an output that cannot be created */
	SEAL_E_IO = 7, /* reading or writing failed */
	SEAL_E_SERVICE = 8, /* a service is away */
	SEAL_E_BUSY = 9, /* a service or a lock is busy; try again */
	SEAL_E_DENIED = 10, /* refused by a service or by file permissions */
	SEAL_E_TIMEOUT = 11, /* a deadline passed */
	SEAL_E_LIMIT = 12, /* larger than a named limit */
	SEAL_E_PIPE = 13, /* whoever read the output has gone */
	SEAL_E_SYNTAX = 20, /* not JSON, not UTF-8, not what the format says */
	SEAL_E_TYPE = 21, /* a value of a type that the method cannot take */
	SEAL_E_DOMAIN = 22, /* a value too short or too long for its method */
	SEAL_E_PROTECTED = 23, /* already protected */
	SEAL_E_PLAINTEXT = 24, /* not protected where it must be */
	SEAL_E_TAMPERED = 25, /* does not authenticate: changed, moved, or under another key */
	SEAL_E_MISSING = 26, /* a field that must be there is not */
	SEAL_E_ONE_WAY = 27, /* cannot be revealed */
	SEAL_E_KEY_UNKNOWN = 30, /* no such key */
	SEAL_E_KEY_VERSION = 31, /* no such version of the key */
	SEAL_E_KEY_MINIMUM = 32, /* version below the key's minimum */
	SEAL_E_KEY_TYPE = 33, /* the key cannot do this */
	SEAL_E_KEY_EXHAUSTED = 34, /* the key has been used as often as it may */
	SEAL_E_KEY_EXISTS = 35, /* a key of that name is there already */
	SEAL_E_KEY_FILE = 36, /* a key file is damaged */
	SEAL_E_MASTER = 37, /* the master key does not open the keyring */
	SEAL_E_KEY_FORGOTTEN = 38, /* the person's key was forgotten on purpose; the data is gone for ever */
	SEAL_E_TOKEN_UNKNOWN = 40, /* the store has no such token */
	SEAL_E_TOKEN_EXPIRED = 41 /* the token's time is over */
};

/* A borrowed view of bytes. */
struct seal_bytes {
	const uint8_t *ptr;
	size_t len;
};

#define SEAL_ERR_TEXT_MAX 512
#define SEAL_ERR_PLACE_MAX 256

/* A failure. Owned by the caller; needs no cleanup. Zero it or use SEAL_ERR_INIT before the first use. */
struct seal_err {
	enum seal_status status;
	enum seal_code code;
	char text[SEAL_ERR_TEXT_MAX]; /* what failed and what to do, one line, never a value */
	char place[SEAL_ERR_PLACE_MAX]; /* where: file:line:column, topic/partition/offset, field path; may be "" */
};

#define SEAL_ERR_INIT                                                                                                \
	{                                                                                                            \
		SEAL_OK, SEAL_E_NONE, {0},                                                                           \
		{                                                                                                    \
			0                                                                                            \
		}                                                                                                    \
	}

/* The library's version as "major.minor.patch". Static; any thread. */
SEAL_API const char *seal_version(void);

/* The name of a status ("ok", "retry", …) or code ("tampered", …). Static; any thread. */
SEAL_API const char *seal_status_name(enum seal_status status);
SEAL_API const char *seal_code_name(enum seal_code code);

#ifdef __cplusplus
}
#endif
#endif
