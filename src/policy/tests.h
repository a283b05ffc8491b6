/* The tests that a policy brings along; `policy test` runs them through the engine. */
#ifndef POLICY_TESTS_H
#define POLICY_TESTS_H

#include "policy/policy.h"
#include "base/regex.h"

enum expect_kind {
	EXPECT_VALUE, /* equal to `value` */
	EXPECT_LIKE, /* a string, or the text of another value, that the regex matches as a whole */
	EXPECT_NOT, /* there, and not equal to `value` */
	EXPECT_ABSENT /* not there */
};

/* What one path of the result must be. */
struct policy_expect {
	const char *name; /* as written: a member of the root, or a path that starts with $ */
	struct json_path path;
	enum expect_kind kind;
	struct seal_bytes value; /* JSON text; EXPECT_LIKE: the regex as written */
	const struct regex *regex; /* EXPECT_LIKE */
	struct policy_mark mark;
};

struct policy_test {
	const char *name; /* NULL: none given */
	const char *topic_name;
	const struct policy_topic *topic;
	struct seal_bytes in; /* JSON text; the bytes themselves for format: bytes */
	const struct policy_expect *expects;
	size_t n_expects;
	const char *error; /* name of the error that protecting must end in, or NULL */
	bool round_trip; /* revealed again, it must be what it was */
	struct policy_mark mark;
};

#endif
