/*
 * What a client wants: the fields Accept and Accept-Encoding (RFC 9110 12.5). Pure functions over the caller's
 * memory.
 */
#ifndef CODEC_ACCEPT_H
#define CODEC_ACCEPT_H

#include "codec/coding.h"
#include "codec/header.h"

#define ACCEPT_QUALITY_MAX 1000u

/*
 * How much a media type such as "application/json" is wanted, in thousandths; 0: not at all. The most specific
 * range that matches decides. No Accept field, or one without a valid range: everything is wanted. Parameters
 * other than q are not compared; ranges with a malformed q are ignored.
 */
unsigned accept_quality(const struct header_list *fields, struct str type);

/*
 * Which of n codings a client gets (RFC 9110 12.5.3): the one that Accept-Encoding wants most, the first of
 * those that it wants alike. Identity when it names none of them, or wants that more; no field wants nothing.
 * Elements with a malformed q are ignored.
 */
enum coding accept_coding(const struct header_list *fields, const enum coding *offers, size_t n);

#endif
