/*
 * sd_notify's protocol: datagrams of NAME=VALUE lines to the socket that NOTIFY_SOCKET names ('@': an abstract one). Nothing is
 * waited for and nothing can fail: a manager that has gone is not missed.
 */
#include "cmd/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define FEEDS_PER_PERIOD 4

/* Set by service_begin, then only read. */
static struct {
	int socket; /* connected; -1: nobody is told */
	uint64_t feed_ms; /* between two signs of life; 0: no watchdog */
} manager = {.socket = -1};

static atomic_ullong fed_ms;
static atomic_bool stopping;

static int connect_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const size_t len = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path, len);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* WATCHDOG_USEC, where it is meant for this process. */
static uint64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

void service_begin(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path == NULL || manager.socket >= 0)
		return;
	manager.socket = connect_to(path);
	manager.feed_ms = watchdog_ms() / FEEDS_PER_PERIOD;
}

bool service_is_there(void)
{
	return manager.socket >= 0;
}

static void tell(const char *lines)
{
	if (manager.socket >= 0)
		(void)!send(manager.socket, lines, strlen(lines), MSG_NOSIGNAL);
}

void service_ready(void)
{
	tell("READY=1");
}

void service_reloading(void)
{
	char lines[64];

	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(clock_mono_ns() / 1000));
	tell(lines);
}

void service_stopping(void)
{
	if (!atomic_exchange(&stopping, true))
		tell("STOPPING=1");
}

void service_status(const char *fmt, ...)
{
	char line[512] = "STATUS=";
	const size_t name = strlen(line);
	va_list args;

	if (manager.socket < 0)
		return;
	va_start(args, fmt);
	vsnprintf(line + name, sizeof(line) - name, fmt, args);
	va_end(args);
	utf8_keep_to_one_line(line, strlen(line));
	tell(line);
}

void service_alive(void)
{
	const unsigned long long now = clock_mono_ms();
	unsigned long long last = atomic_load(&fed_ms);

	if (manager.feed_ms == 0 || now - last < manager.feed_ms)
		return;
	if (atomic_compare_exchange_strong(&fed_ms, &last, now))
		tell("WATCHDOG=1");
}
