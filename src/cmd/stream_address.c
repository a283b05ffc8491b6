/* Addresses of streams. */
#include "cmd/stream_address.h"

#include <stdio.h>

#define SCHEMES_MAX 64

static bool has_side(const struct platform *p, int side)
{
	return side == PLATFORM_SOURCE ? p->source != NULL : p->sink != NULL;
}

/* "kafka:, file: and sqs:" of those that have the side. */
static void list_schemes(const struct platform *platforms, int side, char *out, size_t room)
{
	size_t used = 0, n = 0, i = 0;

	for (const struct platform *p = platforms; p->scheme != NULL; p++)
		n += has_side(p, side);
	out[0] = '\0';
	for (const struct platform *p = platforms; p->scheme != NULL && used < room; p++) {
		if (!has_side(p, side))
			continue;
		used += (size_t)snprintf(out + used, room - used, "%s%s:",
					 i == 0	      ? ""
					 : i + 1 == n ? " and "
						      : ", ",
					 p->scheme);
		i++;
	}
}

static enum seal_status no_scheme(const struct platform *platforms, int side, struct seal_bytes scheme,
				  struct seal_err *err)
{
	const char *names[SCHEMES_MAX + 1], *nearest;
	char all[200];
	size_t n = 0;

	for (const struct platform *p = platforms; p->scheme != NULL && n < SCHEMES_MAX; p++)
		if (has_side(p, side))
			names[n++] = p->scheme;
	names[n] = NULL;
	nearest = word_nearest(names, scheme);
	list_schemes(platforms, side, all, sizeof(all));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no stream %.*s:%s%s%s there are %s",
		       (int)(scheme.len > 40 ? 40 : scheme.len), (const char *)scheme.ptr,
		       nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? ":?" : ";", all);
}

static enum seal_status no_side(const struct platform *platforms, int side, const char *scheme, struct seal_err *err)
{
	char all[200];

	list_schemes(platforms, side, all, sizeof(all));
	if (side == PLATFORM_SOURCE)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "nothing can be read from %s: itself, only written to it; what can be read: %s",
			       scheme, all);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s: can only be read; what can be written to: %s", scheme,
		       all);
}

enum seal_status stream_address_parse(struct platform *platforms, int side, const char *text,
				      struct stream_address *out, struct seal_err *err)
{
	const char *colon = strchr(text, ':');
	struct seal_bytes scheme = colon != NULL ? bytes_of(text, (size_t)(colon - text)) : BYTES_LIT(PLATFORM_KAFKA);

	*out = (struct stream_address){.text = text, .rest = colon != NULL ? colon + 1 : text};
	if (strcmp(text, "-") == 0)
		scheme = BYTES_LIT(PLATFORM_FILE);
	out->platform = platform_find(platforms, scheme);
	if (out->platform == NULL)
		return no_scheme(platforms, side, scheme, err);
	if (!has_side(out->platform, side))
		return no_side(platforms, side, out->platform->scheme, err);
	if (out->rest[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%.*s: needs what it is the scheme of: %s:%s",
			       BYTES_FMT(scheme), out->platform->scheme, out->platform->traits->address);
	return SEAL_OK;
}

bool stream_address_is(const struct stream_address *address, const char *scheme)
{
	return address->platform != NULL && strcmp(address->platform->scheme, scheme) == 0;
}

struct seal_bytes stream_address_topic(const struct stream_address *address)
{
	const struct platform *p = address->platform;

	if (stream_address_is(address, PLATFORM_FILE))
		return BYTES_EMPTY;
	if (p->source != NULL && p->source->topic != NULL)
		return p->source->topic(address->rest);
	if (p->sink != NULL && p->sink->topic != NULL)
		return p->sink->topic(address->rest);
	return bytes_str(address->rest);
}
