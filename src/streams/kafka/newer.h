/* Properties that librdkafka 2.0.2 does not know and later ones do: a warning instead of an error. */
#ifndef STREAMS_KAFKA_NEWER_H
#define STREAMS_KAFKA_NEWER_H

#include <stdbool.h>

bool newer_property(const char *name);

#endif
