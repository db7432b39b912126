package exchange_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

var testRule = &exchange.Rule{Filter: "test", Name: "rule"}

func TestRefuse(t *testing.T) {
	shared := http.Header{"Www-Authenticate": append(make([]string, 0, 4), "Bearer")}
	rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(func(h *exchange.Head) { h.Header.Add("Www-Authenticate", "Basic") })
		w.Header().Set("Set-Cookie", "of=the target")
		if !exchange.Refuse(w, r, exchange.Refusal{Status: 401, Rule: testRule, Reason: "no-token", Detail: "none", Retry: 1500 * time.Millisecond, Header: shared}) {
			t.Error("the refusal was not sent")
		}
	})
	want := map[string]string{
		"X-Amzn-Requestid": x.ID, "X-Amzn-Errortype": "UnauthorizedException", "Retry-After": "2", "Content-Type": "application/json",
		"Cache-Control": "no-store", "Content-Length": "26", "Www-Authenticate": "Bearer", "Set-Cookie": "",
	}
	for name, value := range want {
		if got := rec.Header().Get(name); got != value {
			t.Errorf("%s: %q, not %q", name, got, value)
		}
	}
	if rec.Code != 401 || rec.Body.String() != `{"message":"Unauthorized"}` {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	if got := shared["Www-Authenticate"]; len(got) != 1 || got[:2][1] != "" {
		t.Errorf("a hook wrote into the refusal's own header: %q", got[:2])
	}
	if x.Refused == nil || x.Refused.Reason != "no-token" || x.Refused.Message != "Unauthorized" {
		t.Errorf("%+v", x.Refused)
	}
	if steps := x.Trail.Steps(); len(steps) != 1 || steps[0] != (exchange.Step{Rule: testRule, Decision: exchange.Denied, Detail: "none"}) {
		t.Errorf("%+v", steps)
	}
}

func TestRefuseMessages(t *testing.T) {
	for _, test := range []struct {
		refusal  exchange.Refusal
		status   int
		kind     string
		messages string
	}{
		{exchange.Refusal{Status: 404}, 404, "NotFoundException", "Not Found"},
		{exchange.Refusal{Status: 418}, 418, "", "I'm a teapot"},
		{exchange.Refusal{Status: 403, Type: "Own", Message: "No"}, 403, "Own", "No"},
		{exchange.Refusal{Status: 400, Message: "</script>\"\r\n\\\x00\u2028é\xff"}, 400, "BadRequestException", "</script>\"\r\n\\\x00\u2028é\ufffd"},
	} {
		test.refusal.Rule = testRule
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			exchange.Refuse(w, r, test.refusal)
		})
		var got struct{ Message string }
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.Message != test.messages || rec.Code != test.status || rec.Header().Get("X-Amzn-Errortype") != test.kind {
			t.Errorf("%d %q %v %v", rec.Code, rec.Body, rec.Header(), err)
		}
		if strings.ContainsAny(rec.Body.String(), "<>\r\n\x00") {
			t.Errorf("not escaped: %q", rec.Body)
		}
	}
}

func TestRefuseHead(t *testing.T) {
	rec, _ := answer(t, "HEAD", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		exchange.Refuse(w, r, exchange.Refusal{Status: 403, Rule: testRule})
	})
	if rec.Code != 403 || rec.Body.Len() != 0 || rec.Header().Get("Content-Length") != "23" {
		t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
	}
}

// What ends a connection of HTTP/1 would end every stream of one of HTTP/2: there
// the body's own stream ends, and that is enough.
func TestRefuseEndsNoOtherStream(t *testing.T) {
	for major, want := range map[int]string{1: "close", 2: ""} {
		rec, _ := answer(t, "POST", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			r.ProtoMajor = major
			exchange.Refuse(w, r, exchange.BodyRefusal(testRule, exchange.ErrBodyTooLarge))
		})
		if got := rec.Header().Get("Connection"); rec.Code != 413 || got != want {
			t.Errorf("HTTP/%d: %d, Connection: %q", major, rec.Code, got)
		}
	}
}

