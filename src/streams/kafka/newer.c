/*
 * The properties of librdkafka 2.16.0 that 2.0.2 lacks, from the libraries' own lists. Keep sorted; add a new release's
 * names when it is out. A property that the running library knows is never looked up here.
 */
#include "streams/kafka/newer.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	"client.dns.lookup",
	"enable.metrics.push",
	"fetch.queue.backoff.ms",
	"group.protocol",
	"group.remote.assignor",
	"https.ca.location",
	"https.ca.pem",
	"max.poll.records",
	"metadata.recovery.rebootstrap.trigger.ms",
	"metadata.recovery.strategy",
	"retry.backoff.max.ms",
	"sasl.oauthbearer.assertion.algorithm",
	"sasl.oauthbearer.assertion.claim.aud",
	"sasl.oauthbearer.assertion.claim.exp.seconds",
	"sasl.oauthbearer.assertion.claim.iss",
	"sasl.oauthbearer.assertion.claim.jti.include",
	"sasl.oauthbearer.assertion.claim.nbf.seconds",
	"sasl.oauthbearer.assertion.claim.sub",
	"sasl.oauthbearer.assertion.file",
	"sasl.oauthbearer.assertion.jwt.template.file",
	"sasl.oauthbearer.assertion.private.key.file",
	"sasl.oauthbearer.assertion.private.key.passphrase",
	"sasl.oauthbearer.assertion.private.key.pem",
	"sasl.oauthbearer.client.credentials.client.id",
	"sasl.oauthbearer.client.credentials.client.secret",
	"sasl.oauthbearer.grant.type",
	"sasl.oauthbearer.metadata.authentication.type",
	"sasl.oauthbearer.sub.claim.name",
	"share.acknowledgement.mode",
};

bool newer_property(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}
