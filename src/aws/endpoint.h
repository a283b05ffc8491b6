/* Where a service is: its region, and the address that stands for it. */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include "aws/config_file.h"

#define AWS_ENDPOINT_MAX 512
#define AWS_REGION_MAX 64

/* "sqs.eu-west-1.amazonaws.com", in the region's partition; with AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT. */
void aws_service_host(const char *service, const char *region, char *out, size_t room);

/*
 * What AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL, the profile's "services" section or its endpoint_url say, in this order; false:
 * nothing, or AWS_IGNORE_CONFIGURED_ENDPOINT_URLS does.
 */
bool aws_endpoint_configured(const struct aws_files *files, const char *profile, const char *service, char *out,
			     size_t room);

/*
 * The region: `given`, AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's. SEAL_USAGE: none, or it is no region's name.
 */
SEAL_MUST_USE enum seal_status aws_region_find(const struct aws_files *files, const char *profile, const char *given,
					       uint64_t deadline_ms, char out[AWS_REGION_MAX], struct seal_err *err);

#endif
