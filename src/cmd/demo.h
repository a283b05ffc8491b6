/*
 * `sealstream demo`: its parts. demo.c sets up and clears away (demo_vault.c on a key server, demo_platform.c and
 * demo_aws.c on other platforms), demo_story.c tells,
 * demo_table.c and demo_files.c (with a picture of demo_picture.c) show and check.
 */
#ifndef CMD_DEMO_H
#define CMD_DEMO_H

#include "base/buf.h"
#include "cmd/command.h"
#include "streams/kafka/kafka.h"

#define DEMO_RECORDS 6
#define DEMO_LINE_MAX 4096

struct demo_options {
	struct kafka_connection connection;
	const char *suffix, *platform; /* NULL: Kafka */
	bool keep, vault;
};

/* Keys that may live on a server; the cards' key is always local. */
enum { DEMO_KEY_PII, DEMO_KEY_FILES, DEMO_KEYS };

struct demo_key {
	char reference[140]; /* "local:pii", "vault:transit/pii" */
	const char *name; /* the same as `key` commands take it */
	bool ours; /* on the server: made by this run */
};

/* One of the three streams of the stories. Of Kafka all of it is the topic. */
struct demo_stream {
	char name[120]; /* the topic's, the queue's … */
	char to[240]; /* addresses: who writes, an admin that reads, the program that reads */
	char admin[240], from[240];
};

/* Makes it on its platform, or takes it away. */
typedef enum seal_status demo_stream_work(struct demo_stream *stream, struct arena *arena, struct seal_err *err);
demo_stream_work demo_make_kinesis, demo_drop_kinesis, demo_make_sqs, demo_drop_sqs;
demo_stream_work demo_make_sns; /* with its queue; fills `to`, as the service gives it the address */
demo_stream_work demo_drop_sns;

struct demo_platform;

struct demo {
	const struct demo_options *options;
	const struct demo_platform *platform; /* NULL: Kafka */
	bool color;
	bool embedded; /* the broker is ours */
	bool made_topics; /* on a real cluster */
	size_t made_streams; /* on another platform: the first of plain, protected, files */
	struct kafka_connection reach; /* the broker, from whatever directory */
	struct demo_stream plain, protected, files;
	char group[160];
	const char *member[5]; /* options of a command that reads as a member of the group; ended by NULL */
	struct demo_key keys[DEMO_KEYS];
	bool made_mount; /* on the server: ours to remove */
	const char *extra[64]; /* options of every Kafka command, not shown: -X may hold passwords; ended by NULL */
};

/* All stories, in the current directory. *exit_code is non-zero when a command ended so (a stop request). */
SEAL_MUST_USE enum seal_status demo_tell(const struct demo *demo, int *exit_code, struct seal_err *err);

/*
 * With --vault: enables Transit where it is not, and makes sure that the keys are not there yet. What the stories' own commands
 * need to find the server goes into their environment.
 */
SEAL_MUST_USE enum seal_status demo_vault_prepare(struct demo *demo, struct command_call *call, struct seal_err *err);
/* Takes away what was made there. */
void demo_vault_clear(const struct demo *demo, struct command_call *call);

/* What lies in the files of the three views. */
struct demo_view {
	char *text;
	struct seal_bytes lines[DEMO_RECORDS];
	size_t n;
};

SEAL_MUST_USE enum seal_status demo_view_read(const char *path, struct demo_view *view, struct seal_err *err);
/* By text: for platforms that keep no order. */
void demo_view_sort(struct demo_view *view);
void demo_view_clear(struct demo_view *view);

/*
 * Proves what the demo claims: the plain view is what was sent, the protected one shows no address and no whole card but
 * both key versions, and the consumer got every record byte for byte. SEAL_FATAL/SEAL_E_INTERNAL otherwise.
 */
SEAL_MUST_USE enum seal_status demo_check(const struct demo_view *sent, const struct demo_view *plain,
					  const struct demo_view *protected, const struct demo_view *revealed,
					  struct seal_err *err);
SEAL_MUST_USE enum seal_status demo_table(const struct demo *demo, const struct demo_view *plain,
					  const struct demo_view *protected, const struct demo_view *revealed,
					  struct seal_err *err);

/*
 * Another platform than Kafka: SEAL_USAGE when there is none of that name, or no endpoint is given, with how a stand-in is started. Then
 * names, addresses, and what the stories' commands find in their environment.
 */
SEAL_MUST_USE enum seal_status demo_platform_choose(struct demo *demo, struct seal_err *err);
/* In the directory of the demo: makes the streams. */
SEAL_MUST_USE enum seal_status demo_platform_prepare(struct demo *demo, struct arena *arena, struct seal_err *err);
/* Takes away what was made. */
void demo_platform_clear(struct demo *demo);

#define DEMO_SOURCE "source"
#define DEMO_DESTINATION "destination"

/* The files of story three, in a new directory DEMO_SOURCE. */
SEAL_MUST_USE enum seal_status demo_files_make(struct seal_err *err);
/* Shows what the topic holds of them and what has arrived; SEAL_FATAL/SEAL_E_INTERNAL when it is not what the demo claims. */
SEAL_MUST_USE enum seal_status demo_files_show(const struct demo *demo, struct seal_err *err);
/* A PNG of more than one chunk. */
SEAL_MUST_USE enum seal_status demo_picture(struct seal_buf *out, struct seal_err *err);

/* Text in a column: cut with an ellipsis, padded unless it is the last; a character counts as one place. */
void demo_cell(const struct demo *demo, const char *code, struct seal_bytes text, size_t width, bool last);
/* Places of one of three columns, by the terminal's width. */
size_t demo_column_width(void);

/* Colours, or "" in a pipe. */
const char *demo_color(const struct demo *demo, const char *code);
#define DEMO_BOLD "1"
#define DEMO_DIM "2"
#define DEMO_RED "31"
#define DEMO_GREEN "32"
#define DEMO_YELLOW "33"
#define DEMO_RESET "0"

#endif
