// The measured transform: parse, filter, key, add a member. Refuses what is no JSON object.

package main

import (
	"bytes"
	"encoding/json"

	"hydrant.plugin/hydrant"
)

var noObject = hydrant.Failure{Code: "bad-json", Reason: "no JSON object"}

// scratch outlives a record, so that a batch needs one.
var scratch bytes.Buffer

func edit(record *hydrant.Record) hydrant.Outcome {
	// The parser would mend what is not UTF-8.
	if _, err := record.Text(); err != nil {
		return record.FailCode(noObject.Code, noObject.Reason)
	}
	// A map and no structure: a structure's names match whatever their case.
	var object map[string]json.RawMessage
	if json.Unmarshal(record.Data(), &object) != nil || object == nil {
		return record.FailCode(noObject.Code, noObject.Reason)
	}
	if raw := object["level"]; len(raw) > 0 && raw[0] == '"' {
		var level string
		if json.Unmarshal(raw, &level) != nil {
			return record.FailCode(noObject.Code, noObject.Reason)
		}
		if level == "debug" {
			return hydrant.Drop
		}
		record.Set("level", level)
	}
	scratch.Reset()
	if json.Compact(&scratch, record.Data()) != nil {
		return record.FailCode(noObject.Code, noObject.Reason)
	}
	compact := scratch.Bytes()
	record.Write(compact[:len(compact)-1])
	if len(object) > 0 {
		record.WriteString(",")
	}
	record.WriteString(`"pipeline":"hydrant"}`)
	return hydrant.Replace
}
