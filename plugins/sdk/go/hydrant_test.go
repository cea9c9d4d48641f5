//go:build !wasip1

// What becomes of records on the desk: every outcome, keys, discarded output, panics, the batch form.

package hydrant

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func check(t *testing.T, fates []Fate, expected ...string) {
	t.Helper()
	if len(fates) != len(expected) {
		t.Fatalf("%d fates: %v", len(fates), fates)
	}
	for i, fate := range fates {
		if fate.String() != expected[i] {
			t.Errorf("record %d: %s, expected %s", i, fate, expected[i])
		}
	}
}

func TestEachOutcomeIsSeenAndDiscardedOutputLeavesNothing(t *testing.T) {
	transform := func(record *Record) Outcome {
		switch string(record.Data()) {
		case "keep":
			record.WriteString("noise")
			return Keep
		case "drop":
			record.WriteString("noise")
			record.EndOutput()
			return Drop
		case "one":
			return record.ReplaceString("1")
		case "bytes":
			return record.Replace([]byte{0xff})
		case "many":
			return record.ReplaceStrings([]string{"a", "", "c"})
		case "slices":
			return record.ReplaceMany([][]byte{[]byte("a"), {}})
		case "none":
			return record.ReplaceMany(nil)
		case "empty":
			return Replace
		case "code":
			return record.FailCode("bad", "why")
		case "bare":
			return Fail
		}
		record.Set("lost", "x")
		record.WriteString("noise")
		record.EndOutput()
		return record.Fail("no")
	}
	fates := Run(transform, "keep", "drop", "one", "bytes", "many", "slices", "none", "empty", "code", "bare", "?", "one")
	check(t, fates, "keep", "drop", `replace "1"`, `replace "\xff"`, `replace "a" "" "c"`, `replace "a" ""`, "drop",
		`replace ""`, "fail bad: why", "fail ", "fail no", `replace "1"`)
	if len(fates[11].Delivered[0].Columns) != 0 {
		t.Errorf("a key outlived its record: %v", fates[11])
	}
}

func TestKeysBelongToTheirRecordAndAKeptRecordMayHaveSome(t *testing.T) {
	transform := func(record *Record) Outcome {
		text, _ := record.Text()
		if text != "" {
			record.Set("key", "first")
			record.Set("key", text)
		}
		return Keep
	}
	check(t, Run(transform, "a", "", "b", "a"), `replace "a" key="a"`, "keep", `replace "b" key="b"`, `replace "a" key="a"`)
}

func TestKeysBelongToTheOutputsThatAreNotEnded(t *testing.T) {
	transform := func(record *Record) Outcome {
		record.WriteString("none")
		record.EndOutput()
		for i := range 20 { // more than are looked through
			part := fmt.Sprint(i % 12)
			record.Set("part", part)
			record.WriteString(part)
			record.EndOutput()
		}
		return Replace
	}
	fate := Run(transform, "x")[0]
	for i, delivered := range fate.Delivered {
		if i == 0 && len(delivered.Columns) != 0 || i > 0 && delivered.Columns["part"] != delivered.Data {
			t.Errorf("output %d: %v", i, delivered)
		}
	}
}

func TestTextIsStrict(t *testing.T) {
	transform := func(record *Record) (Outcome, error) {
		text, err := record.Text()
		return record.ReplaceString(text), err
	}
	check(t, Run(transform, "grüß", "ab\xff", "\xed\xa0\x80", "\uFFFD\xc3"),
		`replace "grüß"`, "fail the record is not UTF-8: byte 2", "fail the record is not UTF-8: byte 0",
		"fail the record is not UTF-8: byte 3")
}

func TestErrorsAndCodesAndWhatIsNoUtf8(t *testing.T) {
	transform := func(record *Record) (Outcome, error) {
		switch string(record.Data()) {
		case "plain":
			return Keep, errors.New("no\xff")
		case "coded":
			return Keep, fmt.Errorf("field: %w", Failure{Code: "bad", Reason: "why"})
		case "pointer":
			return Keep, &Failure{Code: "bad", Reason: "why"}
		case "key":
			record.Set("k", "\xff")
		case "name":
			record.Set("\xff", "v")
		case "nothing":
			return 0, nil
		}
		return Keep, nil
	}
	check(t, Run(transform, "plain", "coded", "pointer", "key", "name", "nothing", "good"),
		"fail no\uFFFD", "fail bad: field: why", "fail bad: why", "fail the value of key k is not UTF-8",
		"fail the name of a key is not UTF-8", "fail "+noOutcome, "keep")
}

