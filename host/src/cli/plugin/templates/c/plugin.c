// A Hydrant plugin: a function of one record.
//
// This one drops heartbeats, fails what is no text, and puts every other record on one line of its own.
#include "hydrant_plugin.h"

static bool contains(hydrant_text text, hydrant_text wanted) {
  for (; text.length >= wanted.length; text.bytes++, text.length--) {
    if (memcmp(text.bytes, wanted.bytes, wanted.length) == 0) return true;
  }
  return false;
}

static bool is_space(char letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

static hydrant_text trim(hydrant_text text) {
  while (text.length > 0 && is_space(text.bytes[0])) text.bytes++, text.length--;
  while (text.length > 0 && is_space(text.bytes[text.length - 1])) text.length--;
  return text;
}

// Called once for each record. HYDRANT_FAIL sends the record to the error output, with the reason that was set.
static hydrant_outcome transform(hydrant_record *record) {
  hydrant_text text;
  if (!hydrant_record_text(record, &text)) return HYDRANT_FAIL;
  if (contains(text, hydrant_string("heartbeat"))) return HYDRANT_DROP;
  hydrant_write(record, trim(text));
  hydrant_write(record, hydrant_string("\n"));
  return HYDRANT_REPLACE;
}

HYDRANT_PLUGIN(transform);
