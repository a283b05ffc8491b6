/*
 * Rights that a process has before it starts to work. Capabilities belong to a thread, so that they must go while there is only
 * one; threads to come inherit their absence.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/secret.h"
#include "sandbox/sandbox.h"

static enum seal_status refused(struct seal_err *err, const char *what)
{
	return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, errno, "the sandbox cannot %s", what);
}

/* Keys stay locked in memory: who may lock any amount now must not be bound by the limit for others afterwards. */
static void keep_memory_lockable(void)
{
	const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &any);
}

/* What no program that this one starts, were it to, could get back. Without CAP_SETPCAP it stays, of no use to anybody. */
static enum seal_status drop_bounding_set(struct seal_err *err)
{
	int there;

	for (unsigned long cap = 0; (there = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (there > 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
			return refused(err, "shrink the bounding set");
	return SEAL_OK;
}

/* A process without any needs no call to drop them, which the filter of a service manager may not have. */
static enum seal_status drop_capabilities(struct seal_err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, now) == 0 && memcmp(now, none, sizeof(none)) == 0)
		return SEAL_OK;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		return refused(err, "clear ambient capabilities");
	if (syscall(SYS_capset, &head, none) != 0)
		return refused(err, "drop capabilities");
	return SEAL_OK;
}

enum seal_status sandbox_drop(struct seal_err *err)
{
	enum seal_status rc;

	keep_memory_lockable();
	SEAL_TRY(drop_bounding_set(err));
	SEAL_TRY(drop_capabilities(err));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		rc = refused(err, "renounce new privileges");
		goto out;
	}
	secret_harden_process(); /* the kernel may have taken it back as rights changed */
out:
	return rc;
}
