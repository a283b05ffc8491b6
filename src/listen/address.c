/* HOST:PORT into a listening socket. A host with more than one address is listened to at the first that works. */
#include "listen/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

#define HOST_MAX 256
#define BACKLOG 32

struct parts {
	char host[HOST_MAX], port[6];
};

static bool parse(const char *address, struct parts *out)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;
	const bool bracketed = len > 2 && address[0] == '[' && address[len - 1] == ']';
	uint64_t port;

	if (len == 0 || len >= sizeof(out->host) || !bytes_to_u64(bytes_str(colon + 1), 65535, &port))
		return false;
	if (!bracketed && memchr(address, ':', len) != NULL)
		return false; /* an IPv6 address without brackets: where does the port begin? */
	snprintf(out->host, sizeof(out->host), "%.*s", (int)(bracketed ? len - 2 : len), address + bracketed);
	snprintf(out->port, sizeof(out->port), "%u", (unsigned)port);
	return true;
}

static int listen_at(const struct addrinfo *at)
{
	const int yes = 1;
	int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol), code;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	code = errno;
	close(fd);
	errno = code;
	return -1;
}

static enum seal_status name_of(int fd, char where[LISTEN_ADDRESS_MAX], struct seal_err *err)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&at, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "cannot tell which address was taken");
	snprintf(where, LISTEN_ADDRESS_MAX, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return SEAL_OK;
}

enum seal_status address_listen(const char *address, int *fd, char where[LISTEN_ADDRESS_MAX], struct seal_err *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	struct parts parts;
	enum seal_status rc;
	int code;

	*fd = -1;
	if (!parse(address, &parts))
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"'%.100s' is not an address to listen at: say HOST:PORT, for example 127.0.0.1:9464 or "
			"[::1]:9464",
			address);
	code = getaddrinfo(parts.host, parts.port, &hints, &found);
	if (code != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "cannot listen at %.100s: %s", address,
			       gai_strerror(code));
	for (const struct addrinfo *at = found; at != NULL && *fd < 0; at = at->ai_next)
		*fd = listen_at(at);
	code = errno;
	freeaddrinfo(found);
	if (*fd < 0)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_CREATE, code,
				     "cannot listen at %.100s; choose another address or port", address);
	rc = name_of(*fd, where, err);
	if (rc != SEAL_OK) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

bool address_is_loopback(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return false;
	if (at.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return at.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&at)->sin6_addr);
}

/* The host of a header "host", "host:port", "[IPv6]" or "[IPv6]:port" (RFC 9110, 7.2). */
static bool parse_host(const char *text, char host[HOST_MAX], bool *bracketed)
{
	const char *end;
	uint64_t port;
	size_t len;

	*bracketed = text[0] == '[';
	text += *bracketed;
	len = strcspn(text, *bracketed ? "]" : ":");
	end = text + len + *bracketed;
	if (len == 0 || len >= HOST_MAX || (*bracketed && text[len] != ']'))
		return false;
	if (end[0] != '\0' && (end[0] != ':' || !bytes_to_u64(bytes_str(end + 1), 65535, &port)))
		return false;
	snprintf(host, HOST_MAX, "%.*s", (int)len, text);
	return true;
}

bool address_takes(const char *address, const char *host)
{
	struct in6_addr literal;
	char asked[HOST_MAX];
	struct parts told;
	bool bracketed;

	if (!parse_host(host, asked, &bracketed))
		return false;
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, asked, &literal) == 1)
		return true;
	return !bracketed &&
	       (strcasecmp(asked, "localhost") == 0 || (parse(address, &told) && strcasecmp(asked, told.host) == 0));
}
