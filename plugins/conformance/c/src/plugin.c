// The conformance guest in C: what the SDK offers, asked for by settings and records, so that one suite can hold every
// language to the same answers. Refuses to guess: a record that asks for nothing known fails.
#include "conformance.h"

static const char *configure(const hydrant_context *context) {
  static char message[1024];
  hydrant_text refuse;
  if (!hydrant_setting(context, "refuse", &refuse)) return NULL;
  size_t length = refuse.length < sizeof message - 1 ? refuse.length : sizeof message - 1;
  memcpy(message, refuse.bytes, length);
  message[length] = 0;
  return message;
}

static void transform(hydrant_batch *batch) {
  hydrant_text mode = {"", 0};
  hydrant_record *record;
  hydrant_setting(hydrant_batch_context(batch), "mode", &mode);
  if (hydrant_equal(mode, hydrant_string("keep"))) {
    hydrant_keep_all(batch);
  } else if (hydrant_equal(mode, hydrant_string("edit"))) {
    while ((record = hydrant_next(batch)) != NULL) hydrant_settle(record, edit(record));
  } else {
    while ((record = hydrant_next(batch)) != NULL) hydrant_settle(record, scenario(record));
  }
}

HYDRANT_PLUGIN_BATCH(transform);
HYDRANT_CONFIGURE(configure);
