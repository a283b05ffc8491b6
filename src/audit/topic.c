/*
 * A topic as the place of an audit trail: a record for each line, through a sink of its own. Its key is the line's chain, so that
 * the lines of a run are in one partition, in order. A line is safe when the sink says that its record is.
 */
#include "audit/target.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"

#define TICK_MS 100

struct topic_target {
	struct audit_target base;
	struct sink *sink;
	uint64_t ticket;
	char topic[];
};

static struct topic_target *of(struct audit_target *target)
{
	return (struct topic_target *)target;
}

/* Until the sink has it all. */
static enum seal_status write_line(struct topic_target *t, const struct record *record, uint64_t until_ms,
				   struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	uint64_t safe = 0;
	enum seal_status rc;

	while ((rc = t->sink->ops->write(t->sink, record, 1, t->ticket, TICK_MS, &why)) == SEAL_RETRY &&
	       clock_mono_ms() < until_ms)
		err_clear(&why);
	while (rc == SEAL_OK && safe < t->ticket) {
		rc = t->sink->ops->poll(t->sink, TICK_MS, &safe, &why);
		if (rc == SEAL_RETRY && clock_mono_ms() < until_ms)
			rc = SEAL_OK;
		else if (rc == SEAL_OK && safe < t->ticket && clock_mono_ms() >= until_ms)
			rc = err_set(&why, SEAL_RETRY, SEAL_E_SERVICE, "no broker has acknowledged it in %d s",
				     AUDIT_WAIT_MS / 1000);
		if (rc == SEAL_OK)
			err_clear(&why);
	}
	if (rc != SEAL_OK) {
		err_prefix(&why, "the audit topic %.120s", t->topic);
		if (err != NULL && err->status == SEAL_OK)
			*err = why;
	}
	return rc;
}

static enum seal_status topic_append(struct audit_target *target, const struct audit_link *link,
				     struct seal_bytes line, struct seal_err *err)
{
	struct topic_target *t = of(target);
	char key[2 * AUDIT_ID_LEN];
	const struct record record = {.key = bytes_of(key, sizeof(key)),
				      .value = bytes_of(line.ptr, line.len - 1), /* without its newline */
				      .timestamp_ms = clock_unix_ms(),
				      .timestamp_type = TIMESTAMP_CREATE,
				      .partition = -1};

	hex_encode(bytes_of(link->chain, AUDIT_ID_LEN), key);
	t->ticket++;
	return write_line(t, &record, clock_mono_ms() + AUDIT_WAIT_MS, err);
}

static void topic_close(struct audit_target *target)
{
	struct topic_target *t = of(target);

	if (t == NULL)
		return;
	if (t->sink != NULL)
		(void)t->sink->ops->close(t->sink, NULL); /* all that counts was acknowledged */
	mem_free(t);
}

static const struct audit_target_ops ops = {
	.name = "topic", .enter = NULL, .append = topic_append, .leave = NULL, .close = topic_close};

enum seal_status audit_topic_open(struct sink *sink, const char *topic, struct audit_target **out,
				  struct seal_err *err)
{
	const size_t len = strlen(topic);
	struct topic_target *t = mem_calloc(1, sizeof(*t) + len + 1);

	*out = NULL;
	if (t == NULL) {
		(void)sink->ops->close(sink, NULL);
		return err_memory(err);
	}
	t->base.ops = &ops;
	t->sink = sink;
	memcpy(t->topic, topic, len);
	*out = &t->base;
	return SEAL_OK;
}
