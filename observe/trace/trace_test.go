package trace

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

const (
	goodParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	goodAmzn   = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	parentID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	amznID     = "5759e988bd862e3fe1be46a994272793"
)

func TestContinue(t *testing.T) {
	const fresh = ""
	for _, tc := range []struct {
		name    string
		header  http.Header
		id      string // fresh for a new one
		parent  string
		sampled bool
		state   string
	}{
		{"nothing", http.Header{}, fresh, "", true, ""},
		{"w3c", http.Header{"Traceparent": {goodParent}}, parentID, "00f067aa0ba902b7", true, ""},
		{"w3c unsampled with state", http.Header{"Traceparent": {goodParent[:53] + "00"}, "Tracestate": {"a=1,b=2"}}, parentID, "00f067aa0ba902b7", false, "a=1,b=2"},
		{"w3c other flags", http.Header{"Traceparent": {goodParent[:53] + "03"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"w3c later version", http.Header{"Traceparent": {"cc" + goodParent[2:] + "-what-comes"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"w3c later version, exact", http.Header{"Traceparent": {"01" + goodParent[2:]}}, parentID, "00f067aa0ba902b7", true, ""},
		{"w3c later version, glued", http.Header{"Traceparent": {"cc" + goodParent[2:] + "x"}}, fresh, "", true, ""},
		{"w3c version ff", http.Header{"Traceparent": {"ff" + goodParent[2:]}}, fresh, "", true, ""},
		{"w3c too long", http.Header{"Traceparent": {goodParent + "-"}}, fresh, "", true, ""},
		{"w3c upper case", http.Header{"Traceparent": {strings.ToUpper(goodParent)}}, fresh, "", true, ""},
		{"w3c twice", http.Header{"Traceparent": {goodParent, goodParent}}, fresh, "", true, ""},
		{"w3c zero trace", http.Header{"Traceparent": {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}}, fresh, "", true, ""},
		{"w3c zero parent", http.Header{"Traceparent": {"00-" + parentID + "-" + strings.Repeat("0", 16) + "-01"}}, fresh, "", true, ""},
		{"bad w3c loses its state", http.Header{"Traceparent": {"00-x"}, "Tracestate": {"a=1"}}, fresh, "", true, ""},
		{"state alone", http.Header{"Tracestate": {"a=1"}}, fresh, "", true, ""},
		{"state with control bytes", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=\x7f"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state of several systems", http.Header{"Traceparent": {goodParent}, "Tracestate": {"t61rcw@d1=a b, _ ,x/y-z*=1"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state with empty members", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=1,,\t, b-2=3"}}, parentID, "00f067aa0ba902b7", true, "a=1,,\t, b-2=3"},
		{"state without a value", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=1,b"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state with an upper case key", http.Header{"Traceparent": {goodParent}, "Tracestate": {"A=1"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state with two equals signs", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=1=2"}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state of nothing", http.Header{"Traceparent": {goodParent}, "Tracestate": {""}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state of 32 members", http.Header{"Traceparent": {goodParent}, "Tracestate": {members(32)}}, parentID, "00f067aa0ba902b7", true, members(32)},
		{"state of 33 members", http.Header{"Traceparent": {goodParent}, "Tracestate": {members(30), members(3)}}, parentID, "00f067aa0ba902b7", true, ""},
		{"state too long", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=1,b=" + strings.Repeat("x", 200) + ",c=" + strings.Repeat("y", 200) + ",d=" + strings.Repeat("z", 200)}}, parentID, "00f067aa0ba902b7", true, "a=1,b=" + strings.Repeat("x", 200) + ",c=" + strings.Repeat("y", 200)},
		{"state with a long value", http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=" + strings.Repeat("x", 257)}}, parentID, "00f067aa0ba902b7", true, ""},
		{"amazon", http.Header{"X-Amzn-Trace-Id": {goodAmzn}}, amznID, "53995c3f42cd8ad8", true, ""},
		{"amazon unsampled", http.Header{"X-Amzn-Trace-Id": {"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"}}, amznID, "", false, ""},
		{"amazon of a balancer", http.Header{"X-Amzn-Trace-Id": {"Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793"}}, amznID, "", true, ""},
		{"amazon bad parent", http.Header{"X-Amzn-Trace-Id": {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=xyz"}}, amznID, "", true, ""},
		{"amazon bad root", http.Header{"X-Amzn-Trace-Id": {"Root=2-5759e988-bd862e3fe1be46a994272793"}}, fresh, "", true, ""},
		{"amazon two roots", http.Header{"X-Amzn-Trace-Id": {goodAmzn + ";" + goodAmzn}}, fresh, "", true, ""},
		{"amazon injection", http.Header{"X-Amzn-Trace-Id": {"Root=1-5759e988-bd862e3fe1be46a99427279\x1b"}}, fresh, "", true, ""},
		{"both", http.Header{"Traceparent": {goodParent}, "X-Amzn-Trace-Id": {goodAmzn}}, parentID, "00f067aa0ba902b7", true, ""},
		{"bad and good", http.Header{"Traceparent": {"nonsense"}, "X-Amzn-Trace-Id": {goodAmzn}}, amznID, "53995c3f42cd8ad8", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := &exchange.Exchange{Start: time.Unix(0x5759e988, 0)}
			Continue(x, tc.header)
			id := hex.EncodeToString(x.Trace.ID[:])
			if tc.id != fresh && id != tc.id {
				t.Errorf("id %s, want %s", id, tc.id)
			}
			if tc.id == fresh && (id == parentID || !strings.HasPrefix(id, "5759e988")) {
				t.Errorf("id %s is no new one of its time", id)
			}
			if parent := strings.Trim(hex.EncodeToString(x.Trace.Parent[:]), "0"); parent != strings.Trim(tc.parent, "0") {
				t.Errorf("parent %s, want %s", parent, tc.parent)
			}
			if x.Trace.Sampled != tc.sampled {
				t.Errorf("sampled %v", x.Trace.Sampled)
			}
			if got := tc.header.Get("Tracestate"); got != tc.state {
				t.Errorf("tracestate %q, want %q", got, tc.state)
			}
			checkHeaders(t, x, tc.header)
		})
	}
}

// members is a tracestate of n members.
func members(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("k%d=%d", i, i))
	}
	return strings.Join(all, ",")
}

// Several headers are one list, which is cut where it has gone far enough.
func TestStateOfSeveralHeaders(t *testing.T) {
	long := "b=" + strings.Repeat("x", 250)
	h := http.Header{"Traceparent": {goodParent}, "Tracestate": {"a=1", long, "c=" + long[2:] + ",d=1", "e=1"}}
	Continue(&exchange.Exchange{Start: time.Now()}, h)
	if got := h["Tracestate"]; len(got) != 3 || got[0] != "a=1" || got[1] != long || got[2] != "c="+long[2:] {
		t.Errorf("%q", got)
	}
}

// checkHeaders holds that both headers are well-formed, say the same, and name
// our span.
func checkHeaders(t *testing.T, x *exchange.Exchange, h http.Header) {
	t.Helper()
	w3c := regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])$`).FindStringSubmatch(strings.Join(h["Traceparent"], "|"))
	amzn := regexp.MustCompile(`^Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=([01])$`).FindStringSubmatch(strings.Join(h["X-Amzn-Trace-Id"], "|"))
	if w3c == nil || amzn == nil {
		t.Fatalf("headers %q", h)
	}
	if w3c[1] != amzn[1]+amzn[2] || w3c[2] != amzn[3] || w3c[3] != amzn[4] {
		t.Errorf("the headers differ: %q", h)
	}
	if w3c[2] != hex.EncodeToString(x.Trace.Span[:]) || x.Trace.Span == x.Trace.Parent {
		t.Errorf("span %x, parent %x, header %s", x.Trace.Span, x.Trace.Parent, w3c[2])
	}
}

func TestContinueAllocates(t *testing.T) {
	x := &exchange.Exchange{Start: time.Now()}
	h := http.Header{"Traceparent": {goodParent}, "X-Amzn-Trace-Id": nil}
	if n := testing.AllocsPerRun(100, func() { Continue(x, h) }); n > 2 {
		t.Errorf("%v allocations, at most 2: the headers' text and their values", n)
	}
}

func FuzzContinue(f *testing.F) {
	f.Add(goodParent, "a=1", goodAmzn)
	f.Add("00-", "\x00", "Root=;Root=")
	f.Add(goodParent+"-x", strings.Repeat(",", 600), "Parent=53995c3f42cd8ad8;Root=1-00000000-000000000000000000000000")
	f.Fuzz(func(t *testing.T, parent, state, amzn string) {
		x := &exchange.Exchange{Start: time.Now()}
		h := http.Header{"Traceparent": {parent}, "Tracestate": {state}, "X-Amzn-Trace-Id": {amzn}}
		Continue(x, h)
		checkHeaders(t, x, h)
		if got := h.Get("Tracestate"); len(got) > maxState || !strings.HasPrefix(state, got) {
			t.Errorf("tracestate %q became %q", state, got)
		}
	})
}
