// A batch, as an author who wants speed sees it. Refuses to leave a record without an outcome.

package hydrant

import "runtime"

// Batch is consecutive records of one stream.
type Batch struct {
	input   *input
	output  *output
	context *Context
	record  Record
	isEach  bool
	// One stack a batch: a thousand equal ones would bury the first.
	isStackLogged bool
}

// input is the columns of a batch.
type input struct {
	payload   []byte
	ends      []uint32
	arrivedMs []uint64
	columns   []column
}

// column is a dictionary-coded text column; code 0 means "not set".
type column struct {
	name       string
	dictionary []string
	codes      []uint32
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.input.ends) }

// Payload is all records' bytes, laid end to end: where each ends is in [Batch.Ends]. Read them only.
func (b *Batch) Payload() []byte { return b.input.payload }

// Ends is where each record ends in [Batch.Payload]. Read them only.
func (b *Batch) Ends() []uint32 { return b.input.ends }

// Context is the stream and the operator's settings.
func (b *Batch) Context() *Context { return b.context }

// Each settles every record in order. A second call finds none left; a record that was never visited fails.
func (b *Batch) Each(transform func(*Record) Outcome) {
	if b.isEach {
		panic("hydrant: Each inside Each")
	}
	b.isEach = true
	for len(b.output.outcomes) < len(b.input.ends) {
		b.run(transform)
	}
	b.isEach = false
}

// KeepAll keeps every record that has no outcome yet: the cheapest answer.
func (b *Batch) KeepAll() {
	if b.isEach {
		panic("hydrant: KeepAll inside Each")
	}
	// Code 0 is "keep", and the slice was made for all inputs.
	kept := b.output.outcomes[:len(b.input.ends)]
	clear(kept[len(b.output.outcomes):])
	b.output.outcomes = kept
}

// run settles records until the last one, or until one panics, which it fails.
func (b *Batch) run(transform func(*Record) Outcome) {
	defer b.failPanic()
	start := 0
	if at := len(b.output.outcomes); at > 0 {
		start = int(b.input.ends[at-1])
	}
	record := &b.record
	for at := len(b.output.outcomes); at < len(b.input.ends); at++ {
		end := int(b.input.ends[at])
		record.data, record.at, record.batch = b.input.payload[start:end:end], at, b
		outcome := transform(record)
		b.output.settle(b.input.payload[start:end], outcome)
		start = end
	}
}

func (b *Batch) failPanic() {
	if value := recover(); value != nil {
		b.noteStack(value)
		b.output.failure = Failure{Reason: "panic: " + describe(value)}
		b.output.settle(nil, Fail)
	}
}

func (b *Batch) noteStack(value any) {
	if !b.isStackLogged {
		b.isStackLogged = true
		logStack(value)
	}
}

// run settles a whole batch.
func (p *plugin) run(input *input) *output {
	output := newOutput(len(input.ends), len(input.payload))
	batch := &Batch{input: input, output: output, context: p.context}
	if batch.context == nil { // a host configures before it applies
		batch.context = &Context{}
	}
	unvisited := Failure{Reason: "the plugin's batch function did not visit this record"}
	if p.batch != nil {
		if told := p.guarded(batch); told != "" {
			unvisited.Reason = told
		}
	}
	batch.isEach = false
	batch.Each(func(record *Record) Outcome { return record.failWith(unvisited) })
	return output
}

// guarded calls the batch function; the text is what it panicked with outside of Each.
func (p *plugin) guarded(batch *Batch) (told string) {
	defer func() {
		if value := recover(); value != nil {
			batch.noteStack(value)
			told = "panic: " + describe(value)
		}
	}()
	p.batch(batch)
	return ""
}

// logStack tells the author where a panic came from.
func logStack(value any) {
	stack := make([]byte, stackBytes)
	stack = stack[:runtime.Stack(stack, false)]
	Warn("panic: " + describe(value) + "\n" + string(stack))
}

const stackBytes = 4096
