/* Who is asked without a proxy. $no_proxy: names with commas or spaces between; "*" is all; "example.org" and ".example.org" are that name and all below it. */
#include "http/client.h"

#include <arpa/inet.h>
#include <strings.h>

static bool matches(struct seal_bytes item, struct seal_bytes host)
{
	if (bytes_eq_str(item, "*"))
		return true;
	while (item.len && item.ptr[0] == '.')
		item = bytes_skip(item, 1);
	if (item.len == 0 || item.len > host.len)
		return false;
	if (strncasecmp((const char *)host.ptr + host.len - item.len, (const char *)item.ptr, item.len) != 0)
		return false;
	return item.len == host.len || host.ptr[host.len - item.len - 1] == '.';
}

bool no_proxy_names(const char *list, struct seal_bytes host)
{
	if (list == NULL)
		return false;
	while (*list != '\0') {
		size_t len = strcspn(list, ", ");

		if (matches(bytes_of(list, len), host))
			return true;
		list += len;
		list += strspn(list, ", ");
	}
	return false;
}

bool http_is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool http_is_loopback_url(const char *host)
{
	const bool bracketed = host[0] == '[';
	char name[64];

	host += bracketed;
	return (size_t)snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, bracketed ? "]" : ":/?#"), host) <
		       sizeof(name) &&
	       http_is_loopback(name);
}
