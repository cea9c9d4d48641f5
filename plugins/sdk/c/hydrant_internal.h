// What the SDK's own files share. Refuses to be included by a plugin.
#ifndef HYDRANT_INTERNAL_H
#define HYDRANT_INTERNAL_H

#include "bindings/plugin.h"
#include "hydrant_plugin.h"

typedef hydrant_transform_types_batch_t hydrant__input;
typedef hydrant_transform_types_column_t hydrant__column;
typedef hydrant_transform_types_reason_t hydrant__reason;

// Codes of the answer's outcomes, as the world defines them.
enum { HYDRANT__KEEP, HYDRANT__REPLACE, HYDRANT__DROP, HYDRANT__FAIL };

// A list that grows.
typedef struct {
  uint32_t *items;
  size_t length, capacity;
} hydrant__numbers;

// A column being written.
typedef struct {
  plugin_string_t name;
  plugin_string_t *dictionary;
  size_t count, capacity;
  uint32_t *slots; // codes by hash, once the dictionary is too long to look through
  size_t slot_count;
  hydrant__numbers codes;
} hydrant__keys;

typedef struct {
  size_t column;
  uint32_t code;
} hydrant__set;

// The answer to a batch, in the columns of the world, all of it on the heap: the ABI frees it.
typedef struct {
  uint8_t *payload;
  size_t length, capacity;
  hydrant__numbers ends, inputs;
  uint8_t *outcomes;
  size_t settled;
  hydrant__reason *reasons;
  size_t reason_count, reason_capacity;
  hydrant__keys *columns;
  size_t column_count, column_capacity;
  // Column and code of what was set for the record at hand.
  hydrant__set *set;
  size_t set_count, set_capacity;
  // Why the record at hand fails, and why it fails whatever its outcome is.
  plugin_string_t code, message;
  const char *misuse;
  // Where the record at hand and the output being written began.
  size_t first_end, input_start, output_start;
  // What the first write reserves: most replacements are about as long as their inputs.
  size_t expected;
} hydrant__output;

typedef struct hydrant__block {
  struct hydrant__block *next;
  size_t capacity, used; // the memory follows
} hydrant__block;

struct hydrant_context {
  hydrant_transform_types_context_t raw;
};

struct hydrant_record {
  const uint8_t *data;
  size_t length, at;
  hydrant_batch *batch;
};

struct hydrant_batch {
  const hydrant__input *input;
  const hydrant_context *context;
  hydrant__output output;
  hydrant_record record;
  bool is_open; // a record was visited and has no outcome yet
  hydrant__block *scratch;
};

// Runs the plugin over a batch; the answer's parts are the caller's to free.
void hydrant__run(const hydrant__input *input, const hydrant_context *context,
                  hydrant_transform_types_output_t *answer);

void hydrant__push(hydrant__output *output, const void *bytes, size_t length);
void hydrant__end(hydrant__output *output);
void hydrant__set_key(hydrant__output *output, hydrant_text name, hydrant_text value);
void hydrant__fail(hydrant__output *output, hydrant_text code, hydrant_text reason);
void hydrant__settle(hydrant__output *output, const uint8_t *data, size_t length, hydrant_outcome outcome);
// Moves the output into the answer and frees the rest.
void hydrant__finish(hydrant__output *output, hydrant_transform_types_output_t *answer);

// Memory or a trap: nothing can be answered without. `item` is the size of one of `needed` items.
void *hydrant__grow(void *items, size_t *capacity, size_t needed, size_t item);
void *hydrant__new(size_t length);
// A copy on the heap; what is not UTF-8 becomes U+FFFD, for the boundary refuses it.
plugin_string_t hydrant__copy(hydrant_text text);
// Length of the UTF-8 sequence that `at` begins with; 0 when it is none.
size_t hydrant__sequence(const uint8_t *at, const uint8_t *end);
// Where the text stops being UTF-8: its length when it does not.
size_t hydrant__valid_length(hydrant_text text);

static inline hydrant_text hydrant__text(plugin_string_t string) {
  hydrant_text text = {(const char *)string.ptr, string.len};
  return text;
}

#endif