func TestAPanicFailsItsRecordAndIsLoggedOnce(t *testing.T) {
	Logged()
	transform := func(record *Record) Outcome {
		record.Set("lost", "x")
		record.WriteString("noise")
		switch string(record.Data()) {
		case "index":
			return Outcome(record.Data()[9])
		case "text":
			panic("oh")
		case "struct":
			panic(struct{}{})
		}
		return record.ReplaceString("!")
	}
	fates := Run(transform, "index", "text", "a", "struct", "b")
	check(t, fates, "fail panic: runtime error: index out of range [9] with length 5", "fail panic: oh",
		`replace "noise!" lost="x"`, "fail panic: a value without a text", `replace "noise!" lost="x"`)
	logged := Logged()
	if len(logged) != 1 || logged[0].Level != LevelWarn || !strings.Contains(logged[0].Text, "hydrant_test.go") {
		t.Errorf("%v", logged)
	}
}

func TestBatchForms(t *testing.T) {
	input := Input{Records: []string{"a", "b"}}
	check(t, RunBatch(func(batch *Batch) { batch.KeepAll() }, input), "keep", "keep")
	check(t, RunBatch(func(*Batch) {}, input), "fail the plugin's batch function did not visit this record",
		"fail the plugin's batch function did not visit this record")
	check(t, RunBatch(func(*Batch) { panic("oh") }, input), "fail panic: oh", "fail panic: oh")
	visited := 0
	check(t, RunBatch(func(batch *Batch) {
		scratch := make([]byte, 0, len(batch.Payload()))
		batch.Each(func(record *Record) Outcome {
			visited++
			scratch = append(append(scratch[:0], record.Data()...), '\n')
			return record.Replace(scratch)
		})
		batch.Each(func(*Record) Outcome { return Drop })
	}, input), `replace "a\n"`, `replace "b\n"`)
	if visited != 2 {
		t.Errorf("visited %d records", visited)
	}
	check(t, RunBatch(func(batch *Batch) {
		batch.Each(func(record *Record) Outcome {
			batch.Each(func(*Record) Outcome { return Keep })
			return Keep
		})
	}, Input{Records: []string{"a"}}), "fail panic: hydrant: Each inside Each")
}

func TestColumnsArrivalAndContextAreSeen(t *testing.T) {
	transform := func(record *Record) Outcome {
		value, isSet := record.Column("k")
		_, hasOther := record.Column("other")
		setting, _ := record.Context().Setting("s")
		stream := record.Context().Stream()
		return record.ReplaceString(
			fmt.Sprintf("%s:%t:%t:%d:%s:%s", value, isSet, hasOther, record.ArrivedMs(), stream, setting))
	}
	input := Input{
		Records: []string{"", ""}, ArrivedMs: []uint64{7}, Columns: map[string][]string{"k": {"v", ""}},
		Stream: "orders", Settings: map[string]string{"s": "on"},
	}
	check(t, RunInput(transform, input), `replace "v:true:false:7:orders:on"`, `replace ":false:false:0:orders:on"`)
}

func TestConfigureSeesSettingsAndMayRefuse(t *testing.T) {
	saved := registered
	defer func() { registered = saved }()
	registered = plugin{}
	if _, err := RunRegistered(Input{}); err == nil {
		t.Error("a plugin without a function was configured")
	}
	Register(func(record *Record) Outcome { return record.Fail(record.Context().Stream()) })
	RegisterConfigure(func(context *Context) error {
		for name, value := range context.Settings() {
			if name == "refuse" {
				return errors.New(value)
			}
		}
		if context.Stream() == "panic" {
			panic("oh")
		}
		return nil
	})
	fates, err := RunRegistered(Input{Records: []string{"a"}, Stream: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, fates, "fail orders")
	if _, err := RunRegistered(Input{Settings: map[string]string{"refuse": "no"}}); err == nil || err.Error() != "no" {
		t.Errorf("%v", err)
	}
	if _, err := RunRegistered(Input{Stream: "panic"}); err == nil || err.Error() != "panic: oh" {
		t.Errorf("%v", err)
	}
}

func TestAnOutputBeyondEveryReserveIsWhole(t *testing.T) {
	piece := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	fate := Run(func(record *Record) Outcome {
		for range 70 {
			record.WriteString(piece)
		}
		return Replace
	}, "x")[0]
	if fate.Delivered[0].Data != strings.Repeat(piece, 70) {
		t.Error("bytes were lost")
	}
}

func TestLinesAreKeptForTheTest(t *testing.T) {
	Logged()
	Debug("d")
	Info("i\xff")
	Warn("w")
	Error("e")
	if logged := Logged(); fmt.Sprint(logged) != "[{0 d} {1 i\uFFFD} {2 w} {3 e}]" || len(Logged()) != 0 {
		t.Errorf("%v", logged)
	}
}
