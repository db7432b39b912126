package recent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/config"
	"gatehouse/exchange"
)

type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

func at(line int) exchange.Position {
	return config.Pos{File: "gatehouse.yaml", Line: line, Column: 5}
}

func begin(t testing.TB, id, method, target string) (*exchange.Exchange, *http.Request) {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	conn := &exchange.Conn{Listener: ":8443", Peer: netip.MustParseAddrPort("10.0.0.1:1"), Source: netip.MustParseAddrPort("203.0.113.9:2"), TLS: true}
	x, r := exchange.Begin(&sink{http.Header{}}, r, conn, nil)
	_ = x.Path.Parse(target)
	x.ID, x.Start, x.Host, x.Generation = id, time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC), "api.shop.test", 3
	x.API, x.Stage, x.Route, x.RouteAt = "shop", "prod", "GET /orders/{id}", at(21)
	return x, r
}

func answered(t testing.TB, id string) *exchange.Exchange {
	x, _ := begin(t, id, "GET", "/orders/1?expand=lines&code=hunter2")
	x.Principal = exchange.NewPrincipal("jwt", "https://login.shop.test", "alice")
	x.Trace.ID = [16]byte{0: 0x4b, 15: 0x36}
	x.Trail.Add(&exchange.Rule{Filter: "throttle", Name: "50/s per ip", At: at(30)}, exchange.Passed, "")
	x.Trail.Add(&exchange.Rule{Filter: "auth", Name: "customers", At: at(40)}, exchange.Allowed, "key k1")
	x.Upstream = exchange.Upstream{Service: "orders", Target: "10.0.1.10:8080", Status: 200, Attempts: 2, Queued: 12 * time.Millisecond, Connect: 400 * time.Microsecond, Latency: 1530 * time.Microsecond}
	_, _ = x.Writer.Write(make([]byte, 512))
	x.Finish()
	return x
}

func refused(t testing.TB, id string) *exchange.Exchange {
	x, r := begin(t, id, "GET", "/orders/1")
	x.Trail.Add(&exchange.Rule{Filter: "auth", Name: "customers", At: at(40)}, exchange.Allowed, "")
	exchange.Refuse(&x.Writer, r, exchange.Refusal{Status: 403, Reason: "scope", Detail: "orders.read is missing", Rule: &exchange.Rule{Filter: "authorize", Name: "scopes orders.read", At: at(22)}})
	x.Finish()
	return x
}

func TestFind(t *testing.T) {
	r := New(64)
	r.Note(answered(t, "id-1"), "curl/8", 4*time.Millisecond)
	r.Note(refused(t, "id-2"), "", time.Millisecond)
	for _, id := range []string{"", "id", "id-3", "id-11"} {
		if e, ok := r.Find(id); ok {
			t.Errorf("found %q: %+v", id, e)
		}
	}
	e, ok := r.Find("id-1")
	if !ok {
		t.Fatal("not found")
	}
	want := &Entry{
		ID: "id-1", Time: time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC), API: "shop", Stage: "prod", Route: "GET /orders/{id}", RouteAt: "gatehouse.yaml:21",
		Method: "GET", Host: "api.shop.test", Path: "/orders/1", Query: "expand=lines&code=(redacted)", Protocol: "HTTP/1.1", Listener: ":8443", TLS: true,
		Client: "203.0.113.9", Peer: "10.0.0.1", Principal: "jwt:https://login.shop.test|alice", UserAgent: "curl/8", TraceID: "4b000000000000000000000000000036",
		Status: 200, BytesOut: 512, Latency: Millis(4 * time.Millisecond), Generation: 3,
		Upstream: &Upstream{Service: "orders", Target: "10.0.1.10:8080", Status: 200, Attempts: 2, Queued: Millis(12 * time.Millisecond), Connect: Millis(400 * time.Microsecond), Latency: Millis(1530 * time.Microsecond)},
		Trail: []Step{
			{Filter: "throttle", Rule: "50/s per ip", At: "gatehouse.yaml:30", Decision: "passed"},
			{Filter: "auth", Rule: "customers", At: "gatehouse.yaml:40", Decision: "allowed", Detail: "key k1"},
		},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Entry)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Error("by way of JSON:", diff)
	}
}

