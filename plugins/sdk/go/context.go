// What a plugin works for. Refuses to be changed.

package hydrant

import "iter"

// Context is the stream and the operator's settings.
type Context struct {
	stream   string
	settings [][2]string
}

// NewContext is a context for a test; the host makes its own.
func NewContext(stream string, settings map[string]string) *Context {
	context := &Context{stream: stream}
	for name, value := range settings {
		context.settings = append(context.settings, [2]string{name, value})
	}
	return context
}

// Stream is the name of the delivery stream; empty while the host tries a new version out.
func (c *Context) Stream() string { return c.stream }

// Setting is the operator's setting of this name.
func (c *Context) Setting(name string) (value string, isSet bool) {
	for _, setting := range c.settings {
		if setting[0] == name {
			return setting[1], true
		}
	}
	return "", false
}

// Settings are all of the operator's settings for this plugin.
func (c *Context) Settings() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, setting := range c.settings {
			if !yield(setting[0], setting[1]) {
				return
			}
		}
	}
}
