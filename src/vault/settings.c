/*
 * The texts of struct vault_options, read strictly: what the vault program refuses is refused here, never guessed at.
 *
 * Addresses: https://HOST[:PORT][/PREFIX], http:// likewise, unix:///PATH. What could hide a secret in a message (user
 * and password before the host) or can't be part of a base (query, fragment) is refused.
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <strings.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/log.h"
#include "vault/options.h"

#define ADDRESS_DEFAULT "https://127.0.0.1:8200"
#define TIMEOUT_DEFAULT_MS 60000
#define TIMEOUT_MAX_MS (24 * 3600 * 1000)
#define RETRIES_DEFAULT 2
#define RETRIES_MAX 100
#define RATE_MAX 1000000.0
#define HOST_MAX 255

/* "VAULT_ADDR (--vault-addr) WHY", from the row of the member at `offset`. */
static enum seal_status bad(size_t offset, const char *why, struct seal_err *err)
{
	const struct opt_row *row = vault_rows;

	while (row->name != NULL && row->offset != offset)
		row++;
	SEAL_INVARIANT(row->name != NULL);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s (--%s) %s", row->env, row->name, why);
}

#define BAD(member, why) bad(offsetof(struct vault_options, member), why, err)

/* Digits with at most one point between or before them, as a value; false when there are none. */
static bool take_number(struct seal_bytes *rest, double *out)
{
	double value = 0, scale = 1;
	bool point = false, any = false;
	size_t n = 0;

	for (; n < rest->len && n < 32; n++) {
		uint8_t c = rest->ptr[n];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		any = true;
		value = value * 10 + (c - '0');
		if (point)
			scale *= 10;
	}
	*rest = bytes_skip(*rest, n);
	*out = value / scale;
	return any;
}

static bool take_unit(struct seal_bytes *rest, double *ms)
{
	/* longer ones before those that they begin with */
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"ms", 1},
		     {"s", 1e3},   {"m", 6e4},	 {"h", 3.6e6}, {"d", 8.64e7}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (bytes_starts(*rest, bytes_str(units[i].name))) {
			*ms = units[i].ms;
			*rest = bytes_skip(*rest, strlen(units[i].name));
			return true;
		}
	}
	return false;
}

/* Whole or broken seconds, or numbers with units one after the other: 1m30s. */
static bool read_time(const char *text, uint64_t *out_ms)
{
	struct seal_bytes rest = bytes_str(text);
	double total = 0, number, ms;
	uint64_t seconds;

	if (bytes_to_u64(rest, TIMEOUT_MAX_MS / 1000, &seconds)) {
		*out_ms = seconds * 1000;
		return seconds > 0;
	}
	do {
		if (!take_number(&rest, &number) || !take_unit(&rest, &ms))
			return false;
		total += number * ms;
	} while (rest.len > 0);
	if (total < 1 || total > TIMEOUT_MAX_MS)
		return false;
	*out_ms = (uint64_t)total;
	return true;
}

/* RATE[:BURST]: a number above 0, a whole number. */
static bool read_rate(const char *text, double *out)
{
	struct seal_bytes rest = bytes_str(text);
	uint64_t burst;

	if (!take_number(&rest, out) || *out <= 0 || *out > RATE_MAX)
		return false;
	if (rest.len == 0)
		return true;
	return rest.ptr[0] == ':' && bytes_to_u64(bytes_skip(rest, 1), INT32_MAX, &burst);
}

/* The host of HOST[:PORT] without the brackets of an IPv6 one; false when host or port cannot be. */
static bool split_host(struct seal_bytes authority, char host[HOST_MAX + 1])
{
	bool bracket = authority.len > 0 && authority.ptr[0] == '[';
	const uint8_t *end = authority.len ? memchr(authority.ptr, bracket ? ']' : ':', authority.len) : NULL;
	struct seal_bytes name = bytes_of(authority.ptr, end ? (size_t)(end - authority.ptr) : authority.len);
	struct seal_bytes port = bytes_skip(authority, name.len + (bracket && end != NULL));
	struct in6_addr v6;
	uint64_t number;

	if (bracket)
		name = bytes_skip(name, 1);
	if (name.len == 0 || name.len > HOST_MAX)
		return false;
	snprintf(host, HOST_MAX + 1, "%.*s", (int)name.len, (const char *)name.ptr);
	if (bracket && (end == NULL || inet_pton(AF_INET6, host, &v6) != 1))
		return false;
	if (port.len == 0)
		return true;
	return port.ptr[0] == ':' && bytes_to_u64(bytes_skip(port, 1), 65535, &number) && number > 0;
}

static bool has_only(struct seal_bytes text, const char *not_these)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || strchr(not_these, text.ptr[i]) != NULL)
			return false;
	return true;
}

static enum seal_status read_unix(const struct vault_options *options, const char *path, struct http_config *out,
				  struct seal_err *err)
{
	const struct sockaddr_un *address = NULL;

