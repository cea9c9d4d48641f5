// Package hydrant lets a Hydrant plugin be written in Go: a function of one record.
//
//	package main
//
//	import (
//		"strings"
//
//		"hydrant.plugin/clean/hydrant"
//	)
//
//	// Drops heartbeats, shortens the rest to one line, partitions by country.
//	func transform(record *hydrant.Record) (hydrant.Outcome, error) {
//		text, err := record.Text()
//		if err != nil {
//			return 0, err // fails this record, with the error's text as the reason
//		}
//		if strings.HasPrefix(text, "heartbeat") {
//			return hydrant.Drop, nil
//		}
//		country, order, found := strings.Cut(text, ";")
//		if !found {
//			return record.Fail("no country"), nil
//		}
//		record.Set("country", country)
//		return record.ReplaceString(strings.TrimSpace(order)), nil
//	}
//
//	func init() { hydrant.Register(transform) }
//	func main() {}
//
// Built with GOOS=wasip1 GOARCH=wasm and -buildmode=c-shared; `hydrant plugin build` does it, and makes the component.
// Tests run natively, see [Run]; `go vet` and `go test` know nothing of WebAssembly.
//
//   - JSON is the standard library's: json.Unmarshal(record.Data(), &order).
//   - A function of a whole batch, for speed, is given to [RegisterBatch]; a function that reads settings, to
//     [RegisterConfigure].
//   - [Info] and its sisters write to the host's log, as do fmt.Println and the package log.
//   - A panic fails its record, and its stack goes to the log; the other records go on.
//
// An instance may be thrown away after any batch and a batch may come again, whole or in parts, so an answer must depend
// on the record and the context alone. The clock stands at the newest arrival of the batch. math/rand begins alike in
// every instance, and crypto/rand alike for the same batch: derive identifiers from the record, not from chance.
//
// Refuses dependencies, and packages that cost every start of an instance (fmt, os, time) without being asked for.
package hydrant

// Transform is what settles one record: a function that returns an [Outcome], or an Outcome and an error. An error
// fails the record with its text.
type Transform interface {
	func(*Record) Outcome | func(*Record) (Outcome, error)
}

// plugin is what the exports run.
type plugin struct {
	configure func(*Context) error
	batch     func(*Batch)
	context   *Context
}

var registered plugin

// Register makes a function of one record the plugin. Called in an init function, once.
func Register[T Transform](transform T) {
	function := plain(transform)
	RegisterBatch(func(batch *Batch) { batch.Each(function) })
}

// RegisterBatch makes a function of a whole batch the plugin, in place of [Register]: it calls [Batch.Each] or
// [Batch.KeepAll]. A record that it does not visit fails.
func RegisterBatch(transform func(*Batch)) {
	if registered.batch != nil {
		panic("hydrant: a plugin registers one function")
	}
	registered.batch = transform
}

// RegisterConfigure names the function that is called once per instance, before its first batch. An error keeps the
// previous version of the plugin running; its text is for the operator.
func RegisterConfigure(configure func(*Context) error) {
	if registered.configure != nil {
		panic("hydrant: a plugin registers one configure function")
	}
	registered.configure = configure
}

// plain turns both forms of a transform into one.
func plain[T Transform](transform T) func(*Record) Outcome {
	switch function := any(transform).(type) {
	case func(*Record) Outcome:
		return function
	case func(*Record) (Outcome, error):
		return func(record *Record) Outcome {
			outcome, err := function(record)
			if err != nil {
				return record.failWith(err)
			}
			return outcome
		}
	}
	return nil // the constraint knows no third form
}

// start configures the plugin; the error is for the operator.
func (p *plugin) start(context *Context) (err error) {
	defer func() {
		if value := recover(); value != nil {
			logStack(value)
			err = Failure{Reason: "panic: " + describe(value)}
		}
	}()
	if p.batch == nil {
		return Failure{Reason: "no function is registered: func init() { hydrant.Register(transform) }"}
	}
	p.context = context
	if p.configure == nil {
		return nil
	}
	return p.configure(context)
}
