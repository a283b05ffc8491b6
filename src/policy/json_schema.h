/* A JSON Schema (draft 2020-12) of policies, for editors: made from the same tables that the compiler reads. */
#ifndef POLICY_JSON_SCHEMA_H
#define POLICY_JSON_SCHEMA_H

#include "base/buf.h"
#include "policy/schema.h"

/* Appends the schema. */
SEAL_MUST_USE enum seal_status json_schema_write(const struct policy_schema *schema, struct seal_buf *out,
						 struct seal_err *err);

#endif
