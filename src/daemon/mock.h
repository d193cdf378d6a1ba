/*
 * Mock services: a `mock:` upstream becomes a listener on a loopback port with reply routes, and the upstream
 * gets that port as its server, so that calls to it take the same way as calls to any other.
 */
#ifndef DAEMON_MOCK_H
#define DAEMON_MOCK_H

#include "base/err.h"

struct generation;
struct generation_mock;

/* For every mock upstream of gen->conf. ERR_BAD_CONFIG (told in gen->errors) or ERR_SYSTEM (errno). */
enum err_code mock_open_all(struct generation *gen);
/* The same without sockets, for a world in memory: every mock listens at an address that is only a name. */
enum err_code mock_prepare_all(struct generation *gen);
/* The listening socket; it belongs to the caller now. */
int mock_take_fd(struct generation_mock *mock);
void mock_close(struct generation_mock *mock);

#endif
