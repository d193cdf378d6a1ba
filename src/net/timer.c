/*
 * The timer heap. Four children a node: half the levels of a binary heap, and the four lie in one
 * cache line. Owned by one loop, used on its thread only.
 */
#include "net/timer.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"

#define FAN 4

void
timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg, .deadline_ns = TIMER_NEVER };
}

void
timer_heap_fini(struct timer_heap *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->at[i]->heap_index = 0;
	free(h->at);
	*h = (struct timer_heap){ 0 };
}

static void
place(struct timer_heap *h, size_t i, struct timer *t)
{
	h->at[i] = t;
	t->heap_index = i + 1;
}

static void
sift_up(struct timer_heap *h, size_t i, struct timer *t)
{
	while (i > 0) {
		size_t parent = (i - 1) / FAN;

		if (h->at[parent]->armed_ns <= t->armed_ns)
			break;
		place(h, i, h->at[parent]);
		i = parent;
	}
	place(h, i, t);
}

static size_t
earliest_child(const struct timer_heap *h, size_t i)
{
	size_t first = i * FAN + 1;
	size_t end = first + FAN < h->n ? first + FAN : h->n;
	size_t best = first;

	for (size_t c = first + 1; c < end; c++)
		if (h->at[c]->armed_ns < h->at[best]->armed_ns)
			best = c;
	return best;
}

static void
sift_down(struct timer_heap *h, size_t i, struct timer *t)
{
	while (i * FAN + 1 < h->n) {
		size_t child = earliest_child(h, i);

		if (t->armed_ns <= h->at[child]->armed_ns)
			break;
		place(h, i, h->at[child]);
		i = child;
	}
	place(h, i, t);
}

static void
insert(struct timer_heap *h, struct timer *t)
{
	if (h->n == h->cap) {
		h->cap = h->cap == 0 ? 64 : h->cap * 2;
		h->at = mem_realloc(h->at, h->cap * sizeof(struct timer *));
	}
	sift_up(h, h->n++, t);
}

void
timer_heap_set(struct timer_heap *h, struct timer *t, uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	if (t->heap_index != 0) {
		if (deadline_ns >= t->armed_ns)
			return;
		t->armed_ns = deadline_ns;
		sift_up(h, t->heap_index - 1, t);
	} else if (deadline_ns != TIMER_NEVER) {
		t->armed_ns = deadline_ns;
		insert(h, t);
	}
}

void
timer_heap_drop(struct timer_heap *h, struct timer *t)
{
	size_t i = t->heap_index;
	struct timer *last;

	t->deadline_ns = TIMER_NEVER;
	if (i == 0)
		return;
	i--;
	assert(i < h->n && h->at[i] == t);
	t->heap_index = 0;
	last = h->at[--h->n];
	if (last == t)
		return;
	if (i > 0 && last->armed_ns < h->at[(i - 1) / FAN]->armed_ns)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct timer *
timer_heap_pop(struct timer_heap *h, uint64_t now_ns)
{
	while (h->n > 0 && h->at[0]->armed_ns <= now_ns) {
		struct timer *t = h->at[0];

		if (t->deadline_ns <= now_ns || t->deadline_ns == TIMER_NEVER) {
			bool is_due = timer_is_set(t);

			timer_heap_drop(h, t);
			if (is_due)
				return t;
		} else {
			t->armed_ns = t->deadline_ns;
			sift_down(h, 0, t);
		}
	}
	return NULL;
}

size_t
timer_heap_count_set(const struct timer_heap *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += timer_is_set(h->at[i]);
	return n;
}
