/* Option rows that several streams have, so that they are the same everywhere. `options` is the struct with members of these names. */
#ifndef STREAMS_ROWS_H
#define STREAMS_ROWS_H

#include "base/opt.h"

/* Of AWS's services; `service` as in the variable's name: "SQS". */
#define ROW_AWS_REGION(options, text)                                                                                \
	{                                                                                                            \
		.name = "region", .help = text, .arg = "REGION", .type = OPT_STRING,                                 \
		.offset = offsetof(options, region)                                                                  \
	}
#define ROW_AWS_PROFILE(options)                                                                                     \
	{                                                                                                            \
		.name = "profile",                                                                                   \
		.help = "the profile of ~/.aws/config and ~/.aws/credentials, above AWS_PROFILE and the keys of "    \
			"the environment",                                                                           \
		.arg = "NAME", .type = OPT_STRING, .offset = offsetof(options, profile)                              \
	}
#define ROW_AWS_ENDPOINT(options, service)                                                                           \
	{                                                                                                            \
		.name = "endpoint",                                                                                  \
		.help = "another server than AWS's, above AWS_ENDPOINT_URL_" service " and AWS_ENDPOINT_URL",        \
		.arg = "URL", .type = OPT_STRING, .offset = offsetof(options, endpoint)                              \
	}

#define ROW_REQUESTS(options)                                                                                        \
	{                                                                                                            \
		.name = "requests", .help = "requests at once, of each side", .arg = "N", .def = "4", .min = 1,      \
		.max = 16, .type = OPT_INT, .offset = offsetof(options, requests)                                    \
	}
#define ROW_LINGER(options)                                                                                          \
	{                                                                                                            \
		.name = "linger", .help = "how long a request that is not full waits for more records",              \
		.arg = "TIME", .def = "10ms", .min = 1, .max = 60000, .type = OPT_DURATION,                          \
		.offset = offsetof(options, linger_ms)                                                               \
	}
/* enum row_headers */
#define ROW_HEADERS(options)                                                                                         \
	{                                                                                                            \
		.name = "headers",                                                                                   \
		.help = "keep: they become attributes, and a record whose headers cannot fails; drop: they are "     \
			"left out",                                                                                  \
		.arg = "HOW", .def = "keep", .choices = "keep|drop", .type = OPT_CHOICE,                             \
		.offset = offsetof(options, headers)                                                                 \
	}
/* What may wait; commands set it. */
#define ROW_MEMORY(options)                                                                                          \
	{                                                                                                            \
		.name = "memory", .help = "what may wait", .arg = "SIZE", .internal = true, .type = OPT_SIZE,        \
		.offset = offsetof(options, memory)                                                                  \
	}

enum row_headers { ROW_HEADERS_KEEP, ROW_HEADERS_DROP };

#endif
