/* Finds where arrays and objects end in a text that json_scan.h found valid. No state. */
#ifndef CODEC_JSON_SKIP_H
#define CODEC_JSON_SKIP_H

/* p at an opening bracket; returns what is behind its partner, which lies before end. */
const char *json_skip_container(const char *p, const char *end);

#endif
