/* How findings are collected; see struct policy_findings. */
#ifndef POLICY_FINDING_H
#define POLICY_FINDING_H

#include <stdarg.h>

#include "policy/policy.h"

/* False when out of memory. */
bool finding_add(struct policy_findings *findings, struct policy_mark mark, bool warning, const char *fmt,
		 va_list args) __attribute__((format(printf, 4, 0)));
/* Into the order of the file. */
void finding_sort(struct policy_findings *findings);
/* NULL when there is none. */
const struct policy_finding *finding_first_error(const struct policy_findings *findings);

#endif
