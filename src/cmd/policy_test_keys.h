/*
 * Keys for `policy test`: every key of a policy, wherever it lives, has a stand-in of the right type in a keyring of the
 * run's own. Roles of Vault's Transform have none: the server does them, or their tests are left out.
 */
#ifndef CMD_POLICY_TEST_KEYS_H
#define CMD_POLICY_TEST_KEYS_H

#include "engine/engine.h"

/* In the stead of the registry's sources, with the config of test_keys_make. Ended by NULL. */
extern const struct key_source_ops *const test_keys_sources[];

/*
 * Makes the stand-ins in `directory`. `server` is where Transform may be; NULL: nowhere. *config is for plan_new; its `vault`
 * is NULL when roles cannot be used, and `why` then says so (empty when the policy has none). Fails when a role is there but
 * is not what the policy needs.
 */
SEAL_MUST_USE enum seal_status test_keys_make(const struct policy *policy, const char *directory,
					      const struct vault_options *server, struct key_source_config *config,
					      struct seal_err *why, struct seal_err *err);

#endif
