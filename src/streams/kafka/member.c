/*
 * A named member of a group (group.instance.id) that lost its place: a new consumer, or the end of the run.
 *
 *   fenced ─┬─ the first time in a while ────▶ another consumer joins in its place ──▶ reading goes on at the last commit
 *           ├─ again, shortly after        ──▶ a process of its name lives, which took the place back: SEAL_FATAL
 *           └─ shortly after it was asleep ──▶ one was started meanwhile: SEAL_FATAL
 *   asleep for longer than its session ──▶ does the group have its name under another id? ── yes ──▶ SEAL_FATAL
 *                                                                                         └─ no ───▶ it joins again
 *
 * A group fences a member also without such a process: when it moves to another broker, or when the answer to a JoinGroup was lost.
 * Who asks twice can't tell; two that live do, as each puts the other out. The older one of the two is fenced first, and ends.
 *
 * librdkafka's handle is of no more use then. Batches that were read with it keep its memory: it is a `past` one until the last of
 * them has been released.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "streams/kafka/source.h"

#include <stdio.h>

#define ASK_MS 3000
#define LATELY_MS 20000 /* and two sessions: both have met their heartbeats, and what the brokers put off, by then */
#define UUID_CHARS 36

/* ---- who has the place ---- */

static bool is_fenced(const struct kafka_source *s)
{
	char text[16];

	return rd_kafka_fatal_error(s->client.rk, text, sizeof(text)) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/* 0: never */
static bool is_lately(const struct kafka_source *s, uint64_t ms)
{
	return ms != 0 && clock_mono_ms() - ms < LATELY_MS + 2 * s->session_ms;
}

static bool may_renew(const struct kafka_source *s)
{
	return is_fenced(s) && !atomic_load(&s->replaced) && !is_lately(s, atomic_load(&s->fenced_ms)) &&
	       !is_lately(s, atomic_load(&s->slept_ms));
}

/* Brokers make the id of a named member of its name, "-" and a UUID. */
static bool is_id_of(const char *id, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(id, name, len) == 0 && id[len] == '-' && strlen(id) == len + 1 + UUID_CHARS;
}

/* Under `reading`, while librdkafka waits with joining: an id that is not ours is somebody's then. False: it can't be asked, too. */
static bool is_held_by_another(struct kafka_source *s)
{
	const struct rd_kafka_group_list *list = NULL;
	bool is = false;

	if (s->member == NULL || s->member_id[0] == '\0')
		return false;
	(void)rd_kafka_list_groups(s->client.rk, s->group_name, &list, ASK_MS);
	for (int i = 0; list != NULL && i < list->group_cnt; i++)
		for (int j = 0; j < list->groups[i].member_cnt; j++) {
			const char *id = list->groups[i].members[j].member_id;

			is = is || (is_id_of(id, s->member) && strcmp(id, s->member_id) != 0);
		}
	if (list != NULL)
		rd_kafka_group_list_destroy(list);
	return is;
}

void member_note(struct kafka_source *s)
{
	char *id = s->member != NULL ? rd_kafka_memberid(s->client.rk) : NULL;

	if (id == NULL)
		return;
	snprintf(s->member_id, sizeof(s->member_id), "%s", id);
	rd_kafka_mem_free(s->client.rk, id);
}

void member_look(struct kafka_source *s)
{
	if (!atomic_load(&s->replaced) && !is_fenced(s) && rd_kafka_assignment_lost(s->client.rk) &&
	    is_held_by_another(s))
		atomic_store(&s->replaced, true);
}

bool kafka_source_is_replaced(struct source *source)
{
	struct kafka_source *s = kafka_source_of(source);

	/* Whoever reads looks by itself. */
	if (pthread_mutex_trylock(&s->reading) == 0) {
		member_look(s);
		pthread_mutex_unlock(&s->reading);
	}
	return atomic_load(&s->replaced) || kafka_source_is_fenced(s) || is_lately(s, atomic_load(&s->fenced_ms));
}

bool kafka_source_is_fenced(struct kafka_source *s)
{
	bool is;

	pthread_mutex_lock(&s->using);
	is = is_fenced(s);
	pthread_mutex_unlock(&s->using);
	return is;
}

/* ---- past consumers ---- */

static void past_free(struct kafka_source *s, struct past *past)
{
	if (s->keep_handle)
		kafka_client_quiet(&past->client);
	else
		kafka_client_close(&past->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	kafka_client_clear(&past->client);
	mem_free(past);
}

void member_sweep(struct kafka_source *s, bool all)
{
	struct past **at = &s->past, *past;
	bool used;

	while ((past = *at) != NULL) {
		pthread_mutex_lock(&s->lock);
		used = past->batches > 0 || s->releasing > 0;
		pthread_mutex_unlock(&s->lock);
		if (used && !all) {
			at = &past->next;
			continue;
		}
		*at = past->next;
		past_free(s, past);
	}
}

/* The batches that are held have been read with it. */
static void past_add(struct kafka_source *s, struct past *past)
{
	pthread_mutex_lock(&s->lock);
	for (struct held *held = s->oldest; held != NULL; held = held->next)
		if (held->past == NULL) {
			held->past = past;
			past->batches++;
		}
	pthread_mutex_unlock(&s->lock);
	past->next = s->past;
	s->past = past;
}

/* ---- another consumer ---- */

/* The old one goes into `past`; stays where there can't be another. */
static enum seal_status replace(struct kafka_source *s, struct past *past, struct seal_err *err)
{
	rd_kafka_queue_t *queue = s->queue;
	enum seal_status rc;

	pthread_mutex_lock(&s->using);
	kafka_client_quiet(&s->client);
	past->client.rk = s->client.rk;
	s->client.rk = NULL;
	s->queue = NULL;
	rc = kafka_source_consumer_new(s, err);
	if (rc == SEAL_OK) {
		rd_kafka_poll_set_consumer(s->client.rk);
		rd_kafka_queue_destroy(queue);
	} else {
		kafka_client_close(&s->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
		s->client.rk = past->client.rk;
		s->queue = queue;
		past->client.rk = NULL;
	}
	pthread_mutex_unlock(&s->using);
	return rc;
}

static enum seal_status renew(struct kafka_source *s, struct seal_err *err)
{
	struct past *past = mem_calloc(1, sizeof(*past));
	enum seal_status rc;

	if (past == NULL)
		return err_memory(err);
	kafka_client_init(&past->client);
	s->stuck = !group_leave(s);
	if (s->stuck) {
		rc = kafka_client_error(&s->client, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, s->topic, err);
	} else {
		group_lose_all(s);
		rc = replace(s, past, err);
	}
	if (rc != SEAL_OK) {
		kafka_client_clear(&past->client);
		mem_free(past);
		return rc;
	}
	past_add(s, past);
	s->member_id[0] = '\0';
	return group_subscribe(s, err);
}

enum seal_status member_check(struct kafka_source *s, struct seal_err *err)
{
	if (!s->group)
		return SEAL_OK;
	member_sweep(s, false);
	if (!atomic_load(&s->replaced) && !is_fenced(s))
		return SEAL_OK;
	if (may_renew(s)) {
		atomic_store(&s->fenced_ms, clock_mono_ms());
		log_say(LOG_WARNING,
			"topic %s: the group has put another one in the place of member %s; it joins again", s->topic,
			s->member ? s->member : "");
		return renew(s, err);
	}
	return kafka_client_error(&s->client, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, s->topic, err);
}

enum seal_status member_forgive(struct kafka_source *s, enum seal_status rc, struct seal_err *err)
{
	if (rc == SEAL_OK || rc == SEAL_RETRY || !s->group || !may_renew(s))
		return rc;
	err_clear(err);
	return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the group has put another one in the place of member %s",
		       s->member ? s->member : "");
}
