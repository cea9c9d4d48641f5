// One record, one request. Refuses what it does not know.

package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hydrant.plugin/hydrant"
)

func scenario(record *hydrant.Record) hydrant.Outcome {
	data := record.Data()
	if len(data) == 0 {
		return record.ReplaceString("empty")
	}
	if data[0] == 0xff {
		reversed := slices.Clone(data)
		slices.Reverse(reversed)
		return record.Replace(reversed)
	}
	text, err := record.Text()
	if err != nil {
		return record.Fail(err.Error())
	}
	verb, rest, hasRest := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "keep"):
		return hydrant.Keep
	case text == "none":
		return record.ReplaceStrings(nil)
	case text == "drop":
		return hydrant.Drop
	case text == "stream":
		return record.ReplaceString(record.Context().Stream())
	case text == "arrived":
		return record.ReplaceString(strconv.FormatUint(record.ArrivedMs(), 10))
	case hasRest:
		return request(record, verb, rest)
	}
	return record.Fail("unknown")
}

func request(record *hydrant.Record, verb, rest string) hydrant.Outcome {
	switch verb {
	case "one":
		return record.ReplaceString(rest)
	case "many":
		return record.ReplaceStrings(strings.Split(rest, ","))
	case "fail":
		return record.Fail(rest)
	case "code":
		code, reason, _ := strings.Cut(rest, ":")
		return record.FailCode(code, reason)
	case "keys":
		record.Set("key", rest)
		record.Set("$document-id", rest)
		record.Set("$index", "conformance")
		return hydrant.Keep
	case "spread":
		for part := range strings.SplitSeq(rest, ",") {
			record.Set("part", part)
			record.WriteString(part)
			record.EndOutput()
		}
		return hydrant.Replace
	case "setting":
		value, isSet := record.Context().Setting(rest)
		return orFail(record, value, isSet, "no setting "+rest)
	case "column":
		value, isSet := record.Column(rest)
		return orFail(record, value, isSet, "no column "+rest)
	case "log":
		level, line, _ := strings.Cut(rest, ":")
		return log(record, level, line)
	case "count":
		return record.ReplaceString(strconv.Itoa(utf8.RuneCountInString(rest)))
	case "length":
		return record.ReplaceString(strconv.Itoa(len(record.Data())))
	case "repeat":
		count, err := strconv.Atoi(rest)
		if err != nil {
			return record.Fail("unknown")
		}
		return repeat(record, count)
	case "half":
		record.Set("lost", "x")
		record.WriteString("lost")
		record.EndOutput()
		return record.Fail("half")
	}
	return record.Fail("unknown")
}

func orFail(record *hydrant.Record, value string, isSet bool, reason string) hydrant.Outcome {
	if !isSet {
		return record.Fail(reason)
	}
	return record.ReplaceString(value)
}

func log(record *hydrant.Record, level, line string) hydrant.Outcome {
	switch level {
	case "debug":
		hydrant.Debug(line)
	case "info":
		hydrant.Info(line)
	case "warn":
		hydrant.Warn(line)
	case "error":
		hydrant.Error(line)
	default:
		return record.Fail("unknown")
	}
	return hydrant.Drop
}

// repeat writes in pieces: what a batch may give back fits the memory once, not twice.
func repeat(record *hydrant.Record, count int) hydrant.Outcome {
	const piece = 4096
	pieces := strings.Repeat("x", piece)
	for ; count > piece; count -= piece {
		record.WriteString(pieces)
	}
	record.WriteString(pieces[:max(count, 0)])
	return hydrant.Replace
}
