package test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/auth/devkey"
)

// issuer is a server of keys that counts how often it is asked, and what signs by
// them.
type issuer struct {
	*httptest.Server
	key    *devkey.Key
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := devkey.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(key.JWKS()) })
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.answer.Load())(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) serve(answer http.HandlerFunc) { i.answer.Store(&answer) }

func (i *issuer) token(t *testing.T, key *devkey.Key) [2]string {
	t.Helper()
	token, err := key.Sign(devkey.Claims{Issuer: "https://login.test", Audience: []string{"test"}, Subject: "ann", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{"Authorization", "Bearer " + token}
}

// One URL is fetched once for all that name it; a flood of tokens with unknown
// keys has it fetched once more; and what came last stays good when nothing
// comes any more.
func TestKeysFromAURL(t *testing.T) {
	i := newIssuer(t)
	authorizer := fmt.Sprintf(`{jwt: {issuer: "https://login.test", audience: test, jwks: "%s/keys"}}`, i.URL)
	r := start(t, `
apis:
  a:
    domains: [localhost]
    authorize: people
    authorizers: {people: `+authorizer+`, others: `+strings.Replace(authorizer, "audience: test", "audience: other", 1)+`}
    routes:
      - {match: GET /a, target: mock}
      - {match: GET /other, target: mock, authorize: others}
  b:
    domains: [b.test]
    authorize: people
    authorizers: {people: `+authorizer+`}
    routes: [{match: GET /b, target: mock}]
`, nil)
	good := i.token(t, i.key)
	ask := func(path string, header ...[2]string) answer {
		return sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost", header: header})
	}
	if a := ask("/a", good); a.status != 200 {
		t.Fatalf("a good token: %d %s\n%s", a.status, a.body, r.log)
	}
	if a := ask("/other", good); a.status != 401 {
		t.Errorf("another audience: %d", a.status)
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("three authorizers had one URL fetched %d times", n)
	}
	stranger, err := devkey.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var flood sync.WaitGroup
	for range 16 {
		flood.Go(func() {
			if a := ask("/a", i.token(t, stranger)); a.status != 401 {
				t.Errorf("an unknown key: %d", a.status)
			}
		})
	}
	flood.Wait()
	if n := i.asked.Load(); n != 2 {
		t.Errorf("%d fetches after a flood of unknown keys, want 2", n)
	}
	i.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := ask("/a", good); a.status != 200 || i.asked.Load() != 2 {
		t.Errorf("after a reload: %d, %d fetches", a.status, i.asked.Load())
	}
}

// A server of keys by an authority of its own: known where ca names it.
func TestKeysByTheirOwnAuthority(t *testing.T) {
	i := newIssuer(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*i.answer.Load())(w, r) }))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	r := start(t, fmt.Sprintf(`
apis:
  a:
    domains: [localhost]
    authorizers:
      known: {jwt: {issuer: "https://login.test", audience: test, jwks: "%[1]s/keys", ca: ca.pem}}
      unknown: {jwt: {issuer: "https://login.test", audience: test, jwks: "%[1]s/keys"}}
    routes:
      - {match: GET /known, target: mock, authorize: known}
      - {match: GET /unknown, target: mock, authorize: unknown}
`, secure.URL), map[string][]byte{"ca.pem": authority})
	for path, want := range map[string]int{"/known": 200, "/unknown": 503} {
		a := sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost", header: [][2]string{i.token(t, i.key)}})
		if a.status != want {
			t.Errorf("%s: %d, want %d\n%s", path, a.status, want, r.log)
		}
	}
	if log := r.log.String(); !strings.Contains(log, "unknown authority") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// What keys may not do: lead elsewhere, be endless, or be no keys. Their routes
// say 503, others serve, and the log names the URL and the reason.
func TestKeysThatCannotBeFetched(t *testing.T) {
	elsewhere := newIssuer(t)
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"redirect": {http.RedirectHandler(elsewhere.URL+"/keys", http.StatusFound).ServeHTTP, "another host"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[`+strings.Repeat(" ", 2<<20))
		}, "larger than the limit"},
		"page":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "this is no JWKS"},
		"missing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.serve(tc.answer)
			r := start(t, fmt.Sprintf(`
apis:
  a:
    domains: [localhost]
    authorize: people
    authorizers: {people: {jwt: {issuer: "https://login.test", audience: test, jwks: "%s/keys"}}}
    routes:
      - {match: GET /closed, target: mock}
      - {match: GET /open, target: mock, authorize: none}
`, i.URL), nil)
			closed := sendHTTP1(t, r, message{method: "GET", target: "/closed", host: "localhost", header: [][2]string{i.token(t, i.key)}})
			open := sendHTTP1(t, r, message{method: "GET", target: "/open", host: "localhost"})
			if closed.status != 503 || closed.header.Get("Retry-After") == "" || open.status != 200 {
				t.Errorf("closed %d %v, open %d", closed.status, closed.header, open.status)
			}
			if n := elsewhere.asked.Load(); n != 0 {
				t.Errorf("another host was asked %d times", n)
			}
			if log := r.log.String(); !strings.Contains(log, i.URL+"/keys") || !strings.Contains(log, tc.says) {
				t.Errorf("the log does not say %q of %s:\n%s", tc.says, i.URL, log)
			}
		})
	}
}
