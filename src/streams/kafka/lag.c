/*
 * How far behind a source is, and whether a broker is there: both from librdkafka's statistics, which it makes from what it has
 * heard anyway. Nobody is asked for them.
 *
 *   {"brokers": {"host:1/1": {"state": "UP", …}},
 *    "topics": {TOPIC: {"partitions": {"0": {"app_offset": 7, "next_offset": 9, "hi_offset": 9, "ls_offset": 9, …}}}}}
 *
 * Behind is what has not been read: from the next offset to read to the last stable one, which is where a reader of committed
 * records gets to.
 */
#include "base/bytes.h"
#include "json/events.h"
#include "streams/kafka/source.h"

#define DEPTH_PARTITION 5 /* of a partition's members; the document's are at 1 */
#define DEPTH_BROKER 3

/* The offsets of one partition; negative: none yet. */
struct offsets {
	int64_t app, next, high, stable;
};

struct reader {
	struct kafka_source *source;
	struct seal_bytes names[DEPTH_PARTITION + 1]; /* by depth: the last one */
	struct offsets of;
	bool up; /* a broker is connected */
};

static bool is_partition(const struct reader *r)
{
	return bytes_eq_str(r->names[1], "topics") && bytes_eq_str(r->names[2], r->source->topic) &&
	       bytes_eq_str(r->names[3], "partitions");
}

static void take_number(struct reader *r, struct seal_bytes text)
{
	const struct {
		const char *name;
		int64_t *to;
	} wanted[] = {{"app_offset", &r->of.app},
		      {"next_offset", &r->of.next},
		      {"hi_offset", &r->of.high},
		      {"ls_offset", &r->of.stable}};
	uint64_t number;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (bytes_eq_str(r->names[DEPTH_PARTITION], wanted[i].name) &&
		    bytes_to_u64(text, INT64_MAX, &number)) /* negative ones are no offsets */
			*wanted[i].to = (int64_t)number;
}

static void take_value(struct reader *r, const struct json_events *events, uint32_t depth)
{
	const struct seal_bytes text = json_events_text(events);

	if (depth == DEPTH_BROKER && events->type == JSON_STRING && bytes_eq_str(r->names[1], "brokers") &&
	    bytes_eq_str(r->names[DEPTH_BROKER], "state") && bytes_eq_str(text, "UP"))
		r->up = true;
	if (depth == DEPTH_PARTITION && events->type == JSON_NUMBER && is_partition(r))
		take_number(r, text);
}

/* All of a partition has been read. Partition -1 stands for records without one. */
static void end_partition(struct reader *r)
{
	const int64_t end = r->of.stable >= 0 ? r->of.stable : r->of.high;
	const int64_t position = r->of.app >= 0 ? r->of.app : r->of.next;
	struct kafka_source *s = r->source;
	struct part *part;
	uint64_t number;

	if (!is_partition(r) || !bytes_to_u64(r->names[DEPTH_PARTITION - 1], INT32_MAX, &number) || end < 0 ||
	    position < 0)
		return;
	pthread_mutex_lock(&s->lock);
	part = group_part(s, (int32_t)number);
	if (part != NULL)
		part->lag = end > position ? end - position : 0;
	pthread_mutex_unlock(&s->lock);
}

static void read_events(struct reader *r, struct json_events *events)
{
	uint32_t depth = 0;

	for (;;) {
		switch (json_events_next(events)) {
		case JSON_EVENT_END:
			return;
		case JSON_EVENT_NAME:
			if (depth <= DEPTH_PARTITION)
				r->names[depth] = json_events_text(events);
			break;
		case JSON_EVENT_VALUE:
			if (events->type != JSON_OBJECT && events->type != JSON_ARRAY)
				take_value(r, events, depth);
			else if (++depth == DEPTH_PARTITION)
				r->of = (struct offsets){-1, -1, -1, -1};
			break;
		case JSON_EVENT_LEAVE:
			if (depth-- == DEPTH_PARTITION)
				end_partition(r);
			break;
		}
	}
}

void kafka_source_take_statistics(struct kafka_source *source, struct seal_bytes json)
{
	struct reader reader = {.source = source};
	struct json_events events;

	if (!json_is_value(json, true))
		return;
	json_events_init(&events, json);
	read_events(&reader, &events);
	if (reader.up)
		kafka_client_alive(&source->client);
}

int kafka_source_statistics(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	(void)rk;
	kafka_source_take_statistics(opaque, bytes_of(json, len));
	return 0; /* librdkafka frees it */
}

static struct kafka_source *of(struct source *source)
{
	return (struct kafka_source *)((char *)source - offsetof(struct kafka_source, base));
}

size_t kafka_source_lag(struct source *source, struct source_lag *out, size_t max)
{
	struct kafka_source *s = of(source);
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_parts; i++) {
		if (!s->parts[i].mine)
			continue;
		if (n < max)
			out[n] = (struct source_lag){.partition = (int32_t)i, .records = s->parts[i].lag, .ms = -1};
		n++;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool kafka_source_away(struct source *source)
{
	return kafka_client_away(&of(source)->client);
}
