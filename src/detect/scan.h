/* Looking for one thing in a longer text. Internal to src/detect. */
#ifndef DETECT_SCAN_H
#define DETECT_SCAN_H

#include "detect/value.h"

/*
 * Asks `is` about each run of digits and single `separators` between them that no letter, digit or '_' touches; true when it takes
 * one.
 */
bool scan_digits(struct seal_bytes text, const char *separators, bool (*is)(struct seal_bytes run));

#endif
