/* `scan`: its parts. scan.c reads and counts, scan_report.c tells what was found, scan_suggest.c makes a policy of it. */
#ifndef CMD_SCAN_H
#define CMD_SCAN_H

#include <stdio.h>

#include "base/buf.h"
#include "cmd/command.h"
#include "scan/scan.h"
#include "scan/verdict.h"
#include "streams/kafka/kafka.h"

#define SCAN_OUTPUT_MAX (256u << 20)

struct scan_options {
	const char *policy, *policy_topic; /* NULL: none */
	const char *topic; /* NULL: a file */
	struct kafka_connection connection;
	const char *offset, *key_delimiter;
	int64_t partition, count, threads, max_record_bytes;
	int format; /* of values, without a policy: 0 JSON, 1 text */
	bool envelopes, json, finds, suggest;
};

/* What a run found. */
struct scan_result {
	const struct scan_options *options;
	const struct policy_topic *rules; /* NULL: without a policy */
	struct scan_table *table; /* finished */
	struct scan_totals totals;
	const char *from; /* the topic, or the file's name */
	bool more; /* --count ended it */
	bool colored;
	/* Set by scan_count_finds. */
	uint64_t finds; /* paths with something to protect */
	uint64_t open_finds; /* … that the policy leaves open; without a policy: all of them */
};

/* The next node that is worth a line, after `node`. */
struct scan_node *scan_told_next(const struct scan_node *node);
void scan_count_finds(struct scan_result *result);
/* How often the path was there, of the times it could have been: 0 … 1; below 0: not a thing that can be missing. */
double scan_presence(const struct scan_result *result, const struct scan_node *node);

/* What to say behind a finding that only the field's name speaks for; "" for others. */
const char *scan_by_name_note(const struct detect_finding *finding);

/* Appended to `out`. */
SEAL_MUST_USE enum seal_status scan_report_text(const struct scan_result *result, struct seal_buf *out,
						struct seal_err *err);
SEAL_MUST_USE enum seal_status scan_report_json(const struct scan_result *result, struct seal_buf *out,
						struct seal_err *err);
SEAL_MUST_USE enum seal_status scan_suggest(const struct scan_result *result, struct seal_buf *out,
					    struct seal_err *err);

#endif
