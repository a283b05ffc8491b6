/*
 * What `file send` and `file receive` tell on standard error while they run: bars on a terminal, lines in a log, or JSON, one
 * object a line:
 *
 *   {"schema":"sealstream.file.progress/1","event":"started|resumed|progress|done|abandoned","ts":…,"id":"…","name":"…","bytes":…,"size":…}
 *   {"schema":…,"event":"failed", the same and "class":"…","code":"…","error":"…"}
 *   {"schema":…,"event":"total|end","ts":…,"files":…,"files_known":…,"failed":…,"bytes":…,"bytes_known":…,"rate":…}
 *   {"schema":…,"event":"foreign","ts":…,"place":"…","class":"…","code":"…","error":"…"}   a record that is no part of a file
 *   {"schema":…,"event":"waiting","ts":…,"error":"…"}      {"schema":…,"event":"going_on","ts":…,"waited_ms":…}
 *
 * `size` is null when it is not known, `rate` is bytes a second. A name's bytes that are not UTF-8 become U+FFFD.
 */
#ifndef CMD_FILE_PROGRESS_H
#define CMD_FILE_PROGRESS_H

#include "cmd/command.h"
#include "transfer/transfer.h"

#define FILE_PROGRESS_ROW(owner, member)                                                                             \
	{                                                                                                            \
		.name = "progress", .arg = "FORM", .type = OPT_CHOICE, .choices = "auto|bar|lines|json|none",        \
		.def = "auto", .env = "SEALSTREAM_PROGRESS", .offset = offsetof(owner, member),                      \
		.help = "bars, lines or JSON on standard error; auto: bars on a terminal, else lines"                \
	}

struct file_progress;

/* What a run has done so far. */
struct file_numbers {
	uint64_t files, failed, abandoned; /* each time it happened */
	uint64_t under_way;
	uint64_t bytes, chunks; /* moved by this run, also of files that are not whole */
	uint64_t foreign; /* receiver: records that are no part of a file */
};

/* Who is told, too, before anything is shown; by the thread that calls the watch. Members may be NULL. */
struct file_progress_also {
	void (*event)(void *arg, const struct transfer_event *event);
	void (*waiting)(void *arg, const struct seal_err *why);
	void (*resumed)(void *arg);
	void (*alive)(void *arg,
		      const struct file_numbers *numbers); /* the run gets on: ever so often, and after each event */
	void *arg;
};

/*
 * `form` is what the option row has set; `done` what has happened to a file that is whole: "sent", "received". `counts` is
 * what the transfer fills while it runs; it lives as long as this. One at a time in a process.
 */
SEAL_MUST_USE enum seal_status file_progress_new(int form, const char *done, const struct transfer_counts *counts,
						 const struct global_options *global, struct file_progress **out,
						 struct seal_err *err);
/* Fills all of `watch`; a stop request (command.h) is what ends the transfer. */
void file_progress_watch(struct file_progress *progress, struct transfer_watch *watch);
void file_progress_tell_also(struct file_progress *progress, const struct file_progress_also *also);
/* The run is over: takes the bars away and says in one line what was done, unless it failed before any file was known. */
void file_progress_end(struct file_progress *progress, bool failed);
void file_progress_free(struct file_progress *progress); /* accepts NULL */

#endif
