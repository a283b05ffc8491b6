/*
 * Google Cloud Pub/Sub over its REST interface: topics are written, subscriptions read.
 *
 *   pubsub:PROJECT/TOPIC, pubsub:PROJECT/SUBSCRIPTION        also projects/P/topics/T, projects/P/subscriptions/S; without PROJECT/
 *                                                            the one of the credentials, or of GOOGLE_CLOUD_PROJECT
 *
 * At least once. Messages of a key go out one request after the other under that ordering key, and come in order where the subscription
 * has ordering enabled; acknowledgement ids of exactly-once subscriptions are respected. Dead-letter policies are left alone.
 */
#ifndef STREAMS_PUBSUB_PUBSUB_H
#define STREAMS_PUBSUB_PUBSUB_H

#include "streams/stream.h"

extern const struct source_ops pubsub_source_ops;
extern const struct sink_ops pubsub_sink_ops;

#endif
