/*
 * Reading a subscription: an inbox.
 *
 *   :pull                ──▶ messages, lent for the subscription's own time; extended at once by ours, as the service's libraries do
 *   :modifyAckDeadline   ──▶ lent for longer; by 0: given back
 *   :acknowledge         ──▶ never seen again
 *
 * On an exactly-once subscription an id that is told to be invalid is one whose message comes again: it is counted as such by the inbox.
 */
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "http/retry.h"
#include "streams/pubsub/acknowledge.h"
#include "streams/pubsub/message.h"
#include "streams/pubsub/work.h"

#define FETCH_MAX 1000
#define FETCH_FIRST 10 /* as long as it is not known how long messages are here */
#define ANSWER_BYTES (16u << 20) /* of an answer, about */
#define LOT_MAX 1000
#define CALL_MS 30000
#define TRANSIENT_TRIES 5
#define OWN_MS 10000 /* the shortest that a subscription lends */

struct pubsub_source {
	struct inbox_source base;
	struct pubsub_stream stream;
	unsigned lend_s;
	size_t max_bytes;
};

struct source_worker {
	struct pubsub_source *source;
	struct google_worker *google;
	struct seal_buf pull, acknowledge, extend; /* paths */
	struct seal_buf body;
	size_t fetch; /* messages to ask for in the next pull */
	struct inbox_message *messages[LOT_MAX]; /* of the call that runs */
};

static const struct opt_row rows[] = {
	PUBSUB_COMMON_ROWS,
	{.name = "ack-deadline",
	 .help = "how long a message is lent, and by each extension while it is worked on",
	 .arg = "TIME",
	 .def = "60s",
	 .min = 10000,
	 .max = 600000,
	 .type = OPT_DURATION,
	 .offset = offsetof(struct pubsub_options, ack_deadline_ms)},
	{.name = "idle",
	 .help = "with --exit: the end is where nothing came for so long",
	 .arg = "TIME",
	 .def = "5s",
	 .min = 1,
	 .max = 3600000,
	 .type = OPT_DURATION,
	 .offset = offsetof(struct pubsub_options, idle_ms)},
	{.name = "exit",
	 .help = "end where nothing is left to read",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct pubsub_options, exit)},
	{.name = "look",
	 .help = "nothing will be acknowledged",
	 .internal = true,
	 .type = OPT_FLAG,
	 .offset = offsetof(struct pubsub_options, look)},
	{.name = "max-record-bytes",
	 .help = "longest value; a longer one is a failed record",
	 .arg = "SIZE",
	 .def = "16MiB",
	 .min = 1,
	 .max = 1 << 30,
	 .type = OPT_SIZE,
	 .offset = offsetof(struct pubsub_options, max_record_bytes)},
	OPT_END};

static struct pubsub_source *source_of(struct source *base)
{
	return (struct pubsub_source *)base;
}

/* ---- workers ---- */

static void worker_free(void *arg)
{
	struct source_worker *w = arg;

	google_worker_free(w->google);
	buf_clear(&w->pull);
	buf_clear(&w->acknowledge);
	buf_clear(&w->extend);
	buf_clear(&w->body);
	mem_free(w);
}

static enum seal_status worker_new(void *arg, void **out, struct seal_err *err)
{
	struct pubsub_source *source = arg;
	const struct pubsub_stream *s = &source->stream;
	struct source_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	if (w == NULL)
		return err_memory(err);
	w->source = source;
	w->fetch = FETCH_FIRST;
	w->pull = w->acknowledge = w->extend = (struct seal_buf)BUF_INIT(4096);
	w->body = (struct seal_buf)BUF_INIT(4 * ACKNOWLEDGE_BODY_MAX);
	SEAL_TRY(pubsub_path(s, "subscriptions", s->short_name, "pull", &w->pull, err));
	SEAL_TRY(pubsub_path(s, "subscriptions", s->short_name, "acknowledge", &w->acknowledge, err));
	SEAL_TRY(pubsub_path(s, "subscriptions", s->short_name, "modifyAckDeadline", &w->extend, err));
	SEAL_TRY(google_worker_new(s->client, &w->google, err));
	*out = w;
	w = NULL;
out:
	if (w != NULL)
		worker_free(w);
	return rc;
}

static void worker_stop(void *arg)
{
	google_worker_stop(((struct source_worker *)arg)->google);
}

/* ---- acknowledgement ids ---- */

static void pause_between(unsigned tries)
{
	struct timespec t = {0};
	uint64_t ms = RETRY_BASE_MS;
	uint32_t noise;

	if (random_bytes((uint8_t *)&noise, sizeof(noise), NULL) == SEAL_OK)
		ms = retry_pause_ms(tries, noise);
	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&t, NULL);
}

