/* Addresses, and what source and sink open alike. */
#include "base/mem.h"
#include "http/http.h"
#include "streams/pubsub/work.h"

#define NAME_MIN 3
#define NAME_MAX 255
#define PROJECT_MAX 200

const struct stream_traits pubsub_traits = {
	.title = "Google Cloud Pub/Sub",
	.address = "PROJECT/TOPIC, or PROJECT/SUBSCRIPTION to read",
	.key = "orderingKey; one that is no text of 1 to 1024 bytes: its SHA-256 there, and the key in the attribute "
	       "seal.key",
	.headers = "attributes, at most 100, of 256 bytes a name and 1024 a value",
	.timestamp = "publishTime, the service's own",
	.limit = "10 MB with attributes",
	.order = STREAM_ORDER_KEY,
	.lends = true,
};

struct seal_bytes pubsub_topic(const char *address)
{
	const char *slash = strrchr(address, '/');

	return bytes_str(slash != NULL ? slash + 1 : address);
}

bool pubsub_is_name(struct seal_bytes name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+%";

	for (size_t i = 0; i < name.len; i++)
		if (memchr(allowed, name.ptr[i], sizeof(allowed) - 1) == NULL)
			return false;
	return name.len >= NAME_MIN && name.len <= NAME_MAX &&
	       ((name.ptr[0] | 32) >= 'a' && (name.ptr[0] | 32) <= 'z');
}

static bool is_project(struct seal_bytes text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:";

	for (size_t i = 0; i < text.len; i++)
		if (memchr(allowed, text.ptr[i], sizeof(allowed) - 1) == NULL)
			return false;
	return text.len > 0 && text.len <= PROJECT_MAX;
}

static enum seal_status bad_address(const char *address, const char *collection, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "pubsub:%.300s is no address; give pubsub:PROJECT/NAME or pubsub:projects/PROJECT/%s/NAME",
		       address, collection);
}

/* Views of `address`; *project empty: none is named. */
static bool split(const char *address, const char *collection, struct seal_bytes *project, struct seal_bytes *name)
{
	static const char projects[] = "projects/";
	const char *at = address, *slash = strrchr(address, '/');

	*name = pubsub_topic(address);
	*project = BYTES_EMPTY;
	if (slash != NULL && strncmp(at, projects, sizeof(projects) - 1) == 0) {
		const size_t len = strlen(collection);

		at += sizeof(projects) - 1;
		if ((size_t)(slash - at) <= len + 1 || slash < at || strncmp(slash - len, collection, len) != 0 ||
		    slash[-1 - (ptrdiff_t)len] != '/')
			return false;
		slash -= len + 1;
	}
	if (slash != NULL)
		*project = bytes_of(at, (size_t)(slash - at));
	return pubsub_is_name(*name) && (slash == NULL || is_project(*project));
}

static enum seal_status set_names(struct pubsub_stream *s, struct seal_bytes project, struct seal_bytes name,
				  struct seal_err *err)
{
	const char *known = google_client_project(s->client);
	const size_t room = sizeof("pubsub:") + PROJECT_MAX + 1 + NAME_MAX;

	if (project.len == 0 && (known == NULL || !is_project(bytes_str(known))))
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"pubsub:%.*s names no project, and neither do the credentials; give pubsub:PROJECT/%.*s or "
			"set GOOGLE_CLOUD_PROJECT",
			BYTES_FMT(name), BYTES_FMT(name));
	if (project.len == 0)
		project = bytes_str(known);
	s->project = mem_strndup((const char *)project.ptr, project.len);
	s->name = mem_alloc(room);
	if (s->project == NULL || s->name == NULL)
		return err_memory(err);
	snprintf(s->name, room, "pubsub:%s/%.*s", s->project, (int)name.len, (const char *)name.ptr);
	s->short_name = pubsub_topic(s->name);
	return SEAL_OK;
}

enum seal_status pubsub_stream_open(const char *address, const char *collection, const struct pubsub_options *options,
				    struct pubsub_stream *out, struct seal_err *err)
{
	const struct google_config config = {.endpoint = options->endpoint,
					     .emulator = options->emulator,
					     .audience = "https://pubsub.googleapis.com/",
					     .scope = "https://www.googleapis.com/auth/pubsub",
					     .credentials = options->credentials,
					     .ca_file = options->ca_file};
	struct seal_bytes project, name;
	enum seal_status rc;

	*out = (struct pubsub_stream){.client = NULL};
	if (!split(address, collection, &project, &name))
		return bad_address(address, collection, err);
	SEAL_TRY(google_client_new(&config, &out->client, err));
	SEAL_TRY(set_names(out, project, name, err));
out:
	if (rc != SEAL_OK)
		pubsub_stream_close(out);
	return rc;
}

void pubsub_stream_close(struct pubsub_stream *s)
{
	google_client_free(s->client);
	mem_free(s->name);
	mem_free(s->project);
	*s = (struct pubsub_stream){.client = NULL};
}

enum seal_status pubsub_path(const struct pubsub_stream *s, const char *collection, struct seal_bytes name,
			     const char *verb, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "/v1/projects/", err));
	SEAL_TRY(http_path_append(out, bytes_str(s->project), err));
	SEAL_TRY(buf_printf(out, err, "/%s/", collection));
	SEAL_TRY(http_path_append(out, name, err));
	SEAL_TRY(buf_printf(out, err, ":%s", verb));
	SEAL_TRY(buf_append_u8(out, '\0', err));
out:
	return rc;
}
