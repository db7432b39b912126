package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"

	"gatehouse/observe/escape"
)

// Record is one line.
type Record struct {
	Seq     uint64            `json:"seq"` // from 1, without gaps
	Time    time.Time         `json:"time"`
	Act     string            `json:"act"`             // "keys.create", "authentication"
	Actor   string            `json:"actor,omitempty"` // who did it, "uid:1000"
	Outcome string            `json:"outcome"`         // Done, Failed, Refused
	Count   int               `json:"count,omitempty"` // how often, where that was more than once
	Detail  map[string]string `json:"detail,omitempty"`
	Prev    string            `json:"prev"` // SHA-256 of the line before, in hex; of nothing for the first
}

// The outcomes.
const (
	Done    = "done"
	Failed  = "failed"
	Refused = "refused"
)

// maxText is how much of a text is kept.
const maxText = 512

// line encodes the record without the line's end. What strangers sent is escaped
// so that it prints, and cut.
func (r *Record) line() []byte {
	b := append([]byte(nil), `{"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	b = append(b, `,"time":"`...)
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = text(b, "act", r.Act)
	b = text(b, "actor", r.Actor)
	b = text(b, "outcome", r.Outcome)
	if r.Count > 1 {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(r.Count), 10)
	}
	if len(r.Detail) > 0 {
		b = append(b, `,"detail":{`...)
		for i, name := range slices.Sorted(maps.Keys(r.Detail)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = quoted(b, name)
			b = append(b, ':')
			b = quoted(b, r.Detail[name])
		}
		b = append(b, '}')
	}
	b = text(b, "prev", r.Prev)
	return append(b, '}')
}

func text(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return quoted(b, value)
}

func quoted(b []byte, value string) []byte {
	if len(value) > maxText {
		value = value[:maxText] + "..."
	}
	b = append(b, '"')
	b = escape.JSON(b, value)
	return append(b, '"')
}

// digest is what the next line says of a line.
func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// beginning is what the first line says of the one before it.
func beginning() string { return digest(nil) }