/* One request for the first *n of w->messages that fit; *n: how many of them are to be asked for again, which are the first then. */
static enum seal_status ask_once(struct source_worker *w, const struct seal_buf *path, const unsigned *seconds,
				 size_t *n, size_t *taken, struct seal_err *err)
{
	struct google_call call = {.method = "POST", .path = (const char *)path->ptr};
	enum seal_status rc;

	SEAL_TRY(acknowledge_write(w->messages, *n, seconds, &w->body, taken, err));
	call.body = buf_bytes(&w->body);
	rc = google_call_run(w->google, &call, clock_mono_ms() + CALL_MS, err);
	*n = 0;
	if (rc != SEAL_OK &&
	    acknowledge_failures(buf_bytes(&call.answer), rc == SEAL_RETRY, w->messages, *taken, n)) {
		err_clear(err);
		rc = SEAL_OK;
	}
	for (size_t i = *n; rc == SEAL_OK && i < *taken; i++)
		w->messages[i]->done = true;
out:
	google_call_clear(&call);
	return rc;
}

/* As many requests as it takes. Those that failed for the time being are tried some times again: only they, as others are done. */
static enum seal_status ask(struct source_worker *w, const struct seal_buf *path,
			    struct inbox_message *const *messages, size_t n, const unsigned *seconds,
			    struct seal_err *err)
{
	size_t at = 0;
	enum seal_status rc = SEAL_OK;

	while (at < n && rc == SEAL_OK) {
		size_t left = n - at < LOT_MAX ? n - at : LOT_MAX, taken = 0;

		memcpy(w->messages, messages + at, left * sizeof(w->messages[0]));
		rc = ask_once(w, path, seconds, &left, &taken, err);
		at += taken;
		for (unsigned tries = 1; rc == SEAL_OK && left > 0; tries++) {
			size_t again;

			if (tries > TRANSIENT_TRIES)
				return err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
					       "%zu acknowledgement id%s could not be dealt with for now", left,
					       plural_s(left));
			pause_between(tries);
			rc = ask_once(w, path, seconds, &left, &again, err);
		}
	}
	return rc;
}

static enum seal_status acknowledge(void *arg, struct inbox_message *const *messages, size_t n, struct seal_err *err)
{
	struct source_worker *w = arg;

	return ask(w, &w->acknowledge, messages, n, NULL, err);
}

static enum seal_status extend(void *arg, struct inbox_message *const *messages, size_t n, unsigned seconds,
			       struct seal_err *err)
{
	struct source_worker *w = arg;

	return ask(w, &w->extend, messages, n, &seconds, err);
}

/* ---- receiving ---- */

static enum seal_status read_answer(const struct source_worker *w, struct seal_bytes answer, struct arena *arena,
				    struct inbox_message *messages, size_t max, size_t *n, struct seal_err *err)
{
	static const char *const names[] = {"receivedMessages"};
	struct json_value document, received, one;
	struct json_items items;
	enum seal_status rc = json_value_of(answer, &document, err);

	if (rc == SEAL_DATA) {
		err_clear(err);
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the answer to a pull is no JSON");
	}
	if (rc != SEAL_OK)
		return rc;
	json_members(&document, names, 1, &received);
	json_items(&received, &items);
	while (*n < max && json_item_next(&items, &one)) {
		SEAL_TRY(message_read(&one, w->source->max_bytes, arena, &messages[*n], err));
		messages[*n].record.topic = w->source->stream.short_name;
		(*n)++;
	}
out:
	return rc;
}

/* Those that come behind one of their key which another reader has been given would overtake it: given back, and out as that one is. */
static enum seal_status leave_followers(struct source_worker *w, struct inbox_message *messages, size_t n,
					struct seal_err *err)
{
	struct inbox_message *followers[FETCH_MAX];
	size_t n_followers = 0;

	for (size_t first = 0; first < n; first++) {
		if (!messages[first].refused || messages[first].record.key.ptr == NULL)
			continue;
		for (size_t i = first + 1; i < n; i++) {
			if (messages[i].refused || !bytes_eq(messages[i].record.key, messages[first].record.key))
				continue;
			followers[n_followers++] = &messages[i];
			messages[i].refused = true;
		}
	}
	return extend(w, followers, n_followers, 0, err);
}

/*
 * Ours from now on, for our time. What another reader has been given meanwhile is left out; what could not be extended is lent for the
 * subscription's own time, which is at least OWN_MS, and is to be extended again at once.
 */
static enum seal_status keep(struct source_worker *w, struct inbox_message *messages, size_t *n, uint64_t pulled_ms,
			     struct seal_err *err)
{
	const uint64_t began_ms = clock_mono_ms();
	struct inbox_message *all[FETCH_MAX];
	size_t left = 0;
	enum seal_status rc;

	for (size_t i = 0; i < *n; i++)
		all[i] = &messages[i];
	rc = extend(w, all, *n, w->source->lend_s, err);
	for (size_t i = 0; i < *n; i++)
		messages[i].until_ms = messages[i].done ? began_ms + w->source->lend_s * 1000ull : pulled_ms + OWN_MS;
	if (rc == SEAL_OK)
		rc = leave_followers(w, messages, *n, err);
	if (rc == SEAL_RETRY) {
		err_clear(err);
		rc = SEAL_OK;
	}
	for (size_t i = 0; i < *n; i++)
		if (!messages[i].refused)
			messages[left++] = messages[i];
	*n = left;
	return rc;
}

