/* Finding and opening the store of a key, and showing a key. */
#include "cmd/key_use.h"

#include "base/clock.h"
#include "base/log.h"
#include "cmd/audit_use.h"
#include "cmd/output.h"
#include "cmd/registry.h"
#include "keys/keyring_type.h"

/* For all that one command does; a server's own timeouts end each try sooner. */
#define TIMEOUT_MS 120000
#define STORES_MAX 16

static const struct key_source_ops *store_of(struct seal_bytes scheme)
{
	for (size_t i = 0; registry.sources[i] != NULL; i++)
		if (bytes_eq_str(scheme, registry.sources[i]->name))
			return registry.sources[i];
	return NULL;
}

static enum seal_status unknown_store(struct seal_bytes scheme, struct seal_err *err)
{
	const char *names[STORES_MAX + 1] = {NULL}, *nearest;
	char all[256] = "";
	size_t n = 0;

	for (; registry.sources[n] != NULL && n < STORES_MAX; n++) {
		size_t at = strlen(all);

		names[n] = registry.sources[n]->name;
		snprintf(all + at, sizeof(all) - at, "%s%s", n > 0 ? ", " : "", names[n]);
	}
	nearest = word_nearest(names, scheme);
	if (nearest != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "no store of keys called %.*s; did you mean %s?",
			       BYTES_FMT(scheme), nearest);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "no store of keys called %.*s; there are %s", BYTES_FMT(scheme),
		       all);
}

static enum seal_status set_store(struct seal_bytes scheme, struct managed_key *out, struct seal_err *err)
{
	out->source = store_of(scheme);
	if (out->source == NULL)
		return unknown_store(scheme, err);
	out->ops = out->source->admin;
	if (out->ops == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "keys of %s are not managed from here",
			       out->source->name);
	return SEAL_OK;
}

enum seal_status key_use_find(const char *text, struct managed_key *out, struct seal_err *err)
{
	const char *colon = strchr(text, ':'), *why;
	enum seal_status rc;

	out->text = text;
	out->reference = bytes_str(colon != NULL ? colon + 1 : text);
	SEAL_TRY(set_store(colon != NULL ? bytes_of(text, (size_t)(colon - text))
					 : bytes_str(registry.sources[0]->name),
			   out, err));
	if (!out->source->check(out->reference, &why))
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "this is not a key name: %s", why);
out:
	return rc;
}

enum seal_status key_use_find_store(const char *text, struct managed_key *out, struct seal_err *err)
{
	const char *name = text != NULL ? text : registry.sources[0]->name;
	const char *colon = strchr(name, ':');
	size_t len = colon != NULL ? (size_t)(colon - name) : strlen(name);

	out->text = name;
	out->reference = bytes_str(colon != NULL ? colon + 1 : "");
	return set_store(bytes_of(name, len), out, err);
}

enum seal_status key_use_open(const struct command_call *call, bool create, struct managed_key *use,
			      struct seal_err *err)
{
	struct key_source_config config = global_key_config(call->global);
	const char *made = NULL;
	enum seal_status rc;

	config.create = create;
	use->on.arena = call->arena;
	use->on.deadline_ms = clock_mono_ms() + TIMEOUT_MS;
	SEAL_TRY(audit_use_key(call->global, use->source->name, use->reference, err));
	SEAL_TRY(use->source->open(&config, &use->on.source, err));
	if (use->ops->made != NULL)
		made = use->ops->made(use->on.source);
	if (made != NULL)
		log_say(LOG_WARNING,
			"the keyring's new master key lies at %s; back it up now: without it nothing that these keys "
			"protect can be read",
			made);
out:
	return rc;
}

enum seal_status key_use_begin(const struct command_call *call, bool create, struct managed_key *use,
			       struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(key_use_find(call->args[0], use, err));
	SEAL_TRY(key_use_open(call, create, use, err));
out:
	return rc;
}

void key_use_end(struct managed_key *use)
{
	if (use->on.source != NULL)
		use->source->free(use->on.source);
	use->on.source = NULL;
}

