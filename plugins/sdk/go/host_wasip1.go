//go:build wasip1

// The component's side of the boundary: moves columns in and out, copies none. Refuses to free anything by hand: what
// the host was shown stays reachable until the call is over.

package hydrant

import (
	"runtime"
	"unsafe"
)

//go:wasmimport hydrant:transform/log@1.0.0 log
func hostLog(level uint32, text uint32, length uint32)

// hostBegin sets the adapter's clock and dice, which the world has no place for.
//
//go:wasmimport wasi_snapshot_preview1 hydrant_begin
func hostBegin(nowMs uint64, seed uint64)

// shown is a list or text as the canonical ABI lays it out.
type shown struct{ at, length uint32 }

// Layouts of the world's records, whose pointers have 32 bits where Go's have 64.
type (
	shownColumn struct{ name, dictionary, codes shown }
	shownReason struct {
		input         uint32
		code, message shown
	}
	shownOutput struct {
		payload, ends, columns, inputs, outcomes, reasons shown
	}
	shownResult struct {
		isError uint32 // one byte and its padding
		message shown
	}
)

// held is what the host was given pointers to, and nothing but it knows.
var held struct {
	// lowered is what the host wrote arguments to; Go's collector may run between two of them.
	lowered [][]byte
	// configuration is what the context consists of.
	configuration [][]byte
	answer        *output
	columns       []shownColumn
	dictionaries  [][]shown
	reasons       []shownReason
	output        shownOutput
	result        shownResult
	message       string
}

//go:wasmexport cabi_realloc
func reallocate(old, oldLength, alignment, length uint32) uint32 {
	if length == 0 {
		return alignment
	}
	memory := make([]byte, length) // from 8 bytes on aligned to 8, below to its length's own factor of two
	if old != 0 && oldLength > 0 {
		copy(memory, view[byte](shown{old, oldLength}))
	}
	held.lowered = append(held.lowered, memory)
	return address(&memory[0])
}

//go:wasmexport hydrant:transform/transform@1.0.0#configure
func configure(stream, streamLength, settings, settingsLength uint32) uint32 {
	context := &Context{stream: text(shown{stream, streamLength})}
	for _, setting := range view[[2]shown](shown{settings, settingsLength}) {
		context.settings = append(context.settings, [2]string{text(setting[0]), text(setting[1])})
	}
	held.configuration, held.lowered = held.lowered, nil
	held.result = shownResult{}
	if err := registered.start(context); err != nil {
		held.message = validText(err.Error())
		held.result = shownResult{isError: 1, message: showText(held.message)}
	}
	return address(&held.result)
}

//go:wasmexport hydrant:transform/transform@1.0.0#apply
func apply(payload, payloadLength, ends, endsLength, columns, columnsLength, arrived, arrivedLength uint32) uint32 {
	given := &input{
		payload:   view[byte](shown{payload, payloadLength}),
		ends:      view[uint32](shown{ends, endsLength}),
		arrivedMs: view[uint64](shown{arrived, arrivedLength}),
	}
	for _, raw := range view[shownColumn](shown{columns, columnsLength}) {
		dictionary := make([]string, 0, raw.dictionary.length)
		for _, value := range view[shown](raw.dictionary) {
			dictionary = append(dictionary, text(value))
		}
		given.columns = append(given.columns, column{text(raw.name), dictionary, view[uint32](raw.codes)})
	}
	hostBegin(newest(given.arrivedMs), seed(given))
	held.answer = registered.run(given)
	// The input is no longer needed, except where keys are parts of it: the output refers to those itself.
	held.lowered = nil
	runtime.KeepAlive(given)
	return show(held.answer)
}

//go:wasmexport cabi_post_hydrant:transform/transform@1.0.0#apply
func applied(uint32) {
	held.answer, held.columns, held.dictionaries, held.reasons = nil, nil, nil, nil
}

// show lays the answer out for the host.
func show(answer *output) uint32 {
	held.columns, held.dictionaries, held.reasons = nil, nil, nil
	for _, column := range answer.finish() {
		dictionary := make([]shown, len(column.dictionary))
		for i, value := range column.dictionary {
			dictionary[i] = showText(value)
		}
		held.dictionaries = append(held.dictionaries, dictionary)
		held.columns = append(held.columns, shownColumn{showText(column.name), showList(dictionary), showList(column.codes)})
	}
	for _, reason := range answer.reasons {
		held.reasons = append(held.reasons, shownReason{reason.input, showText(reason.Code), showText(reason.Reason)})
	}
	held.output = shownOutput{
		payload:  showList(answer.payload),
		ends:     showList(answer.ends),
		columns:  showList(held.columns),
		inputs:   showList(answer.inputs),
		outcomes: showList(answer.outcomes),
		reasons:  showList(held.reasons),
	}
	return address(&held.output)
}

func send(level Level, line string) {
	shown := showText(line)
	hostLog(uint32(level), shown.at, shown.length)
	runtime.KeepAlive(line)
}

func newest(arrivedMs []uint64) uint64 {
	newest := uint64(0)
	for _, arrived := range arrivedMs {
		newest = max(newest, arrived)
	}
	return newest
}

// seed tells batches apart, and is the same for the same batch: it looks at no more than some 64 places of it.
func seed(batch *input) uint64 {
	mixed := uint64(len(batch.payload))<<32 ^ newest(batch.arrivedMs)
	for at := 0; at+8 <= len(batch.payload); at += max(8, len(batch.payload)/64) {
		word := *(*uint64)(unsafe.Pointer(&batch.payload[at]))
		mixed = (mixed ^ word) * 0x9e3779b97f4a7c15
		mixed ^= mixed >> 29
	}
	return mixed
}

// view is a list that the host laid out; of an empty one nothing is known but its length.
func view[T any](list shown) []T {
	if list.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(pointer(list)), list.length)
}

func text(raw shown) string {
	if raw.length == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(raw)), raw.length)
}

// pointer is into memory that held keeps, wherever the host's number came from.
func pointer(raw shown) unsafe.Pointer { return unsafe.Add(nil, uintptr(raw.at)) }

func showList[T any](list []T) shown {
	if len(list) == 0 {
		return shown{at: 8}
	}
	return shown{address(&list[0]), uint32(len(list))}
}

func showText(text string) shown {
	if text == "" {
		return shown{at: 8}
	}
	return shown{uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))), uint32(len(text))}
}

func address[T any](value *T) uint32 { return uint32(uintptr(unsafe.Pointer(value))) }
