// JSON read in one pass over the text, by RFC 8259. Refuses recursion: what is open is a bit each, up to a bound.
#include "hydrant_json.h"

#include "hydrant_internal.h"

// A place in the text. What is not as expected moves it to NULL, and there it stays.
typedef struct {
  const uint8_t *at, *end;
  size_t spaces;
} scanner;

static bool refuse(scanner *scan) {
  scan->at = NULL;
  return false;
}

static inline void skip_space(scanner *scan) {
  while (scan->at < scan->end && *scan->at <= ' ') {
    if (*scan->at != ' ' && *scan->at != '\n' && *scan->at != '\r' && *scan->at != '\t') return;
    scan->at++;
    scan->spaces++;
  }
}

static bool take(scanner *scan, uint8_t byte) {
  if (scan->at == scan->end || *scan->at != byte) return false;
  scan->at++;
  return true;
}

#define EACH(byte) ((uint64_t)(byte) * UINT64_C(0x0101010101010101))
#define IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

static bool is_plain(uint8_t byte) { return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\'; }

// Up to the first quote, backslash, control or byte that is not ASCII: eight at a time, with the usual trick for "has a
// zero byte". A borrow can only mark a byte above one that is marked rightly, and the lowest one is taken.
static const uint8_t *plain(const uint8_t *at, const uint8_t *end) {
  while (IS_LITTLE_ENDIAN && end - at >= 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    uint64_t quote = word ^ EACH('"'), backslash = word ^ EACH('\\');
    uint64_t special = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash) | (word - EACH(0x20)) | word;
    special &= EACH(0x80);
    if (special != 0) return at + __builtin_ctzll(special) / 8;
    at += 8;
  }
  while (at < end && is_plain(*at)) at++;
  return at;
}