void key_use_time(uint64_t unix_ms, char out[KEY_TIME_MAX])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (unix_ms == 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, KEY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, KEY_TIME_MAX, "unknown");
}

void key_use_type(const char *type, bool derived, bool convergent, char out[KEY_TYPE_TEXT_MAX])
{
	snprintf(out, KEY_TYPE_TEXT_MAX, "%s%s", type, convergent ? ", convergent" : derived ? ", derived" : "");
}

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

/* Do policies name the version? Results of such keys carry none. */
static bool is_fixed(const struct key_admin_info *info)
{
	const struct keyring_type *type = keyring_type_by_name(bytes_str(info->type));

	return type != NULL && !(type->uses & KEY_ENCRYPT);
}

static void show_rotation(FILE *to, const struct key_admin_info *info)
{
	fprintf(to, "rotates itself          ");
	if (info->auto_rotate == 0)
		fprintf(to, "never%s\n", is_fixed(info) ? " (policies name its versions)" : "");
	else
		fprintf(to, "after %llu %s\n", (unsigned long long)info->auto_rotate,
			info->counted ? "encryptions" : "seconds");
}

void key_use_show(FILE *to, const struct key_admin_info *info)
{
	char time[KEY_TIME_MAX];

	key_use_time(info->created_ms, time);
	fprintf(to, "name                    %s\ntype                    %s\ncreated                 %s\n",
		info->name, info->type, time);
	if (info->derived)
		fprintf(to, "derived                 yes%s\n",
			info->convergent ? ", and convergent: equal values of one context give equal texts" : "");
	fprintf(to, "latest version          %u\nmin decryption version  %u\nmin encryption version  ",
		info->latest_version, info->min_decryption_version);
	if (info->min_encryption_version == 0)
		fprintf(to, "latest\n");
	else
		fprintf(to, "%u\n", info->min_encryption_version);
	show_rotation(to, info);
	fprintf(to, "deletion allowed        %s\nexportable              %s\nimported                %s\n",
		yes_no(info->deletion_allowed), yes_no(info->exportable), yes_no(info->imported));
	for (size_t i = 0; i < info->n_versions; i++) {
		const struct key_admin_version *v = &info->versions[i];

		key_use_time(v->created_ms, time);
		fprintf(to, "version %-5u           created %s", v->version, time);
		if (info->counted)
			fprintf(to, ", %llu encryptions", (unsigned long long)v->uses);
		fprintf(to, "%s\n", v->version < info->min_decryption_version ? ", disabled" : "");
	}
}

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

void key_use_json(FILE *to, const struct key_admin_info *info)
{
	fprintf(to, "\"name\":\"%s\",\"type\":\"%s\",\"created_ms\":%llu,\"latest_version\":%u,", info->name,
		info->type, (unsigned long long)info->created_ms, info->latest_version);
	if (info->derived)
		fprintf(to, "\"derived\":true,\"convergent\":%s,", json_bool(info->convergent));
	fprintf(to, "\"min_decryption_version\":%u,\"min_encryption_version\":%u,\"auto_rotate\":%llu,",
		info->min_decryption_version, info->min_encryption_version, (unsigned long long)info->auto_rotate);
	fprintf(to, "\"deletion_allowed\":%s,\"exportable\":%s,\"imported\":%s,\"versions\":[",
		json_bool(info->deletion_allowed), json_bool(info->exportable), json_bool(info->imported));
	for (size_t i = 0; i < info->n_versions; i++) {
		const struct key_admin_version *v = &info->versions[i];

		fprintf(to, "%s{\"version\":%u,\"created_ms\":%llu", i ? "," : "", v->version,
			(unsigned long long)v->created_ms);
		if (v->uses != KEY_ADMIN_USES_UNKNOWN)
			fprintf(to, ",\"uses\":%llu", (unsigned long long)v->uses);
		fprintf(to, "}");
	}
	fprintf(to, "]");
}

void key_use_tell_fixed(const struct key_admin_info *info)
{
	if (!is_fixed(info))
		return;
	log_say(LOG_WARNING,
		"what a key of type %s makes carries no version: policies use version 1 of %s until they say "
		"`version: %u`",
		info->type, info->name, info->latest_version);
}
