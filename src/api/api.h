/* What the files of the public API share: versioned structs, and the handles' insides. */
#ifndef API_API_H
#define API_API_H

#include "base/bytes.h"
#include "base/err.h"
#include "keys/key.h"
#include "policy/policy.h"
#include "sealstream/engine.h"

struct seal_policy {
	struct policy *policy;
};

static inline const struct seal_topic *api_topic(const struct policy_topic *topic)
{
	return (const struct seal_topic *)topic;
}

static inline const struct policy_topic *api_policy_topic(const struct seal_topic *topic)
{
	return (const struct policy_topic *)topic;
}

/*
 * A caller's struct, whose first member is its size, into `to` of `size` bytes: what an older caller does not know is
 * zero, what we do not know of a newer one's must be zero. `from` NULL: all zero.
 */
SEAL_MUST_USE enum seal_status api_read_options(const void *from, void *to, size_t size, const char *name,
						struct seal_err *err);

/* `from`, of `size` bytes, into a caller's struct, as far as it reaches; its own size stays. */
void api_write_struct(const void *from, size_t size, void *to);

SEAL_MUST_USE enum seal_status api_key_config(const struct seal_keyring_options *options,
					      struct key_source_config *config, struct seal_err *err);

#endif