static int hex(uint8_t digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Four hexadecimal digits; -1 when they are none.
static int32_t unit(const uint8_t *at, const uint8_t *end) {
  if (end - at < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Behind the opening quote; moves behind the closing one.
static bool scan_string(scanner *scan) {
  const uint8_t *at = scan->at;
  for (;;) {
    at = plain(at, scan->end);
    if (at == scan->end || *at < 0x20) return refuse(scan);
    if (*at == '"') break;
    if (*at != '\\') {
      size_t length = hydrant__sequence(at, scan->end);
      if (length == 0) return refuse(scan);
      at += length;
      continue;
    }
    if (scan->end - at < 2) return refuse(scan);
    if (at[1] == 'u') {
      if (unit(at + 2, scan->end) < 0) return refuse(scan);
      at += 6;
    } else {
      if (at[1] == 0 || strchr("\"\\/bfnrt", at[1]) == NULL) return refuse(scan);
      at += 2;
    }
  }
  scan->at = at + 1;
  return true;
}

static bool take_digits(scanner *scan) {
  const uint8_t *start = scan->at;
  while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') scan->at++;
  return scan->at > start;
}

static bool scan_number(scanner *scan) {
  take(scan, '-');
  if (!take(scan, '0') && !take_digits(scan)) return refuse(scan);
  if (take(scan, '.') && !take_digits(scan)) return refuse(scan);
  if (take(scan, 'e') || take(scan, 'E')) {
    if (!take(scan, '+')) take(scan, '-');
    if (!take_digits(scan)) return refuse(scan);
  }
  return true;
}

static bool scan_word(scanner *scan, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0) return refuse(scan);
  scan->at += length;
  return true;
}

// A value that is neither object nor array; its kind, or none.
static hydrant_json_kind scan_plain(scanner *scan) {
  if (scan->at == scan->end) return refuse(scan), HYDRANT_JSON_NONE;
  switch (*scan->at) {
  case '"':
    scan->at++;
    return scan_string(scan) ? HYDRANT_JSON_STRING : HYDRANT_JSON_NONE;
  case 't':
    return scan_word(scan, "true") ? HYDRANT_JSON_BOOLEAN : HYDRANT_JSON_NONE;
  case 'f':
    return scan_word(scan, "false") ? HYDRANT_JSON_BOOLEAN : HYDRANT_JSON_NONE;
  case 'n':
    return scan_word(scan, "null") ? HYDRANT_JSON_NULL : HYDRANT_JSON_NONE;
  default:
    return scan_number(scan) ? HYDRANT_JSON_NUMBER : HYDRANT_JSON_NONE;
  }
}

// Writes one code point; returns its length.
static size_t encode(uint32_t point, char *to) {
  if (point < 0x80) {
    to[0] = (char)point;
    return 1;
  }
  size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  static const uint8_t firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = length - 1; i > 0; i--, point >>= 6) to[i] = (char)(0x80 | (point & 0x3f));
  to[0] = (char)(firsts[length] | point);
  return length;
}

// Undoes the escape at `at`, which is valid; moves behind it and returns the length of what is written, at most four.
static size_t unescape(const uint8_t **at, const uint8_t *end, char *to) {
  static const char from[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  uint8_t letter = (*at)[1];
  if (letter != 'u') {
    *at += 2;
    to[0] = meant[strchr(from, letter) - from];
    return 1;
  }
  uint32_t point = (uint32_t)unit(*at + 2, end);
  *at += 6;
  if (point >= 0xd800 && point <= 0xdfff) {
    int32_t low = point <= 0xdbff && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? unit(*at + 2, end) : -1;
    if (low >= 0xdc00 && low <= 0xdfff) {
      *at += 6;
      point = 0x10000 + ((point - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    } else {
      point = 0xfffd; // half of a pair is no character
    }
  }
  return encode(point, to);
}

// Unquotes what is between the quotes of a valid string; never longer than it is written.
static size_t unquote(const uint8_t *at, const uint8_t *end, char *to) {
  size_t length = 0;
  while (at < end) {
    const uint8_t *escape = (const uint8_t *)memchr(at, '\\', (size_t)(end - at));
    size_t run = (size_t)((escape == NULL ? end : escape) - at);
    memcpy(to + length, at, run);
    length += run;
    at += run;
    if (at < end) length += unescape(&at, end, to + length);
  }
  return length;
}

// A name without its quotes.
typedef struct {
  const uint8_t *at, *end;
} quoted;

static bool is_named(quoted text, const char *name) {
  const uint8_t *at = text.at;
  while (at < text.end) {
    char letters[4] = {(char)*at};
    size_t length = 1;
    if (*at == '\\') {
      length = unescape(&at, text.end, letters);
    } else {
      at++;
    }
    // A NUL in the text ends the comparison as it ends the name.
    for (size_t i = 0; i < length; i++, name++) {
      if (*name == 0 || *name != letters[i]) return false;
    }
  }
  return *name == 0;
}

// What is open: one bit for each, set for objects.
typedef struct {
  uint64_t bits[HYDRANT_JSON_DEPTH / 64];
  size_t depth;
} nesting;

static bool is_object(const nesting *open) {
  return (open->bits[(open->depth - 1) / 64] >> ((open->depth - 1) % 64) & 1) != 0;
}

static bool enter(nesting *open, bool object) {
  if (open->depth == HYDRANT_JSON_DEPTH) return false;
  uint64_t bit = UINT64_C(1) << (open->depth % 64);
  if (object) {
    open->bits[open->depth / 64] |= bit;
  } else {
    open->bits[open->depth / 64] &= ~bit;
  }
  open->depth++;
  return true;
}

// Behind `{` or a comma in an object: a name and its colon. Only the names of the outermost object are noted.
static bool scan_name(scanner *scan, const nesting *open, quoted *name) {
  skip_space(scan);
  if (!take(scan, '"')) return refuse(scan);
  const uint8_t *start = scan->at;
  if (!scan_string(scan)) return false;
  if (open->depth == 1) {
    name->at = start;
    name->end = scan->at - 1;
  }
  skip_space(scan);
  if (!take(scan, ':')) return refuse(scan);
  skip_space(scan);
  return true;
}

static hydrant_json found(hydrant_json_kind kind, const uint8_t *start, const scanner *scan, size_t spaces) {
  hydrant_json value = {kind, {(const char *)start, (size_t)(scan->at - start)}, scan->spaces == spaces};
  return value;
}

hydrant_json hydrant_json_read(hydrant_text text, hydrant_json_member *members, size_t count) {
  const hydrant_json none = {HYDRANT_JSON_NONE, {"", 0}, true};
  scanner scan = {(const uint8_t *)text.bytes, (const uint8_t *)text.bytes + text.length, 0};
  nesting open;
  open.depth = 0;
  for (size_t i = 0; i < count; i++) members[i].value = none;
  if (text.length == 0) return none;
  skip_space(&scan);
  const uint8_t *start = scan.at, *member = NULL;
  quoted name = {NULL, NULL};
  size_t spaces = scan.spaces, member_spaces = 0;
  hydrant_json_kind kind = HYDRANT_JSON_NONE, member_kind = HYDRANT_JSON_NONE;
  for (;;) {
    // At the beginning of a value.
    hydrant_json_kind ended;
    bool object = scan.at < scan.end && *scan.at == '{';
    if (open.depth == 1) member = scan.at, member_spaces = scan.spaces;
    if (object || (scan.at < scan.end && *scan.at == '[')) {
      ended = object ? HYDRANT_JSON_OBJECT : HYDRANT_JSON_ARRAY;
      if (open.depth == 0) kind = ended;
      if (open.depth == 1) member_kind = ended;
      scan.at++;
      if (!enter(&open, object)) return none;
      skip_space(&scan);
      if (!take(&scan, object ? '}' : ']')) {
        if (object && !scan_name(&scan, &open, &name)) return none;
        continue;
      }
      open.depth--;
    } else {
      ended = scan_plain(&scan);
      if (ended == HYDRANT_JSON_NONE) return none;
      if (open.depth == 0) kind = ended;
      if (open.depth == 1) member_kind = ended;
    }
    // Behind a value: close what ends here, or go on to the next one.
    for (;;) {
      if (open.depth == 0) {
        hydrant_json whole = found(kind, start, &scan, spaces);
        skip_space(&scan);
        return scan.at == scan.end ? whole : none;
      }
      object = is_object(&open);
      if (object && open.depth == 1) {
        for (size_t i = 0; i < count; i++) {
          if (is_named(name, members[i].name)) {
            members[i].value = found(member_kind, member, &scan, member_spaces);
          }
        }
      }
      skip_space(&scan);
      if (take(&scan, ',')) {
        if (object && !scan_name(&scan, &open, &name)) return none;
        if (!object) skip_space(&scan);
        break;
      }
      if (!take(&scan, object ? '}' : ']')) return none;
      open.depth--;
    }
  }
}

bool hydrant_json_string(hydrant_record *record, hydrant_json value, hydrant_text *text) {
  if (value.kind != HYDRANT_JSON_STRING) return false;
  text->bytes = value.text.bytes + 1;
  text->length = value.text.length - 2;
  if (text->length == 0 || memchr(text->bytes, '\\', text->length) == NULL) return true;
  const uint8_t *start = (const uint8_t *)text->bytes;
  char *unquoted = (char *)hydrant_scratch(record, text->length);
  text->length = unquote(start, start + text->length, unquoted);
  text->bytes = unquoted;
  return true;
}

void hydrant_json_write(hydrant_record *record, hydrant_json value) {
  if (value.is_compact) {
    hydrant_write(record, value.text);
    return;
  }
  scanner scan = {(const uint8_t *)value.text.bytes, (const uint8_t *)value.text.bytes + value.text.length, 0};
  while (scan.at < scan.end) {
    const uint8_t *start = scan.at;
    while (scan.at < scan.end && *scan.at > ' ') {
      // The text was read before, so a string has an end.
      if (*scan.at++ == '"' && !scan_string(&scan)) return;
    }
    hydrant_text run = {(const char *)start, (size_t)(scan.at - start)};
    hydrant_write(record, run);
    skip_space(&scan);
    if (scan.at < scan.end && *scan.at <= ' ' && scan.at == start) return;
  }
}

void hydrant_json_write_string(hydrant_record *record, hydrant_text text) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *at = (const uint8_t *)text.bytes, *end = at + text.length;
  hydrant_write(record, hydrant_string("\""));
  while (at < end) {
    const uint8_t *start = at;
    at = plain(at, end);
    size_t length;
    while (at < end && *at >= 0x80 && (length = hydrant__sequence(at, end)) > 0) at = plain(at + length, end);
    hydrant_text run = {(const char *)start, (size_t)(at - start)};
    hydrant_write(record, run);
    if (at == end) break;
    char escaped[] = {'\\', (char)*at, '0', '0', '0', '0'};
    hydrant_text more = {escaped, 2};
    if (*at >= 0x80) {
      more = hydrant_string("\xef\xbf\xbd");
    } else if (*at < 0x20) {
      escaped[1] = 'u';
      escaped[4] = digits[*at >> 4];
      escaped[5] = digits[*at & 15];
      more.length = 6;
    }
    hydrant_write(record, more);
    at++;
  }
  hydrant_write(record, hydrant_string("\""));
}

bool hydrant_json_append(hydrant_record *record, hydrant_json object, const char *name, hydrant_text value) {
  if (object.kind != HYDRANT_JSON_OBJECT) return false;
  // Without the closing brace it is still what the writer goes through token by token.
  hydrant_json begun = object;
  begun.text.length--;
  hydrant_json_write(record, begun);
  scanner inside = {(const uint8_t *)begun.text.bytes + 1, (const uint8_t *)begun.text.bytes + begun.text.length, 0};
  skip_space(&inside);
  if (inside.at < inside.end) hydrant_write(record, hydrant_string(","));
  hydrant_json_write_string(record, hydrant_string(name));
  hydrant_write(record, hydrant_string(":"));
  hydrant_write(record, value);
  hydrant_write(record, hydrant_string("}"));
  return true;
}
