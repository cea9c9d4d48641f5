// Runs a transform on the desk, over records, and shows what became of each. Refuses to involve WebAssembly.

package hydrant

import (
	"slices"
	"strconv"
	"strings"
)

// Input is a batch for a test. Only records are needed.
type Input struct {
	// Records are their bytes.
	Records []string
	// ArrivedMs is the arrival of each record; 0 for those that have none.
	ArrivedMs []uint64
	// Columns are values that an earlier processor set, by name, one for each record; an empty one means "not set".
	Columns map[string][]string
	// Stream and Settings make the context.
	Stream   string
	Settings map[string]string
}

// Fate is what became of one record.
type Fate struct {
	// Outcome is one of the four.
	Outcome Outcome
	// Delivered is what replaces it, with [Replace] only.
	Delivered []Delivered
	// Code and Reason are why it failed, with [Fail] only.
	Code, Reason string
}

// Delivered is one output record.
type Delivered struct {
	// Data is its bytes.
	Data string
	// Columns are the partition keys and reserved columns that are set on it.
	Columns map[string]string
}

// Run runs a function of one record over records that arrived at 0.
func Run[T Transform](transform T, records ...string) []Fate {
	return RunInput(transform, Input{Records: records})
}

// RunInput runs a function of one record over a batch.
func RunInput[T Transform](transform T, input Input) []Fate {
	function := plain(transform)
	return RunBatch(func(batch *Batch) { batch.Each(function) }, input)
}

// RunBatch runs a function of a batch.
func RunBatch(transform func(*Batch), input Input) []Fate {
	tried := plugin{batch: transform, context: NewContext(input.Stream, input.Settings)}
	return fates(tried.run(input.columnar()))
}

// RunRegistered configures what the program registered, and runs it. The error is what configure said.
func RunRegistered(input Input) ([]Fate, error) {
	tried := registered
	if err := tried.start(NewContext(input.Stream, input.Settings)); err != nil {
		return nil, err
	}
	return fates(tried.run(input.columnar())), nil
}

// Texts are the replacements; empty unless replaced.
func (f Fate) Texts() []string {
	texts := make([]string, 0, len(f.Delivered))
	for _, delivered := range f.Delivered {
		texts = append(texts, delivered.Data)
	}
	return texts
}

// String is for the message of a failed test.
func (f Fate) String() string {
	text := f.Outcome.String()
	for _, delivered := range f.Delivered {
		text += " " + strconv.Quote(delivered.Data)
		names := make([]string, 0, len(delivered.Columns))
		for name := range delivered.Columns {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			text += " " + name + "=" + strconv.Quote(delivered.Columns[name])
		}
	}
	if f.Outcome == Fail {
		text += " " + strings.TrimLeft(f.Code+": ", ": ") + f.Reason
	}
	return text
}

func (i Input) columnar() *input {
	batch := &input{arrivedMs: i.ArrivedMs}
	for _, record := range i.Records {
		batch.payload = append(batch.payload, record...)
		batch.ends = append(batch.ends, offset(len(batch.payload)))
	}
	for name, values := range i.Columns {
		written := keys{name: name}
		for _, value := range values {
			code := uint32(0)
			if value != "" {
				code, _ = written.code(value)
			}
			written.codes = append(written.codes, code)
		}
		batch.columns = append(batch.columns, column{name, written.dictionary, written.codes})
	}
	return batch
}

func fates(answer *output) []Fate {
	fates := make([]Fate, len(answer.outcomes))
	for at, code := range answer.outcomes {
		fates[at].Outcome = Outcome(code) + Keep
	}
	for _, reason := range answer.reasons {
		fates[reason.input].Code, fates[reason.input].Reason = reason.Code, reason.Reason
	}
	columns := answer.finish()
	start := uint32(0)
	for at, end := range answer.ends {
		delivered := Delivered{Data: string(answer.payload[start:end]), Columns: map[string]string{}}
		for _, column := range columns {
			if code := column.codes[at]; code > 0 {
				delivered.Columns[column.name] = column.dictionary[code-1]
			}
		}
		fate := &fates[answer.inputs[at]]
		fate.Delivered = append(fate.Delivered, delivered)
		start = end
	}
	return fates
}
