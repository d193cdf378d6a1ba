/* The real clocks. Run-time code asks its loop for the time (net/loop.h), so that tests can own it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_mono_ns(void);
/* Nanoseconds since 1970 of CLOCK_REALTIME. */
uint64_t clock_wall_ns(void);

#endif
