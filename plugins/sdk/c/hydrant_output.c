// The one payload that all replacements of a batch are written to. Refuses to reorder or to take back a closed record.
#include <stdlib.h>

#include "hydrant_internal.h"

// Up to this length the payload doubles. Then it takes at once what a host allows for a batch: memory that is not
// written to costs nothing, and a copy at that length would need it twice.
#define DOUBLING_BYTES ((size_t)8 << 20)
#define LARGE_BYTES ((size_t)64 << 20)
// Some allocators give powers of two, and need room of their own within.
#define ALLOCATOR_BYTES ((size_t)64)

// So many values are compared faster than hashed.
#define SHORT_DICTIONARY 8

static const char NO_OUTCOME[] =
    "the transform returned no outcome: return HYDRANT_KEEP, HYDRANT_REPLACE, HYDRANT_DROP "
    "or hydrant_fail(…)";

static void append(hydrant__numbers *numbers, size_t number) {
  numbers->items = (uint32_t *)hydrant__grow(numbers->items, &numbers->capacity, numbers->length + 1, sizeof(uint32_t));
  numbers->items[numbers->length++] = (uint32_t)number;
}

static void grow(hydrant__output *output, size_t needed) {
  size_t capacity = output->capacity * 2;
  if (capacity < output->expected) capacity = output->expected;
  if (capacity < needed) capacity = needed;
  if (capacity > LARGE_BYTES - ALLOCATOR_BYTES) {
    capacity = needed + needed / 4;
  } else {
    size_t power = capacity + ALLOCATOR_BYTES > DOUBLING_BYTES ? LARGE_BYTES : 1024;
    while (power < capacity + ALLOCATOR_BYTES) power *= 2;
    capacity = power - ALLOCATOR_BYTES;
  }
  output->payload = (uint8_t *)realloc(output->payload, capacity);
  if (output->payload == NULL) abort();
  output->capacity = capacity;
}

void hydrant__push(hydrant__output *output, const void *bytes, size_t length) {
  if (length == 0) return;
  // What does not fit 32 bits of offset cannot be said.
  if (length > UINT32_MAX - output->length) abort();
  if (length > output->capacity - output->length) grow(output, output->length + length);
  memcpy(output->payload + output->length, bytes, length);
  output->length += length;
}

static void put(hydrant__numbers *codes, size_t at, uint32_t code) {
  while (codes->length < at) append(codes, 0); // outputs that were ended without this key
  append(codes, code);
}

void hydrant__end(hydrant__output *output) {
  size_t at = output->ends.length;
  append(&output->ends, output->length);
  append(&output->inputs, output->settled);
  for (size_t i = 0; i < output->set_count; i++) {
    put(&output->columns[output->set[i].column].codes, at, output->set[i].code);
  }
  output->output_start = output->length;
}

static size_t slot(const hydrant__keys *keys, hydrant_text value) {
  uint32_t hash = UINT32_C(2166136261);
  for (size_t i = 0; i < value.length; i++) hash = (hash ^ (uint8_t)value.bytes[i]) * UINT32_C(16777619);
  size_t at = hash & (keys->slot_count - 1);
  while (keys->slots[at] != 0 && !hydrant_equal(hydrant__text(keys->dictionary[keys->slots[at] - 1]), value)) {
    at = (at + 1) & (keys->slot_count - 1);
  }
  return at;
}

// The code of a value that is known; 0 when it is not.
static uint32_t known(const hydrant__keys *keys, hydrant_text value) {
  if (keys->slot_count > 0) return keys->slots[slot(keys, value)];
  for (size_t i = 0; i < keys->count; i++) {
    if (hydrant_equal(hydrant__text(keys->dictionary[i]), value)) return (uint32_t)i + 1;
  }
  return 0;
}

static uint32_t add(hydrant__keys *keys, hydrant_text value) {
  keys->dictionary =
      (plugin_string_t *)hydrant__grow(keys->dictionary, &keys->capacity, keys->count + 1, sizeof(plugin_string_t));
  keys->dictionary[keys->count++] = hydrant__copy(value);
  if (keys->count > SHORT_DICTIONARY && keys->count * 2 > keys->slot_count) {
    // At most half full, so that a search ends soon.
    keys->slot_count = keys->slot_count == 0 ? 64 : keys->slot_count * 2;
    free(keys->slots);
    keys->slots = (uint32_t *)hydrant__new(keys->slot_count * sizeof(uint32_t));
    memset(keys->slots, 0, keys->slot_count * sizeof(uint32_t));
    for (size_t i = 0; i < keys->count; i++) {
      keys->slots[slot(keys, hydrant__text(keys->dictionary[i]))] = (uint32_t)i + 1;
    }
  } else if (keys->slot_count > 0) {
    keys->slots[slot(keys, value)] = (uint32_t)keys->count;
  }
  return (uint32_t)keys->count;
}

void hydrant__set_key(hydrant__output *output, hydrant_text name, hydrant_text value) {
  size_t column = 0;
  while (column < output->column_count && !hydrant_equal(hydrant__text(output->columns[column].name), name)) column++;
  if (column == output->column_count) {
    if (!hydrant_is_utf8(name)) {
      output->misuse = "the name of a key is not UTF-8";
      return;
    }
    output->columns =
        (hydrant__keys *)hydrant__grow(output->columns, &output->column_capacity, column + 1, sizeof(hydrant__keys));
    memset(&output->columns[column], 0, sizeof(hydrant__keys));
    output->columns[column].name = hydrant__copy(name);
    output->column_count++;
  }
  hydrant__keys *keys = &output->columns[column];
  uint32_t code = known(keys, value);
  if (code == 0 && !hydrant_is_utf8(value)) {
    output->misuse = "the value of a key is not UTF-8";
    return;
  }
  if (code == 0) code = add(keys, value);
  for (size_t i = 0; i < output->set_count; i++) {
    if (output->set[i].column == column) {
      output->set[i].code = code;
      return;
    }
  }
  output->set =
      (hydrant__set *)hydrant__grow(output->set, &output->set_capacity, output->set_count + 1, sizeof(hydrant__set));
  output->set[output->set_count].column = column;
  output->set[output->set_count++].code = code;
}

