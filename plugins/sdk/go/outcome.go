// What becomes of a record. Refuses to carry the replacement: that was written to the output already.

package hydrant

// Outcome is what becomes of one record; every record has exactly one, and the zero value is none.
type Outcome uint8

const (
	// Keep delivers the record as it is (with the keys that were set). What was written to its output is discarded.
	Keep Outcome = iota + 1
	// Replace delivers what was written to the record's output instead; an empty record if nothing was. The methods
	// [Record.Replace], [Record.ReplaceString] and their sisters write and return it.
	Replace
	// Drop delivers nothing, on purpose.
	Drop
	// Fail sends the record to the error output. [Record.Fail] says why and returns it.
	Fail
)

// String is the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Keep:
		return "keep"
	case Replace:
		return "replace"
	case Drop:
		return "drop"
	case Fail:
		return "fail"
	}
	return "no outcome"
}

// Failure is an error with a code for machines: returned from a transform, it fails the record with both.
type Failure struct {
	// Code is what kind of failure this is: 1 to 64 of `A-Z a-z 0-9 . _ -`, or empty for the host's own.
	Code string
	// Reason is for people; do not put payload into it.
	Reason string
}

// Error is the reason.
func (f Failure) Error() string { return f.Reason }

// failureIn finds the [Failure] that an error is or wraps.
func failureIn(err error) (Failure, bool) {
	for err != nil {
		switch known := err.(type) {
		case Failure:
			return known, true
		case *Failure:
			return *known, true
		}
		wrapper, wraps := err.(interface{ Unwrap() error })
		if !wraps {
			break
		}
		err = wrapper.Unwrap()
	}
	return Failure{}, false
}
