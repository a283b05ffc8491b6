/*
 * The server. libmicrohttpd runs one thread with a bounded number of connections; each request is answered at once from what
 * a page writes into a buffer. Signals are blocked in that thread, so that they go to those who look at them.
 *
 * Whoever sends a byte now and then is never idle. So when it gets crowded the connection that is open the longest goes: who asks
 * and reads the answer needs a moment, whatever others hold open, from one address or from many.
 */
#include "listen/listen.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "listen/address.h"

#define CONNECTIONS_MAX 32u
#define CROWD 24u /* open ones, from which on the oldest goes when another comes */
#define IDLE_SECONDS 10u
#define REQUEST_MAX (16u << 10) /* bytes of one with its headers */
#define BODY_MAX (16u << 20)
#define PLAIN "text/plain; charset=utf-8"

/* An open connection; the server's thread alone looks at it. */
struct place {
	uint64_t number; /* counted since the start; 0: free */
	int fd;
	bool told_to_go;
};

struct listener {
	struct MHD_Daemon *daemon;
	struct place places[CONNECTIONS_MAX];
	uint64_t n_seen; /* connections since the start */
	const struct listen_page *pages;
	void *arg;
	char address[LISTEN_ADDRESS_MAX];
	char *told; /* the address as it was given; NULL: not a loopback one, any Host is answered */
};

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *type,
				 struct seal_bytes body)
{
	/* libmicrohttpd copies it, in spite of its type. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result sent;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	sent = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return sent;
}

static bool is_verbose(struct MHD_Connection *connection)
{
	const char *value = NULL;
	size_t len = 0;

	return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "verbose", 7, &value, &len) ==
	       MHD_YES;
}

static enum MHD_Result send_page(const struct listener *listener, const struct listen_page *page,
				 struct MHD_Connection *connection)
{
	struct listen_answer answer = {.status = MHD_HTTP_OK, .type = PLAIN, .body = BUF_INIT(BODY_MAX)};
	enum MHD_Result sent;

	if (page->answer(listener->arg, is_verbose(connection), &answer, NULL) == SEAL_OK)
		sent = send_text(connection, answer.status, answer.type, buf_bytes(&answer.body));
	else
		sent = send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, PLAIN, BYTES_LIT("failed\n"));
	buf_clear(&answer.body);
	return sent;
}

/* Browsers send the header; whoever sends none is no page of theirs. */
static bool is_for_us(const struct listener *listener, struct MHD_Connection *connection)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

	return listener->told == NULL || host == NULL || address_takes(listener->told, host);
}

/* Called at a request's headers, then for its body, which is not read: whoever sends one is answered and cut off. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *body, size_t *body_len, void **of_request)
{
	const struct listener *listener = arg;

	if (!is_for_us(listener, connection))
		return send_text(connection, MHD_HTTP_FORBIDDEN, PLAIN, BYTES_LIT("this is not that host\n"));
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, PLAIN, BYTES_LIT("GET and HEAD only\n"));
	for (const struct listen_page *page = listener->pages; page->path != NULL; page++)
		if (strcmp(page->path, url) == 0)
			return send_page(listener, page, connection);
	return send_text(connection, MHD_HTTP_NOT_FOUND, PLAIN, BYTES_LIT("no such page\n"));
}

/* The one that is open the longest, if there is a crowd. Its end is seen by the server, which then frees the place. */
static void make_room(struct listener *listener)
{
	struct place *oldest = NULL;
	size_t n = 0;

	for (struct place *at = listener->places; at < listener->places + CONNECTIONS_MAX; at++) {
		if (at->number == 0 || at->told_to_go)
			continue;
		n++;
		if (oldest == NULL || at->number < oldest->number)
			oldest = at;
	}
	if (n <= CROWD)
		return;
	oldest->told_to_go = true;
	(void)shutdown(oldest->fd, SHUT_RDWR);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct listener *listener = arg;
	struct place *place = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (place != NULL)
			*place = (struct place){.number = 0};
		return;
	}
	for (place = listener->places; place < listener->places + CONNECTIONS_MAX && place->number != 0; place++)
		;
	if (place == listener->places + CONNECTIONS_MAX || info == NULL)
		return; /* more than there can be; its idle time ends it */
	*place = (struct place){.number = ++listener->n_seen, .fd = info->connect_fd};
	*context = place;
	make_room(listener);
}

/* What it says of clients that misbehave is nobody's concern. */
static void say_nothing(void *arg, const char *fmt, va_list args)
{
}

static struct MHD_Daemon *start(struct listener *listener, int fd)
{
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
				  on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
				  MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t)REQUEST_MAX, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

enum seal_status listener_open(const char *address, const struct listen_page *pages, void *arg, struct listener **out,
			       struct seal_err *err)
{
	struct listener *listener = mem_calloc(1, sizeof(*listener));
	enum seal_status rc;
	int fd = -1;

	*out = NULL;
	if (listener == NULL)
		return err_memory(err);
	listener->pages = pages;
	listener->arg = arg;
	SEAL_TRY(address_listen(address, &fd, listener->address, err));
	if (address_is_loopback(fd) && (listener->told = mem_strdup(address)) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	listener->daemon = start(listener, fd);
	if (listener->daemon == NULL)
		rc = err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "cannot start a thread to listen at %s",
			     listener->address);
out:
	if (rc != SEAL_OK) {
		if (fd >= 0)
			close(fd);
		mem_free(listener->told);
		mem_free(listener);
	} else {
		*out = listener;
	}
	return rc;
}

const char *listener_address(const struct listener *listener)
{
	return listener->address;
}

void listener_close(struct listener *listener)
{
	if (listener == NULL)
		return;
	MHD_stop_daemon(listener->daemon); /* and its socket */
	mem_free(listener->told);
	mem_free(listener);
}
