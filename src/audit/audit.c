/*
 * The trail of one run; see audit.h.
 *
 * `metering` guards the meters and is held while they are read: one that is removed is not in use any more. `writing` guards the
 * target, the link and the failure; it is taken after `metering`. Both may be held for as long as the target takes.
 */
#include "audit/audit.h"

#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "crypto/random.h"

#define MEMBERS_MAX (AUDIT_LINE_MAX / 2)

struct audit {
	struct audit_options options;
	uint8_t run[AUDIT_ID_LEN];

	pthread_mutex_t metering;
	struct audit_meter *meters;
	pthread_cond_t wake;
	bool ending; /* the thread's end; under `metering`, too */
	pthread_t thread;
	bool started;

	pthread_mutex_t writing;
	struct audit_target *target;
	struct audit_link link;
	uint64_t cut; /* bytes that were taken away and that no line has told of */
	bool written; /* a line of this run */
	struct seal_err failure; /* of the first line that failed */
};

/* ---- lines ---- */

/* Under `writing`, between enter and leave. */
static enum seal_status add_line(struct audit *a, const char *event, struct seal_bytes members, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(AUDIT_LINE_MAX + 1), all = BUF_INIT(MEMBERS_MAX);
	struct audit_link link = a->link;
	enum seal_status rc;

	if (link.seq == 0)
		memcpy(link.chain, a->run, sizeof(link.chain));
	SEAL_TRY(buf_append(&all, members, err));
	if (a->cut > 0)
		SEAL_TRY(audit_put_number(&all, "cut", a->cut, err));
	SEAL_TRY(audit_line_write(&text, &link, a->run, clock_unix_ms(), event, buf_bytes(&all), err));
	SEAL_TRY(a->target->ops->append(a->target, &link, buf_bytes(&text), err));
	a->link = link;
	a->cut = 0;
	a->written = true;
out:
	buf_clear(&text);
	buf_clear(&all);
	return rc;
}

/* Under `writing`: where the chain stands in the target. */
static enum seal_status enter(struct audit *a, struct seal_err *err)
{
	const struct audit_target_ops *ops = a->target->ops;
	uint64_t cut = 0;
	enum seal_status rc = ops->enter != NULL ? ops->enter(a->target, &a->link, &cut, err) : SEAL_OK;

	a->cut += cut;
	return rc;
}

static void leave(struct audit *a)
{
	if (a->target->ops->leave != NULL)
		a->target->ops->leave(a->target);
}

/*
 * A look at the target, without a line: one that has moved on twice since the last line would not be where the chain goes on. What
 * is wrong there, the next line finds, too.
 */
static void follow(struct audit *a)
{
	struct seal_err ignored = SEAL_ERR_INIT;

	pthread_mutex_lock(&a->writing);
	if (a->failure.status == SEAL_OK) {
		if (enter(a, &ignored) != SEAL_OK)
			err_clear(&ignored);
		leave(a);
	}
	pthread_mutex_unlock(&a->writing);
}

