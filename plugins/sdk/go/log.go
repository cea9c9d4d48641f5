// Lines for the host's log. Refuses to format anything itself; on the desk lines are kept for the test.

package hydrant

import "strconv"

// Level is how much a line matters.
type Level uint8

const (
	// LevelDebug is for the author.
	LevelDebug Level = iota
	// LevelInfo is worth a line.
	LevelInfo
	// LevelWarn is odd but safe.
	LevelWarn
	// LevelError means that somebody must act.
	LevelError
)

// Debug writes one line at [LevelDebug].
func Debug(line string) { send(LevelDebug, validText(line)) }

// Info writes one line at [LevelInfo].
func Info(line string) { send(LevelInfo, validText(line)) }

// Warn writes one line at [LevelWarn].
func Warn(line string) { send(LevelWarn, validText(line)) }

// Error writes one line at [LevelError].
func Error(line string) { send(LevelError, validText(line)) }

// describe is the text of what was panicked with, for the values that programs panic with.
func describe(value any) string {
	switch known := value.(type) {
	case error:
		return known.Error()
	case interface{ String() string }:
		return known.String()
	case string:
		return known
	case int:
		return strconv.Itoa(known)
	}
	return "a value without a text"
}