const goldenRefused = `GET api.shop.test/orders/1  HTTP/1.1
403 after 1ms: refused by authorize (scope), gatehouse.yaml:22

  request     id-2
  time        2026-03-04T05:06:07.890Z
  client      203.0.113.9 by way of 10.0.0.1
  listener    :8443 (TLS)
  user agent  evil\x1b[31m
  route       shop/prod  GET /orders/{id}  gatehouse.yaml:21
  bytes       0 in, 23 out
  config      generation 3

   1  auth       allowed   customers           gatehouse.yaml:40
   2  authorize  denied    scopes orders.read  gatehouse.yaml:22
      orders.read is missing
`

const goldenAnswered = `GET api.shop.test/orders/1?expand=lines&code=(redacted)  HTTP/1.1
200 after 4ms: answered by orders

  request    id-1
  time       2026-03-04T05:06:07.890Z
  client     203.0.113.9 by way of 10.0.0.1
  listener   :8443 (TLS)
  principal  jwt:https://login.shop.test|alice
  route      shop/prod  GET /orders/{id}  gatehouse.yaml:21
  target     orders at 10.0.1.10:8080, answered 200 in 1.53ms, waited 12ms for room, connected in 400µs, 2 attempts
  bytes      0 in, 512 out
  trace      4b000000000000000000000000000036
  config     generation 3

   1  throttle  passed    50/s per ip  gatehouse.yaml:30
   2  auth      allowed   customers    gatehouse.yaml:40
      key k1
`

func TestWriteText(t *testing.T) {
	r := New(64)
	r.Note(answered(t, "id-1"), "", 4*time.Millisecond)
	r.Note(refused(t, "id-2"), "evil\x1b[31m", time.Millisecond)
	for id, want := range map[string]string{"id-1": goldenAnswered, "id-2": goldenRefused} {
		e, _ := r.Find(id)
		var b bytes.Buffer
		if err := e.WriteText(&b, false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error(diff)
		}
		b.Reset()
		_ = e.WriteText(&b, true)
		if !strings.Contains(b.String(), "\x1b[3") {
			t.Error("no colour")
		}
	}
}

// A flood of ordinary answers, and one of refusals, leave failures alone.
func TestFloods(t *testing.T) {
	r := New(64)
	failed := answered(t, "failed")
	failed.Upstream.Error = "connect refused"
	r.Note(failed, "", 1)
	r.Note(refused(t, "refused"), "", 1)
	for i := range 1000 {
		r.Note(answered(t, fmt.Sprint("ok-", i)), "", 1)
	}
	for _, id := range []string{"failed", "refused", "ok-999", "ok-968"} {
		if _, ok := r.Find(id); !ok {
			t.Errorf("%s is forgotten", id)
		}
	}
	if _, ok := r.Find("ok-967"); ok {
		t.Error("more is remembered than there is room for")
	}
	for i := range 1000 {
		r.Note(refused(t, fmt.Sprint("no-", i)), "", 1)
	}
	if _, ok := r.Find("failed"); !ok {
		t.Error("refusals washed out the failure")
	}
}

