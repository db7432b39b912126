package sigv4

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

type connection = exchange.Conn

// TestTampering changes what was signed, in every way that we could think of.
func TestTampering(t *testing.T) {
	g := newGate(t)
	const path = "https://api.shop.test/orders/42?a=1&b=2"
	fresh := func() *http.Request {
		r := request(t, "POST", path, "body", "Content-Type", "text/plain", "X-Custom", "v")
		r.Header.Set("X-Amz-Content-Sha256", hashOf("body"))
		return sign(t, r, keys, hashOf("body"), time.Now())
	}
	if _, f, _, _ := g.verify(t, fresh()); f != nil {
		t.Fatal(f)
	}
	target := func(to string) func(*http.Request) { return func(r *http.Request) { r.RequestURI = to } }
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			if delete(r.Header, name); len(values) > 0 {
				r.Header[name] = values
			}
		}
	}
	edit := func(name, from, to string) func(*http.Request) {
		return func(r *http.Request) {
			before := r.Header.Get(name)
			if after := strings.Replace(before, from, to, 1); after != before {
				r.Header.Set(name, after)
				return
			}
			t.Fatalf("%s has no %s", name, from)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"method", func(r *http.Request) { r.Method = "DELETE" }, "bad-signature"},
		{"method in small letters", func(r *http.Request) { r.Method = "post" }, "bad-signature"},
		{"path", target("/orders/43?a=1&b=2"), "bad-signature"},
		{"path: final slash", target("/orders/42/?a=1&b=2"), "bad-signature"},
		{"path: encoded", target("/orders/%342?a=1&b=2"), "bad-signature"},
		{"path: encoded slash", target("/orders%2F42?a=1&b=2"), "bad-signature"},
		{"path: letter case", target("/Orders/42?a=1&b=2"), "bad-signature"},
		{"path: parameter", target("/orders/42;x?a=1&b=2"), "bad-signature"},
		{"path: out and in", target("/x/../orders/43?a=1&b=2"), "bad-signature"},
		{"query: value", target("/orders/42?a=1&b=3"), "bad-signature"},
		{"query: more", target("/orders/42?a=1&b=2&c"), "bad-signature"},
		{"query: twice", target("/orders/42?a=1&a=1&b=2"), "bad-signature"},
		{"query: less", target("/orders/42?a=1"), "bad-signature"},
		{"query: name", target("/orders/42?A=1&b=2"), "bad-signature"},
		{"query: order alone", target("/orders/42?b=2&a=1"), ""},
		{"query: encoding alone", target("/orders/42?%61=%31&b=2"), ""},
		{"query: semicolon", target("/orders/42?a=1;b=2"), "bad-signature"},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("bodx")) }, "tampered-body"},
		{"body gone", func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }, "bad-signature"}, // the length is signed
		{"hash of another body", header("X-Amz-Content-Sha256", hashOf("x")), "bad-signature"},
		{"hash away", header("X-Amz-Content-Sha256"), "bad-signature"},
		{"hash unsigned", header("X-Amz-Content-Sha256", unsignedPayload), "bad-signature"},
		{"hash nonsense", header("X-Amz-Content-Sha256", "nonsense"), "malformed"},
		{"hash twice", header("X-Amz-Content-Sha256", hashOf("body"), hashOf("x")), "malformed"},
		{"a signed header", header("X-Custom", "w"), "bad-signature"},
		{"a signed header away", header("X-Custom"), "bad-signature"},
		{"a signed header twice", header("X-Custom", "v", "v"), "bad-signature"},
		{"a signed header: spaces alone", header("X-Custom", "  v  "), ""},
		{"an unsigned header", header("X-Other", "x"), ""},
		{"an unsigned x-amz- header", header("X-Amz-Target", "x"), "unsigned-header"},
		{"an unsigned x-amz- header, almost", header("X-Amz-Dat", "x"), "unsigned-header"},
		{"header injection", header("X-Custom", "v\nx-amz-target:x"), "bad-signature"},
		{"date", header("X-Amz-Date", time.Now().Add(time.Second).UTC().Format(stampForm)), "bad-signature"},
		{"date away", header("X-Amz-Date"), "malformed"},
		{"date twice", header("X-Amz-Date", "20260101T000000Z", "20260101T000000Z"), "malformed"},
		{"date nonsense", header("X-Amz-Date", "yesterday"), "malformed"},
		{"date of another day", header("X-Amz-Date", time.Now().Add(-24*time.Hour).UTC().Format(stampForm)), "wrong-scope"},
		{"a token that is none", header("X-Amz-Security-Token", "x"), "unknown-key"},
		{"signature", edit("Authorization", "Signature=", "Signature=0"), "bad-signature"},
		{"signature in capitals", func(r *http.Request) {
			before, after, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", before+"Signature="+strings.ToUpper(after))
		}, "bad-signature"},
		{"signature empty", func(r *http.Request) {
			before, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", before+"Signature=")
		}, "malformed"},
		{"no signature", func(r *http.Request) {
			before, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
			r.Header.Set("Authorization", before)
		}, "malformed"},
		{"algorithm", edit("Authorization", algorithm, "AWS4-HMAC-MD5"), "malformed"},
		{"algorithm of other keys", edit("Authorization", algorithm, "AWS4-ECDSA-P256-SHA256"), "malformed"},
		{"region", edit("Authorization", region, "us-east-1"), "wrong-scope"},
		{"service", edit("Authorization", ExecuteAPI, "s3"), "wrong-scope"},
		{"terminator", edit("Authorization", terminator, "aws5_request"), "wrong-scope"},
		{"scope too short", edit("Authorization", "/"+terminator, ""), "malformed"},
		{"scope too long", edit("Authorization", terminator, terminator+"/x"), "malformed"},
		{"another key", edit("Authorization", keyID, "AKIANOBODY0000000000"), "unknown-key"},
		{"a disabled key", edit("Authorization", keyID, "AKIADISABLED00000000"), "unknown-key"},
		{"host not signed", edit("Authorization", ";host;", ";"), "unsigned-header"},
		{"a header less in the list", edit("Authorization", ";x-custom", ""), "bad-signature"},
		{"a header more in the list", edit("Authorization", "x-custom", "x-custom;x-none"), "bad-signature"},
		{"list out of order", edit("Authorization", "x-amz-date;x-custom", "x-custom;x-amz-date"), "malformed"},
		{"list with one twice", edit("Authorization", "host;", "host;host;"), "malformed"},
		{"list in capitals", edit("Authorization", ";host;", ";Host;"), "malformed"},
		{"list with a line", edit("Authorization", ";host;", ";host;\n;"), "malformed"},
		{"list empty", func(r *http.Request) {
			r.Header.Set("Authorization", algorithm+" Credential="+keyID+"/20260101/"+region+"/execute-api/aws4_request, SignedHeaders=, Signature=00")
		}, "malformed"},
		{"a part twice", edit("Authorization", "Signature=", "Signature=00, Signature="), "malformed"},
		{"a part more", edit("Authorization", "Signature=", "X=1, Signature="), "malformed"},
		{"no key=value", edit("Authorization", "Signature=", "Signature"), "malformed"},
		{"two Authorization headers", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, "malformed"},
		{"both forms", target("/orders/42?a=1&b=2&X-Amz-Signature=00"), "malformed"},
	} {
		_, f, _, _ := g.verify(t, fresh(), func(in *http.Request, _ *connection) { tc.change(in) })
		if reason(f) != tc.want {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
		if f != nil && strings.Contains(f.Message+f.Detail, secret) {
			t.Errorf("%s: the secret is told", tc.name)
		}
	}
}

