/* The methods that come with sealstream. Only the registry (and tests) name them. */
#ifndef METHODS_BUILTIN_H
#define METHODS_BUILTIN_H

#include "methods/method.h"

extern const struct method_ops method_deterministic;
extern const struct method_ops method_encrypt;
extern const struct method_ops method_envelope;
extern const struct method_ops method_fpe;
extern const struct method_ops method_mask;
extern const struct method_ops method_redact;
extern const struct method_ops method_remove;
extern const struct method_ops method_hash;
extern const struct method_ops method_token;
extern const struct method_ops method_transform;

#endif
