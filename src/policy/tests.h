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
	const char *name; /* for messages: as written, a member of the root or a path; in a key "key.id" */
	struct json_path path;
	enum expect_kind kind;
	struct seal_bytes value; /* JSON text; EXPECT_LIKE: the regex as written */
	const struct regex *regex; /* EXPECT_LIKE */
	struct policy_mark mark;
};

/* One part of the test's record. */
struct policy_test_part {
	const struct policy_topic *topic; /* the entry whose rules it gets; NULL: the test says nothing of it */
	struct seal_bytes in; /* FORMAT_JSON: JSON text; else what it is itself */
	const struct policy_expect *expects;
	size_t n_expects;
};

struct policy_test {
	const char *name; /* NULL: none given */
	const char *topic_name;
	const struct policy_topic *topic;
	struct policy_test_part value, key;
	const struct policy_test_part *headers;
	size_t n_headers;
	const char *error; /* name of the error that protecting must end in, or NULL */
	bool round_trip; /* revealed again, it must be what it was */
	struct policy_mark mark;
};

#endif