enum seal_status audit_append(struct audit *a, const char *event, struct seal_bytes members, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	bool first = false;
	enum seal_status rc;

	pthread_mutex_lock(&a->writing);
	rc = a->failure.status;
	why = a->failure;
	if (rc == SEAL_OK) {
		rc = enter(a, &why);
		if (rc == SEAL_OK)
			rc = add_line(a, event, members, &why);
		leave(a);
		first = rc != SEAL_OK;
		if (first)
			a->failure = why;
	}
	pthread_mutex_unlock(&a->writing);
	if (first && a->options.failed != NULL)
		a->options.failed(a->options.arg);
	if (rc != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = why;
	return rc;
}

void audit_fail(struct audit *a, const struct seal_err *why)
{
	bool first;

	pthread_mutex_lock(&a->writing);
	first = a->failure.status == SEAL_OK;
	if (first)
		a->failure = *why;
	pthread_mutex_unlock(&a->writing);
	if (first && a->options.failed != NULL)
		a->options.failed(a->options.arg);
}

enum seal_status audit_failure(struct audit *a, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_lock(&a->writing);
	rc = a->failure.status;
	if (rc != SEAL_OK && err != NULL)
		*err = a->failure;
	pthread_mutex_unlock(&a->writing);
	return rc;
}

struct audit_link audit_end(struct audit *a)
{
	struct audit_link end = {.seq = 0};

	pthread_mutex_lock(&a->writing);
	if (a->written)
		end = a->link;
	pthread_mutex_unlock(&a->writing);
	return end;
}

/* ---- meters ---- */

/* Under `metering`. A use that is not told is a line that is missing, whyever. */
static enum seal_status read_meter(struct audit *a, struct audit_meter *meter, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = meter->read(meter, a, &why);

	if (rc == SEAL_OK)
		return rc;
	audit_fail(a, &why);
	if (err != NULL && err->status == SEAL_OK)
		*err = why;
	return rc;
}

static void *read_meters(void *arg)
{
	struct audit *a = arg;
	uint64_t next_ms = clock_mono_ms() + a->options.interval_ms;

	pthread_mutex_lock(&a->metering);
	while (!a->ending) {
		struct audit_meter *meter = a->meters;

		cond_wait_until(&a->wake, &a->metering, next_ms);
		if (a->ending || clock_mono_ms() < next_ms)
			continue;
		for (meter = a->meters; meter != NULL; meter = meter->next)
			if (read_meter(a, meter, NULL) != SEAL_OK)
				break;
		follow(a);
		next_ms = clock_mono_ms() + a->options.interval_ms;
	}
	pthread_mutex_unlock(&a->metering);
	return NULL;
}

void audit_meter_add(struct audit *a, struct audit_meter *meter)
{
	pthread_mutex_lock(&a->metering);
	meter->next = a->meters;
	a->meters = meter;
	pthread_mutex_unlock(&a->metering);
}

enum seal_status audit_meter_remove(struct audit *a, struct audit_meter *meter, struct seal_err *err)
{
	struct audit_meter **at = &a->meters;
	enum seal_status rc;

	pthread_mutex_lock(&a->metering);
	while (*at != NULL && *at != meter)
		at = &(*at)->next;
	SEAL_INVARIANT(*at == meter);
	*at = meter->next;
	rc = read_meter(a, meter, err);
	pthread_mutex_unlock(&a->metering);
	return rc;
}

/* ---- open and close ---- */

/* Signals are the program's to see: none of them goes to this thread. */
static enum seal_status start_thread(struct audit *a, struct seal_err *err)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&a->thread, NULL, read_meters, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->started = code == 0;
	return code == 0 ? SEAL_OK
			 : err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start the audit's thread");
}

enum seal_status audit_new(struct audit_target *target, const struct audit_options *options, struct audit **out,
			   struct seal_err *err)
{
	struct audit *a = mem_calloc(1, sizeof(*a));
	enum seal_status rc;

	*out = NULL;
	if (a == NULL) {
		target->ops->close(target);
		return err_memory(err);
	}
	a->options = *options;
	a->target = target;
	pthread_mutex_init(&a->metering, NULL);
	pthread_mutex_init(&a->writing, NULL);
	if (!cond_init(&a->wake)) {
		target->ops->close(target);
		mem_free(a);
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "no resources for the audit's thread");
	}
	SEAL_TRY(random_bytes(a->run, sizeof(a->run), err));
	SEAL_TRY(start_thread(a, err));
out:
	if (rc == SEAL_OK)
		*out = a;
	else
		audit_free(a);
	return rc;
}

void audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->metering);
	SEAL_INVARIANT(a->meters == NULL);
	a->ending = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->metering);
	if (a->started)
		pthread_join(a->thread, NULL);
	a->target->ops->close(a->target);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->writing);
	pthread_mutex_destroy(&a->metering);
	mem_free(a);
}
