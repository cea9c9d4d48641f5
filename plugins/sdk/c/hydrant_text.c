// Texts and memory. Refuses to go on without memory: the instance traps, and the host tries smaller batches.
#include <stdlib.h>

#include "hydrant_internal.h"

size_t hydrant__sequence(const uint8_t *at, const uint8_t *end) {
  size_t left = (size_t)(end - at);
  if (left == 0) return 0;
  uint8_t first = at[0];
  if (first < 0x80) return 1;
  // Bounds of the second byte keep out what is overlong, surrogates, and what is beyond U+10FFFF.
  uint8_t low = 0x80, high = 0xbf;
  size_t length;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (left < length || at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

size_t hydrant__valid_length(hydrant_text text) {
  if (text.length == 0) return 0;
  const uint8_t *start = (const uint8_t *)text.bytes, *end = start + text.length, *at = start;
  while (at < end) {
    uint64_t word;
    while (end - at >= 8 && (memcpy(&word, at, 8), (word & UINT64_C(0x8080808080808080)) == 0)) at += 8;
    if (at == end) break;
    size_t length = hydrant__sequence(at, end);
    if (length == 0) break;
    at += length;
  }
  return (size_t)(at - start);
}

bool hydrant_is_utf8(hydrant_text text) { return hydrant__valid_length(text) == text.length; }

void *hydrant__new(size_t length) {
  void *memory = malloc(length > 0 ? length : 1);
  if (memory == NULL) abort();
  return memory;
}

void *hydrant__grow(void *items, size_t *capacity, size_t needed, size_t item) {
  if (needed <= *capacity) return items;
  size_t grown = *capacity < 8 ? 16 : *capacity * 2;
  if (grown < needed) grown = needed;
  if (grown > SIZE_MAX / item) abort();
  items = realloc(items, grown * item);
  if (items == NULL) abort();
  *capacity = grown;
  return items;
}

plugin_string_t hydrant__copy(hydrant_text text) {
  plugin_string_t copy = {NULL, 0};
  if (text.length == 0) return copy;
  size_t valid = hydrant__valid_length(text);
  // A byte that is none of UTF-8 becomes three.
  copy.ptr = (uint8_t *)hydrant__new(valid + (text.length - valid) * 3);
  memcpy(copy.ptr, text.bytes, valid);
  copy.len = valid;
  const uint8_t *at = (const uint8_t *)text.bytes + valid, *end = (const uint8_t *)text.bytes + text.length;
  while (at < end) {
    size_t length = hydrant__sequence(at, end);
    memcpy(copy.ptr + copy.len, length > 0 ? (const void *)at : "\xef\xbf\xbd", length > 0 ? length : 3);
    copy.len += length > 0 ? length : 3;
    at += length > 0 ? length : 1;
  }
  return copy;
}
