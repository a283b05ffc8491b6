/* What counts nothing. */
#include "keys/key.h"

const struct key_metrics key_metrics_none;
