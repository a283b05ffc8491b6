/* `doctor`: the librdkafka that runs. */
#include <stdio.h>

#include "cmd/doctor.h"
#include "streams/kafka/kafka.h"

static bool has_feature(const char *features, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = features; (at = strstr(at, name)) != NULL; at += len)
		if ((at == features || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

void doctor_check_kafka(const struct command_call *call, struct doctor_result *r)
{
	struct kafka_facts facts;

	kafka_facts_get(&facts);
	snprintf(r->text, sizeof(r->text), "%s: %s", facts.version, facts.features);
	if (!has_feature(facts.features, "ssl")) {
		r->status = DOCTOR_WARN;
		snprintf(r->hint, sizeof(r->hint),
			 "it was built without TLS: records travel in the clear where the policy "
			 "does not protect them; install the distribution's librdkafka1");
	} else if (facts.scram_warning != NULL) {
		r->status = DOCTOR_WARN;
		snprintf(r->hint, sizeof(r->hint), "%s", facts.scram_warning);
	}
}
