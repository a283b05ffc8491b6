/* Names and rules of Java's client.properties that librdkafka does not share. */
#ifndef STREAMS_KAFKA_JAVA_H
#define STREAMS_KAFKA_JAVA_H

#include "streams/kafka/config.h"

/* True for names that only Java clients have and whose values follow Java's escapes. */
bool java_is_own(const char *name);

/* java.util.Properties: \n \t \r \f, \uXXXX, and \c for any other c. The result is in `arena`. */
SEAL_MUST_USE enum seal_status java_unescape(struct seal_bytes text, struct arena *arena, const char **out,
					     struct seal_err *err);

/* One option of a JAAS login module: name="value" or 'value' or bare. false: not there. `out` is in `arena`. */
bool java_jaas_option(const char *jaas, const char *name, struct arena *arena, const char **out);

#endif
