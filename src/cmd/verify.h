/*
 * `verify`: its parts. verify.c reads, verify_record.c judges one record after the other, verify_report.c and verify_html.c tell
 * what came of it.
 */
#ifndef CMD_VERIFY_H
#define CMD_VERIFY_H

#include "cmd/stream_use.h"
#include "json/scan.h"
#include "pump/part.h"
#include "streams/kafka/kafka.h"

#define VERIFY_VERSIONS_MAX 16 /* of one field, told apart; values of others are counted together */
#define VERIFY_KINDS_MAX 256 /* kinds of failures; what is beyond is counted together */
#define VERIFY_RANGES_MAX 4096 /* partitions; records of others are counted together */
#define VERIFY_FAILURES_DEFAULT "100"

enum { VERIFY_TEXT, VERIFY_JSON, VERIFY_HTML };

struct verify_options {
	struct kafka_connection connection;
	const char *policy, *policy_topic, *topic, *offset;
	int64_t partition, count, failures, retry_ms, max_record_bytes;
	bool envelopes;
	int report; /* VERIFY_TEXT … */
};

/* What can be said of a field's values in records that are good. */
enum verify_proof {
	VERIFY_AUTHENTIC, /* each was opened under its key, at its place */
	VERIFY_SHAPE /* nothing in it proves who made it: it only looks as its method's results do */
};

struct verify_version {
	uint32_t version;
	uint64_t values;
};

/* Values of one rule. */
struct verify_field {
	const char *path; /* "$['Address']", "key", "header:x" */
	const struct policy_method *method;
	enum verify_proof proof;
	uint64_t values, nulls; /* null by `on_null: keep` is none of the values */
	struct verify_version versions[VERIFY_VERSIONS_MAX];
	size_t n_versions;
	uint64_t other_versions, no_version; /* no_version: its text names none, or it is in the policy's store */
};

/* A part of records, and the fields of its rules, in their order. */
struct verify_part {
	struct part *part;
	struct verify_field *fields;
	size_t n_fields;
	size_t next; /* its first value of the current batch that was not looked at */
};

/* Records that failed in the same way. */
struct verify_kind {
	const char *path; /* "": the record as a whole */
	enum seal_code code;
	uint64_t records;
	const char *first; /* where the first of them is */
};

struct verify_failure {
	const char *record, *path, *text; /* where it is, of it, why; never a value */
	enum seal_code code;
};

struct verify_range {
	int32_t partition;
	int64_t first, last; /* offsets, or lines of a file */
	uint64_t records;
};

struct verify {
	const struct verify_options *options;
	struct arena *arena; /* of the run: the report's strings */
	/* What is read, under which rules. */
	const struct policy *policy;
	const struct policy_topic *topic;
	struct stream_side side; /* of a topic */
	const char *source, *policy_file;
	char policy_sha256[65];
	bool file; /* offsets are lines, but for envelopes that name theirs */
	struct part *parts;
	struct verify_part *views; /* beside parts */
	size_t n_parts;
	/* What came of it. */
	uint64_t records, tombstones, failed;
	bool complete; /* all was read that was asked for */
	struct verify_range *ranges;
	size_t n_ranges, cap_ranges;
	uint64_t beyond_ranges; /* records of partitions that have no range */
	struct verify_kind kinds[VERIFY_KINDS_MAX];
	size_t n_kinds;
	uint64_t beyond_kinds;
	struct verify_failure *failures; /* the first options->failures of them */
	size_t n_failures, cap_failures;
	int64_t began_ms, ended_ms; /* Unix time */
	/* Scratch of a batch. */
	const struct seal_err **why; /* by record */
	struct json_scan scan;
	struct arena scratch;
};

/* The parts and fields of records under `topic` of the plan. `headers`: records have some. */
SEAL_MUST_USE enum seal_status verify_begin(struct verify *v, const struct plan *plan,
					    const struct policy_topic *topic, bool headers, struct seal_err *err);
/*
 * Judges the records of a batch that was read from `source`; counts them, their values, and those that fail. SEAL_RETRY: keys are away, and nothing
 * was counted.
 */
SEAL_MUST_USE enum seal_status verify_batch(struct verify *v, struct source *source, const struct batch *batch,
					    struct seal_err *err);
void verify_clear(struct verify *v);

/* The verdict is in `failed` and `complete`; all on stdout. */
void verify_report(const struct verify *v);
void verify_html(const struct verify *v);

/* Was there a value of any field? A rule that removes its field is met by there being none. */
bool verify_saw_values(const struct verify *v);
/* "authentic", "shape"; "absent" of what is removed. */
const char *verify_proof_name(const struct verify_field *field);
/* What cannot be proven of the field's values, in words; "" where all can. */
const char *verify_limit(const struct verify_field *field);
/* RFC 3339, in UTC. */
#define VERIFY_TIME_MAX sizeof("2026-11-22T17:31:49Z")
void verify_time(int64_t unix_ms, char out[VERIFY_TIME_MAX]);

#endif
