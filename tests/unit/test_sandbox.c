/*
 * sandbox: what a process can still do, and what it can't. Each try is a child's: it ends with 0 when all was as expected, else
 * with the number of the line that was not, or by SIGSYS.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/regex.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

/* The line modulo 200, never 0: an exit code has eight bits. */
#define EXPECT(condition)                                                                                            \
	do {                                                                                                         \
		if (!(condition))                                                                                    \
			_exit(__LINE__ % 200 + 1);                                                                   \
	} while (0)

static void enter(void)
{
	EXPECT(sandbox_drop(NULL) == SEAL_OK && sandbox_enter(NULL) == SEAL_OK);
}

static int status_of(void (*child)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		child();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A failure shows as 256 times the line. */
static void succeeds(void (*child)(void))
{
	assert_int_equal(status_of(child), 0);
}

static void dies(void (*child)(void))
{
	int status = status_of(child);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* ---- what is given away ---- */

static void rights_are_gone(void)
{
	struct rlimit core;

	enter();
	EXPECT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
	if (getuid() == 0)
		for (unsigned long cap = 0; cap <= 37; cap++)
			EXPECT(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0);
}

static void calls_that_fail(void)
{
	struct rlimit more = {1 << 20, 1 << 20};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	enter();
	EXPECT(fork() < 0 && errno == ENOSYS);
	EXPECT(syscall(SYS_vfork) < 0 && errno == ENOSYS);
	EXPECT(setrlimit(RLIMIT_CORE, &more) < 0);
	EXPECT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0);
	EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && socket(AF_VSOCK, SOCK_STREAM, 0) < 0);
	EXPECT(listener >= 0 && listen(listener, 1) < 0);
	EXPECT(ioctl(0, TIOCSTI, "x") < 0 && errno == ENOSYS);
	EXPECT(kill(getppid(), 0) < 0 && errno == ENOSYS);
	EXPECT(syscall(SYS_memfd_create, "x", 0) < 0 && errno == ENOSYS);
}

static void memory_is_written_or_executed(void)
{
	void *at;

	enter();
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(at != MAP_FAILED && mprotect(at, 4096, PROT_READ | PROT_EXEC) < 0);
	EXPECT(mprotect(at, 4096, PROT_READ) == 0 && munmap(at, 4096) == 0);
}

static void test_what_fails(void **state)
{
	succeeds(rights_are_gone);
	succeeds(calls_that_fail);
	succeeds(memory_is_written_or_executed);
}

static void starts_a_program(void)
{
	char *const words[] = {"true", NULL};

	enter();
	execv("/bin/true", words);
}

static void reads_another_process(void)
{
	enter();
	syscall(SYS_ptrace, 16, getppid(), 0, 0);
}

static void changes_its_user(void)
{
	enter();
	(void)!syscall(SYS_setuid, 0);
}

static void hides_in_a_namespace(void)
{
	enter();
	syscall(SYS_unshare, 0x10000000);
}

static void test_what_is_deadly(void **state)
{
	dies(starts_a_program);
	dies(reads_another_process);
	dies(changes_its_user);
	dies(hides_in_a_namespace);
}

/* ---- what must go on ---- */

static void *asks_too_much(void *arg)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? arg : NULL;
}

static void *waits_then_asks(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return asks_too_much(arg);
}

/* Threads that were there, and those that come. */
static void all_threads_are_inside(void)
{
	pthread_barrier_t barrier;
	pthread_t before, after;
	void *result = NULL;

	EXPECT(sandbox_drop(NULL) == SEAL_OK);
	pthread_barrier_init(&barrier, NULL, 2);
	EXPECT(pthread_create(&before, NULL, waits_then_asks, &barrier) == 0);
	pthread_barrier_wait(&barrier);
	EXPECT(sandbox_enter(NULL) == SEAL_OK);
	pthread_barrier_wait(&barrier);
	EXPECT(pthread_join(before, &result) == 0 && result == &barrier);
	EXPECT(pthread_create(&after, NULL, asks_too_much, &barrier) == 0);
	EXPECT(pthread_join(after, &result) == 0 && result == &barrier);
}

static void files_work(void)
{
	char from[] = "/tmp/sandbox-XXXXXX", to[64];
	int fd;

	enter();
	fd = mkstemp(from);
	EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && fchmod(fd, 0600) == 0 && close(fd) == 0);
	snprintf(to, sizeof(to), "%s.to", from);
	EXPECT(rename(from, to) == 0 && access(to, R_OK) == 0 && unlink(to) == 0);
}

static void names_are_looked_up(void)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;

	enter();
	EXPECT(getaddrinfo("localhost", "80", &hints, &found) == 0 && found != NULL);
	freeaddrinfo(found);
}

static void secrets_are_locked(void)
{
	struct secret secret = SECRET_INIT;

	enter();
	EXPECT(secret_alloc(&secret, 4096, NULL) == SEAL_OK && secret_all_locked());
	secret_clear(&secret);
}

/* No machine code of its own: slower, and as right. */
static void expressions_match(void)
{
	struct regex *regex = NULL;
	size_t at = 0;

	enter();
	EXPECT(regex_new(BYTES_LIT("purch(ases)+"), &regex, &at, NULL) == SEAL_OK);
	EXPECT(regex_match(regex, BYTES_LIT("purchasesases")) == REGEX_YES);
	EXPECT(regex_match(regex, BYTES_LIT("purchase")) == REGEX_NO);
	regex_free(regex);
}

static void an_abort_ends_it(void)
{
	enter();
	abort();
}

static void test_what_goes_on(void **state)
{
	succeeds(all_threads_are_inside);
	succeeds(files_work);
	succeeds(names_are_looked_up);
	succeeds(secrets_are_locked);
	succeeds(expressions_match);
	assert_int_equal(WTERMSIG(status_of(an_abort_ends_it)), SIGABRT);
}

/* A second one on top changes nothing, and is no error for who has none any more. */
static void drops_twice(void)
{
	EXPECT(sandbox_drop(NULL) == SEAL_OK && sandbox_drop(NULL) == SEAL_OK);
}

static void test_dropping_twice(void **state)
{
	succeeds(drops_twice);
}

/* A filter that the kernel refuses leaves the process as it was, and says why. */
static void enters_twice(void)
{
	struct seal_err err = SEAL_ERR_INIT;

	enter();
	EXPECT(sandbox_enter(&err) == SEAL_FATAL && strstr(err.text, "cannot filter system calls") != NULL);
	EXPECT(getpid() > 0);
}

static void test_refused(void **state)
{
	succeeds(enters_twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fails),   cmocka_unit_test(test_what_is_deadly),
		cmocka_unit_test(test_what_goes_on), cmocka_unit_test(test_dropping_twice),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
