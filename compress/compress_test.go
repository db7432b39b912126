package compress

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gatehouse/exchange"
)

const on = "true"

func TestNone(t *testing.T) {
	if New(nil, nil) != nil || Plain(nil) != nil {
		t.Error("a filter of nothing")
	}
	if off := mustLoad(t, "false"); New(off, nil) != nil || Plain(off) != nil {
		t.Error("a filter that is off")
	}
}

// Every coding at every level, of bodies of every kind of length, comes back
// as it was.
func TestCodings(t *testing.T) {
	bodies := map[string]string{
		"one byte":    "x",
		"short":       strings.Repeat("ab", 30),
		"JSON":        string(orders(20_000)),
		"large":       string(orders(600 << 10)),
		"noise":       string(noise(300_000)),
		"a long line": strings.Repeat("0", 1<<20),
	}
	levels := []string{"fast", "default", "best"}
	if testing.Short() {
		levels = levels[:1] // the race detector makes the others slow
	}
	for _, level := range levels {
		for name, body := range bodies {
			r := newRoute(t, "{min-size: 0, level: "+level+"}", answering(200, "Content-Type: application/json", body))
			for _, c := range []string{"gzip", "br", "zstd"} {
				rec, x := r.ask(t, "GET Accept-Encoding: "+c)
				sent := rec.Body.Len()
				if got := decoded(t, rec); rec.Header().Get("Content-Encoding") != c || got != body {
					t.Errorf("%s %s %s: %d bytes, want %d, %v", level, c, name, len(got), len(body), rec.Header())
				}
				if len(body) > 1000 && name != "noise" && sent > len(body)/2 {
					t.Errorf("%s %s %s: %d of %d bytes", level, c, name, sent, len(body))
				}
				if x.Coding != (exchange.Coding{Name: c, Plain: int64(len(body))}) || x.Writer.Bytes() != int64(sent) {
					t.Errorf("%s %s %s: %+v, %d sent", level, c, name, x.Coding, x.Writer.Bytes())
				}
				x.Release()
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	const small, large = 100, 5000
	for name, test := range map[string]struct {
		config  string
		request string
		status  int
		fields  string
		length  int
		want    string // Content-Encoding, Vary, Etag, Accept-Ranges
	}{
		"coded":                {on, "GET Accept-Encoding: gzip", 200, "Content-Type: application/json|Accept-Ranges: bytes", large, "gzip Accept-Encoding  "},
		"an error":             {on, "GET Accept-Encoding: gzip", 500, "Content-Type: application/problem+json", large, "gzip Accept-Encoding  "},
		"of a POST":            {on, "POST Accept-Encoding: br", 201, "Content-Type: Text/HTML; charset=utf-8", large, "br Accept-Encoding  "},
		"by our order":         {on, "GET Accept-Encoding: gzip, br, zstd", 200, "Content-Type: text/plain", large, "zstd Accept-Encoding  "},
		"by another":           {"{algorithms: [br, gzip]}", "GET Accept-Encoding: gzip, br, zstd", 200, "Content-Type: text/plain", large, "br Accept-Encoding  "},
		"one alone":            {"{algorithms: gzip}", "GET Accept-Encoding: br, zstd", 200, "Content-Type: text/plain", large, " Accept-Encoding  "},
		"no field":             {on, "GET ", 200, "Content-Type: text/plain|Accept-Ranges: bytes", large, " Accept-Encoding  bytes"},
		"an empty field":       {on, "GET Accept-Encoding: ", 200, "Content-Type: text/plain", large, " Accept-Encoding  "},
		"too small":            {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/plain", small, " Accept-Encoding  "},
		"just large enough":    {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/plain", 1024, "gzip Accept-Encoding  "},
		"just too small":       {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/plain", 1023, " Accept-Encoding  "},
		"small, plain refused": {on, "GET Accept-Encoding: gzip, identity;q=0", 200, "Content-Type: text/plain", small, "gzip Accept-Encoding  "},
		"nothing, plain refused": {on, "GET Accept-Encoding: gzip, identity;q=0", 200, "Content-Type: text/plain", 0,
			" Accept-Encoding  "},
		"all refused":         {on, "GET Accept-Encoding: *;q=0", 200, "Content-Type: text/plain", large, " Accept-Encoding  "},
		"a picture":           {on, "GET Accept-Encoding: gzip", 200, "Content-Type: image/png", large, "   "},
		"no type":             {on, "GET Accept-Encoding: gzip", 200, "", large, "   "},
		"events":              {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/event-stream", large, "   "},
		"events, written out": {"{types: [default, text/event-stream]}", "GET Accept-Encoding: gzip", 200, "Content-Type: text/event-stream", large, "gzip Accept-Encoding  "},
		"gRPC as JSON":        {on, "GET Accept-Encoding: gzip", 200, "Content-Type: application/grpc+json", large, "   "},
		"its own types":       {"{types: [image/png]}", "GET Accept-Encoding: gzip", 200, "Content-Type: image/png", large, "gzip Accept-Encoding  "},
		"not its types":       {"{types: [image/png]}", "GET Accept-Encoding: gzip", 200, "Content-Type: text/html", large, "   "},
		"coded before":        {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Content-Encoding: br|Etag: \"a\"", large, "br  \"a\" "},
		"coded twice before":  {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Content-Encoding: identity|Content-Encoding: br", large, "identity|br   "},
		"identity before":     {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Content-Encoding: identity", large, "gzip Accept-Encoding  "},
		"no-transform":        {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Cache-Control: private, No-Transform ,max-age=1", large, "   "},
		"no-transform asked":  {on, "GET Accept-Encoding: gzip|Cache-Control: no-transform", 200, "Content-Type: text/html", large, " Accept-Encoding  "},
		"not no-transform":    {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Cache-Control: no-transformer", large, "gzip Accept-Encoding  "},
		"a digest":            {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Repr-Digest: sha-256=:AA==:", large, "   "},
		"a digest to come":    {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Trailer: X-Sum, content-digest", large, "   "},
		"a part":              {on, "GET Accept-Encoding: gzip|Range: bytes=0-4999", 206, "Content-Type: text/html|Content-Range: bytes 0-4999/9000|Etag: \"a\"|Accept-Ranges: bytes", large, " Accept-Encoding \"a\" bytes"},
		"no such part":        {on, "GET Accept-Encoding: gzip", 416, "Content-Type: text/html|Content-Range: bytes */9000", large, "   "},
		"no content":          {on, "GET Accept-Encoding: gzip", 204, "Content-Type: text/html|Etag: \"a\"", 0, "  \"a\" "},
		"unchanged":           {on, "GET Accept-Encoding: gzip", 304, "Etag: \"a\"|Vary: Origin", 0, " Origin|Accept-Encoding \"a\" "},
		"Vary there":          {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Vary: Origin, accept-encoding", large, "gzip Origin, accept-encoding  "},
		"Vary more":           {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Vary: Origin|Vary: Cookie", large, "gzip Origin|Cookie|Accept-Encoding  "},
		"Vary everything":     {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Vary: *", large, "gzip *  "},
		"a strong tag":        {on, "GET Accept-Encoding: gzip", 200, "Content-Type: text/html|Etag: \"a\"", large, "gzip Accept-Encoding W/\"a~gzip\" "},
		"a weak tag":          {on, "GET Accept-Encoding: br", 200, "Content-Type: text/html|Etag: W/\"a\"", large, "br Accept-Encoding W/\"a~w~br\" "},
		"a tag of a plain":    {on, "GET ", 200, "Content-Type: text/html|Etag: \"a\"", large, " Accept-Encoding \"a\" "},
		"a tag that is none":  {on, "GET Accept-Encoding: zstd", 200, "Content-Type: text/html|Etag: a", large, "zstd Accept-Encoding  "},
		"cross-site":          {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site|Cookie: a=b", 200, "Content-Type: text/html", large, " Accept-Encoding  "},
		"cross-site, told":    {"{cross-site: true}", "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site|Cookie: a=b", 200, "Content-Type: text/html", large, "gzip Accept-Encoding  "},
		"cross-site, Basic":   {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site|Authorization: Basic YTpi", 200, "Content-Type: text/html", large, " Accept-Encoding  "},
		"cross-site, bearer":  {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site|Authorization: bearer x", 200, "Content-Type: text/html", large, "gzip Accept-Encoding  "},
		"cross-site, nobody":  {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site", 200, "Content-Type: text/html", large, "gzip Accept-Encoding  "},
		"a link from afar":    {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: cross-site|Cookie: a=b|Sec-Fetch-User: ?1", 200, "Content-Type: text/html", large, "gzip Accept-Encoding  "},
		"same-site":           {on, "GET Accept-Encoding: gzip|Sec-Fetch-Site: same-site|Cookie: a=b", 200, "Content-Type: text/html", large, "gzip Accept-Encoding  "},
		"gRPC":                {on, "POST Accept-Encoding: gzip|Content-Type: application/grpc", 200, "Content-Type: text/html", large, "   "},
		"WebSocket":           {on, "GET Accept-Encoding: gzip|Upgrade: websocket", 200, "Content-Type: text/html", large, "   "},
	} {
		body := string(orders(test.length))
		for _, told := range []bool{true, false} {
			fields := test.fields
			if told {
				fields += fmt.Sprint("|Content-Length: ", test.length)
			}
			r := newRoute(t, test.config, answering(test.status, fields, body))
			rec, x := r.ask(t, test.request)
			h := rec.Header()
			got := strings.Join([]string{strings.Join(h["Content-Encoding"], "|"), strings.Join(h["Vary"], "|"), h.Get("Etag"), h.Get("Accept-Ranges")}, " ")
			if got != test.want || rec.Code != test.status {
				t.Errorf("%s, length told %v:\n%q, want\n%q", name, told, got, test.want)
			}
			if x.Coding.Name != "" {
				if h.Get("Content-Length") != "" || decoded(t, rec) != body {
					t.Errorf("%s: the body is another, or has a length: %v", name, h)
				}
			} else if rec.Body.String() != body || told && h.Get("Content-Length") != fmt.Sprint(test.length) && test.status != 204 {
				t.Errorf("%s: a plain body was changed: %v", name, h)
			}
			// The trail says what was decided, once.
			steps := x.Trail.Steps()
			passedBy := strings.Contains(test.request, "grpc") || strings.Contains(test.request, "Upgrade")
			if n := len(steps); n > 1 || n == 1 == passedBy || n == 1 && (steps[0].Rule.Filter != "compress" || steps[0].Detail == "") {
				t.Errorf("%s: %+v", name, steps)
			}
		}
	}
}

// HEAD has the head of GET, whose length it need not tell.
func TestHead(t *testing.T) {
	body := string(orders(5000))
	for _, fields := range []string{
		"Content-Type: text/html|Etag: \"a\"|Accept-Ranges: bytes|Content-Length: 5000", "Content-Type: text/html|Etag: \"a\"",
		"Content-Type: image/png|Content-Length: 5000", "Content-Type: text/html|Content-Length: 10",
	} {
		sent := body
		if strings.HasSuffix(fields, ": 10") {
			sent = body[:10]
		}
		r := newRoute(t, on, answering(200, fields, sent))
		get, _ := r.ask(t, "GET Accept-Encoding: gzip")
		head, x := r.ask(t, "HEAD Accept-Encoding: gzip")
		if head.Body.Len() > 0 || x.Coding.Name != "" {
			t.Errorf("%s: HEAD has a body", fields)
		}
		if got, want := fmt.Sprint(head.Header()), fmt.Sprint(get.Header()); got != want {
			t.Errorf("%s: HEAD has\n%s, GET\n%s", fields, got, want)
		}
	}
}

// The gateway's own refusals are small; a large one would be coded as well.
func TestRefusals(t *testing.T) {
	for message, want := range map[string]string{"no": "", strings.Repeat("no ", 1000): "gzip"} {
		r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
			exchange.Refuse(w, r, exchange.Refusal{Status: 403, Message: message, Rule: &exchange.Rule{Filter: "test"}})
		})
		rec, _ := r.ask(t, "GET Accept-Encoding: gzip")
		if rec.Code != 403 || rec.Header().Get("Content-Encoding") != want || !strings.Contains(decoded(t, rec), message) {
			t.Errorf("%d %v", rec.Code, rec.Header())
		}
	}
}

// A refusal that takes the place of an answer whose start was looked at is a
// plain answer of its own.
func TestRefusedAfterAll(t *testing.T) {
	r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
		answering(200, "Content-Type: text/html|Etag: \"a\"", "the start of")(w, r)
		if !exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: &exchange.Rule{Filter: "test"}}) {
			t.Error("it could not be refused")
		}
	})
	rec, _ := r.ask(t, "GET Accept-Encoding: gzip")
	if rec.Code != 502 || rec.Header().Get("Etag") != "" || rec.Header().Get("Content-Encoding") != "" || !strings.Contains(rec.Body.String(), "Bad Gateway") {
		t.Errorf("%d %v %q", rec.Code, rec.Header(), rec.Body)
	}
}

// An answer that nobody wrote is an empty one.
func TestUntouched(t *testing.T) {
	r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/html") })
	rec, _ := r.ask(t, "GET Accept-Encoding: gzip")
	if rec.Code != 200 || rec.Header().Get("Content-Encoding") != "" || rec.Body.Len() > 0 {
		t.Errorf("%d %v %q", rec.Code, rec.Header(), rec.Body)
	}
}

func TestExplains(t *testing.T) {
	for request, test := range map[string][2]string{
		"GET Accept-Encoding: zstd":                             {"Content-Type: text/html", "changed zstd"},
		"GET ":                                                  {"Content-Type: text/html", "passed the client takes none of these"},
		"GET Accept-Encoding: br":                               {"Content-Type: text/html|Content-Encoding: gzip", "passed the service has coded it as the client did not ask"},
		"GET Accept-Encoding: gzip":                             {"Content-Type: text/html|Content-Encoding: gzip", "passed the service has coded it"},
		"GET Accept-Encoding: br, gzip":                         {"Content-Type: text/html|Content-Length: 5", "passed the body is too small"},
		"GET Accept-Encoding: gzip|Sec-Fetch-Site: x":           {"Content-Type: image/png", "passed a type that is not compressed"},
		"GET Accept-Encoding: gzip|Sec-Fetch-Site: y":           {"Content-Type: text/html|Cache-Control: no-transform", "passed the answer says no-transform"},
		"GET Accept-Encoding: gzip|Cache-Control: no-transform": {"Content-Type: text/html", "passed the client says no-transform"},
	} {
		body := string(orders(5000))
		if strings.HasSuffix(test[0], ": 5") {
			body = body[:5]
		}
		_, x := newRoute(t, on, answering(200, test[0], body)).ask(t, request)
		step := x.Trail.Steps()[0]
		if got := step.Decision.String() + " " + step.Detail; got != test[1] || step.Rule.Name != "zstd or gzip or br" {
			t.Errorf("%s: %s, want %s", request, got, test[1])
		}
	}
}
