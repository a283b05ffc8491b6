/* What a sender is made of; send.c has the drawing. Inside src/transfer only. */
#ifndef TRANSFER_SEND_WORK_H
#define TRANSFER_SEND_WORK_H

#include <pthread.h>

#include "transfer/journal.h"
#include "base/table.h"
#include "transfer/transfer.h"

#define SEND_PARALLEL_MAX 64
#define SEND_KEY_TIMEOUT_MS 10000 /* of one try */
#define SEND_TRIES_MAX 5 /* `once`: of a file that changes again and again */

enum job_state {
	JOB_LATER, /* looked at again when due_ms has come */
	JOB_QUEUED,
	JOB_ACTIVE, /* a worker has it */
	JOB_FLYING, /* all is written, not all acknowledged */
	JOB_FINISHED, /* all is acknowledged; to be noted */
	JOB_FAILED, /* until it changes, or the next run */
	JOB_DEAD /* in no table; goes with its last flight */
};

/* A file that may have to be sent. Guarded by the sender's lock, but that an active one's `file` is its worker's. */
struct job {
	struct table_node by_path;
	struct job *next; /* in the queue, or among the finished ones */
	enum job_state state;
	bool again; /* it was closed or moved here since it was taken */
	bool named; /* as an argument: not being there is a failure */
	uint64_t due_ms;
	unsigned attempt; /* how often it was taken: reports of older flights don't count */
	unsigned tries; /* found changed, while it was being sent */
	size_t flights; /* tickets that are not acknowledged */
	struct journal_file file; /* as it was when looked at last; its name is a view of `path` */
	struct journal_transfer transfer; /* active, flying, finished; its `acknowledged` grows */
	uint64_t chunks;
	uint64_t noted; /* of `acknowledged` */
	bool late; /* receivers may have given up what is under way */
	uint64_t told_ms; /* of the last TRANSFER_PROGRESS */
	char path[]; /* from the directory, or as named */
};

/* Chunk `end` - 1 of a job is on its way under `ticket`. */
struct flight {
	struct job *job;
	uint64_t ticket, end;
	unsigned attempt;
};

/* Whoever comes first goes first. */
struct turn {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next, serving;
};

struct sender {
	const struct send_options *o;
	int directory; /* what paths are relative to; AT_FDCWD: the current one */
	int state; /* the directory of the journal */
	int events; /* inotify, or -1 */
	int wake; /* an eventfd: something for the coordinator */
	struct journal *journal;

	struct turn turn; /* calls of the sink; taken before `lock` */
	uint64_t ticket; /* the last one; whoever has the turn */

	pthread_mutex_t lock; /* guards all below, and is held while the watch is called */
	pthread_cond_t changed; /* the queue, the end; on the monotonic clock */
	struct transfer_counts *counts;
	struct table jobs; /* by path */
	struct job *queue, **queue_tail, *finished;
	size_t n_later, n_busy; /* n_busy: queued, active, flying, finished */
	uint64_t next_due_ms;
	struct flight *flights; /* a ring of room_flights (a power of two), by rising ticket */
	size_t first_flight, n_flights, room_flights;
	pthread_cond_t room; /* a buffer was given back, or the end */
	uint8_t **buffers; /* the first n_free are free */
	size_t n_free, n_buffers;
	uint64_t buffers_wanted, buffers_given; /* so far: whoever comes first gets one first */
	size_t blocked; /* workers whose write the sink does not take */
	uint64_t answered_ms; /* of the sink: when it last did something, or had nothing to do */
	bool sink_waits; /* told so */
	struct seal_err sink_why; /* of the last write that was not taken */
	unsigned waiting; /* who waits for a service */
	uint64_t waiting_ms;
	bool once; /* nothing is watched */
	bool scanned; /* what was there at the start has been seen */
	bool stopping, over; /* asked to; no more work */
	bool failed;
	struct seal_err err; /* why, when failed */
};

/* A wait for a service; zero it. */
struct send_wait {
	uint64_t since_ms, pause_ms;
};

/* ---- send.c ---- */

