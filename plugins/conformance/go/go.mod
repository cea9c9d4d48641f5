// The conformance guest in Go: everything that an SDK offers, asked for by the records. Refuses to be of any other use.
module hydrant.plugin/conformance

go 1.24

require hydrant.plugin/hydrant v0.0.0

replace hydrant.plugin/hydrant => ../../sdk/go
