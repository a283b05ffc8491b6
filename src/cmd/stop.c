/*
 * Signals: the first SIGINT or SIGTERM asks for a clean end, the second one ends at once. SIGUSR1 asks for a line of
 * progress. SIGPIPE is ignored, so that a writer sees EPIPE and can clean up. SIGHUP ends a command as it ends others, but a run
 * that can reload takes it as a request for that, unless it is a terminal that hangs up: that asks for a clean end.
 */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cmd/command.h"

static volatile sig_atomic_t requested;
static atomic_bool progress_asked;
static atomic_bool reload_asked;
static bool hangup_ignored; /* nohup(1) */

static void on_stop(int number)
{
	if (requested != 0)
		_exit(128 + number);
	requested = number;
}

static void on_progress(int number)
{
	atomic_store(&progress_asked, true);
}

/* The kernel sends it when a terminal hangs up, others send it by kill(2). */
static void on_hangup(int number, siginfo_t *info, void *context)
{
	if (info->si_code != SI_KERNEL)
		atomic_store(&reload_asked, true);
	else if (!hangup_ignored)
		on_stop(number);
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	/* No SA_RESTART: a blocked read or write returns and sees the request. */
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

void stop_install(void)
{
	handle(SIGINT, on_stop);
	handle(SIGTERM, on_stop);
	handle(SIGUSR1, on_progress);
	handle(SIGPIPE, SIG_IGN);
}

void stop_take_reloads(void)
{
	struct sigaction action = {.sa_sigaction = on_hangup, .sa_flags = SA_SIGINFO}, before;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGHUP, NULL, &before) == 0)
		hangup_ignored = !(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN;
	sigaction(SIGHUP, &action, NULL);
}

bool stop_reload_asked(void)
{
	return atomic_exchange(&reload_asked, false);
}

/* The harmless signal ends what a thread is blocked in, so that it sees the request. */
void stop_ask(void)
{
	if (requested == 0)
		requested = SIGTERM;
	(void)kill(getpid(), SIGUSR1);
}

int stop_requested(void)
{
	return requested;
}

bool stop_before_start(enum seal_status rc, int *exit_code, struct seal_err *err)
{
	if (rc == SEAL_OK || requested == 0)
		return false;
	err_clear(err);
	*exit_code = 128 + requested;
	return true;
}

bool stop_progress_asked(void)
{
	return atomic_exchange(&progress_asked, false);
}
