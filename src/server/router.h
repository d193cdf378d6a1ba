/*
 * Finds the route of a request: a tree with one level per path segment. Literal before parameter
 * before tail, segment by segment; a node is visited at most once per request, so the time is
 * bounded by the tree. Matching is on the raw path: segments are split at its slashes first and
 * compared decoded after, so that %41 is A and %2F is never a separator. Trailing slashes count.
 *
 * Built at load in an arena, read-only afterwards; any thread.
 */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "base/arena.h"
#include "gather/request.h"
#include "gather/route_conf.h"
#include "server/route_path.h"

struct router;

/* Told for every route that cannot be added; `other` is where the first of two in conflict stands. */
typedef void router_report_fn(
    void *arg, const struct conf_pos *where, const struct conf_pos *other, const char *message);

/* An empty router. report may be NULL. */
struct router *router_new(struct arena *arena, router_report_fn *report, void *arg);
/*
 * Adds a route under the number `index`. ERR_BAD_CONFIG (reported) when its path is no template, a
 * method is no token, or another route takes the same requests: the same path but for parameter
 * names, and a method in common. *path is set when it could be parsed. Routes that only overlap are
 * fine: the more specific wins.
 */
enum err_code router_add(
    struct router *r, const struct route_conf *route, size_t index, struct route_path *path);

struct router_match {
	size_t index;     /* of the route, when ERR_NONE */
	struct str allow; /* with ERR_METHOD_NOT_ALLOWED: the value of Allow, in the arena */
};

/*
 * Sets request->params and *match. HEAD finds a GET route when none takes HEAD. ERR_NO_ROUTE, or
 * ERR_METHOD_NOT_ALLOWED when routes match the path and none of them the method. The request's path
 * begins with a slash and has passed uri_check_path().
 */
enum err_code router_find(const struct router *r, struct request *request, struct arena *arena,
    struct router_match *match);

/* The value of Allow for the request's path, in the arena; none when it takes any method, or none. */
struct str router_allow(const struct router *r, const struct request *request, struct arena *arena);

#endif
