/*
 * The shared files of AWS's programs, ~/.aws/config and ~/.aws/credentials (docs.aws.amazon.com/sdkref, "Shared config and credentials
 * files"): sections of NAME = VALUE lines. Both may hold keys, so their text stays in secret memory, and is looked through anew for
 * each value.
 */
#ifndef AWS_CONFIG_FILE_H
#define AWS_CONFIG_FILE_H

#include "base/buf.h"
#include "base/secret.h"

#define AWS_PATH_MAX 1024
#define AWS_FILE_MAX ((1u << 20) - 1)

struct aws_files {
	struct secret config, credentials; /* ptr NULL: no such file, or an empty one */
	char config_path[AWS_PATH_MAX], credentials_path[AWS_PATH_MAX]; /* "" where there is no HOME */
};

enum aws_section { AWS_SECTION_PROFILE, AWS_SECTION_SSO_SESSION, AWS_SECTION_SERVICES };

/* Where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say, else in ~/.aws. A file that is not there is none; one that may not be read fails. */
SEAL_MUST_USE enum seal_status aws_files_read(struct aws_files *out, struct seal_err *err);
void aws_files_clear(struct aws_files *files);

/* Is there such a section? A profile may stand in either file. */
bool aws_files_has(const struct aws_files *files, enum aws_section section, const char *name);

/*
 * A value, without white space around it: a view of the file; empty: there is none. `sub` NULL, or the name of an indented line below
 * `key` ("services" sections: key "sqs", sub "endpoint_url"). The credentials file wins over the other.
 */
struct seal_bytes aws_files_value(const struct aws_files *files, enum aws_section section, const char *name,
				  const char *key, const char *sub);

/* The same of one file's text, for the parser's own tests. `plain`: sections are named without "profile". */
struct seal_bytes aws_text_value(struct seal_bytes text, bool plain, enum aws_section section, const char *name,
				 const char *key, const char *sub, bool *there);

/* A variable of the environment; NULL: not set, or empty. */
const char *aws_variable(const char *name);
/* Is it "true"? Any case. */
bool aws_variable_true(const char *name);

#endif
