/*
 * Event Hubs as a source and a sink: its hubs are Kafka's topics to a client with settings of their own, and for writing there is HTTPS,
 * too. The stream of Kafka and that of Event Hubs do not see each other, so they meet here.
 */
#ifndef CMD_EVENTHUBS_USE_H
#define CMD_EVENTHUBS_USE_H

#include "streams/stream.h"

extern const struct source_ops eventhubs_source_ops;
extern const struct sink_ops eventhubs_sink_ops;

#endif
