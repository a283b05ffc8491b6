/* Filling of struct seal_err, and the names of statuses and codes. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct seal_err *err, enum seal_status status, enum seal_code code, const char *fmt, va_list args)
{
	err->status = status;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	err_plain(err->text);
}

void err_plain(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

enum seal_status err_set(struct seal_err *err, enum seal_status status, enum seal_code code, const char *fmt, ...)
{
	va_list args;

	if (err != NULL && err->status == SEAL_OK) {
		va_start(args, fmt);
		fill(err, status, code, fmt, args);
		va_end(args);
	}
	return status;
}

enum seal_status err_set_errno(struct seal_err *err, enum seal_status status, enum seal_code code, int errno_value,
			       const char *fmt, ...)
{
	va_list args;
	char reason[128];
	size_t used;

	if (err == NULL || err->status != SEAL_OK)
		return status;
	va_start(args, fmt);
	fill(err, status, code, fmt, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror_r(errno_value, reason, sizeof(reason)));
	return status;
}

enum seal_status err_memory(struct seal_err *err)
{
	return err_set(err, SEAL_FATAL, SEAL_E_MEMORY, "out of memory");
}

void err_place(struct seal_err *err, const char *fmt, ...)
{
	va_list args;

	if (err == NULL || err->place[0] != '\0')
		return;
	va_start(args, fmt);
	vsnprintf(err->place, sizeof(err->place), fmt, args);
	va_end(args);
}

void err_prefix(struct seal_err *err, const char *fmt, ...)
{
	char old[SEAL_ERR_TEXT_MAX];
	va_list args;
	size_t used;

	if (err == NULL || err->status == SEAL_OK)
		return;
	memcpy(old, err->text, sizeof(old));
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
}

void err_clear(struct seal_err *err)
{
	if (err != NULL) {
		err->status = SEAL_OK;
		err->code = SEAL_E_NONE;
		err->text[0] = '\0';
		err->place[0] = '\0';
	}
}

void err_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "sealstream: bug at %s:%d: %s\n", file, line, what);
	abort();
}

const char *seal_version(void)
{
	return SEALSTREAM_VERSION;
}

const char *seal_status_name(enum seal_status status)
{
	static const char *const names[] = {"ok", "retry", "data", "denied", "usage", "fatal"};

	return (unsigned)status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}

const char *seal_code_name(enum seal_code code)
{
	static const struct {
		enum seal_code code;
		const char *name;
	} names[] = {
		{SEAL_E_NONE, "none"},
		{SEAL_E_MEMORY, "memory"},
		{SEAL_E_INTERNAL, "internal"},
		{SEAL_E_USAGE, "usage"},
		{SEAL_E_CONFIG, "config"},
		{SEAL_E_NO_INPUT, "no_input"},
		{SEAL_E_CREATE, "create"},
		{SEAL_E_IO, "io"},
		{SEAL_E_SERVICE, "service"},
		{SEAL_E_BUSY, "busy"},
		{SEAL_E_DENIED, "denied"},
		{SEAL_E_TIMEOUT, "timeout"},
		{SEAL_E_LIMIT, "limit"},
		{SEAL_E_PIPE, "pipe"},
		{SEAL_E_SYNTAX, "syntax"},
		{SEAL_E_TYPE, "type"},
		{SEAL_E_DOMAIN, "domain"},
		{SEAL_E_PROTECTED, "protected"},
		{SEAL_E_PLAINTEXT, "plaintext"},
		{SEAL_E_TAMPERED, "tampered"},
		{SEAL_E_MISSING, "missing"},
		{SEAL_E_ONE_WAY, "one_way"},
		{SEAL_E_KEY_UNKNOWN, "key_unknown"},
		{SEAL_E_KEY_VERSION, "key_version"},
		{SEAL_E_KEY_MINIMUM, "key_minimum"},
		{SEAL_E_KEY_TYPE, "key_type"},
		{SEAL_E_KEY_EXHAUSTED, "key_exhausted"},
		{SEAL_E_KEY_EXISTS, "key_exists"},
		{SEAL_E_KEY_FILE, "key_file"},
		{SEAL_E_MASTER, "master"},
		{SEAL_E_KEY_FORGOTTEN, "key_forgotten"},
		{SEAL_E_TOKEN_UNKNOWN, "token_unknown"},
		{SEAL_E_TOKEN_EXPIRED, "token_expired"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "unknown";
}
