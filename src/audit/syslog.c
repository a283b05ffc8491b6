/*
 * The system's log as the place of an audit trail: a datagram for each line to the daemon's socket, in the form of RFC 3164 that
 * local daemons read. A datagram that the socket has taken is the daemon's; what it does with it is its settings' to say.
 * Most daemons cut messages at 8 KiB, which is more than lines have.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "audit/target.h"
#include "base/clock.h"
#include "base/mem.h"

#define PRIORITY (10 << 3 | 5) /* authpriv.notice */
#define HEAD_MAX 96
#define SEND_TIMEOUT_S 5
#define PAUSE_MS 100

struct syslog_target {
	struct audit_target base;
	int fd; /* -1: not connected */
	struct sockaddr_un address;
	char text[HEAD_MAX + AUDIT_LINE_MAX + 1];
};

static struct syslog_target *of(struct audit_target *target)
{
	return (struct syslog_target *)target;
}

static void disconnect(struct syslog_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* False: errno says why not. */
static bool connect_now(struct syslog_target *t)
{
	const struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
	int failed;

	t->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->fd >= 0 && setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(t->fd, (const struct sockaddr *)&t->address, sizeof(t->address)) == 0)
		return true;
	failed = errno;
	disconnect(t);
	errno = failed;
	return false;
}

static enum seal_status fail(const struct syslog_target *t, struct seal_err *err)
{
	if (errno == EMSGSIZE)
		return err_set(err, SEAL_FATAL, SEAL_E_LIMIT,
			       "a line of the audit trail is too long for the log at %s", t->address.sun_path);
	return err_set_errno(err, errno == EACCES || errno == EPERM ? SEAL_DENIED : SEAL_RETRY, SEAL_E_SERVICE, errno,
			     "the system's log at %s does not take the audit trail", t->address.sun_path);
}

/* The daemon may be starting, or have more to do than it can. */
static bool may_pass(int code)
{
	return code == ECONNREFUSED || code == ENOENT || code == ECONNRESET || code == ENOTCONN || code == EAGAIN ||
	       code == ENOBUFS || code == EINTR;
}

static size_t put_head(char out[HEAD_MAX])
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const time_t now = time(NULL);
	struct tm tm = {.tm_mday = 1};

	(void)localtime_r(&now, &tm);
	return (size_t)snprintf(out, HEAD_MAX, "<%d>%s %2d %02d:%02d:%02d " AUDIT_SYSLOG_TAG "[%ld]: ", PRIORITY,
				months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (long)getpid());
}

static enum seal_status syslog_append(struct audit_target *target, const struct audit_link *link,
				      struct seal_bytes line, struct seal_err *err)
{
	const struct timespec pause = {0, PAUSE_MS * 1000000L};
	const uint64_t until_ms = clock_mono_ms() + AUDIT_WAIT_MS;
	struct syslog_target *t = of(target);
	size_t len = put_head(t->text);

	SEAL_INVARIANT(line.len > 0 && len + line.len <= sizeof(t->text));
	memcpy(t->text + len, line.ptr, line.len - 1); /* without its newline */
	len += line.len - 1;
	while ((t->fd < 0 && !connect_now(t)) || send(t->fd, t->text, len, MSG_NOSIGNAL) != (ssize_t)len) {
		if (!may_pass(errno) || clock_mono_ms() >= until_ms)
			return fail(t, err);
		disconnect(t);
		(void)nanosleep(&pause, NULL);
	}
	return SEAL_OK;
}

static void syslog_close(struct audit_target *target)
{
	struct syslog_target *t = of(target);

	if (t != NULL)
		disconnect(t);
	mem_free(t);
}

static const struct audit_target_ops ops = {
	.name = "syslog", .enter = NULL, .append = syslog_append, .leave = NULL, .close = syslog_close};

enum seal_status audit_syslog_open(const char *path, struct audit_target **out, struct seal_err *err)
{
	struct syslog_target *t;

	*out = NULL;
	if (path[0] == '\0' || strlen(path) >= sizeof(t->address.sun_path))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "the path of the audit log's socket is empty or too long");
	t = mem_calloc(1, sizeof(*t));
	if (t == NULL)
		return err_memory(err);
	t->base.ops = &ops;
	t->address.sun_family = AF_UNIX;
	memcpy(t->address.sun_path, path, strlen(path));
	t->fd = -1;
	*out = &t->base;
	return SEAL_OK;
}
