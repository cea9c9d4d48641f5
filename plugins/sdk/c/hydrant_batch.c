// Records and batches, as an author sees them. Refuses to copy a record, and to leave one without an outcome.
#include <stdlib.h>

#include "hydrant_internal.h"

// What an author asks for is rarely more; a longer piece has a block of its own.
#define SCRATCH_BYTES ((size_t)4096)

hydrant_text hydrant_data(const hydrant_record *record) {
  hydrant_text text = {(const char *)record->data, record->length};
  return text;
}

bool hydrant_record_text(hydrant_record *record, hydrant_text *text) {
  *text = hydrant_data(record);
  size_t valid = hydrant__valid_length(*text);
  if (valid == text->length) return true;
  char reason[64] = "the record is not UTF-8: byte ";
  size_t length = strlen(reason), digits = 1;
  for (size_t rest = valid; rest >= 10; rest /= 10) digits++;
  for (size_t at = length + digits; at > length; valid /= 10) reason[--at] = (char)('0' + valid % 10);
  hydrant_text told = {reason, length + digits};
  hydrant_fail(record, told);
  return false;
}

uint64_t hydrant_arrived_ms(const hydrant_record *record) {
  const plugin_list_u64_t *arrived = &record->batch->input->arrived_ms;
  return record->at < arrived->len ? arrived->ptr[record->at] : 0;
}

bool hydrant_column(const hydrant_record *record, const char *name, hydrant_text *value) {
  const hydrant_transform_types_list_column_t *columns = &record->batch->input->records.columns;
  hydrant_text asked = hydrant_string(name);
  for (size_t i = 0; i < columns->len; i++) {
    const hydrant__column *column = &columns->ptr[i];
    if (!hydrant_equal(hydrant__text(column->name), asked) || record->at >= column->codes.len) continue;
    uint32_t code = column->codes.ptr[record->at];
    if (code == 0 || code > column->dictionary.len) continue;
    *value = hydrant__text(column->dictionary.ptr[code - 1]);
    return true;
  }
  return false;
}

const hydrant_context *hydrant_record_context(const hydrant_record *record) { return record->batch->context; }

void *hydrant_scratch(hydrant_record *record, size_t length) {
  hydrant__block **first = &record->batch->scratch;
  size_t room = (length + 15) & ~(size_t)15;
  if (room < length) abort();
  if (*first == NULL || (*first)->capacity - (*first)->used < room) {
    size_t capacity = room > SCRATCH_BYTES ? room : SCRATCH_BYTES;
    hydrant__block *block = (hydrant__block *)hydrant__new(32 + capacity);
    block->next = *first;
    block->capacity = capacity;
    block->used = 0;
    *first = block;
  }
  uint8_t *memory = (uint8_t *)*first + 32 + (*first)->used;
  (*first)->used += room;
  return memory;
}

// Frees all blocks but one, or all.
static void clear_scratch(hydrant_batch *batch, bool is_last) {
  hydrant__block *block = batch->scratch;
  while (block != NULL && (is_last || block->next != NULL || block->capacity > SCRATCH_BYTES)) {
    hydrant__block *next = block->next;
    free(block);
    block = next;
  }
  if (block != NULL) block->used = 0;
  batch->scratch = block;
}

void hydrant_set(hydrant_record *record, const char *name, hydrant_text value) {
  hydrant__set_key(&record->batch->output, hydrant_string(name), value);
}

void hydrant_write(hydrant_record *record, hydrant_text bytes) {
  hydrant__push(&record->batch->output, bytes.bytes, bytes.length);
}

void hydrant_end_output(hydrant_record *record) { hydrant__end(&record->batch->output); }

hydrant_outcome hydrant_replace(hydrant_record *record, hydrant_text bytes) {
  hydrant_write(record, bytes);
  return HYDRANT_REPLACE;
}

hydrant_outcome hydrant_replace_many(hydrant_record *record, const hydrant_text *records, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hydrant_write(record, records[i]);
    hydrant_end_output(record);
  }
  return count > 0 ? HYDRANT_REPLACE : HYDRANT_DROP;
}

hydrant_outcome hydrant_fail(hydrant_record *record, hydrant_text reason) {
  return hydrant_fail_code(record, hydrant_string(""), reason);
}

hydrant_outcome hydrant_fail_code(hydrant_record *record, hydrant_text code, hydrant_text reason) {
  hydrant__fail(&record->batch->output, code, reason);
  return HYDRANT_FAIL;
}

hydrant_text hydrant_stream(const hydrant_context *context) { return hydrant__text(context->raw.stream); }

bool hydrant_setting(const hydrant_context *context, const char *name, hydrant_text *value) {
  hydrant_text asked = hydrant_string(name);
  for (size_t i = 0; i < context->raw.settings.len; i++) {
    if (hydrant_equal(hydrant__text(context->raw.settings.ptr[i].f0), asked)) {
      *value = hydrant__text(context->raw.settings.ptr[i].f1);
      return true;
    }
  }
  return false;
}

hydrant_record *hydrant_next(hydrant_batch *batch) {
  static const char UNSETTLED[] = "the batch function did not settle this record";
  if (batch->is_open) hydrant_settle(&batch->record, hydrant_fail(&batch->record, hydrant_string(UNSETTLED)));
  const plugin_list_u32_t *ends = &batch->input->records.ends;
  size_t at = batch->output.settled;
  if (at >= ends->len) return NULL;
  size_t start = at == 0 ? 0 : ends->ptr[at - 1];
  batch->record.data = batch->input->records.payload.ptr + start;
  batch->record.length = ends->ptr[at] - start;
  batch->record.at = at;
  batch->is_open = true;
  return &batch->record;
}

void hydrant_settle(hydrant_record *record, hydrant_outcome outcome) {
  hydrant_batch *batch = record->batch;
  if (!batch->is_open) return;
  batch->is_open = false;
  hydrant__settle(&batch->output, record->data, record->length, outcome);
  if (batch->scratch != NULL) clear_scratch(batch, false);
}

void hydrant_keep_all(hydrant_batch *batch) {
  size_t count = batch->input->records.ends.len;
  if (batch->is_open) hydrant_settle(&batch->record, HYDRANT_KEEP);
  memset(batch->output.outcomes + batch->output.settled, HYDRANT__KEEP, count - batch->output.settled);
  batch->output.settled = count;
}

size_t hydrant_batch_length(const hydrant_batch *batch) { return batch->input->records.ends.len; }

const hydrant_context *hydrant_batch_context(const hydrant_batch *batch) { return batch->context; }

void hydrant__run(const hydrant__input *input, const hydrant_context *context,
                  hydrant_transform_types_output_t *answer) {
  static const char UNVISITED[] = "the plugin's batch function did not visit this record";
  size_t count = input->records.ends.len, bytes = input->records.payload.len;
  hydrant_batch batch;
  memset(&batch, 0, sizeof batch);
  batch.input = input;
  batch.context = context;
  batch.record.batch = &batch;
  batch.output.outcomes = (uint8_t *)hydrant__new(count);
  batch.output.expected = bytes + bytes / 4 + 64;
  hydrant_plugin_batch(&batch);
  hydrant_record *record;
  while ((record = hydrant_next(&batch)) != NULL) {
    hydrant_settle(record, hydrant_fail(record, hydrant_string(UNVISITED)));
  }
  clear_scratch(&batch, true);
  hydrant__finish(&batch.output, answer);
}

// A plugin without HYDRANT_CONFIGURE takes every setting.
__attribute__((weak)) const char *hydrant_plugin_configure(const hydrant_context *context) {
  (void)context;
  return NULL;
}
