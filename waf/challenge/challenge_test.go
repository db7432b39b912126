package challenge

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/auth/seal"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/secrets"
)

// site is a web ACL that challenges everybody, with its paths.
type site struct {
	t       *testing.T
	keeper  *Keeper
	gate    *Gate
	handler http.Handler
	rule    *exchange.Rule
}

func newSite(t *testing.T, ring *seal.Ring, c Config) *site {
	t.Helper()
	s := &site{t: t, rule: &exchange.Rule{Filter: "waf", Name: "edge/browsers"}}
	s.keeper = NewKeeper(func() (Seals, error) { return ring, nil })
	s.reload("edge", c)
	return s
}

func (s *site) reload(acl string, c Config) {
	s.t.Helper()
	g, err := s.keeper.Gate(acl, c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.gate, s.handler = g, s.keeper.Handler(map[string]*Gate{acl: g}, s.rule)
}

func newRing(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.Open(secrets.NewFiles(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// from is who asks.
type from struct {
	host, address string
	plain         bool // without TLS
	header        http.Header
}

func ann() from { return from{host: "shop.test", address: "192.0.2.7"} }

// ask sends a request to the challenged page, or to the gateway's own paths.
func (s *site) ask(f from, method, path, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, "https://"+f.host+path, strings.NewReader(body))
	for name, values := range f.header {
		r.Header[name] = values
	}
	x, r := exchange.Begin(rec, r, &exchange.Conn{Source: netip.AddrPortFrom(netip.MustParseAddr(f.address), 1), TLS: !f.plain}, nil)
	x.Host = f.host
	if err := x.Path.Parse(path); err != nil {
		s.t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(path, "/.gatehouse/"):
		s.handler.ServeHTTP(&x.Writer, r)
	case s.gate.Cleared(x, r):
		_, _ = x.Writer.Write([]byte("the page"))
	default:
		s.gate.Challenge(&x.Writer, r, s.rule)
	}
	x.Finish()
	return rec
}

func navigation() http.Header {
	return http.Header{"Accept": {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
}

// challenge returns the token of a page with its solution.
func (s *site) challenge(f from) (token, number string) {
	s.t.Helper()
	f.header = navigation()
	page := s.ask(f, "GET", "/orders", "")
	if page.Code != 202 {
		s.t.Fatalf("%d %s", page.Code, page.Body)
	}
	found := regexp.MustCompile(`data-token="([^"]+)" data-nonce="([0-9a-f]{32})" data-difficulty="(\d+)"`).FindStringSubmatch(page.Body.String())
	if found == nil {
		s.t.Fatalf("no challenge in %s", page.Body)
	}
	return found[1], solve(found[2], found[3])
}

func solve(nonceText, difficulty string) string {
	var t task
	_, _ = hex.Decode(t.nonce[:], []byte(nonceText))
	t.difficulty, _ = strconv.Atoi(difficulty)
	for n := 0; ; n++ {
		if number := strconv.Itoa(n); t.solved(number) {
			return number
		}
	}
}

func (s *site) solve(f from) *http.Cookie {
	s.t.Helper()
	token, number := s.challenge(f)
	rec := s.ask(f, "POST", AnswerPath, token+" "+number)
	if rec.Code != 204 || len(rec.Result().Cookies()) != 1 {
		s.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return rec.Result().Cookies()[0]
}

func (s *site) expect(f from, cookie *http.Cookie, want int) {
	s.t.Helper()
	f.header = navigation()
	f.header.Set("Cookie", "a=b; "+cookie.Name+"="+cookie.Value)
	if got := s.ask(f, "GET", "/orders", "").Code; got != want {
		s.t.Errorf("%+v: %d, not %d", f, got, want)
	}
}

func TestClearance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t)
		s := newSite(t, ring, Config{Difficulty: 4})
		c := s.solve(ann())
		if c.Name != "__Host-gatehouse-clearance-edge" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 300 {
			t.Errorf("%+v", c)
		}
		s.expect(ann(), c, 200)
		s.expect(from{host: "shop.test", address: "192.0.2.99"}, c, 200) // of the same /24
		s.expect(from{host: "shop.test", address: "192.0.3.7"}, c, 202)
		s.expect(from{host: "other.test", address: "192.0.2.7"}, c, 202)
		other := newSite(t, ring, Config{})
		other.reload("other", Config{})
		other.expect(ann(), &http.Cookie{Name: "__Host-gatehouse-clearance-other", Value: c.Value}, 202)
		stranger := newSite(t, newRing(t), Config{})
		stranger.expect(ann(), c, 202)
		forged := *c
		for i := range forged.Value {
			forged.Value = c.Value[:i] + string('A'+(c.Value[i]+1)%26) + c.Value[i+1:]
			if forged.Value != c.Value {
				s.expect(ann(), &forged, 202)
			}
		}
		six := from{host: "shop.test", address: "2001:db8:1:2::7"}
		c6 := s.solve(six)
		s.expect(from{host: "shop.test", address: "2001:db8:1:2:ffff::1"}, c6, 200)
		s.expect(from{host: "shop.test", address: "2001:db8:1:3::7"}, c6, 202)
		s.expect(six, c, 202)
		time.Sleep(5*time.Minute - time.Second)
		s.expect(ann(), c, 200)
		time.Sleep(time.Second)
		s.expect(ann(), c, 202)
	})
}

func TestPlainHTTP(t *testing.T) {
	s := newSite(t, newRing(t), Config{Difficulty: 1, Immunity: config.Duration(time.Hour)})
	f := ann()
	f.plain = true
	c := s.solve(f)
	if c.Name != "gatehouse-clearance-edge" || c.Secure || c.MaxAge != 3600 {
		t.Errorf("%+v", c)
	}
	s.expect(f, c, 200)
}

func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t)
		s := newSite(t, ring, Config{Difficulty: 8})
		token, number := s.challenge(ann())
		post := func(f from, body, want string) {
			t.Helper()
			rec := s.ask(f, "POST", AnswerPath, body)
			if got := strconv.Itoa(rec.Code); got != want || rec.Code != 204 && len(rec.Result().Cookies()) > 0 {
				t.Errorf("%.20q: %s, not %s", body, got, want)
			}
		}
		wrong := 0
		for (&task{nonce: s.nonce(token), difficulty: 8}).solved(strconv.Itoa(wrong)) {
			wrong++
		}
		crossed := ann()
		crossed.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		post(crossed, token+" "+number, "403")
		post(ann(), token+" "+strconv.Itoa(wrong), "403")
		for _, body := range []string{"", " ", token, token + " ", token + " 0" + number, token + " +" + number, token + " " + number + " ", token + "  " + number, "x" + token + " " + number, "AAAA " + number, token[:len(token)-1] + " " + number} {
			post(ann(), body, "403")
		}
		post(ann(), strings.Repeat("x", maxAnswer+1), "413")
		post(from{host: "shop.test", address: "192.0.3.7"}, token+" "+number, "403")
		post(from{host: "other.test", address: "192.0.2.7"}, token+" "+number, "403")
		post(ann(), token+" "+number, "204")
		post(ann(), token+" "+number, "403") // once
		s.reload("edge", Config{Difficulty: 8})
		post(ann(), token+" "+number, "403") // also after a reload

		token, number = s.challenge(ann())
		time.Sleep(Lifetime)
		post(ann(), token+" "+number, "204")
		time.Sleep(time.Second)
		post(ann(), token+" "+number, "403")
		token, number = s.challenge(ann())
		time.Sleep(Lifetime + time.Second)
		post(ann(), token+" "+number, "403")

		token, number = s.challenge(ann())
		s.reload("edge", Config{Difficulty: 9})
		post(ann(), token+" "+number, "403") // it was easier than now
		s.reload("other", Config{})
		post(ann(), token+" "+number, "403")
		// A clearance is no challenge, nor the other way round.
		s.reload("edge", Config{Difficulty: 1})
		c := s.solve(ann())
		post(ann(), c.Value+" 1", "403")
		s.expect(ann(), &http.Cookie{Name: c.Name, Value: token}, 202)
	})
}

