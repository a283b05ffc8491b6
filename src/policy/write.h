/*
 * JSON written piece by piece, indented for people. The first failure stays in `rc`; what follows it does nothing, so
 * that a caller checks once at the end.
 */
#ifndef POLICY_WRITE_H
#define POLICY_WRITE_H

#include "base/buf.h"

struct writer {
	struct seal_buf *out;
	struct seal_err *err;
	enum seal_status rc;
	unsigned depth;
	bool more; /* something stands before at this level: a comma is due */
	bool named; /* a name was written: its value comes on the same line */
};

/* `bracket` is '{' or '['; close with '}' or ']'. */
void write_open(struct writer *w, char bracket);
void write_close(struct writer *w, char bracket);
/* The name of the member whose value comes next. */
void write_name(struct writer *w, const char *name);
/* Values. Text is valid UTF-8; NULL is null. */
void write_text(struct writer *w, struct seal_bytes text);
void write_str(struct writer *w, const char *text);
void write_number(struct writer *w, int64_t number);
void write_bool(struct writer *w, bool value);
/* A name and its text. */
void write_member(struct writer *w, const char *name, const char *text);

#endif