func TestRefuseGRPC(t *testing.T) {
	for contentType, is := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;x=y": true,
		"application/grpc-webx": false, "application/json": false, "": false,
	} {
		for status, code := range map[int]string{400: "13", 401: "16", 403: "7", 404: "12", 405: "12", 413: "8", 429: "8", 408: "4", 504: "4", 502: "14", 503: "14", 500: "2"} {
			rec, x := answer(t, "POST", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Content-Type", contentType)
				exchange.Refuse(w, r, exchange.Refusal{Status: status, Message: "50% of\né", Rule: testRule})
			})
			if !is {
				if rec.Code != status {
					t.Errorf("%s: %d", contentType, rec.Code)
				}
				continue
			}
			if rec.Code != 200 || rec.Header().Get("Grpc-Status") != code || rec.Header().Get("Grpc-Message") != "50%25 of%0A%C3%A9" || rec.Body.Len() != 0 {
				t.Errorf("%s %d: %d %v", contentType, status, rec.Code, rec.Header())
			}
			if x.Refused.Status != status || rec.Header().Get("X-Amzn-Requestid") != x.ID {
				t.Errorf("%+v", x.Refused)
			}
		}
	}
}

func TestRefuseBegun(t *testing.T) {
	rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		if exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: testRule, Reason: "cut"}) {
			t.Error("a second answer was sent")
		}
	})
	if rec.Code != 200 || rec.Body.String() != "begun" || x.Refused == nil || len(x.Trail.Steps()) != 1 {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	// Nor can a hook answer in the middle of an answer.
	rec, _ = answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(func(h *exchange.Head) {
			if exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: testRule}) {
				t.Error("a hook answered")
			}
		})
		_, _ = io.WriteString(w, "body")
	})
	if rec.Code != 200 || rec.Body.String() != "body" {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
}

// An answer that is held back can become a refusal: what was held goes, and
// the hooks that have not run yet see the refusal.
func TestRefuseHeld(t *testing.T) {
	var log []string
	rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(func(h *exchange.Head) { h.Header.Set("X-Outer", http.StatusText(h.Status)) })
		x.OnHead(func(h *exchange.Head) {
			h.Hold(100, func(*exchange.Head, []byte, bool) []byte { t.Error("then was called"); return nil })
		})
		x.OnHead(filter("in", &log, nil))
		w.Header().Set("Etag", "x")
		_, _ = io.WriteString(w, "half an ans")
		if x.Writer.Begun() {
			t.Error("begun")
		}
		if !exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: testRule}) {
			t.Error("not refused")
		}
	})
	if rec.Code != 502 || rec.Body.String() != `{"message":"Bad Gateway"}` || rec.Header().Get("X-Outer") != "Bad Gateway" || rec.Header().Get("Etag") != "" {
		t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
	}
	if x.Writer.Status() != 502 || len(log) != 2 || log[1] != "in abort" {
		t.Errorf("%d %v", x.Writer.Status(), log)
	}
}

