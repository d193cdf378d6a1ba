/* The rules of tests; see conf_check.h. After those of routes and upstreams. */
#ifndef CONF_CONF_CHECK_TEST_H
#define CONF_CONF_CHECK_TEST_H

#include "conf/conf_check.h"

void conf_check_test_all(const struct conf_check *check);

#endif