// nonce opens a token.
func (s *site) nonce(token string) nonce {
	s.t.Helper()
	plain, ok := s.gate.seals.Open(purpose("challenge", "shop.test", netip.MustParseAddr("192.0.2.7"), ""), token)
	if !ok {
		s.t.Fatal("the token does not open")
	}
	t, _ := decode(plain)
	return t.nonce
}

// Only a person's navigation gets the page.
func TestWhoGetsThePage(t *testing.T) {
	s := newSite(t, newRing(t), Config{})
	old := http.Header{"Accept": {"text/html"}}
	with := func(name, value string) http.Header {
		h := navigation()
		h.Set(name, value)
		return h
	}
	for _, tc := range []struct {
		name, method string
		header       http.Header
		want         int
	}{
		{"a navigation", "GET", navigation(), 202},
		{"of an old browser", "GET", old, 202},
		{"in a frame", "GET", with("Sec-Fetch-Dest", "iframe"), 202},
		{"a form", "POST", navigation(), 403},
		{"HEAD", "HEAD", navigation(), 403},
		{"curl", "GET", http.Header{"Accept": {"*/*"}}, 403},
		{"nothing", "GET", nil, 403},
		{"a script's fetch", "GET", with("Sec-Fetch-Mode", "cors"), 403},
		{"an image", "GET", with("Sec-Fetch-Dest", "image"), 403},
		{"XMLHttpRequest", "GET", with("X-Requested-With", "XMLHttpRequest"), 403},
		{"a WebSocket", "GET", with("Upgrade", "websocket"), 403},
	} {
		f := ann()
		f.header = tc.header
		rec := s.ask(f, tc.method, "/orders", "")
		h := rec.Header()
		if rec.Code != tc.want || h.Get("X-Amzn-Waf-Action") != "challenge" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", tc.name, rec.Code, h)
		}
		if isPage := strings.Contains(rec.Body.String(), "<html"); isPage != (tc.want == 202) {
			t.Errorf("%s: %s", tc.name, rec.Body)
		}
		if tc.want == 202 && (h.Get("Content-Security-Policy") != policy || !strings.HasPrefix(h.Get("Content-Type"), "text/html")) {
			t.Errorf("%s: %v", tc.name, h)
		}
	}
}