/* Under lock. A stop was asked for, or the run has failed: nothing new is begun. */
bool sender_ends(struct sender *s);
void sender_fail(struct sender *s, const struct seal_err *why);
/* After SEAL_RETRY: tells it once, pauses. False: it is time to give up (err may get a prefix) or to end. */
bool sender_wait(struct sender *s, struct send_wait *wait, struct seal_err *why);
void sender_wait_over(struct sender *s, struct send_wait *wait, bool answered);
/* Under lock: the service of that wait is told to be away, or to have answered. */
void sender_tell_waiting(struct sender *s, const struct seal_err *why);
void sender_tell_resumed(struct sender *s, bool answered);
/* Under lock. */
void sender_event(struct sender *s, const struct job *job, int what, const struct seal_err *why);
void sender_wake(struct sender *s);

/* ---- send_job.c: the jobs and their states; all under lock ---- */

struct stat;
void journal_file_set(struct journal_file *file, const struct stat *st);
struct job *job_find(const struct sender *s, const char *path);
/* JOB_LATER, due at once. */
SEAL_MUST_USE enum seal_status job_new(struct sender *s, const char *path, bool named, const struct stat *st,
				       struct job **out, struct seal_err *err);
void job_set(struct sender *s, struct job *job, enum job_state state);
void job_later(struct sender *s, struct job *job, uint64_t due_ms);
/* Leaves the table; freed once no flight is left. */
void job_remove(struct sender *s, struct job *job);
/* The same, and it does not count as known any more. */
void job_drop(struct sender *s, struct job *job);
void job_fail(struct sender *s, struct job *job, const struct seal_err *why);
/* Its name, safe to print. */
#define JOB_SHOWN_MAX 256
void job_show(const struct job *job, char out[JOB_SHOWN_MAX]);
/* All of it, at the end of the run. */
void jobs_clear(struct sender *s);

/* Nothing of it was acknowledged for so long that receivers may have given it up. */
bool job_is_late(const struct job *job);
/* It begins anew; its old transfer has been noted as gone. */
void job_restart(struct sender *s, struct job *job);

/* ---- send_watch.c: which files there are ---- */

/* Looks at one file: makes a job, moves it on, or drops it. `closed`: whoever wrote it has closed it. Not under lock. */
SEAL_MUST_USE enum seal_status watch_look(struct sender *s, const char *path, bool named, bool closed,
					  struct seal_err *err);
SEAL_MUST_USE enum seal_status watch_scan(struct sender *s, struct seal_err *err);
SEAL_MUST_USE enum seal_status watch_open(struct sender *s, struct seal_err *err);
/* What inotify has to say, without waiting. */
SEAL_MUST_USE enum seal_status watch_read(struct sender *s, struct seal_err *err);
/* Those that are due. */
SEAL_MUST_USE enum seal_status watch_due(struct sender *s, struct seal_err *err);

/* ---- send_sink.c: turns, tickets, what was acknowledged ---- */

/* The i-th of those under way. */
static inline struct flight *flight_at(const struct sender *s, size_t i)
{
	return &s->flights[(s->first_flight + i) & (s->room_flights - 1)];
}

void turn_init(struct turn *turn);
void turn_clear(struct turn *turn);
/* Writes a chunk's record, `end` - 1, waiting while the sink takes none. SEAL_RETRY: the run ends. */
SEAL_MUST_USE enum seal_status sink_put(struct sender *s, struct job *job, const struct record *record, uint64_t end,
					struct seal_err *err);
/* Asks the sink what is acknowledged, without waiting, and moves jobs on. SEAL_RETRY: silent for longer than retry_ms. */
SEAL_MUST_USE enum seal_status sink_look(struct sender *s, struct seal_err *err);
/* Under lock: all acknowledged of a job that is all written? Then it is finished. */
void job_check_finished(struct sender *s, struct job *job);
/* At start: do records of chunks fit? */
SEAL_MUST_USE enum seal_status sink_check_room(struct sender *s, struct seal_err *err);

/* ---- send_file.c: one file, by a worker ---- */

struct worker {
	struct sender *sender;
	struct key_session *kek; /* opened for the first file */
	struct arena arena;
	pthread_t thread;
};

void worker_run(struct worker *worker);

#endif
