//go:build !wasip1

// The host's side on the desk: log lines are kept for the test. Refuses to keep more than a test would read.

package hydrant

import "sync"

// Line is a line that was logged on the desk.
type Line struct {
	Level Level
	Text  string
}

// maxLines is how many lines are kept until they are read.
const maxLines = 10_000

var lines struct {
	sync.Mutex
	kept []Line
}

// Logged is what was logged since it was last asked, at most 10,000 lines. On the desk only.
func Logged() []Line {
	lines.Lock()
	defer lines.Unlock()
	kept := lines.kept
	lines.kept = nil
	return kept
}

func send(level Level, line string) {
	lines.Lock()
	defer lines.Unlock()
	if len(lines.kept) < maxLines {
		lines.kept = append(lines.kept, Line{level, line})
	}
}
