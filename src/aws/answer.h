/* What a service says of a call that failed: JSON, XML or a page of HTML, whatever was asked. */
#ifndef AWS_ANSWER_H
#define AWS_ANSWER_H

#include "aws/aws.h"

#define AWS_MESSAGE_MAX 200

struct aws_error {
	char code[AWS_CODE_MAX]; /* "": it says none */
	char message[AWS_MESSAGE_MAX]; /* one line; a value that it quotes is left out */
};

/* SEAL_FATAL: no memory; else whatever it is. */
SEAL_MUST_USE enum seal_status aws_error_read(struct seal_bytes body, struct aws_error *out, struct seal_err *err);

/* What an answer that is no 200 means; status 0: none came. */
enum aws_failure aws_failure_of(unsigned status, const char *code);

/* Does it say that the request was signed too early or too late; that the credentials are not, or no longer, valid? */
bool aws_code_of_clock(const char *code);
bool aws_code_of_credentials(const char *code);

/* "2026-11-22T23:54:16.123Z", also with +00:00 or UTC: seconds since 1970; 0: it is no such time. */
int64_t aws_time_of(struct seal_bytes text);

#endif
