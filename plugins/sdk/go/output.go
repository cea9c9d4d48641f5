// The one payload that all replacements of a batch are written to. Refuses to reorder or to take back a closed input.

package hydrant

import (
	"math"
	"strings"
	"unicode/utf8"
)

// output is the answer to a batch, in the columns of the world.
type output struct {
	payload  []byte
	ends     []uint32
	inputs   []uint32
	outcomes []byte
	reasons  []reason
	columns  []*keys
	// set is column and code of what was set for the input at hand.
	set []setKey
	// failure is why the input at hand fails, and misuse why it fails whatever its outcome.
	failure Failure
	misuse  string
	// firstEnd, inputStart and recordStart are where the input at hand and the output being written began.
	firstEnd, inputStart, recordStart int
	// expectedBytes is what the first write reserves: most replacements are about as long as their inputs.
	expectedBytes int
}

// reason is why an input failed.
type reason struct {
	input uint32
	Failure
}

// keys is a column being written.
type keys struct {
	name       string
	dictionary []string
	// known finds a value's code once the dictionary is too long to look through.
	known map[string]uint32
	codes []uint32
}

type setKey struct {
	column int
	code   uint32
}

// Codes of output.outcomes, as the world defines them.
const (
	keepCode byte = iota
	replaceCode
	dropCode
	failCode
)

const (
	// Up to this length the payload doubles.
	doublingBytes = 8 << 20
	// Then it takes at once what a host allows for a batch: memory that is not written to costs nothing, and a copy at
	// that length would need it twice.
	largeBytes = 64 << 20
)

func newOutput(count, payloadBytes int) *output {
	return &output{outcomes: make([]byte, 0, count), expectedBytes: payloadBytes + payloadBytes/4 + 64}
}

func (o *output) push(data []byte) {
	if len(data) > cap(o.payload)-len(o.payload) {
		o.grow(len(o.payload) + len(data))
	}
	o.payload = append(o.payload, data...)
}

func (o *output) grow(needed int) {
	capacity := max(o.expectedBytes, 2*cap(o.payload), needed)
	if capacity > doublingBytes {
		capacity = largeBytes
		if needed > largeBytes {
			capacity = needed + needed/4
		}
	}
	grown := make([]byte, len(o.payload), capacity)
	copy(grown, o.payload)
	o.payload = grown
}

func (o *output) endRecord() {
	at := len(o.ends)
	o.ends = append(o.ends, offset(len(o.payload)))
	o.inputs = append(o.inputs, offset(len(o.outcomes)))
	for _, set := range o.set {
		o.columns[set.column].put(at, set.code)
	}
	o.recordStart = len(o.payload)
}

func (o *output) setKey(name, value string) {
	at := 0
	for at < len(o.columns) && o.columns[at].name != name {
		at++
	}
	if at == len(o.columns) {
		if !utf8.ValidString(name) {
			o.misuse = "the name of a key is not UTF-8"
			return
		}
		o.columns = append(o.columns, &keys{name: name})
	}
	code, ok := o.columns[at].code(value)
	if !ok {
		o.misuse = "the value of key " + name + " is not UTF-8"
		return
	}
	for i := range o.set {
		if o.set[i].column == at {
			o.set[i].code = code
			return
		}
	}
	o.set = append(o.set, setKey{at, code})
}

// settle closes the input at hand, whose bytes are data.
func (o *output) settle(data []byte, outcome Outcome) {
	if o.misuse != "" {
		outcome, o.failure = Fail, Failure{Reason: o.misuse}
		o.misuse = ""
	}
	code := keepCode
	switch outcome {
	case Keep:
		o.discard()
		// Keys belong to outputs, so a kept record with keys is delivered as a copy of itself.
		if len(o.set) > 0 {
			o.push(data)
			o.endRecord()
			code = replaceCode
		}
	case Replace:
		if len(o.ends) == o.firstEnd || len(o.payload) > o.recordStart {
			o.endRecord()
		}
		code = replaceCode
	case Drop:
		o.discard()
		code = dropCode
	default:
		if outcome != Fail {
			o.failure = Failure{Reason: noOutcome}
		}
		o.discard()
		if o.failure != (Failure{}) {
			o.reasons = append(o.reasons, reason{offset(len(o.outcomes)), valid(o.failure)})
		}
		code = failCode
	}
	o.failure = Failure{}
	o.outcomes = append(o.outcomes, code)
	o.set = o.set[:0]
	o.firstEnd = len(o.ends)
	o.inputStart = len(o.payload)
	o.recordStart = len(o.payload)
}

const noOutcome = "the transform returned no outcome: " +
	"return hydrant.Keep, hydrant.Drop, record.Replace(…) or record.Fail(…)"

// discard forgets what was written for the input at hand.
func (o *output) discard() {
	if len(o.payload) == o.inputStart && len(o.ends) == o.firstEnd {
		return
	}
	o.payload = o.payload[:o.inputStart]
	o.ends = o.ends[:o.firstEnd]
	o.inputs = o.inputs[:o.firstEnd]
	for _, column := range o.columns {
		column.codes = column.codes[:min(o.firstEnd, len(column.codes))]
	}
	o.recordStart = o.inputStart
}

// finish is the columns that are set on an output, each with a code per output.
func (o *output) finish() []*keys {
	used := o.columns[:0]
	for _, column := range o.columns {
		if len(column.codes) > 0 {
			column.fill(len(o.ends))
			used = append(used, column)
		}
	}
	return used
}

func (k *keys) put(at int, code uint32) {
	k.fill(at)
	k.codes = append(k.codes, code)
}

// fill says "not set" for outputs that were ended without this key.
func (k *keys) fill(count int) {
	for len(k.codes) < count {
		k.codes = append(k.codes, 0)
	}
}

func (k *keys) code(value string) (code uint32, ok bool) {
	if k.known == nil {
		for i, known := range k.dictionary {
			if known == value {
				return uint32(i + 1), true
			}
		}
	} else if code, isKnown := k.known[value]; isKnown {
		return code, true
	}
	if !utf8.ValidString(value) {
		return 0, false
	}
	k.dictionary = append(k.dictionary, value)
	code = offset(len(k.dictionary))
	if k.known != nil {
		k.known[value] = code
	} else if len(k.dictionary) > shortDictionary {
		k.known = make(map[string]uint32, 4*shortDictionary)
		for i, known := range k.dictionary {
			k.known[known] = uint32(i + 1)
		}
	}
	return code, true
}

// shortDictionary is how many values are compared faster than hashed.
const shortDictionary = 8

// valid mends what is not UTF-8 in texts for people: the boundary refuses it.
func valid(failure Failure) Failure {
	return Failure{Code: validText(failure.Code), Reason: validText(failure.Reason)}
}

func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// offset is 32 bits because a guest's memory is; a native test that writes 4 GiB would saturate.
func offset(length int) uint32 { return uint32(min(length, math.MaxUint32)) }
