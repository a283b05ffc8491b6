/*
 * Running the token helper. What it prints goes through a pipe straight into secret memory. It gets no input, our
 * environment and our stderr, and is killed when it takes too long.
 *
 * The configuration is HCL; of it only lines `token_helper = "…"` are read, with # and // comments.
 */
#include "vault/login/helper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "vault/login/method.h"

#define CONFIG_MAX 65536
#define WAIT_STEP_MS 10

static struct seal_bytes skip_space(struct seal_bytes text)
{
	while (text.len > 0 && isspace(text.ptr[0]))
		text = bytes_skip(text, 1);
	return text;
}

/* The string in quotes, with \" and \\, at the start of `text`, into `out` of text.len + 1 bytes; false when it is none. */
static bool unquote(struct seal_bytes text, char *out)
{
	size_t n = 0;

	for (size_t i = 1; i < text.len && text.ptr[0] == '"'; i++) {
		uint8_t c = text.ptr[i];

		if (c == '"') {
			out[n] = '\0';
			return true;
		}
		if (c == '\\' && i + 1 < text.len)
			c = text.ptr[++i];
		out[n++] = (char)c;
	}
	return false;
}

static enum seal_status read_line(struct seal_bytes line, const char *config, unsigned number, struct arena *arena,
				  const char **out, struct seal_err *err)
{
	struct seal_bytes name = BYTES_LIT("token_helper"), rest = skip_space(line);
	char *text;

	if (!bytes_starts(rest, name))
		return SEAL_OK;
	rest = skip_space(bytes_skip(rest, name.len));
	if (rest.len == 0 || rest.ptr[0] != '=')
		return SEAL_OK;
	rest = skip_space(bytes_skip(rest, 1));
	text = arena_alloc(arena, rest.len + 1, 1);
	if (text == NULL)
		return err_memory(err);
	if (!unquote(rest, text) || (text[0] != '/' && text[0] != '\0'))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "%s:%u: token_helper must be a program's whole path in quotes, such as "
			       "\"/usr/local/bin/vault-token\"",
			       config, number);
	*out = text[0] != '\0' ? text : NULL;
	return SEAL_OK;
}

enum seal_status helper_find(const char *config, struct arena *arena, const char **out, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(CONFIG_MAX);
	enum seal_status rc = SEAL_OK;
	struct seal_bytes rest;

	*out = NULL;
	if (access(config, F_OK) != 0)
		return SEAL_OK;
	SEAL_TRY(file_read(config, &text, err));
	rest = buf_bytes(&text);
	for (unsigned number = 1; rest.len > 0; number++) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

		SEAL_TRY(read_line(bytes_of(rest.ptr, len), config, number, arena, out, err));
		rest = bytes_skip(rest, len + (end != NULL));
	}
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status start(const char *path, int output, pid_t *pid, struct seal_err *err)
{
	char get[] = "get", *name = (char *)(uintptr_t)path, *const argv[] = {name, get, NULL};
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);

	if (code != 0)
		return err_memory(err);
	code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (code == 0)
		code = posix_spawn(pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code != 0)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_CONFIG, code, "the token helper %s cannot be run",
				     path);
	return SEAL_OK;
}

/* Reads to the end of the pipe; SEAL_DENIED when that is not reached by `end_ms`, or too much comes. */
static enum seal_status read_all(int fd, const char *path, uint64_t end_ms, struct secret *all, size_t *len,
				 struct seal_err *err)
{
	while (*len < all->len) {
		uint64_t now = clock_mono_ms();
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (now >= end_ms)
			return err_set(err, SEAL_DENIED, SEAL_E_TIMEOUT,
				       "the token helper %s took too long, and was ended", path);
		if (poll(&wait, 1, (int)(end_ms - now)) <= 0)
			continue; /* the time is over, or a signal came */
		n = read(fd, all->ptr + *len, all->len - *len);
		if (n == 0)
			return SEAL_OK;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno,
					     "cannot read what the token helper %s prints", path);
	}
	return err_set(err, SEAL_DENIED, SEAL_E_LIMIT, "the token helper %s printed more than a token can have",
		       path);
}

/* Waits until `end_ms`, then kills. False when it had to be killed. */
static bool reap(pid_t pid, uint64_t end_ms, int *status)
{
	bool in_time = true;

	for (;;) {
		pid_t done = waitpid(pid, status, in_time ? WNOHANG : 0);

		if (done == pid)
			return in_time;
		if (done < 0 && errno != EINTR) { /* somebody else's SIGCHLD handler took it */
			*status = 0;
			return in_time;
		}
		if (in_time && clock_mono_ms() >= end_ms) {
			kill(pid, SIGKILL);
			in_time = false;
		} else if (in_time) {
			poll(NULL, 0, WAIT_STEP_MS);
		}
	}
}

enum seal_status helper_run(const char *path, uint64_t limit_ms, struct secret *out, struct seal_err *err)
{
	uint64_t end_ms = clock_mono_ms() + limit_ms;
	struct secret all = SECRET_INIT;
	int pipes[2] = {-1, -1}, status = 0;
	enum seal_status rc;
	size_t len = 0;
	pid_t pid = -1;

	SEAL_TRY(secret_alloc(&all, LOGIN_SECRET_MAX, err));
	if (pipe2(pipes, O_CLOEXEC) != 0) {
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot make a pipe");
		goto out;
	}
	SEAL_TRY(start(path, pipes[1], &pid, err));
	close(pipes[1]);
	pipes[1] = -1;
	rc = read_all(pipes[0], path, end_ms, &all, &len, err);
	if (!reap(pid, rc == SEAL_OK ? end_ms : 0, &status) && rc == SEAL_OK)
		rc = err_set(err, SEAL_DENIED, SEAL_E_TIMEOUT, "the token helper %s took too long, and was ended",
			     path);
	if (rc == SEAL_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		rc = err_set(err, SEAL_DENIED, SEAL_E_CONFIG, "the token helper %s failed (%s %d)", path,
			     WIFEXITED(status) ? "exit status" : "signal",
			     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	if (rc == SEAL_OK && len > 0)
		rc = secret_copy(out, bytes_of(all.ptr, len), err);
out:
	if (pipes[0] >= 0)
		close(pipes[0]);
	if (pipes[1] >= 0)
		close(pipes[1]);
	secret_clear(&all);
	return rc;
}
