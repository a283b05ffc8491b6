/*
 * Settings of Kafka clients, as people hand them over: `-X name=value`, kcat's and Java's client.properties, and
 * getting_started.ini. Parsed here into one ordered list; a client applies those of its role (client.h).
 *
 *   preset < file [default] < file [consumer] or [producer] < -X < -b          later wins
 *
 * A file without sections is all [default]. Names are case-folded, `=` or `:` parts name and value, comments stand at a
 * line's start only, `%` and quotes are literal. Java's own names (sasl.jaas.config …) are read by Java's rules
 * (a backslash at the end continues the line) and translated.
 */
#ifndef STREAMS_KAFKA_CONFIG_H
#define STREAMS_KAFKA_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"

#define KAFKA_CONFIG_FILE_MAX (1u << 20)
#define KAFKA_PROPERTIES_MAX 1000 /* in one file */

enum kafka_role { KAFKA_ANYONE, KAFKA_CONSUMER, KAFKA_PRODUCER };

/* A setting that a service of that protocol asks for, below all of the user's. Lists end with a row without name. */
struct kafka_preset {
	const char *name, *value;
	enum kafka_role role;
};

struct kafka_property {
	struct kafka_property *next;
	const char *name; /* lower case; NULL: taken out by the translation */
	const char *value;
	const char *file; /* where it stands, or NULL */
	uint32_t line, column; /* of the name, from 1 */
	enum kafka_role role; /* KAFKA_ANYONE, or whose section it stands in */
	bool warned; /* its warning has been given */
};

struct kafka_config {
	struct kafka_property *first, **tail; /* in rising precedence within a role */
	struct kafka_property *overrides; /* where -X and -b begin: above every section */
	const char *source_topic, *target_topic; /* [encryptor]; NULL when absent */
	const char *payload_topic, *payload_source_dir, *payload_destination_dir; /* [large_payload]; the same */
	struct arena arena; /* wiped when cleared: holds passwords */
};

void kafka_config_init(struct kafka_config *config);
void kafka_config_clear(struct kafka_config *config);

/* Adds what a file says. SEAL_USAGE/SEAL_E_CONFIG with file:line:column as place. `file` is for messages. */
SEAL_MUST_USE enum seal_status kafka_config_parse(struct kafka_config *config, struct seal_bytes text,
						  const char *file, struct seal_err *err);
SEAL_MUST_USE enum seal_status kafka_config_read(struct kafka_config *config, const char *path, struct seal_err *err);

/* True when a property of that name holds a password or a private key, so that its value is never shown. */
bool kafka_property_is_secret(const char *name);

/* Adds settings below all that come later; before anything else. */
SEAL_MUST_USE enum seal_status kafka_config_preset(struct kafka_config *config, const struct kafka_preset *rows,
						   struct seal_err *err);

/* Adds one `-X name=value` on top; kcat's prefix `topic.` is fine. Never shows the value. */
SEAL_MUST_USE enum seal_status kafka_config_override(struct kafka_config *config, const char *text,
						     struct seal_err *err);
SEAL_MUST_USE enum seal_status kafka_config_set(struct kafka_config *config, const char *name, const char *value,
						struct seal_err *err);

/* Java's names into librdkafka's; call once, after all was added. Looks into the stores that it names. */
SEAL_MUST_USE enum seal_status kafka_config_translate(struct kafka_config *config, struct seal_err *err);

/* The value that a client of that role gets, or NULL. */
const char *kafka_config_get(const struct kafka_config *config, enum kafka_role role, const char *name);

/* Calls `each` with the properties of a role, lowest precedence first, until it fails. */
SEAL_MUST_USE enum seal_status kafka_config_each(struct kafka_config *config, enum kafka_role role,
						 enum seal_status (*each)(void *arg, struct kafka_property *property,
									  struct seal_err *err),
						 void *arg, struct seal_err *err);

/* "file:line:column: " of a property as the error's place; -X for the others. */
void kafka_property_place(const struct kafka_property *property, struct seal_err *err);

#endif