/* How many of such messages make an answer of a length that is good to handle. */
static size_t fitting(size_t answer_bytes, size_t n)
{
	const size_t each = answer_bytes / n + 1, fit = ANSWER_BYTES / each;

	return fit < 1 ? 1 : fit < FETCH_MAX ? fit : FETCH_MAX;
}

/* A pull that failed, but is no failure: SEAL_OK, nothing was received. */
static enum seal_status judge(struct source_worker *w, const struct google_call *call, enum seal_status rc,
			      const struct seal_err *why, struct seal_err *err)
{
	if (rc == SEAL_RETRY && call->status == 504 && strcmp(call->code, "DEADLINE_EXCEEDED") == 0)
		return SEAL_OK; /* the time that we gave it is over, and nothing came */
	if (rc == SEAL_DATA && why->code == SEAL_E_LIMIT && call->status == 0 && w->fetch > FETCH_FIRST) {
		w->fetch =
			FETCH_FIRST; /* longer messages than those before: they come again when their time is over */
		return SEAL_OK;
	}
	if (err != NULL)
		*err = *why;
	return rc;
}

static enum seal_status receive(void *arg, struct arena *arena, struct inbox_message *messages, size_t max,
				int wait_ms, size_t *n, struct seal_err *err)
{
	struct source_worker *w = arg;
	struct google_call call = {
		.method = "POST", .path = (const char *)w->pull.ptr, .wait_ms = wait_ms > 0 ? (uint64_t)wait_ms : 1};
	const uint64_t began_ms = clock_mono_ms();
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	*n = 0;
	buf_reset(&w->body);
	SEAL_TRY(buf_printf(&w->body, err, "{\"maxMessages\":%zu}", max < w->fetch ? max : w->fetch));
	call.body = buf_bytes(&w->body);
	rc = google_call_run(w->google, &call, DEADLINE_NONE, &why);
	if (rc != SEAL_OK) {
		rc = judge(w, &call, rc, &why, err);
		goto out;
	}
	SEAL_TRY(read_answer(w, buf_bytes(&call.answer), arena, messages, max, n, err));
	if (*n > 0) {
		w->fetch = fitting(call.answer.len, *n);
		SEAL_TRY(keep(w, messages, n, began_ms, err));
	}
out:
	google_call_clear(&call);
	return rc;
}

static const struct inbox_service service = {.worker_new = worker_new,
					     .worker_free = worker_free,
					     .worker_stop = worker_stop,
					     .receive = receive,
					     .acknowledge = acknowledge,
					     .extend = extend};

/* ---- the source ---- */

static void source_close(struct source *base, bool clean)
{
	struct pubsub_source *source = source_of(base);

	if (source == NULL)
		return;
	inbox_source_close(&source->base, clean);
	pubsub_stream_close(&source->stream);
	mem_free(source);
}

static enum seal_status source_open(const char *address, const void *options, struct source **out,
				    struct seal_err *err)
{
	const struct pubsub_options *o = options;
	struct inbox_config config = {.fetch = FETCH_MAX,
				      .lot = LOT_MAX,
				      .lend_s = (unsigned)(o->ack_deadline_ms / 1000),
				      .requests = (unsigned)o->requests,
				      .ahead_bytes = (size_t)o->memory,
				      .exit_when_empty = o->exit,
				      .look = o->look,
				      .idle_ms = (unsigned)o->idle_ms};
	struct pubsub_source *source = mem_calloc(1, sizeof(*source));
	enum seal_status rc;

	*out = NULL;
	if (source == NULL)
		return err_memory(err);
	source->base.source.ops = &pubsub_source_ops;
	source->lend_s = config.lend_s;
	source->max_bytes = (size_t)o->max_record_bytes;
	SEAL_TRY(pubsub_stream_open(address, "subscriptions", o, &source->stream, err));
	config.name = source->stream.name;
	SEAL_TRY(inbox_new(&config, &service, source, &source->base.inbox, err));
	*out = &source->base.source;
	source = NULL;
out:
	if (source != NULL)
		source_close(&source->base.source, false);
	return rc;
}

static void source_place(struct source *base, const struct record *record, char *out, size_t room)
{
	snprintf(out, room, "%s message %.*s", source_of(base)->stream.name, BYTES_FMT(record->id));
}

const struct source_ops pubsub_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "pubsub",
	.help = "a subscription of Google Cloud Pub/Sub",
	.traits = &pubsub_traits,
	.options = rows,
	.options_size = sizeof(struct pubsub_options),
	.topic = pubsub_topic,
	.open = source_open,
	.read = inbox_source_read,
	.commit = inbox_source_commit,
	.sync = inbox_source_sync,
	.release = inbox_source_release,
	.close = source_close,
	.assignment = inbox_source_assignment,
	.mark = inbox_source_mark,
	.away = inbox_source_away,
	.place = source_place,
};
