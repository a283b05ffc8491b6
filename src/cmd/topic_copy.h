/*
 * From one stream to another: what `pump` and `rewrap` have in common. Between two topics of Kafka records go in transactions; between
 * any others they are acknowledged, and then committed.
 */
#ifndef CMD_TOPIC_COPY_H
#define CMD_TOPIC_COPY_H

#include "cmd/stream_job.h"

enum delivery { DELIVERY_AUTO, DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };

struct copy_options {
	struct stream_options common;
	const char *from, *to, *group, *member_name;
	int delivery; /* enum delivery */
	bool keep_partition, exit_at_end;
};

/* `group_help`: of the row --group, which says what the default is. */
#define COPY_ROWS(owner, member, group_help)                                                                         \
	STREAM_ROWS(owner, member.common),                                                                           \
		{.name = "from",                                                                                     \
		 .help = "stream to read; default: [encryptor] sourcetopic of the -F file",                          \
		 .arg = "ADDRESS",                                                                                   \
		 .env = "SEALSTREAM_FROM",                                                                           \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(owner, member.from)},                                                            \
		{.name = "to",                                                                                       \
		 .help = "stream to write; default: [encryptor] targettopic of the -F file",                         \
		 .arg = "ADDRESS",                                                                                   \
		 .env = "SEALSTREAM_TO",                                                                             \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(owner, member.to)},                                                              \
		{.name = "group",                                                                                    \
		 .letter = 'G',                                                                                      \
		 .help = group_help,                                                                                 \
		 .arg = "GROUP",                                                                                     \
		 .env = "SEALSTREAM_GROUP",                                                                          \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(owner, member.group)},                                                           \
		{.name = "member",                                                                                   \
		 .help = "name of this process in the group: started again, it takes its own place at once, and "    \
			 "ends "                                                                                     \
			 "another one of that name; default: none, and any number run side by side",                 \
		 .arg = "NAME",                                                                                      \
		 .env = "SEALSTREAM_MEMBER",                                                                         \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(owner, member.member_name)},                                                     \
		{.name = "delivery",                                                                                 \
		 .help = "exactly-once: by transactions of the brokers, from Kafka to Kafka; at-least-once: a "      \
			 "record may come twice after a failure; auto: the first where it can be",                   \
		 .arg = "HOW",                                                                                       \
		 .choices = "auto|exactly-once|at-least-once",                                                       \
		 .def = "auto",                                                                                      \
		 .env = "SEALSTREAM_DELIVERY",                                                                       \
		 .type = OPT_CHOICE,                                                                                 \
		 .offset = offsetof(owner, member.delivery)},                                                        \
	{                                                                                                            \
		.name = "exit", .letter = 'e', .help = "stop at the end: of every partition, of what a queue holds", \
		.type = OPT_FLAG, .offset = offsetof(owner, member.exit_at_end)                                      \
	}

#define DELIVERY_DETAILS                                                                                             \
	"From Kafka to Kafka each record comes out exactly once, whatever dies: the output, dead letters included, " \
	"and the offsets of the "                                                                                    \
	"group are one transaction of the brokers, ten times a second. Whoever reads the target with "               \
	"isolation.level=read_committed (librdkafka's default; Java's is not) sees the committed ones only. The "    \
	"pump "                                                                                                      \
	"itself reads what was committed. Any number of them share a group. The user needs Write and Describe on "   \
	"transactional ids that begin with the group's name. What a process that dies has left open blocks readers " \
	"for "                                                                                                       \
	"up to -X transaction.timeout.ms (20000). With --delivery at-least-once, and between any other streams, "    \
	"what was read is committed, or deleted, after the output "                                                  \
	"was acknowledged: nothing is lost, but a few records may come twice. What the target cannot keep of a "     \
	"record is said at the start.\n"

/* The whole run. `group_prefix`: the default group is PREFIX.FROM.TO. */
SEAL_MUST_USE enum seal_status topic_copy_run(const struct copy_options *options, enum engine_direction direction,
					      const char *group_prefix, struct command_call *call, int *exit_code,
					      struct seal_err *err);

#endif
