/*
 * Signals: the first SIGINT or SIGTERM asks for a clean end, the second one ends at once. SIGUSR1 asks for a line of
 * progress. SIGPIPE is ignored, so that a writer sees EPIPE and can clean up.
 */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cmd/command.h"

static volatile sig_atomic_t requested;
static atomic_bool progress_asked;

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
