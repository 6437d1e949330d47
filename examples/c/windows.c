// Windows: code that a signal interrupts, and the handler.
//
//   cc -shared -fPIC -g -O2 -I ../../crates/osnote/include -o libwindows.so windows.c
//   sigproof validate ./libwindows.so
//   cc .. -DFIXED                            the same windows, with handlers that may interrupt them
//
//   malloc     malloc and free; the handler frees: it deadlocks on the allocator's lock
//   allocates  code without malloc; the handler allocates, though it says that it does not
//   pair       two words that belong together; the handler sees one of them old and one new
//   list       an entry is put into a list; the handler reads the list
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigproof.h"

// ------------------------------------------------------------------------------------------------- malloc

struct heap {
  void *kept;
  _Atomic(void *) garbage;
};

static void *heap_make(void) { return calloc(1, sizeof(struct heap)); }

static int heap_prepare(void *it) {
  struct heap *heap = it;
  heap->kept = NULL;
  free(atomic_exchange(&heap->garbage, NULL));
  // Larger than the caches of threads keep: malloc and free of it take the lock of an arena.
  atomic_store(&heap->garbage, malloc(3000));
  return 0;
}

static int heap_window(void *it) {
  struct heap *heap = it;
  for (int n = 0; n < 2; n++) {
    heap->kept = malloc(5000);
    if (!heap->kept) return ENOMEM;
    memset(heap->kept, 1, 5000);
    free(heap->kept);
  }
  return 0;
}

static int heap_handler(void *it) {
  struct heap *heap = it;
#ifdef FIXED
  // Left to the code that the signal interrupted.
  (void)atomic_load(&heap->garbage);
#else
  free(atomic_exchange(&heap->garbage, NULL));
#endif
  return 0;
}

static int heap_check(void *it, char *why, size_t length) {
  (void)it;
  (void)why;
  (void)length;
  return 0;
}

// --------------------------------------------------------------------------------------------------- pair

struct pair {
  volatile long left, right;
  // What the handler saw.
  volatile long seen_left, seen_right;
#ifdef FIXED
  _Atomic unsigned version;
#endif
};

static void *pair_make(void) { return calloc(1, sizeof(struct pair)); }

static int pair_prepare(void *it) {
  struct pair *pair = it;
  pair->left = 100;
  pair->right = 0;
  pair->seen_left = pair->seen_right = -1;
  return 0;
}

static int pair_window(void *it) {
  struct pair *pair = it;
#ifdef FIXED
  atomic_fetch_add(&pair->version, 1);
#endif
  pair->left -= 30;
  pair->right += 30;
#ifdef FIXED
  atomic_fetch_add(&pair->version, 1);
  atomic_signal_fence(memory_order_seq_cst);
  // A handler that came between has left the sum to this code.
  if (pair->seen_left == -2) {
    pair->seen_left = pair->left;
    pair->seen_right = pair->right;
  }
#endif
  return 0;
}

static int pair_handler(void *it) {
  struct pair *pair = it;
#ifdef FIXED
  if (atomic_load(&pair->version) % 2) {
    pair->seen_left = -2;
    return 0;
  }
#endif
  pair->seen_left = pair->left;
  pair->seen_right = pair->right;
  return 0;
}

// The digest is what the handler saw, in the state that the window left.
static int pair_check(void *it, char *why, size_t length) {
  struct pair *pair = it;
  if (pair->seen_left == -1) {
    // No signal came: as if it came after the window.
    snprintf(why, length, "%ld+%ld", pair->left, pair->right);
    return 0;
  }
  snprintf(why, length, "%ld+%ld", pair->seen_left, pair->seen_right);
  return 0;
}

// --------------------------------------------------------------------------------------------------- list

struct entry {
  struct entry *next;
  int value;
};

struct list {
  struct entry *volatile head;
  struct entry first, second;
  volatile int sum;
};

static void *list_make(void) { return calloc(1, sizeof(struct list)); }

static int list_prepare(void *it) {
  struct list *list = it;
  list->first = (struct entry){NULL, 1};
  list->second = (struct entry){NULL, 2};
  list->head = &list->first;
  list->sum = -1;
  return 0;
}

static int list_window(void *it) {
  struct list *list = it;
#ifdef FIXED
  list->second.next = list->head;
  atomic_signal_fence(memory_order_release);
  list->head = &list->second;
#else
  // Put into the list before it is linked: the rest of the list is out of reach for a moment.
  struct entry *rest = list->head;
  list->head = &list->second;
  atomic_signal_fence(memory_order_seq_cst);
  list->second.next = rest;
#endif
  return 0;
}

static int list_handler(void *it) {
  struct list *list = it;
  int sum = 0;
  for (struct entry *entry = list->head; entry; entry = entry->next) sum += entry->value;
  list->sum = sum;
  return 0;
}

static int list_check(void *it, char *why, size_t length) {
  struct list *list = it;
  if (list->sum == -1 || list->sum == 1 || list->sum == 3) return 0;
  snprintf(why, length, "the handler found the sum %d, neither 1 nor 3", list->sum);
  return EPROTO;
}

// ---------------------------------------------------------------------------------------------- allocates

struct line {
  char *volatile kept;
  char own[32];
  volatile long total;
};

static void *line_make(void) { return calloc(1, sizeof(struct line)); }

static int line_prepare(void *it) {
  struct line *line = it;
  if (line->kept != line->own) free(line->kept);
  line->kept = NULL;
  return 0;
}

static int line_window(void *it) {
  struct line *line = it;
  for (int n = 0; n < 5; n++) line->total += n;
  return 0;
}

static int line_handler(void *it) {
  struct line *line = it;
#ifdef FIXED
  memcpy(line->own, "signal", 7);
  line->kept = line->own;
#else
  // It goes well as long as nothing that is interrupted allocates.
  line->kept = strdup("signal");
#endif
  return 0;
}

static int line_check(void *it, char *why, size_t length) {
  (void)it;
  (void)why;
  (void)length;
  return 0;
}

static const struct sigproof_window_v1 LINE = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_NO_MALLOC,
    .name = "allocates",
    .make = line_make,
    .prepare = line_prepare,
    .window = line_window,
    .handler = line_handler,
    .check = line_check,
};

static const struct sigproof_window_v1 HEAP = {
    .abi = SIGPROOF_ABI,
    .name = "malloc",
    .make = heap_make,
    .prepare = heap_prepare,
    .window = heap_window,
    .handler = heap_handler,
    .check = heap_check,
};

static const struct sigproof_window_v1 PAIR = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_DIGEST,
    .name = "pair",
    .make = pair_make,
    .prepare = pair_prepare,
    .window = pair_window,
    .handler = pair_handler,
    .check = pair_check,
};

static const struct sigproof_window_v1 LIST = {
    .abi = SIGPROOF_ABI,
    .name = "list",
    .make = list_make,
    .prepare = list_prepare,
    .window = list_window,
    .handler = list_handler,
    .check = list_check,
};

const struct sigproof_window_v1 *const *sigproof_windows(void) {
  static const struct sigproof_window_v1 *const ALL[] = {&HEAP, &LINE, &PAIR, &LIST, NULL};
  return ALL;
}
