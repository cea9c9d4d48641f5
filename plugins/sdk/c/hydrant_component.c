// The component's side of the boundary, in WebAssembly only: hands the ABI's lists to the SDK and back. Refuses to copy
// a batch.
#include "hydrant_internal.h"

#ifdef __wasm__

// Sets the adapter's clock and dice, which the world has no place for.
__attribute__((import_module("wasi_snapshot_preview1"), import_name("hydrant_begin"))) void
hydrant__begin(uint64_t now_ms, uint64_t seed);

// What configure was given; the context of every batch.
static hydrant_context configured;

static uint64_t newest(const hydrant__input *batch) {
  uint64_t newest = 0;
  for (size_t i = 0; i < batch->arrived_ms.len; i++) {
    if (batch->arrived_ms.ptr[i] > newest) newest = batch->arrived_ms.ptr[i];
  }
  return newest;
}

// Tells batches apart, and is the same for the same batch: it looks at no more than some 64 places of it.
static uint64_t seed(const hydrant__input *batch, uint64_t now_ms) {
  size_t length = batch->records.payload.len, step = length / 64 > 8 ? length / 64 : 8;
  uint64_t mixed = (uint64_t)length << 32 ^ now_ms;
  for (size_t at = 0; at + 8 <= length; at += step) {
    uint64_t word;
    memcpy(&word, batch->records.payload.ptr + at, 8);
    mixed = (mixed ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
  }
  return mixed;
}

bool exports_hydrant_transform_transform_configure(hydrant_transform_types_context_t *context, plugin_string_t *error) {
  hydrant_transform_types_context_free(&configured.raw);
  configured.raw = *context;
  const char *told = hydrant_plugin_configure(&configured);
  if (told == NULL) return true;
  *error = hydrant__copy(hydrant_string(told));
  return false;
}

void exports_hydrant_transform_transform_apply(hydrant_transform_types_batch_t *batch,
                                               hydrant_transform_types_output_t *answer) {
  uint64_t now_ms = newest(batch);
  hydrant__begin(now_ms, seed(batch, now_ms));
  hydrant__run(batch, &configured, answer);
  hydrant_transform_types_batch_free(batch);
}

void hydrant_log(hydrant_level level, hydrant_text line) {
  plugin_string_t message = {(uint8_t *)line.bytes, line.length};
  if (hydrant_is_utf8(line)) {
    hydrant_transform_log_log((hydrant_transform_log_level_t)level, &message);
    return;
  }
  message = hydrant__copy(line);
  hydrant_transform_log_log((hydrant_transform_log_level_t)level, &message);
  plugin_string_free(&message);
}

// The bindings want it of an object file that names the world; `hydrant plugin build` names it instead.
void __component_type_object_force_link_plugin(void);
void __component_type_object_force_link_plugin(void) {}

#endif
