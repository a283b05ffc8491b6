/* Opening the keyring, and showing a key. */
#include "cmd/key_use.h"

#include "base/log.h"
#include "cmd/output.h"

enum seal_status key_use_check_name(const char *name, struct seal_err *err)
{
	const char *why;

	if (keyring_reference_check(bytes_str(name), &why))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "this is not a key name: %s", why);
}

enum seal_status key_use_open(const struct command_call *call, bool create, struct keyring **out,
			      struct seal_err *err)
{
	struct key_source_config config = global_key_config(call->global);
	enum seal_status rc;

	config.create = create;
	rc = keyring_open(&config, out, err);
	if (rc == SEAL_OK && keyring_master_made(*out) != NULL)
		log_say(LOG_WARNING,
			"the keyring's new master key lies at %s; back it up now: without it nothing that these keys "
			"protect can be read",
			keyring_master_made(*out));
	return rc;
}

void key_use_time(uint64_t unix_ms, char out[KEY_TIME_MAX])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(out, KEY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, KEY_TIME_MAX, "unknown");
}

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

void key_use_show(FILE *to, const struct keyring_key_info *info)
{
	char time[KEY_TIME_MAX];

	key_use_time(info->created_ms, time);
	fprintf(to, "name                    %s\ntype                    %s\ncreated                 %s\n",
		info->name, info->type, time);
	fprintf(to, "latest version          %u\nmin decryption version  %u\nmin encryption version  ",
		info->latest_version, info->min_decryption_version);
	if (info->min_encryption_version == 0)
		fprintf(to, "latest\n");
	else
		fprintf(to, "%u\n", info->min_encryption_version);
	fprintf(to, "rotates itself          ");
	if (info->auto_rotate == 0)
		fprintf(to, "never%s\n", info->counted ? "" : " (policies name its versions)");
	else
		fprintf(to, "after %llu encryptions\n", (unsigned long long)info->auto_rotate);
	fprintf(to, "deletion allowed        %s\nexportable              %s\nimported                %s\n",
		yes_no(info->deletion_allowed), yes_no(info->exportable), yes_no(info->imported));
	for (uint32_t i = 0; i < info->latest_version; i++) {
		const struct keyring_version_info *v = &info->versions[i];

		key_use_time(v->created_ms, time);
		fprintf(to, "version %-5u           created %s", v->version, time);
		if (info->counted)
			fprintf(to, ", %llu encryptions", (unsigned long long)v->uses);
		fprintf(to, "%s\n", v->version < info->min_decryption_version ? ", disabled" : "");
	}
}

void key_use_json(FILE *to, const struct keyring_key_info *info)
{
	fprintf(to, "\"name\":\"%s\",\"type\":\"%s\",\"created_ms\":%llu,\"latest_version\":%u,", info->name,
		info->type, (unsigned long long)info->created_ms, info->latest_version);
	fprintf(to, "\"min_decryption_version\":%u,\"min_encryption_version\":%u,\"auto_rotate\":%llu,",
		info->min_decryption_version, info->min_encryption_version, (unsigned long long)info->auto_rotate);
	fprintf(to, "\"deletion_allowed\":%s,\"exportable\":%s,\"imported\":%s,\"versions\":[",
		info->deletion_allowed ? "true" : "false", info->exportable ? "true" : "false",
		info->imported ? "true" : "false");
	for (uint32_t i = 0; i < info->latest_version; i++)
		fprintf(to, "%s{\"version\":%u,\"created_ms\":%llu,\"uses\":%llu}", i ? "," : "",
			info->versions[i].version, (unsigned long long)info->versions[i].created_ms,
			(unsigned long long)info->versions[i].uses);
	fprintf(to, "]");
}

void key_use_tell_fixed(const struct keyring_key_info *info)
{
	if (info->counted)
		return;
	log_say(LOG_WARNING,
		"what a key of type %s makes carries no version: policies use version 1 of %s until they say "
		"`version: %u`",
		info->type, info->name, info->latest_version);
}
