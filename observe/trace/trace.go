// Package trace gives each request its place in a distributed trace: the one
// that the client states by W3C Trace Context or by X-Amzn-Trace-Id, or a new
// one. What is malformed is replaced, never passed on.
package trace

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"gatehouse/exchange"
)

// The headers, as net/http writes their names.
const (
	parentHeader = "Traceparent"
	stateHeader  = "Tracestate"
	amznHeader   = "X-Amzn-Trace-Id"
)

// Continue sets x.Trace from the headers of a request, and the headers to what
// goes to the upstream: both forms, with the same 128 bits and a new span. The
// client's own traceparent wins over its X-Amzn-Trace-Id; tracestate is kept
// only beside a good traceparent. A trace that begins here is sampled, since
// services that decide by their parent would record nothing otherwise.
func Continue(x *exchange.Exchange, h http.Header) {
	t, ok := fromParent(h[parentHeader])
	if ok {
		keepState(h)
	} else {
		delete(h, stateHeader)
		t, ok = fromAmzn(h[amznHeader])
	}
	if !ok {
		t = begin(x.Start)
	}
	binary.BigEndian.PutUint64(t.Span[:], nonZero())
	x.Trace = t
	setHeaders(h, &t)
}

// begin makes a trace. The first four bytes are the time, as AWS X-Ray asks;
// the last eight are random, as W3C does.
func begin(now time.Time) exchange.Trace {
	t := exchange.Trace{Sampled: true}
	binary.BigEndian.PutUint32(t.ID[0:], uint32(now.Unix()))
	binary.BigEndian.PutUint32(t.ID[4:], rand.Uint32())
	binary.BigEndian.PutUint64(t.ID[8:], nonZero())
	return t
}

func nonZero() uint64 {
	for {
		if n := rand.Uint64(); n != 0 {
			return n
		}
	}
}

// setHeaders writes both headers into one string and one slice: what a request
// costs here is two allocations.
func setHeaders(h http.Header, t *exchange.Trace) {
	var buf [parentLen + amznLen]byte
	b := AppendParent(buf[:0], t)
	id, span := b[3:35], b[36:52]
	b = append(b, "Root=1-"...)
	b = append(b, id[:8]...)
	b = append(b, '-')
	b = append(b, id[8:]...)
	b = append(b, ";Parent="...)
	b = append(b, span...)
	b = append(b, ";Sampled="...)
	b = append(b, b[54])
	s := string(b)
	values := []string{s[:parentLen], s[parentLen:]}
	h[parentHeader] = values[0:1:1]
	h[amznHeader] = values[1:2:2]
}

const (
	parentLen = 55 // 00-<32>-<16>-<2>
	amznLen   = 74 // Root=1-<8>-<24>;Parent=<16>;Sampled=1
)

// AppendParent appends t as the value of a traceparent header.
func AppendParent(b []byte, t *exchange.Trace) []byte {
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t.ID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, t.Span[:])
	if t.Sampled {
		return append(b, "-01"...)
	}
	return append(b, "-00"...)
}

// AppendRoot appends the trace's id in AWS X-Ray's form.
func AppendRoot(b []byte, t *exchange.Trace) []byte {
	b = append(b, "1-"...)
	b = hex.AppendEncode(b, t.ID[:4])
	b = append(b, '-')
	return hex.AppendEncode(b, t.ID[4:])
}

// fromParent reads a traceparent header (W3C Trace Context, section 3.2): one,
// in lower case, ids not all zero. Of versions to come the known part is read.
func fromParent(values []string) (t exchange.Trace, ok bool) {
	if len(values) != 1 {
		return t, false
	}
	s := values[0]
	if len(s) < parentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return t, false
	}
	version, flags := [1]byte{}, [1]byte{}
	if !lowerHex(version[:], s[:2]) || version[0] == 0xff {
		return t, false
	}
	if len(s) > parentLen && (version[0] == 0 || s[parentLen] != '-') {
		return t, false
	}
	if !lowerHex(t.ID[:], s[3:35]) || !lowerHex(t.Parent[:], s[36:52]) || !lowerHex(flags[:], s[53:55]) {
		return t, false
	}
	t.Sampled = flags[0]&1 == 1
	return t, t.ID != [16]byte{} && t.Parent != [8]byte{}
}

const maxAmzn = 512 // bytes of an X-Amzn-Trace-Id that is read

// fromAmzn reads an X-Amzn-Trace-Id header. It must have one good Root; a bad
// Parent is left out.
func fromAmzn(values []string) (t exchange.Trace, ok bool) {
	if len(values) != 1 || len(values[0]) > maxAmzn {
		return t, false
	}
	t.Sampled = true
	for part := range strings.SplitSeq(values[0], ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Root":
			if ok || !parseRoot(&t.ID, value) {
				return t, false
			}
			ok = true
		case "Parent":
			if !lowerHex(t.Parent[:], value) {
				t.Parent = [8]byte{}
			}
		case "Sampled":
			t.Sampled = value != "0"
		}
	}
	return t, ok
}

func parseRoot(id *[16]byte, s string) bool {
	if len(s) != 35 || s[:2] != "1-" || s[10] != '-' {
		return false
	}
	return lowerHex(id[:4], s[2:10]) && lowerHex(id[4:], s[11:]) && *id != [16]byte{}
}

// lowerHex decodes exactly len(dst) bytes of lower-case hexadecimal.
func lowerHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for i := range dst {
		hi, lo := digit(s[2*i]), digit(s[2*i+1])
		if hi > 15 || lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
