/* Golden files, for tests that may write: copied to the fixture's directory, with the modes that a checkout does not keep. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "../unit/keyring_fixture.h"

#include <limits.h>

#include "base/file.h"

/* COMPAT_DIR/FOLDER/FROM becomes `to` in f->dir. */
static inline void golden_copy(struct fixture *f, const char *folder, const char *from, const char *to)
{
	struct seal_buf bytes = BUF_INIT(1 << 20);
	char source[PATH_MAX], target[PATH_MAX];

	snprintf(source, sizeof(source), "%s/%s/%s", COMPAT_DIR, folder, from);
	snprintf(target, sizeof(target), "%s/%s", f->dir, to);
	OK(f, file_read(source, &bytes, &f->err));
	fixture_write(target, bytes.ptr, bytes.len, 0600);
	buf_clear(&bytes);
}

#endif
