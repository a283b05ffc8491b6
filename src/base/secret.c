/*
 * Secret memory: whole pages from mmap, so that locking and MADV_DONTDUMP touch nothing else. Where mlock is refused
 * (RLIMIT_MEMLOCK) the pages are used all the same and secret_all_locked() says so: refusing to run would move
 * people to worse tools, and the pages are still wiped and left out of core files.
 */
#include "base/secret.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"

#define SECRET_MAX (1u << 20)

static atomic_bool lock_refused;

static size_t pages(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

enum seal_status secret_alloc(struct secret *s, size_t len, struct seal_err *err)
{
	size_t size = pages(len);
	void *at;

	SEAL_INVARIANT(len > 0 && len <= SECRET_MAX);
	at = mem_allowed(size) ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
			       : MAP_FAILED;
	if (at == MAP_FAILED)
		return err_memory(err);
	if (mlock(at, size) != 0)
		atomic_store(&lock_refused, true);
	madvise(at, size, MADV_DONTDUMP);
	s->ptr = at;
	s->len = len;
	return SEAL_OK;
}

enum seal_status secret_copy(struct secret *s, struct seal_bytes from, struct seal_err *err)
{
	enum seal_status rc = secret_alloc(s, from.len, err);

	if (rc == SEAL_OK)
		memcpy(s->ptr, from.ptr, from.len);
	return rc;
}

void secret_clear(struct secret *s)
{
	if (s->ptr != NULL) {
		mem_wipe(s->ptr, s->len);
		munmap(s->ptr, pages(s->len));
	}
	s->ptr = NULL;
	s->len = 0;
}

bool secret_all_locked(void)
{
	return !atomic_load(&lock_refused);
}

void secret_harden_process(void)
{
	struct rlimit none = {0, 0};

	/* Both may be refused inside some sandboxes; then the system is already stricter than we ask. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool ct_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}
