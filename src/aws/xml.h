/* XML as STS, SNS and errors of AWS have it: elements with text, told one by one as they end. No DTD, no entities of its own. */
#ifndef AWS_XML_H
#define AWS_XML_H

#include "base/buf.h"

#define AWS_XML_DEPTH_MAX 16
#define AWS_XML_PATH_MAX 512

/* An element has ended: its path ("PublishBatchResponse/PublishBatchResult/Failed/member/Code"), and its own text. */
typedef enum seal_status (*aws_xml_element)(void *arg, const char *path, struct seal_bytes text,
					    struct seal_err *err);

/* SEAL_DATA/SEAL_E_SYNTAX: it is no XML of that kind; else the first failure of `element`. */
SEAL_MUST_USE enum seal_status aws_xml_read(struct seal_bytes doc, aws_xml_element element, void *arg,
					    struct seal_err *err);

/* Does `path` end with `tail`, at a name's beginning? */
bool aws_xml_ends(const char *path, const char *tail);

#endif
