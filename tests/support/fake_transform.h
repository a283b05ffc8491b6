/*
 * A Transform engine for tests, scheme "vault": a toy shift instead of cryptography, so that expected texts can be written
 * down. Each digit d becomes d + 1 + (the sum of the tweak's bytes), modulo 10; all else stays.
 *
 *   vault:transform/role/payments   does it with whatever tweak source the caller claims
 *   vault:transform/role/liar       draws a tweak when none is wanted, none when one is
 *   anything else does not exist
 *
 * A value with an 'x' fails alone. A generated tweak is ff fe fd fc fb fa and the item's number.
 */
#ifndef TESTS_FAKE_TRANSFORM_H
#define TESTS_FAKE_TRANSFORM_H

#include "keys/key.h"

extern const struct key_source_ops fake_transform_source;
bool fake_transform_check(struct seal_bytes reference, const char **why);

struct fake_transform_control {
	enum seal_status fail_call; /* not SEAL_OK: calls fail with it */
	enum seal_status fail_check; /* not SEAL_OK: transform_check fails with it */
	size_t opened, calls, items; /* keys opened; counts */
	struct key_transform how; /* of the last call */
};

extern struct fake_transform_control fake_transform;

#endif
