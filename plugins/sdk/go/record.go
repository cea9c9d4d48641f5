// One record, as an author sees it. Refuses to copy it.

package hydrant

import (
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Record is one record, and where its replacements go. It is valid until the transform returns; its bytes and text may
// be kept until the batch ends.
type Record struct {
	data  []byte
	at    int
	batch *Batch
}

// Data is the record's bytes. Read them; write to the record itself.
func (r *Record) Data() []byte { return r.data }

// Text is the record's bytes as text. The error, when they are not UTF-8, fails the record if it is returned.
func (r *Record) Text() (string, error) {
	if !utf8.Valid(r.data) {
		at := 0
		for {
			letter, size := utf8.DecodeRune(r.data[at:])
			if letter == utf8.RuneError && size <= 1 {
				return "", Failure{Reason: "the record is not UTF-8: byte " + strconv.Itoa(at)}
			}
			at += size
		}
	}
	// Nobody writes to a batch's input, so the bytes need no copy.
	return unsafe.String(unsafe.SliceData(r.data), len(r.data)), nil
}

// ArrivedMs is when the record arrived, milliseconds since 1970.
func (r *Record) ArrivedMs() uint64 {
	if r.at < len(r.batch.input.arrivedMs) {
		return r.batch.input.arrivedMs[r.at]
	}
	return 0
}

// Column is the record's value in a column that an earlier processor set.
func (r *Record) Column(name string) (value string, isSet bool) {
	for i := range r.batch.input.columns {
		column := &r.batch.input.columns[i]
		if column.name == name && r.at < len(column.codes) {
			if code := int(column.codes[r.at]); code > 0 && code <= len(column.dictionary) {
				return column.dictionary[code-1], true
			}
		}
	}
	return "", false
}

// Context is the stream and the operator's settings.
func (r *Record) Context() *Context { return r.batch.context }

// Set sets a partition key (or, with a name beginning with `$`, a reserved column) on every output of this record that
// is not ended yet. A name or value that is not UTF-8 fails the record.
func (r *Record) Set(name, value string) { r.batch.output.setKey(name, value) }

// Write appends to the record's output; then return [Replace]. It never fails, and makes the record an io.Writer.
func (r *Record) Write(data []byte) (int, error) {
	r.batch.output.push(data)
	return len(data), nil
}

// WriteString appends to the record's output, as [Record.Write] does.
func (r *Record) WriteString(text string) (int, error) {
	r.batch.output.push(bytesOf(text))
	return len(text), nil
}

// EndOutput ends the output being written and begins another one of the same record. The last one needs no end.
func (r *Record) EndOutput() { r.batch.output.endRecord() }

// Replace replaces the record by one of these bytes.
func (r *Record) Replace(data []byte) Outcome {
	r.batch.output.push(data)
	return Replace
}

// ReplaceString replaces the record by one of this text.
func (r *Record) ReplaceString(text string) Outcome {
	r.batch.output.push(bytesOf(text))
	return Replace
}

// ReplaceMany replaces the record by several; by none at all means to drop it.
func (r *Record) ReplaceMany(records [][]byte) Outcome {
	for _, data := range records {
		r.batch.output.push(data)
		r.batch.output.endRecord()
	}
	return orDrop(len(records))
}

// ReplaceStrings replaces the record by several; by none at all means to drop it.
func (r *Record) ReplaceStrings(records []string) Outcome {
	for _, text := range records {
		r.batch.output.push(bytesOf(text))
		r.batch.output.endRecord()
	}
	return orDrop(len(records))
}

// Fail sends the record to the error output. The reason is for people; do not put payload into it.
func (r *Record) Fail(reason string) Outcome { return r.FailCode("", reason) }

// FailCode is [Record.Fail] with a code for machines: 1 to 64 of `A-Z a-z 0-9 . _ -`.
func (r *Record) FailCode(code, reason string) Outcome {
	r.batch.output.failure = Failure{Code: code, Reason: reason}
	return Fail
}

func (r *Record) failWith(err error) Outcome {
	failure, _ := failureIn(err)
	return r.FailCode(failure.Code, err.Error())
}

func orDrop(count int) Outcome {
	if count == 0 {
		return Drop
	}
	return Replace
}

// bytesOf is a text's bytes, not to be written to.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }
