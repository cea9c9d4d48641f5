// One record, one request. Refuses what it does not know.
#include "conformance.h"

// Whether the text is the verb with something behind it, and what that is.
static bool asks(hydrant_text text, const char *verb, hydrant_text *rest) {
  size_t length = strlen(verb);
  if (text.length < length || memcmp(text.bytes, verb, length) != 0) return false;
  rest->bytes = text.bytes + length;
  rest->length = text.length - length;
  return true;
}

// Cuts at the first separator; what is behind it stays in `rest`, and false says that there was none.
static bool cut(hydrant_text *rest, char separator, hydrant_text *part) {
  const char *at = rest->length == 0 ? NULL : (const char *)memchr(rest->bytes, separator, rest->length);
  *part = *rest;
  if (at == NULL) {
    rest->length = 0;
    return false;
  }
  part->length = (size_t)(at - rest->bytes);
  rest->bytes = at + 1;
  rest->length -= part->length + 1;
  return true;
}

static hydrant_outcome replace_number(hydrant_record *record, uint64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  hydrant_text text = {digits + at, sizeof digits - at};
  return hydrant_replace(record, text);
}

static hydrant_outcome reverse(hydrant_record *record, hydrant_text data) {
  char *reversed = (char *)hydrant_scratch(record, data.length);
  for (size_t i = 0; i < data.length; i++) reversed[i] = data.bytes[data.length - 1 - i];
  hydrant_text text = {reversed, data.length};
  return hydrant_replace(record, text);
}

static hydrant_outcome unknown(hydrant_record *record) { return hydrant_fail(record, hydrant_string("unknown")); }

// A value, or a failure that names it: `asked` ends in a NUL for the SDK.
static hydrant_outcome find(hydrant_record *record, hydrant_text name, bool is_column) {
  static const char no_column[] = "no column ", no_setting[] = "no setting ";
  hydrant_text reason = hydrant_string(is_column ? no_column : no_setting), value;
  char *told = (char *)hydrant_scratch(record, reason.length + name.length + 1);
  char *asked = told + reason.length;
  memcpy(told, reason.bytes, reason.length);
  if (name.length > 0) memcpy(asked, name.bytes, name.length);
  asked[name.length] = 0;
  bool is_set = is_column ? hydrant_column(record, asked, &value)
                          : hydrant_setting(hydrant_record_context(record), asked, &value);
  return is_set ? hydrant_replace(record, value) : hydrant_fail(record, hydrant_string(told));
}

static hydrant_outcome split(hydrant_record *record, hydrant_text rest, bool has_keys) {
  hydrant_text part;
  bool is_more;
  do {
    is_more = cut(&rest, ',', &part);
    if (has_keys) hydrant_set(record, "part", part);
    hydrant_write(record, part);
    hydrant_end_output(record);
  } while (is_more);
  return HYDRANT_REPLACE;
}

static hydrant_outcome keys(hydrant_record *record, hydrant_text text) {
  hydrant_set(record, "key", text);
  hydrant_set(record, "$document-id", text);
  hydrant_set(record, "$index", hydrant_string("conformance"));
  return HYDRANT_KEEP;
}

static hydrant_outcome write_log(hydrant_record *record, hydrant_text line) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  hydrant_text level;
  cut(&line, ':', &level);
  for (int i = 0; i < 4; i++) {
    if (!hydrant_equal(level, hydrant_string(names[i]))) continue;
    hydrant_log((hydrant_level)i, line);
    return HYDRANT_DROP;
  }
  return unknown(record);
}

static hydrant_outcome count(hydrant_record *record, hydrant_text text) {
  uint64_t points = 0;
  for (size_t i = 0; i < text.length; i++) points += ((uint8_t)text.bytes[i] & 0xc0) != 0x80;
  return replace_number(record, points);
}

static hydrant_outcome repeat(hydrant_record *record, hydrant_text digits) {
  char piece[4096];
  uint64_t left = 0;
  if (digits.length == 0 || digits.length > 10) return unknown(record);
  for (size_t i = 0; i < digits.length; i++) {
    if (digits.bytes[i] < '0' || digits.bytes[i] > '9') return unknown(record);
    left = left * 10 + (uint64_t)(digits.bytes[i] - '0');
  }
  memset(piece, 'x', sizeof piece);
  while (left > 0) {
    hydrant_text text = {piece, left < sizeof piece ? (size_t)left : sizeof piece};
    hydrant_write(record, text);
    left -= text.length;
  }
  return HYDRANT_REPLACE;
}

static hydrant_outcome half(hydrant_record *record) {
  hydrant_set(record, "lost", hydrant_string("x"));
  hydrant_write(record, hydrant_string("lost"));
  hydrant_end_output(record);
  return hydrant_fail(record, hydrant_string("half"));
}

static hydrant_outcome request(hydrant_record *record, hydrant_text text) {
  hydrant_text rest, code;
  if (asks(text, "one:", &rest)) return hydrant_replace(record, rest);
  if (asks(text, "many:", &rest)) return split(record, rest, false);
  if (asks(text, "spread:", &rest)) return split(record, rest, true);
  if (asks(text, "fail:", &rest)) return hydrant_fail(record, rest);
  if (asks(text, "code:", &rest)) {
    cut(&rest, ':', &code);
    return hydrant_fail_code(record, code, rest);
  }
  if (asks(text, "keys:", &rest)) return keys(record, rest);
  if (asks(text, "setting:", &rest)) return find(record, rest, false);
  if (asks(text, "column:", &rest)) return find(record, rest, true);
  if (asks(text, "log:", &rest)) return write_log(record, rest);
  if (asks(text, "count:", &rest)) return count(record, rest);
  if (asks(text, "length:", &rest)) return replace_number(record, text.length);
  if (asks(text, "repeat:", &rest)) return repeat(record, rest);
  if (asks(text, "half:", &rest)) return half(record);
  return unknown(record);
}

hydrant_outcome scenario(hydrant_record *record) {
  hydrant_text data = hydrant_data(record), rest;
  if (data.length == 0) return hydrant_replace(record, hydrant_string("empty"));
  if ((uint8_t)data.bytes[0] == 0xff) return reverse(record, data);
  if (!hydrant_record_text(record, &data)) return HYDRANT_FAIL;
  if (asks(data, "keep", &rest)) return HYDRANT_KEEP;
  if (hydrant_equal(data, hydrant_string("none"))) return hydrant_replace_many(record, NULL, 0);
  if (hydrant_equal(data, hydrant_string("drop"))) return HYDRANT_DROP;
  if (hydrant_equal(data, hydrant_string("arrived"))) return replace_number(record, hydrant_arrived_ms(record));
  if (hydrant_equal(data, hydrant_string("stream"))) {
    return hydrant_replace(record, hydrant_stream(hydrant_record_context(record)));
  }
  return request(record, data);
}