func TestTrail(t *testing.T) {
	var trail exchange.Trail
	for range exchange.Steps + 3 {
		trail.Add(testRule, exchange.Passed, "")
	}
	if len(trail.Steps()) != exchange.Steps || trail.Dropped() != 3 {
		t.Errorf("%d steps, %d dropped", len(trail.Steps()), trail.Dropped())
	}
	for d := exchange.Passed; d <= exchange.Failed; d++ {
		if d.String() == "" {
			t.Errorf("decision %d has no name", d)
		}
	}
	trail = exchange.Trail{}
	trail.Add(testRule, exchange.Passed, "")
	if n := testing.AllocsPerRun(10, func() { trail.Add(testRule, exchange.Passed, "x") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPrincipal(t *testing.T) {
	p := exchange.NewPrincipal("jwt", "https://login.shop.test", "ci")
	if p.ID != "jwt:https://login.shop.test|ci" {
		t.Error(p.ID)
	}
	p.Scopes = []string{"orders.read"}
	if !p.HasScope("orders.read") || p.HasScope("orders") || (*exchange.Principal)(nil).HasScope("orders.read") {
		t.Error("scopes")
	}
	if exchange.From(httptest.NewRequest("GET", "/", nil)) != nil {
		t.Error("an Exchange from nowhere")
	}
}

// forms is an API's own form of every refusal.
type forms struct {
	status int
	body   string
}

func (f forms) Respond(x *exchange.Exchange, r *http.Request, h http.Header) (int, []byte) {
	h.Set("X-Own", x.Refused.Kind.String())
	if f.body == "" {
		return f.status, nil
	}
	h.Set("Content-Type", "text/plain")
	return f.status, []byte(f.body)
}

func TestRefuseInTheAPIsForm(t *testing.T) {
	for _, tc := range []struct {
		forms     forms
		grpc      bool
		status    int
		own, body string
		mediaType string
	}{
		{forms{404, "gone"}, false, 404, "ACCESS_DENIED", "gone", "text/plain"},
		{forms{0, ""}, false, 403, "ACCESS_DENIED", `{"message":"Forbidden"}`, "application/json"},
		{forms{404, "gone"}, true, 200, "", "", "application/grpc"}, // gRPC has one form
	} {
		rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.Responses = tc.forms
			if tc.grpc {
				r.Header.Set("Content-Type", "application/grpc")
			}
			exchange.Refuse(w, r, exchange.Refusal{Status: 403, Rule: testRule})
		})
		h := rec.Header()
		if rec.Code != tc.status || h.Get("X-Own") != tc.own || rec.Body.String() != tc.body || h.Get("Content-Type") != tc.mediaType || x.Refused.Status != 403 {
			t.Errorf("%+v: %d %q %v", tc.forms, rec.Code, rec.Body, h)
		}
	}
}

func TestResponseTypes(t *testing.T) {
	names := exchange.ResponseTypeNames()
	if len(names) != int(exchange.TypesOfResponse)-1 {
		t.Errorf("%d names", len(names))
	}
	for _, name := range names {
		if kind, ok := exchange.ParseResponseType(name); !ok || kind.String() != name {
			t.Errorf("%q: %v", name, kind)
		}
	}
	if _, ok := exchange.ParseResponseType(""); ok {
		t.Error("a type without a name")
	}
	for _, tc := range []struct {
		refusal exchange.Refusal
		want    string
	}{
		{exchange.Refusal{Status: 400}, "BAD_REQUEST_PARAMETERS"},
		{exchange.Refusal{Status: 401}, "UNAUTHORIZED"},
		{exchange.Refusal{Status: 401, Kind: exchange.ExpiredToken}, "EXPIRED_TOKEN"},
		{exchange.Refusal{Status: 403}, "ACCESS_DENIED"},
		{exchange.Refusal{Status: 403, Rule: &exchange.Rule{Filter: "waf"}}, "WAF_FILTERED"},
		{exchange.Refusal{Status: 404}, "RESOURCE_NOT_FOUND"},
		{exchange.Refusal{Status: 405}, "RESOURCE_NOT_FOUND"},
		{exchange.Refusal{Status: 408}, "DEFAULT_4XX"},
		{exchange.Refusal{Status: 413}, "REQUEST_TOO_LARGE"},
		{exchange.Refusal{Status: 415}, "UNSUPPORTED_MEDIA_TYPE"},
		{exchange.Refusal{Status: 429}, "THROTTLED"},
		{exchange.Refusal{Status: 500}, "DEFAULT_5XX"},
		{exchange.Refusal{Status: 502}, "INTEGRATION_FAILURE"},
		{exchange.Refusal{Status: 503}, "INTEGRATION_FAILURE"},
		{exchange.Refusal{Status: 504}, "INTEGRATION_TIMEOUT"},
	} {
		_, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) { exchange.Refuse(w, r, tc.refusal) })
		if got := x.Refused.Kind.String(); got != tc.want {
			t.Errorf("%d: %s, want %s", tc.refusal.Status, got, tc.want)
		}
	}
}

// A gRPC-Web client finds the status in the body, in the form in which it asked.
func TestRefuseGRPCWeb(t *testing.T) {
	for contentType, text := range map[string]bool{"application/grpc-web": false, "application/grpc-web+proto": false, "application/grpc-web-text+proto": true} {
		rec, _ := answer(t, "POST", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Content-Type", contentType)
			exchange.Refuse(w, r, exchange.Refusal{Status: 401, Message: "who\r\nare you", Rule: testRule})
		})
		body := rec.Body.Bytes()
		if text {
			body, _ = base64.StdEncoding.DecodeString(string(body))
		}
		lines := strings.Split(strings.TrimSuffix(string(body[5:]), "\r\n"), "\r\n")
		slices.Sort(lines)
		want := "grpc-message:who%0D%0Aare you grpc-status:16"
		if rec.Code != 200 || rec.Header().Get("Content-Type") != contentType || body[0] != 0x80 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 || strings.Join(lines, " ") != want {
			t.Errorf("%s: %d %q %v", contentType, rec.Code, body, rec.Header())
		}
	}
}