// The page names nobody else, has no inline script and no handler.
func TestPage(t *testing.T) {
	for _, text := range []string{page, script} {
		if strings.Contains(text, "//") && regexp.MustCompile(`https?://|src="//`).MatchString(text) {
			t.Error("a third party is named")
		}
		if strings.Contains(text, "innerHTML") || strings.Contains(text, "eval(") || regexp.MustCompile(`<script>|\son[a-z]+=|style=`).MatchString(text) {
			t.Error("something that a strict policy forbids")
		}
	}
	s := newSite(t, newRing(t), Config{})
	for _, tc := range []struct {
		method, path string
		want         int
		body         bool
	}{
		{"GET", ScriptPath, 200, true}, {"HEAD", ScriptPath, 200, false}, {"POST", ScriptPath, 405, true}, {"GET", AnswerPath, 405, true}, {"GET", "/.gatehouse/other", 404, true},
	} {
		rec := s.ask(ann(), tc.method, tc.path, "")
		if rec.Code != tc.want || rec.Body.Len() > 0 != tc.body || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %v", tc.method, tc.path, rec.Code, rec.Header())
		}
	}
}

func TestSpent(t *testing.T) {
	s, at := newSpent(3), time.Now()
	n := func(i byte) nonce { return nonce{i} }
	for i, want := range []outcome{taken, taken, taken, noRoom} {
		if got := s.take(n(byte(i)), at); got != want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if s.take(n(1), at) != known {
		t.Error("a full store still knows what it has")
	}
	at = at.Add(2 * Lifetime)
	if s.take(n(2), at) != known || s.take(n(9), at) != noRoom || s.len() != 3 {
		t.Error("a generation lives on for as long as its challenges are fresh")
	}
	at = at.Add(2 * Lifetime)
	if s.take(n(9), at) != taken || s.len() != 1 {
		t.Error("then there is room again")
	}
	if s.take(n(10), at.Add(time.Hour)) != taken || s.len() != 1 {
		t.Error("what is old is gone at once")
	}
}

// Nobody gets a clearance by guessing.
func FuzzAnswer(f *testing.F) {
	ring, err := seal.Open(secrets.NewFiles(f.TempDir()))
	if err != nil {
		f.Fatal(err)
	}
	k := NewKeeper(func() (Seals, error) { return ring, nil })
	g, _ := k.Gate("edge", Config{Difficulty: 1})
	rule := &exchange.Rule{Filter: "waf"}
	h := k.Handler(map[string]*Gate{"edge": g}, rule)
	f.Add([]byte("AQ 1"))
	f.Add([]byte("AWlK5AA 12345"))
	f.Add([]byte(" "))
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := httptest.NewRecorder()
		x, r := exchange.Begin(rec, httptest.NewRequest("POST", AnswerPath, strings.NewReader(string(body))), &exchange.Conn{Source: netip.MustParseAddrPort("192.0.2.7:1")}, nil)
		if err := x.Path.Parse(AnswerPath); err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(&x.Writer, r)
		x.Finish()
		if rec.Code == 204 {
			t.Fatalf("%q", body)
		}
		if task, ok := decode(body); ok && string(task.encode()) != string(body) && len(body) < 64 {
			t.Fatalf("%+v of %q", task, body)
		}
	})
}

func BenchmarkCleared(b *testing.B) {
	ring, err := seal.Open(secrets.NewFiles(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	k := NewKeeper(func() (Seals, error) { return ring, nil })
	g, _ := k.Gate("edge", Config{})
	r := httptest.NewRequest("GET", "/", nil)
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{Source: netip.MustParseAddrPort("192.0.2.7:1"), TLS: true}, nil)
	x.Host = "shop.test"
	h := http.Header{}
	g.clear(h, x)
	cookie, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
	r.Header.Set("Cookie", "session=abc; "+cookie)
	b.ReportAllocs()
	for b.Loop() {
		if !g.Cleared(x, r) {
			b.Fatal("not cleared")
		}
	}
}