static void forget_failure(hydrant__output *output) {
  plugin_string_free(&output->code);
  plugin_string_free(&output->message);
}

void hydrant__fail(hydrant__output *output, hydrant_text code, hydrant_text reason) {
  forget_failure(output);
  output->code = hydrant__copy(code);
  output->message = hydrant__copy(reason);
}

// Forgets what was written for the record at hand.
static void discard(hydrant__output *output) {
  if (output->length == output->input_start && output->ends.length == output->first_end) return;
  output->length = output->input_start;
  output->output_start = output->input_start;
  output->ends.length = output->first_end;
  output->inputs.length = output->first_end;
  for (size_t i = 0; i < output->column_count; i++) {
    hydrant__numbers *codes = &output->columns[i].codes;
    if (codes->length > output->first_end) codes->length = output->first_end;
  }
}

static void give_reason(hydrant__output *output) {
  if (output->code.len == 0 && output->message.len == 0) return;
  output->reasons = (hydrant__reason *)hydrant__grow(output->reasons, &output->reason_capacity,
                                                     output->reason_count + 1, sizeof(hydrant__reason));
  hydrant__reason *reason = &output->reasons[output->reason_count++];
  reason->input = (uint32_t)output->settled;
  reason->code = output->code;
  reason->message = output->message;
  memset(&output->code, 0, sizeof output->code);
  memset(&output->message, 0, sizeof output->message);
}

void hydrant__settle(hydrant__output *output, const uint8_t *data, size_t length, hydrant_outcome outcome) {
  uint8_t code = HYDRANT__FAIL;
  if (output->misuse != NULL) {
    hydrant__fail(output, hydrant_string(""), hydrant_string(output->misuse));
    output->misuse = NULL;
    outcome = HYDRANT_FAIL;
  }
  switch (outcome) {
  case HYDRANT_KEEP:
    discard(output);
    code = HYDRANT__KEEP;
    // Keys belong to outputs, so a kept record with keys is delivered as a copy of itself.
    if (output->set_count > 0) {
      hydrant__push(output, data, length);
      hydrant__end(output);
      code = HYDRANT__REPLACE;
    }
    break;
  case HYDRANT_REPLACE:
    if (output->ends.length == output->first_end || output->length > output->output_start) hydrant__end(output);
    code = HYDRANT__REPLACE;
    break;
  case HYDRANT_DROP:
    discard(output);
    code = HYDRANT__DROP;
    break;
  default:
    if (outcome != HYDRANT_FAIL) hydrant__fail(output, hydrant_string(""), hydrant_string(NO_OUTCOME));
    discard(output);
    give_reason(output);
    break;
  }
  forget_failure(output);
  output->outcomes[output->settled++] = code;
  output->set_count = 0;
  output->first_end = output->ends.length;
  output->input_start = output->output_start = output->length;
}

// The columns that are set on an output, each with a code per output; the others are freed.
static void finish_columns(hydrant__output *output, hydrant_transform_types_list_column_t *columns) {
  columns->len = 0;
  columns->ptr = NULL;
  if (output->column_count == 0) return;
  columns->ptr = (hydrant__column *)hydrant__new(output->column_count * sizeof(hydrant__column));
  for (size_t i = 0; i < output->column_count; i++) {
    hydrant__keys *keys = &output->columns[i];
    bool is_used = keys->codes.length > 0;
    while (keys->codes.length < output->ends.length) append(&keys->codes, 0);
    hydrant__column column = {keys->name, {keys->dictionary, keys->count}, {keys->codes.items, keys->codes.length}};
    free(keys->slots);
    if (is_used) {
      columns->ptr[columns->len++] = column;
    } else {
      hydrant_transform_types_column_free(&column);
    }
  }
  if (columns->len == 0) {
    free(columns->ptr);
    columns->ptr = NULL;
  }
  free(output->columns);
}

// A list that a length of 0 hides from whoever frees it.
static void drop_empty(void *items, size_t length) {
  if (length == 0) free(items);
}

void hydrant__finish(hydrant__output *output, hydrant_transform_types_output_t *answer) {
  finish_columns(output, &answer->records.columns);
  answer->records.payload.ptr = output->payload;
  answer->records.payload.len = output->length;
  answer->records.ends.ptr = output->ends.items;
  answer->records.ends.len = output->ends.length;
  answer->inputs.ptr = output->inputs.items;
  answer->inputs.len = output->inputs.length;
  answer->outcomes.ptr = output->outcomes;
  answer->outcomes.len = output->settled;
  answer->reasons.ptr = output->reasons;
  answer->reasons.len = output->reason_count;
  drop_empty(output->payload, output->length);
  drop_empty(output->ends.items, output->ends.length);
  drop_empty(output->inputs.items, output->inputs.length);
  drop_empty(output->outcomes, output->settled);
  drop_empty(output->reasons, output->reason_count);
  free(output->set);
}
