/* Host names of services: SERVICE.REGION.SUFFIX, the suffix by partition. */
#include "aws/endpoint.h"

#include <ctype.h>

#include "aws/source.h"

struct partition {
	const char *prefix; /* of its regions */
	const char *suffix, *dual; /* of host names; with IPv6 */
};

static const struct partition partitions[] = {
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"us-iso-", "c2s.ic.gov", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov", "csp.hci.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk", "cloud.adc-e.uk"},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"", "amazonaws.com", "api.aws"},
};

void aws_service_host(const char *service, const char *region, char *out, size_t room)
{
	const struct partition *p = partitions;
	/* In GovCloud the plain names are the validated ones. */
	const bool fips = aws_variable_true("AWS_USE_FIPS_ENDPOINT") && strncmp(region, "us-gov-", 7) != 0;

	while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
		p++;
	snprintf(out, room, "%s%s.%s.%s", service, fips ? "-fips" : "", region,
		 aws_variable_true("AWS_USE_DUALSTACK_ENDPOINT") ? p->dual : p->suffix);
}

static bool set_from(struct seal_bytes text, char *out, size_t room)
{
	if (text.len == 0 || text.len >= room)
		return false;
	snprintf(out, room, "%.*s", (int)text.len, (const char *)text.ptr);
	return true;
}

/* services = NAME in the profile, and in [services NAME] the service's own endpoint_url. */
static bool from_services(const struct aws_files *files, const char *profile, const char *service, char *out,
			  size_t room)
{
	char name[AWS_NAME_MAX];

	return set_from(aws_files_value(files, AWS_SECTION_PROFILE, profile, "services", NULL), name, sizeof(name)) &&
	       set_from(aws_files_value(files, AWS_SECTION_SERVICES, name, service, "endpoint_url"), out, room);
}

static bool from_variable(const char *name, char *out, size_t room)
{
	const char *text = aws_variable(name);

	return text != NULL && set_from(bytes_str(text), out, room);
}

bool aws_endpoint_configured(const struct aws_files *files, const char *profile, const char *service, char *out,
			     size_t room)
{
	struct seal_bytes ignore =
		aws_files_value(files, AWS_SECTION_PROFILE, profile, "ignore_configured_endpoint_urls", NULL);
	char variable[64];
	size_t n = (size_t)snprintf(variable, sizeof(variable), "AWS_ENDPOINT_URL_%s", service);

	if (aws_variable_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") || bytes_eq_str(ignore, "true"))
		return false;
	for (size_t i = 0; i < n && i < sizeof(variable); i++)
		variable[i] = (char)toupper((unsigned char)variable[i]);
	return from_variable(variable, out, room) || from_variable("AWS_ENDPOINT_URL", out, room) ||
	       from_services(files, profile, service, out, room) ||
	       set_from(aws_files_value(files, AWS_SECTION_PROFILE, profile, "endpoint_url", NULL), out, room);
}

/* It becomes part of a host name. */
static bool is_region(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

enum seal_status aws_region_find(const struct aws_files *files, const char *profile, const char *given,
				 uint64_t deadline_ms, char out[AWS_REGION_MAX], struct seal_err *err)
{
	char found[AWS_NAME_MAX] = "";

	if (given == NULL)
		given = aws_variable("AWS_REGION");
	if (given == NULL)
		given = aws_variable("AWS_DEFAULT_REGION");
	if (given != NULL)
		snprintf(found, sizeof(found), "%s", given);
	else if (!set_from(aws_files_value(files, AWS_SECTION_PROFILE, profile, "region", NULL), found,
			   sizeof(found)) &&
		 !aws_variable_true("AWS_EC2_METADATA_DISABLED") &&
		 aws_instance_region(deadline_ms, found, NULL) == SEAL_FATAL)
		return err_memory(err);
	if (found[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "no AWS region: set AWS_REGION, or region in the profile %.60s of %.100s", profile,
			       files->config_path);
	if (!is_region(found) || strlen(found) >= AWS_REGION_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "\"%.60s\" is no AWS region, such as eu-west-1",
			       found);
	snprintf(out, AWS_REGION_MAX, "%s", found);
	return SEAL_OK;
}
