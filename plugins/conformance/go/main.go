// The conformance guest in Go: what the SDK offers, asked for by settings and records, so that one suite can hold every
// language to the same answers. Refuses to guess: a record that asks for nothing known fails.
package main

import (
	"errors"

	"hydrant.plugin/hydrant"
)

func main() {}

func init() {
	hydrant.RegisterConfigure(configure)
	hydrant.RegisterBatch(transform)
}

func configure(context *hydrant.Context) error {
	if message, isSet := context.Setting("refuse"); isSet {
		return errors.New(message)
	}
	return nil
}

func transform(batch *hydrant.Batch) {
	switch mode, _ := batch.Context().Setting("mode"); mode {
	case "keep":
		batch.KeepAll()
	case "edit":
		batch.Each(edit)
	default:
		batch.Each(scenario)
	}
}