	if (path[0] != '/' || path[1] == '\0')
		return BAD(addr, "must name a socket by its whole path: unix:///run/vault/agent.sock");
	if (strlen(path) >= sizeof(address->sun_path))
		return BAD(addr, "names a socket whose path is too long; 107 bytes are the most that can be");
	out->unix_socket = path;
	out->base = "http://localhost";
	out->proxy = options->proxy;
	return SEAL_OK;
}

static enum seal_status read_address(const struct vault_options *options, struct arena *arena,
				     struct http_config *out, struct seal_err *err)
{
	const char *text = options->addr != NULL ? options->addr : ADDRESS_DEFAULT;
	bool plain = strncasecmp(text, "http://", 7) == 0, tls = strncasecmp(text, "https://", 8) == 0;
	struct seal_bytes rest = bytes_str(text), authority;
	char host[HOST_MAX + 1];
	const uint8_t *slash;

	if (strncasecmp(text, "unix://", 7) == 0)
		return read_unix(options, text + 7, out, err);
	if (!plain && !tls)
		return BAD(addr, "must begin with https://, http:// or unix:///, as https://vault.example.com:8200");
	rest = bytes_skip(rest, plain ? 7 : 8);
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	authority = bytes_of(rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len);
	if (rest.len != 0 && memchr(rest.ptr, '@', rest.len) != NULL)
		return BAD(addr, "must not hold a user or a password; see --vault-auth");
	if (!has_only(rest, "?#\"<>\\^`{|}") || !split_host(authority, host))
		return BAD(addr, "is not an address; it should look like https://vault.example.com:8200");
	while (rest.len > authority.len && rest.ptr[rest.len - 1] == '/')
		rest.len--;
	if (rest.len >= authority.len + 3 && memcmp(rest.ptr + rest.len - 3, "/v1", 3) == 0)
		return BAD(addr, "must not end in /v1, which every request adds by itself");
	out->base = arena_printf(arena, "%s://%.*s", plain ? "http" : "https", (int)rest.len, (const char *)rest.ptr);
	if (out->base == NULL)
		return err_memory(err);
	/* An Agent on this machine, in clear, is not for the environment's proxy, which libcurl would give all of it. */
	out->proxy = options->proxy != NULL ? options->proxy : http_is_loopback(host) ? "" : NULL;
	if (plain && !http_is_loopback(host))
		log_say(LOG_WARNING,
			"%s is not encrypted: tokens and plaintext can be read by anybody on the way to it; use "
			"https://",
			out->base);
	return SEAL_OK;
}

static enum seal_status read_tls(const struct vault_options *options, struct http_config *out, struct seal_err *err)
{
	if (options->skip_verify != NULL && !vault_read_bool(options->skip_verify, &out->insecure))
		return BAD(skip_verify, "must be true or false");
	if (options->client_cert != NULL && options->client_key == NULL)
		return BAD(client_key, "is needed beside a client certificate");
	if (options->client_cert == NULL && options->client_key != NULL)
		return BAD(client_cert, "is needed beside a client key");
	/* Only the first of the three counts. */
	out->ca_file = options->ca_file;
	if (out->ca_file == NULL)
		out->ca_pem = options->ca_pem;
	if (out->ca_file == NULL && out->ca_pem == NULL)
		out->ca_path = options->ca_path;
	out->client_cert = options->client_cert;
	out->client_key = options->client_key;
	out->server_name = options->server_name;
	if (out->insecure)
		log_say(LOG_WARNING,
			"VAULT_SKIP_VERIFY: THE SERVER'S CERTIFICATE IS NOT CHECKED. Anybody on the way can pose as "
			"%s and "
			"read tokens and plaintext. Name its CA instead (VAULT_CACERT)",
			out->base);
	return SEAL_OK;
}

static enum seal_status read_numbers(const struct vault_options *options, struct http_config *out,
				     struct seal_err *err)
{
	uint64_t retries = RETRIES_DEFAULT;

	out->timeout_ms = TIMEOUT_DEFAULT_MS;
	if (options->timeout != NULL && !read_time(options->timeout, &out->timeout_ms))
		return BAD(timeout, "must be seconds or a duration such as 30s or 1m30s, from 1ms to 24h");
	if (options->retries != NULL && !bytes_to_u64(bytes_str(options->retries), RETRIES_MAX, &retries))
		return BAD(retries, "must be a whole number from 0 to 100");
	out->retries = (unsigned)retries;
	if (options->rate != NULL && !read_rate(options->rate, &out->rate))
		return BAD(rate, "must be requests a second above 0, such as 100 or 100:200");
	return SEAL_OK;
}

enum seal_status vault_settings_read(const struct vault_options *options, struct arena *arena,
				     struct http_config *out, struct seal_err *err)
{
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	SEAL_TRY(read_address(options, arena, out, err));
	SEAL_TRY(read_tls(options, out, err));
	SEAL_TRY(read_numbers(options, out, err));
	if (options->namespace_ != NULL && !has_only(bytes_str(options->namespace_), "?#%"))
		return BAD(namespace_, "must be a path such as team/orders");
out:
	return rc;
}

bool vault_address_is_agent(const struct vault_options *options)
{
	return options->agent || (options->addr != NULL && strncasecmp(options->addr, "unix://", 7) == 0);
}
