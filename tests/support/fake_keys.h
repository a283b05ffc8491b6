/*
 * A key source for tests, scheme "fake": real cryptography under fixed keys, no disk, and failures on demand.
 *
 *   fake:aes      encrypts; versions 1 and 2 (2 is the latest); every byte of version v's key is v
 *   fake:aes1     the same with version 1 only
 *   fake:stiff    as aes, but cannot rewrap
 *   fake:derived, fake:convergent   as fake:aes, but say that they are derived, and convergent; the latter makes equal text of
 *                                   equal values and places
 *   fake:ff1      FPE; version 1 has the key 00 01 … 1f, version 2 is 32 bytes of 2
 *   fake:hmac     HMAC; version 1 has the key 00 01 … 1f
 *   anything else does not exist
 */
#ifndef TESTS_FAKE_KEYS_H
#define TESTS_FAKE_KEYS_H

#include "keys/key.h"

extern const struct key_source_ops fake_source;
bool fake_reference_check(struct seal_bytes reference, const char **why);

/* What the next calls do; one thread only. */
struct fake_control {
	enum seal_status fail_call; /* not SEAL_OK: every call fails with this … */
	enum seal_code fail_code; /* … and this */
	size_t fail_item; /* n: the n-th item of every call (from 1) fails with SEAL_DATA/SEAL_E_TAMPERED */
	enum seal_status fail_item_status; /* not SEAL_OK: … it fails with this and SEAL_E_SERVICE instead */
	size_t calls; /* counts */
	uint64_t deadline_ms; /* of the last encryption */
	size_t opened; /* sources opened less those freed */
	size_t keys; /* keys opened less those freed */
};

extern struct fake_control fake_control;

#endif
