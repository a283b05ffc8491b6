/* Numbers of keys: what key servers and caches are asked, counted where it happens, and the keys of the plan as they are. */
#include "base/clock.h"
#include "cmd/monitor_work.h"

static const char *const requests[KEY_REQUESTS] = {
	[KEY_REQUEST_ENCRYPT] = "encrypt", [KEY_REQUEST_DECRYPT] = "decrypt",  [KEY_REQUEST_REWRAP] = "rewrap",
	[KEY_REQUEST_HMAC] = "hmac",	   [KEY_REQUEST_DATA_KEY] = "datakey", [KEY_REQUEST_ENCODE] = "encode",
	[KEY_REQUEST_DECODE] = "decode",   [KEY_REQUEST_LOGIN] = "login",      [KEY_REQUEST_OTHER] = "other",
};
static const char *const outcomes[KEY_OUTCOMES] = {
	[KEY_OUTCOME_SUCCESS] = "success",
	[KEY_OUTCOME_REFUSED] = "refused",
	[KEY_OUTCOME_DENIED] = "denied",
	[KEY_OUTCOME_AWAY] = "unavailable",
};

static enum seal_status add_request(struct monitor *m, enum key_request request, struct seal_err *err)
{
	enum seal_status rc;

	for (size_t i = 0; i < KEY_OUTCOMES; i++)
		SEAL_TRY(metrics_add(m->metrics, METRIC_COUNTER, "sealstream_key_requests_total",
				     "Requests to key servers, by what was asked and how it ended.",
				     METRIC_LABELS({"operation", requests[request]}, {"outcome", outcomes[i]}),
				     &m->keys.requests[request][i], err));
	rc = metrics_add(m->metrics, METRIC_HISTOGRAM, "sealstream_key_request_duration_seconds",
			 "How long a request to a key server took, with its tries.",
			 METRIC_LABELS({"operation", requests[request]}), &m->keys.seconds[request], err);
out:
	return rc;
}

enum seal_status monitor_keys_open(struct monitor *m, struct seal_err *err)
{
	static const char name[] = "sealstream_data_key_cache_requests_total";
	static const char help[] =
		"Data keys by whether they were there (hit) or had to be made or unwrapped (miss).";
	enum seal_status rc;

	for (size_t i = 0; i < KEY_REQUESTS; i++)
		SEAL_TRY(add_request(m, (enum key_request)i, err));
	SEAL_TRY(metrics_add(m->metrics, METRIC_COUNTER, name, help, METRIC_LABELS({"outcome", "hit"}),
			     &m->keys.cache_hits, err));
	SEAL_TRY(metrics_add(m->metrics, METRIC_COUNTER, name, help, METRIC_LABELS({"outcome", "miss"}),
			     &m->keys.cache_misses, err));
	m->keys.data_keys_late = &m->keys_late;
	SEAL_TRY(metrics_add(m->metrics, METRIC_GAUGE, "sealstream_data_key_made_timestamp_seconds",
			     "When a data key was made last, since unix epoch; 0: none was.", NULL,
			     &m->keys.data_key_made, err));
out:
	return rc;
}

/* ---- the keys of the plan, or of a transfer, under `lock` ---- */

typedef void tell_key_fn(struct metrics_page *page, const struct metric_label *labels, const struct key_info *info);

static size_t keys_of(const struct monitor *m)
{
	if (m->plan != NULL)
		return plan_policy(m->plan)->n_keys;
	return m->key != NULL ? 1 : 0;
}

/* False: nothing is known of it. */
static bool get_key(const struct monitor *m, size_t index, const char **name, struct key_info *info)
{
	if (m->plan == NULL) {
		*name = m->key_name;
		return m->key->ops->info(m->key, info, NULL) == SEAL_OK;
	}
	*name = plan_policy(m->plan)->keys[index].name;
	return plan_key_get(m->plan, index, info);
}

static void each_key(const struct monitor *m, struct metrics_page *page, tell_key_fn *tell)
{
	struct key_info info;
	const char *name;

	for (size_t i = 0; i < keys_of(m); i++)
		if (get_key(m, i, &name, &info))
			tell(page, METRIC_LABELS({"key", name}), &info);
}

static void tell_version(struct metrics_page *page, const struct metric_label *labels, const struct key_info *info)
{
	metrics_sample_count(page, "", labels, info->latest_version);
}

static void tell_age(struct metrics_page *page, const struct metric_label *labels, const struct key_info *info)
{
	if (info->created_ms > 0)
		metrics_sample(page, "", labels, (double)(clock_unix_ms() - info->created_ms) / 1000);
}

static void tell_uses(struct metrics_page *page, const struct metric_label *labels, const struct key_info *info)
{
	if (info->counted)
		metrics_sample_count(page, "", labels, info->uses_left);
}

void monitor_keys_tell(const struct monitor *m, struct metrics_page *page)
{
	metrics_family(page, METRIC_GAUGE, "sealstream_data_keys_late",
		       "Data keys whose age ends soon while no next one could be made.");
	metrics_sample_count(page, "", NULL, atomic_load(&m->keys_late));
	if (keys_of(m) == 0)
		return;
	metrics_family(page, METRIC_GAUGE, "sealstream_key_version", "The latest version of a key in use.");
	each_key(m, page, tell_version);
	metrics_family(page, METRIC_GAUGE, "sealstream_key_age_seconds", "How old that version is.");
	each_key(m, page, tell_age);
	metrics_family(page, METRIC_GAUGE, "sealstream_key_uses_remaining",
		       "Encryptions that a key of the keyring may still do under that version.");
	each_key(m, page, tell_uses);
}

bool monitor_keys_late(const struct monitor *m)
{
	return atomic_load(&m->keys_late) > 0;
}

const char *monitor_keys_spent(const struct monitor *m)
{
	struct key_info info;
	const char *name;

	for (size_t i = 0; m->direction != ENGINE_REVEAL && i < keys_of(m); i++)
		if (get_key(m, i, &name, &info) && info.counted && info.uses_left == 0)
			return name;
	return NULL;
}
