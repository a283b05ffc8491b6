/* Detectors of one thread: their life. */
#include "detect/detect.h"
