/*
 * One librdkafka handle, made from a kafka_config, and the translation of its errors. Inside src/streams/kafka only.
 */
#ifndef STREAMS_KAFKA_CLIENT_H
#define STREAMS_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "streams/kafka/kafka.h"

struct oauth_keeper;

struct kafka_client {
	rd_kafka_t *rk;
	const char *role_name; /* "consumer", "producer" */
	char brokers[200]; /* for messages */
	bool scram; /* logs in with SCRAM on a library that has the bug */
	bool oauth; /* logs in with OAUTHBEARER */
	bool started; /* error_cb may warn */
	bool sasl; /* logs in */
	struct oauth_keeper *keeper; /* fetches tokens for the login; or NULL */
	pthread_mutex_t lock; /* guards the rest */
	char cause[320]; /* the last failure's text, with the broker's name */
	rd_kafka_resp_err_t denied; /* login or TLS was refused; or 0 */
	rd_kafka_resp_err_t fatal; /* the handle is of no more use; or 0 */
	bool away; /* no broker is connected */
	unsigned cut_logins; /* one after the other, at the start */
	unsigned errors; /* how often error_cb was called */
	uint64_t warned_ms;
};

struct kafka_setting {
	const char *name, *value;
};

struct kafka_number {
	const char *name;
	int64_t value; /* 0: left alone */
};

struct kafka_client_setup {
	enum kafka_role role;
	struct kafka_config *config;
	const struct kafka_setting *defaults; /* below the user's; ended by a row without name */
	const struct kafka_setting *more; /* further ones; NULL: none */
	const struct kafka_number *numbers; /* above the defaults, below the user's; NULL: none */
	const struct kafka_setting
		*fixed; /* above the user's, who is told when theirs differs; value NULL: not set at all */
	void (*callbacks)(rd_kafka_conf_t *conf, void *owner); /* may be NULL */
	void *owner; /* what callbacks get as opaque: starts with a struct kafka_client */
};

void kafka_client_init(struct kafka_client *client);
/* `client` must be the first thing at `setup->owner`. */
SEAL_MUST_USE enum seal_status kafka_client_open(struct kafka_client *client, const struct kafka_client_setup *setup,
						 struct seal_err *err);
/* Ends what works with rk on threads of its own; for owners that do not destroy it. */
void kafka_client_quiet(struct kafka_client *client);
/* The same, and destroys rk; `flags` as rd_kafka_destroy_flags. Closed ones are fine. */
void kafka_client_close(struct kafka_client *client, int flags);
/* Frees what is around rk, once closed. */
void kafka_client_clear(struct kafka_client *client);

/* The topic must exist; *partitions is how many it has. Waits for brokers up to timeout_ms. */
SEAL_MUST_USE enum seal_status kafka_client_find_topic(struct kafka_client *client, const char *topic, int timeout_ms,
						       int32_t *partitions, struct seal_err *err);

/*
 * The longest record that the topic's max.message.bytes allows, asked through the admin API. False: cannot be had (not
 * allowed, an old or embedded broker).
 */
bool kafka_client_topic_limit(struct kafka_client *client, const char *topic, int timeout_ms, uint64_t *max_bytes);

/* Fills err from a librdkafka code: class, what to do, and the last cause that a broker gave. */
enum seal_status kafka_client_error(struct kafka_client *client, rd_kafka_resp_err_t code, const char *topic,
				    struct seal_err *err);
/* SEAL_OK, or the error when login was refused or the handle is broken. */
SEAL_MUST_USE enum seal_status kafka_client_health(struct kafka_client *client, struct seal_err *err);
/* A broker has answered. */
void kafka_client_alive(struct kafka_client *client);
bool kafka_client_away(struct kafka_client *client);

#endif
