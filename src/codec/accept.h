/* What a client wants: the Accept field (RFC 9110 12.5.1). Pure functions over the caller's memory. */
#ifndef CODEC_ACCEPT_H
#define CODEC_ACCEPT_H

#include "codec/header.h"

#define ACCEPT_QUALITY_MAX 1000u

/*
 * How much a media type such as "application/json" is wanted, in thousandths; 0: not at all. The most specific
 * range that matches decides. No Accept field, or one without a valid range: everything is wanted. Parameters
 * other than q are not compared; ranges with a malformed q are ignored.
 */
unsigned accept_quality(const struct header_list *fields, struct str type);

#endif
