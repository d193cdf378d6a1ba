/* Routes that need no upstream: `reply`, and the rules of mock services. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "server/exchange.h"

/* Evaluates the templates of a reply into *out, in the exchange's arena. Errors as template_eval(). */
enum err_code reply_answer(const struct reply_plan *plan, const struct route_conf *conf,
    struct exchange *x, struct answer *out);

#endif
