/* Attributes that sealstream adds to messages of Pub/Sub; docs/PLATFORMS.md tells users. Inside src/streams/pubsub only. */
#ifndef STREAMS_PUBSUB_ATTRIBUTES_H
#define STREAMS_PUBSUB_ATTRIBUTES_H

#define ATTRIBUTE_KEY "seal.key"
#define ATTRIBUTE_BASE64 "seal.base64"
#define ATTRIBUTE_NULL "seal.null"

#endif
