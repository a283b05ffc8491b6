/* Sources and sinks by name. */
#include "cmd/stream_open.h"

#include "cmd/registry.h"

const struct source_ops *stream_source_ops(const char *stream)
{
	const struct source_ops *const *at = registry_sources;

	while (*at != NULL && strcmp((*at)->name, stream) != 0)
		at++;
	SEAL_INVARIANT(*at != NULL);
	return *at;
}

const struct sink_ops *stream_sink_ops(const char *stream)
{
	const struct sink_ops *const *at = registry_sinks;

	while (*at != NULL && strcmp((*at)->name, stream) != 0)
		at++;
	SEAL_INVARIANT(*at != NULL);
	return *at;
}

static enum seal_status options_new(const struct opt_row *rows, size_t size, const struct stream_setting *settings,
				    struct arena *arena, void **out, struct seal_err *err)
{
	enum seal_status rc;

	*out = arena_alloc(arena, size + 1, _Alignof(max_align_t));
	if (*out == NULL)
		return err_memory(err);
	memset(*out, 0, size);
	rc = opt_defaults(rows, *out, arena, err);
	for (; rc == SEAL_OK && settings->name != NULL; settings++) {
		const struct opt_row *row = opt_find(rows, bytes_str(settings->name));

		SEAL_INVARIANT(row != NULL);
		if (settings->value != NULL)
			rc = opt_set(row, *out, bytes_str(settings->value), arena, err);
	}
	return rc;
}

enum seal_status stream_open_source(const char *stream, const char *address, const struct stream_setting *settings,
				    struct arena *arena, struct source **out, struct seal_err *err)
{
	const struct source_ops *ops = stream_source_ops(stream);
	void *options;
	enum seal_status rc;

	*out = NULL;
	rc = options_new(ops->options, ops->options_size, settings, arena, &options, err);
	return rc == SEAL_OK ? ops->open(address, options, out, err) : rc;
}

enum seal_status stream_open_sink(const char *stream, const char *address, const struct stream_setting *settings,
				  struct arena *arena, struct sink **out, struct seal_err *err)
{
	const struct sink_ops *ops = stream_sink_ops(stream);
	void *options;
	enum seal_status rc;

	*out = NULL;
	rc = options_new(ops->options, ops->options_size, settings, arena, &options, err);
	return rc == SEAL_OK ? ops->open(address, options, out, err) : rc;
}