func TestLast(t *testing.T) {
	r := New(16)
	for i := range 10 {
		x := answered(t, fmt.Sprint("ok-", i))
		x.Start = x.Start.Add(time.Duration(i) * time.Second)
		r.Note(x, "", 1)
	}
	x := refused(t, "refused")
	x.Start = x.Start.Add(8500 * time.Millisecond)
	r.Note(x, "", 1)
	var ids []string
	for _, e := range r.Last(4, nil) {
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff([]string{"ok-9", "refused", "ok-8", "ok-7"}, ids); diff != "" {
		t.Error(diff)
	}
	var b bytes.Buffer
	if err := WriteList(&b, r.Last(3, nil)); err != nil {
		t.Fatal(err)
	}
	const list = `ok-9     05:06:16.890  200  0s  orders            GET api.shop.test/orders/1
refused  05:06:16.390  403  0s  authorize: scope  GET api.shop.test/orders/1
ok-8     05:06:15.890  200  0s  orders            GET api.shop.test/orders/1
`
	if diff := cmp.Diff(list, b.String()); diff != "" {
		t.Error(diff)
	}
	if got := r.Last(4, func(e *Entry) bool { return e.Refused != nil }); len(got) != 1 {
		t.Errorf("%d refusals", len(got))
	}
	if got := New(8).Last(5, nil); len(got) != 0 {
		t.Errorf("something from nothing: %v", got)
	}
}

// An entry stays within its bound whatever a client sends, and says so.
func TestLongValues(t *testing.T) {
	x, r := begin(t, "long", "GET", "/"+strings.Repeat("a", 5000)+"?code="+strings.Repeat("b", 5000))
	for range exchange.Steps + 3 {
		x.Trail.Add(&exchange.Rule{Filter: "waf", Name: strings.Repeat("r", 300), At: at(1)}, exchange.Counted, strings.Repeat("d", 300))
	}
	exchange.Refuse(&x.Writer, r, exchange.Refusal{Status: 403, Reason: "rule", Detail: strings.Repeat("x", 5000), Rule: &exchange.Rule{Filter: "waf", Name: "last", At: at(99)}})
	x.Finish()
	data := encode(nil, x, strings.Repeat("u", 5000), 1)
	if len(data) > maxEntry+1024 {
		t.Errorf("%d bytes", len(data))
	}
	e := decode(data)
	if !e.Cut || e.Refused.At != "gatehouse.yaml:99" || e.Untold != 4 || len(e.Trail) != exchange.Steps || e.Query != "code=(redacted)" {
		t.Errorf("%+v", e)
	}
	var b bytes.Buffer
	_ = e.WriteText(&b, false)
	if !strings.Contains(b.String(), "and 4 more") || !strings.Contains(b.String(), "are cut") {
		t.Error(b.String())
	}
}

// What a client makes long does not take the place of why it was let in.
func TestLongRequestKeepsItsTrail(t *testing.T) {
	x, _ := begin(t, "long", "GET", "/"+strings.Repeat("a", 5000)+"?"+strings.Repeat("code=1&", 700))
	x.Host = strings.Repeat("h", 250)
	for i := range 10 {
		x.Trail.Add(&exchange.Rule{Filter: "throttle", Name: "50/s per principal", At: at(i + 1)}, exchange.Passed, "")
	}
	x.Upstream = exchange.Upstream{Service: "orders", Target: "10.0.1.10:8080", Status: 200, Attempts: 1}
	x.Finish()
	data := encode(nil, x, strings.Repeat("u", 5000), 1)
	e := decode(data)
	if len(data) > maxEntry+1024 || !e.Cut || len(e.Trail) != 10 || e.Upstream.Target != "10.0.1.10:8080" {
		t.Errorf("%d bytes, %+v", len(data), e)
	}
	for i, s := range e.Trail {
		if s.Filter != "throttle" || s.Rule != "50/s per principal" || s.At != fmt.Sprint("gatehouse.yaml:", i+1) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
}

func TestConcurrent(t *testing.T) {
	r := New(8)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			x := answered(t, fmt.Sprint("id-", g))
			for range 2000 {
				r.Note(x, "ua", 1)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 500 {
				if e, ok := r.Find("id-1"); ok && (e.ID != "id-1" || e.UserAgent != "ua") {
					t.Errorf("a mixed entry: %+v", e)
				}
				r.Last(3, nil)
			}
		})
	}
	wg.Wait()
}

func TestNoteAllocates(t *testing.T) {
	r := New(8)
	x := answered(t, "id")
	for range 8 {
		r.Note(x, "ua", 1)
	}
	if n := testing.AllocsPerRun(100, func() { r.Note(x, "ua", 1) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}
