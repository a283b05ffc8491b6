/*
 * The filter of system calls. What is not in `allowed` does not exist (ENOSYS: the C library then does what it does on an older
 * kernel); what only an intruder would call ends the process (SIGSYS). Some are judged by their arguments:
 *
 *   clone            threads only; clone3, whose arguments a filter cannot see, does not exist
 *   mmap, mprotect   nothing both writable and executable, nothing made executable later; a library may still be loaded
 *   socket           internet, local, and netlink, which getaddrinfo asks for addresses
 *   prctl            a thread's name; what only reads
 *   prlimit64        reads
 *   ioctl            what sockets and terminals are asked; above all no TIOCSTI
 *   kill, tgkill     this process
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const int allowed[] = {
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(mincore),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(mremap),
	SCMP_SYS(msync),
	SCMP_SYS(munlock),
	SCMP_SYS(munmap),
	SCMP_SYS(membarrier),
	/* threads, signals, the end */
	SCMP_SYS(arch_prctl),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(futex_waitv),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(getcpu),
	SCMP_SYS(gettid),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sched_get_priority_max),
	SCMP_SYS(sched_get_priority_min),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(sigaltstack),
	/* time */
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(times),
	/* who and what this is */
	SCMP_SYS(capget),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getgroups),
	SCMP_SYS(getpgrp),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getpriority),
	SCMP_SYS(getrandom),
	SCMP_SYS(getresgid),
	SCMP_SYS(getresuid),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage),
	SCMP_SYS(getsid),
	SCMP_SYS(getuid),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	/* open files and waiting for them */
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd),
	SCMP_SYS(eventfd2),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	SCMP_SYS(flock),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(pselect6),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(select),
	SCMP_SYS(_newselect),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	/* files */
	SCMP_SYS(access),
	SCMP_SYS(chmod),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(creat),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fstatfs64),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents),
	SCMP_SYS(getdents64),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(lstat),
	SCMP_SYS(lstat64),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(readahead),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(rmdir),
	SCMP_SYS(sendfile),
	SCMP_SYS(sendfile64),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(statfs),
	SCMP_SYS(statfs64),
	SCMP_SYS(statx),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(truncate),
	SCMP_SYS(umask),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),
	/* sockets that are there, or of the families below */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(bind),
	SCMP_SYS(connect),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(recv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(send),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
};

/* No part of this program or of its libraries ever calls one after the start. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setresuid),
	SCMP_SYS(capset),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(swapon),
	SCMP_SYS(reboot),
};

/* Allowed when argument `arg`, masked, is `value`. */
struct rule {
	int call;
	unsigned arg;
	uint64_t mask, value;
};

static const struct rule rules[] = {
	{SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND},
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mmap), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC},
	{SCMP_SYS(mmap2), 2, PROT_EXEC, 0},
	{SCMP_SYS(mmap2), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK},
	{SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_NAME},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_DUMPABLE},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_CAPBSET_READ},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_VMA},
	{SCMP_SYS(prlimit64), 2, UINT64_MAX, 0},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, FIONREAD},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, FIOCLEX},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCGWINSZ},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCGPGRP},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME},
};

static int allow_if(scmp_filter_ctx filter, const struct rule *rule)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->call, 1,
				SCMP_CMP(rule->arg, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
}

/* 0, or a negative errno, as everything of libseccomp. */
static int fill(scmp_filter_ctx filter)
{
	const uint64_t own = (uint64_t)getpid();
	const struct rule signals[] = {{SCMP_SYS(kill), 0, UINT32_MAX, own}, {SCMP_SYS(tgkill), 0, UINT32_MAX, own}};
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; code == 0 && i < sizeof(deadly) / sizeof(deadly[0]); i++)
		code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	for (size_t i = 0; code == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		code = allow_if(filter, &rules[i]);
	for (size_t i = 0; code == 0 && i < sizeof(signals) / sizeof(signals[0]); i++)
		code = allow_if(filter, &signals[i]);
	return code;
}

static int load(scmp_filter_ctx filter)
{
	int code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* all threads, or none */

	if (code == 0)
		code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (code == 0)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: every call runs through it */
	if (code == 0)
		code = fill(filter);
	return code == 0 ? seccomp_load(filter) : code;
}

enum seal_status sandbox_enter(struct seal_err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int code;

	if (filter == NULL)
		return err_memory(err);
	code = load(filter);
	seccomp_release(filter);
	if (code != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, -code,
				     "the sandbox cannot filter system calls");
	return SEAL_OK;
}
