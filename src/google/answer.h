/* What Google's services answer: errors. Inside src/google only. */
#ifndef GOOGLE_ANSWER_H
#define GOOGLE_ANSWER_H

#include "google/google.h"

#define ANSWER_MESSAGE_MAX 300

/* A google.rpc.Status: its code's name, and the service's words, cut and on one line. Both empty where the body is no such thing. */
void answer_error(struct seal_bytes body, char code[GOOGLE_CODE_MAX], char message[ANSWER_MESSAGE_MAX]);

/* What a failed call was. */
struct answer_class {
	enum google_failure failure;
	enum seal_status status;
	enum seal_code code;
};
struct answer_class answer_classify(unsigned status, const char *code);

#endif
