/* The source: an inbox of one queue. What it reads is partition 0; the service's name of a record is its MessageId. */
#include <stdio.h>

#include "base/mem.h"
#include "streams/sqs/receive.h"
#include "streams/sqs/sqs.h"

#define LENT_MAX_S 43200 /* a message may be hidden for twelve hours in all */

struct sqs_source {
	struct inbox_source base;
	struct sqs_reader reader;
	char name[SQS_NAME_MAX + 8];
};

static void close_source(struct source *source, bool clean)
{
	struct sqs_source *s = (struct sqs_source *)source;

	if (s == NULL)
		return;
	inbox_source_close(&s->base, clean);
	if (s->reader.client.aws != NULL)
		sqs_client_close(&s->reader.client);
	sqs_trust_clear(&s->reader.trust);
	mem_free(s);
}

static enum seal_status open_source(const char *address, const void *options, struct source **out,
				    struct seal_err *err)
{
	const struct sqs_options *o = options;
	struct sqs_source *s = mem_calloc(1, sizeof(*s));
	struct inbox_config config = {.fetch = SQS_BATCH,
				      .lot = SQS_BATCH,
				      .lend_s = (unsigned)(o->visibility_ms / 1000),
				      .lend_max_s = LENT_MAX_S,
				      .requests = (unsigned)o->requests,
				      .exit_when_empty = o->exit,
				      .look = o->look,
				      .idle_ms = (unsigned)o->idle_ms};
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.source.ops = &sqs_source_ops;
	sqs_trust_init(&s->reader.trust);
	s->reader.verify = o->signature == SQS_SIGNATURE_VERIFY;
	s->reader.visibility_s = config.lend_s;
	SEAL_TRY(sqs_client_open(address, o, SEAL_E_NO_INPUT, &s->reader.client, err));
	snprintf(s->name, sizeof(s->name), "sqs:%s", s->reader.client.address.name);
	config.name = s->name;
	SEAL_TRY(inbox_new(&config, &sqs_inbox_service, &s->reader, &s->base.inbox, err));
	*out = &s->base.source;
	s = NULL;
out:
	if (s != NULL)
		close_source(&s->base.source, false);
	return rc;
}

static void place(struct source *source, const struct record *record, char *out, size_t room)
{
	snprintf(out, room, "%s, message %.*s", ((struct sqs_source *)source)->name, BYTES_FMT(record->id));
}

const struct source_ops sqs_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "sqs",
	.help = "a queue of Amazon SQS",
	.traits = &sqs_traits,
	.options = sqs_source_rows,
	.options_size = sizeof(struct sqs_options),
	.topic = sqs_topic,
	.open = open_source,
	.read = inbox_source_read,
	.commit = inbox_source_commit,
	.sync = inbox_source_sync,
	.release = inbox_source_release,
	.close = close_source,
	.assignment = inbox_source_assignment,
	.mark = inbox_source_mark,
	.away = inbox_source_away,
	.place = place,
};