// TestPresignedTampering is the same for the query form.
func TestPresignedTampering(t *testing.T) {
	g := newGate(t)
	fresh := func() *http.Request {
		return presign(t, request(t, "GET", "https://api.shop.test/orders?a=1", ""), keys, emptyHash, time.Now(), "60")
	}
	if _, f, _, _ := g.verify(t, fresh()); f != nil {
		t.Fatal(f)
	}
	edit := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			after := strings.Replace(r.RequestURI, from, to, 1)
			if after == r.RequestURI {
				t.Fatalf("%s has no %s", r.RequestURI, from)
			}
			r.RequestURI = after
		}
	}
	without := func(name string) func(*http.Request) {
		return func(r *http.Request) {
			path, query, _ := strings.Cut(r.RequestURI, "?")
			var kept []string
			for pair := range strings.SplitSeq(query, "&") {
				if !strings.HasPrefix(pair, name+"=") {
					kept = append(kept, pair)
				}
			}
			r.RequestURI = path + "?" + strings.Join(kept, "&")
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"longer", edit("X-Amz-Expires=60", "X-Amz-Expires=600"), "bad-signature"},
		{"for ever", edit("X-Amz-Expires=60", "X-Amz-Expires=604801"), "malformed"},
		{"for no time", edit("X-Amz-Expires=60", "X-Amz-Expires=0"), "malformed"},
		{"before", edit("X-Amz-Expires=60", "X-Amz-Expires=-60"), "malformed"},
		{"in signs", edit("X-Amz-Expires=60", "X-Amz-Expires=%2B60"), "malformed"},
		{"twice", edit("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"), "malformed"},
		{"signature twice", edit("X-Amz-Signature=", "X-Amz-Signature=00&X-Amz-Signature="), "malformed"},
		{"a parameter more", edit("a=1", "a=1&b=2"), "bad-signature"},
		{"a parameter that hides", edit("a=1", "a=1&x-amz-signature=00"), "bad-signature"},
		{"encoded name of the signature", edit("X-Amz-Signature=", "X-Amz-Signatur%65="), "malformed"},
		{"algorithm", edit(algorithm, "none"), "malformed"},
		{"host not signed", edit("SignedHeaders=host", "SignedHeaders=x-h"), "unsigned-header"},
		{"no date", without("X-Amz-Date"), "malformed"},
		{"no expiry", without("X-Amz-Expires"), "bad-signature"},
		{"no credential", without("X-Amz-Credential"), "malformed"},
		{"no signature", without("X-Amz-Signature"), "malformed"},
		{"no list", without("X-Amz-SignedHeaders"), "malformed"},
		{"no algorithm", without("X-Amz-Algorithm"), "malformed"},
		{"service", edit(ExecuteAPI, "sts"), "wrong-scope"},
		{"an x-amz- header", func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") }, "unsigned-header"},
		{"beside Authorization", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "malformed"},
		{"two tokens", func(r *http.Request) {
			r.RequestURI += "&X-Amz-Security-Token=x"
			r.Header.Set("X-Amz-Security-Token", "x")
		}, "malformed"},
		{"token", func(r *http.Request) { r.RequestURI += "&X-Amz-Security-Token=x" }, "unknown-key"},
		{"method", func(r *http.Request) { r.Method = "HEAD" }, "bad-signature"},
		{"an unsigned header", func(r *http.Request) { r.Header.Set("Accept", "text/html") }, ""},
	} {
		if _, f, _, _ := g.verify(t, fresh(), func(in *http.Request, _ *connection) { tc.change(in) }); reason(f) != tc.want {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
	}
}

// TestClocks: five minutes either way, presigned as long as they say; a request
// can come again within.
func TestClocks(t *testing.T) {
	g := newGate(t)
	now := time.Date(2026, 3, 1, 0, 2, 0, 0, time.UTC) // the day has just begun
	for _, tc := range []struct {
		signed  time.Duration // before or after now
		expires string        // of the presigned form
		want    string
		message string
	}{
		{0, "", "", ""},
		{-5 * time.Minute, "", "", ""}, // of yesterday
		{-5*time.Minute - time.Second, "", "expired", "Signature expired: 20260228T235659Z is now earlier than 20260228T235700Z (20260301T000200Z - 5 min.)"},
		{5 * time.Minute, "", "", ""},
		{5*time.Minute + time.Second, "", "not-yet", "Signature not yet current: 20260301T000701Z is still later than 20260301T000700Z (20260301T000200Z + 5 min.)"},
		{-time.Hour, "3601", "", ""},
		{-time.Hour, "3600", "expired", "Signature expired: the request was presigned for 1h0m0s from 20260228T230200Z."},
		{-7*24*time.Hour + time.Second, "604800", "", ""},
		{5 * time.Minute, "60", "", ""},
		{5*time.Minute + time.Second, "60", "not-yet", ""},
	} {
		g.now = now
		r := request(t, "GET", "https://api.shop.test/", "")
		if tc.expires == "" {
			r = sign(t, r, keys, emptyHash, now.Add(tc.signed))
		} else {
			r = presign(t, r, keys, emptyHash, now.Add(tc.signed), tc.expires)
		}
		for range 2 {
			_, f, _, _ := g.verify(t, r)
			if reason(f) != tc.want || tc.message != "" && f.Message != tc.message {
				t.Errorf("%v, %s: %+v", tc.signed, tc.expires, f)
			}
		}
	}
}

// Date stands in for X-Amz-Date, in either of its forms.
func TestDateHeader(t *testing.T) {
	g := newGate(t)
	now := time.Now().UTC()
	for _, date := range []string{now.Format(stampForm), now.Format(http.TimeFormat)} {
		r := request(t, "GET", "https://api.shop.test/", "", "Date", date)
		signByHand(r, secret, now, "date;host", emptyHash)
		if _, f, _, _ := g.verify(t, r); f != nil {
			t.Errorf("%s: %+v", date, f)
		}
		if _, f, _, _ := g.verify(t, r, func(in *http.Request, _ *connection) { in.Header.Set("Date", now.Add(time.Second).Format(stampForm)) }); reason(f) != "bad-signature" {
			t.Errorf("another date: %+v", f)
		}
	}
}

// TestSessions: tokens belong to one key, end, and are nobody else's.
func TestSessions(t *testing.T) {
	g := newGate(t)
	mine, token := g.session(t, time.Hour)
	theirs, _ := g.session(t, time.Hour)
	over, overToken := g.session(t, -time.Second)
	gone, _ := g.session(t, time.Hour)
	gone.Role = "removed"
	goneToken, _ := g.sealer.Seal(gone)
	foreign, foreignToken := newGate(t).session(t, time.Hour) // the same key: both gates are of one installation
	_, strange := (&gate{sealer: newStranger()}).session(t, time.Hour)
	changed := []byte(token)
	if changed[20]++; token[20] == 'z' || token[20] == 'Z' || token[20] == '9' || token[20] == '-' || token[20] == '_' {
		changed[20] = 'B' // what follows these is no base64url, and would be refused for that
	}
	for _, tc := range []struct {
		name, id, secret, token string
		want                    string
	}{
		{"good", mine.AccessKey, mine.Secret, token, ""},
		{"again", mine.AccessKey, mine.Secret, token, ""},
		{"of another node", foreign.AccessKey, foreign.Secret, foreignToken, ""},
		{"no token", mine.AccessKey, mine.Secret, "", "unknown-key"},
		{"another's token", theirs.AccessKey, theirs.Secret, token, "unknown-key"},
		{"another's secret", mine.AccessKey, theirs.Secret, token, "bad-signature"},
		{"a user's key with a token", keyID, secret, token, "unknown-key"},
		{"over", over.AccessKey, over.Secret, overToken, "expired-token"},
		{"its role is gone", gone.AccessKey, gone.Secret, goneToken, "unknown-key"},
		{"of another installation", mine.AccessKey, mine.Secret, strange, "unknown-key"},
		{"changed", mine.AccessKey, mine.Secret, string(changed), "unknown-key"},
		{"cut", mine.AccessKey, mine.Secret, token[:len(token)-4], "unknown-key"},
		{"huge", mine.AccessKey, mine.Secret, strings.Repeat("A", 12000), "unknown-key"},
	} {
		r := request(t, "GET", "https://api.shop.test/", "")
		if tc.token != "" {
			r.Header.Set("X-Amz-Security-Token", tc.token)
			signByHand(r, tc.secret, time.Now(), "host;x-amz-date;x-amz-security-token", emptyHash, tc.id)
		} else {
			signByHand(r, tc.secret, time.Now(), "host;x-amz-date", emptyHash, tc.id)
		}
		if _, f, _, _ := g.verify(t, r); reason(f) != tc.want {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
	}
	// A session that is remembered ends all the same.
	r := request(t, "GET", "https://api.shop.test/", "", "X-Amz-Security-Token", token)
	g.now = time.Now().Add(time.Hour)
	signByHand(r, mine.Secret, g.now, "host;x-amz-date;x-amz-security-token", emptyHash, mine.AccessKey)
	if _, f, _, _ := g.verify(t, r); reason(f) != "expired-token" {
		t.Errorf("remembered, and over: %+v", f)
	}
}

// UNSIGNED-PAYLOAD is for connections that nobody can listen in on.
func TestUnsignedPayload(t *testing.T) {
	g := newGate(t)
	r := request(t, "POST", "https://api.shop.test/", "body", "X-Amz-Content-Sha256", unsignedPayload)
	r = sign(t, r, keys, unsignedPayload, time.Now())
	for _, tc := range []struct {
		name   string
		change func(*http.Request, *connection)
		want   string
	}{
		{"TLS", func(*http.Request, *connection) {}, ""},
		{"plain", func(_ *http.Request, c *connection) { c.TLS = false }, "unsigned-payload"},
		{"TLS before a trusted proxy", func(r *http.Request, c *connection) { c.TLS = false; r.Header.Set("X-Forwarded-Proto", "https") }, ""},
		{"plain before a trusted proxy", func(r *http.Request, c *connection) { r.Header.Set("X-Forwarded-Proto", "http") }, "unsigned-payload"},
	} {
		if _, f, _, _ := g.verify(t, r, tc.change); reason(f) != tc.want {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
	g.verifier = g.keeper.Scheme(&Config{Body: 1 << 20, UnsignedPayload: "refuse"}, directory(t, region)).verifier
	if _, f, _, _ := g.verify(t, r); reason(f) != "unsigned-payload" {
		t.Errorf("refused by configuration: %+v", f)
	}
}

// A body that must be held has a limit.
func TestLargeBody(t *testing.T) {
	g := newGate(t)
	for size, want := range map[int]error{1 << 20: nil, 1<<20 + 1: exchange.ErrBodyTooLarge} {
		body := strings.Repeat("x", size)
		for _, stated := range []bool{false, true} {
			r := request(t, "POST", "https://api.shop.test/", body)
			if stated {
				r.Header.Set("X-Amz-Content-Sha256", hashOf(body))
			}
			_, f, _, _ := g.verify(t, sign(t, r, keys, hashOf(body), time.Now()))
			if (f == nil) != (want == nil) || f != nil && f.Body != want {
				t.Errorf("%d: %+v", size, f)
			}
		}
	}
}

// Paths with empty and dot segments, where a route allows them: as some clients
// sign them as they are and others without. What was signed reaches no other
// resource in either.
func TestOddPaths(t *testing.T) {
	g := newGate(t)
	for _, tc := range []struct {
		sent, signed string
		want         string
	}{
		{"/a//b", "/a//b", ""}, {"/a//b", "/a/b", ""}, {"/a//b", "/a/c", "bad-signature"},
		{"/a/./b", "/a/./b", ""}, {"/a/./b", "/a/b", ""},
		{"/a/../b", "/a/../b", ""}, {"/a/../b", "/b", ""}, {"/a/../b", "/a/b", "bad-signature"},
		{"/../b", "/b", ""}, {"/a/b/..", "/a", ""}, {"/a/b/../", "/a/", ""}, {"//", "/", ""},
		{"/a/b", "/a//b", "bad-signature"}, {"/a/b", "/a/./b", "bad-signature"}, {"/b", "/a/../b", "bad-signature"},
		{"/a/%2e%2e/b", "/a/%2e%2e/b", ""}, {"/a/%2e%2e/b", "/b", "bad-signature"},
	} {
		r := request(t, "GET", "https://api.shop.test/", "")
		r.URL.Path, r.URL.RawPath, r.URL.Opaque = "", "", "//api.shop.test"+tc.signed
		signByHand(r, secret, time.Now(), "host;x-amz-date", emptyHash)
		_, f, _, _ := g.verify(t, r, func(in *http.Request, _ *connection) { in.RequestURI = tc.sent })
		if reason(f) != tc.want {
			t.Errorf("%s signed as %s: %+v", tc.sent, tc.signed, f)
		}
	}
}
