/* `inspect`: its parts. inspect.c finds and counts, inspect_report.c tells the counts at the end. */
#ifndef CMD_INSPECT_H
#define CMD_INSPECT_H

#include "base/buf.h"
#include "cmd/value_walk.h"
#include "streams/kafka/kafka.h"

#define KINDS_MAX 1000 /* lines of a report; what is beyond is counted together */

struct inspect_options {
	bool json, envelopes, summary, versions;
	const char *topic; /* NULL: a file */
	struct kafka_connection connection;
	int64_t max_record_bytes;
};

/* Values of one field in one form under one version. */
struct kind {
	const char *path; /* in the run's arena */
	const char *method; /* NULL: damaged */
	bool json, stored;
	uint32_t version;
	uint64_t values, bytes;
};

struct inspection {
	const struct inspect_options *options;
	bool tells_values; /* each one as it is found, besides the report */
	struct arena *arena; /* of the run: paths of kinds */
	struct kind kinds[KINDS_MAX];
	size_t n_kinds;
	uint64_t records, failed, protected_records, values, damaged, beyond;
	const struct record *record; /* the current one */
	struct json_scan scan;
	struct value_walk walk;
	struct seal_buf path;
	struct arena scratch; /* of one record */
};

/* Is it a regular file that starts as a container does (files/container.h)? "-" is standard input. */
bool inspect_is_container(const char *path);
/* One line, or with `json` one object, about its header. */
SEAL_MUST_USE enum seal_status inspect_container(const char *path, bool json, struct seal_err *err);

/* The "method" of a record that is a chunk of a file. */
#define INSPECT_CHUNK "chunk"
/* What a protected value is: "string", "json", or of a chunk "file". */
const char *inspect_form_name(const char *method, bool json);

/* For people: why a form does not tell its version. */
const char *inspect_no_version(bool stored);
/* The version as text; `none` for a form that does not tell it (transform's, one whose key is in a store). */
#define VERSION_NAME_MAX 12
const char *inspect_version_name(uint32_t version, const char *none, char name[VERSION_NAME_MAX]);

/* What was found, on stdout: the summary, or with --versions the table. Sorts the kinds for the latter. */
void inspect_report(struct inspection *in);

#endif
