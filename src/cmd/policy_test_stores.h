/*
 * Stores for `policy test`: each of a policy, whatever its address, has a stand-in in a temporary file, which is empty at first and gone
 * at the end.
 */
#ifndef CMD_POLICY_TEST_STORES_H
#define CMD_POLICY_TEST_STORES_H

#include "stores/store.h"

/* In the stead of the registry's stores. Ended by NULL. */
extern const struct store_ops *const test_stores[];

#endif
