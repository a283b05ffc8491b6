/* Tokens of one store and key: their life. */
#include "tokens/tokens.h"
