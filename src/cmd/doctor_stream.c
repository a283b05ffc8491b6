/*
 * `doctor --stream`: is what an address names there, and may this user read it? It is opened as by who only looks, and asked once:
 * nothing is committed, and what a queue lends for it is given back.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/doctor.h"
#include "cmd/stream_use.h"

#define WAIT_MS 10000
#define READ_MS 500
#define RECORDS 1

/* Until it answers at all. SEAL_RETRY: it does not. */
static enum seal_status ask(struct source *source, bool *found, struct seal_err *err)
{
	const uint64_t end = clock_mono_ms() + WAIT_MS;
	enum read_result result = READ_IDLE;
	struct record records[RECORDS];
	struct batch batch = {.records = records, .cap = RECORDS};
	enum seal_status rc;

	arena_init(&batch.arena, 0);
	do {
		err_clear(err);
		batch.n = 0;
		rc = source->ops->read(source, &batch, RECORDS, READ_MS, &result, err);
		if (rc == SEAL_RETRY) /* that is said at once */
			nanosleep(&(struct timespec){.tv_nsec = READ_MS * 1000000l}, NULL);
	} while ((rc == SEAL_RETRY || (rc == SEAL_OK && result == READ_IDLE)) && clock_mono_ms() < end &&
		 stop_requested() == 0);
	*found = rc == SEAL_OK && result == READ_SOME;
	if (*found)
		source->ops->release(source, &batch);
	arena_clear(&batch.arena);
	return rc;
}

static enum seal_status try_it(const struct stream_side *side, bool *found, struct seal_err *err)
{
	struct source *source = NULL;
	enum seal_status rc;

	SEAL_TRY(stream_side_open_source(side, &source, err));
	rc = ask(source, found, err);
out:
	if (source != NULL)
		source->ops->close(source, true);
	return rc;
}

static void judge(const struct stream_side *side, struct doctor_result *r)
{
	struct seal_err err = SEAL_ERR_INIT;
	bool found = false;

	if (try_it(side, &found, &err) == SEAL_OK) {
		snprintf(r->text, sizeof(r->text), "%s is there and may be read; %s",
			 side->at.platform->traits->title, found ? "it holds records" : "nothing is in it now");
		return;
	}
	r->status = DOCTOR_FAIL;
	snprintf(r->text, sizeof(r->text), "%.80s%s%.500s", err.place, err.place[0] != '\0' ? ": " : "", err.text);
	snprintf(r->hint, sizeof(r->hint),
		 "docs/PLATFORMS.md says where credentials are looked for and which rights are needed");
}

enum seal_status doctor_stream(struct command_call *call, const char *address, struct doctor_report *report,
			       struct seal_err *err)
{
	struct doctor_result result = {.status = DOCTOR_OK};
	struct stream_side side;
	enum seal_status rc;

	SEAL_TRY(stream_side_init(call, PLATFORM_SOURCE, address, &side, err));
	if (stream_side_is(&side, PLATFORM_KAFKA) || stream_side_is(&side, PLATFORM_FILE))
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"--stream is for platforms other than Kafka and files; inspect -t %s looks into that one",
			address);
	SEAL_TRY(stream_sides_check(call, &side, NULL, NULL, err));
	SEAL_TRY(stream_side_set(&side, "look", "true", call->arena, NULL, err));
	SEAL_TRY(stream_side_set(&side, "exit", "true", call->arena, NULL, err));
	SEAL_TRY(stream_side_set(&side, "idle", "1s", call->arena, NULL, err));
	judge(&side, &result);
	doctor_tell(report, address, &result);
out:
	return rc;
}
