package test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const loginShop = `
apis:
  shop:
    domains: [localhost]
    authorize: people
    authorizers:
      people: {oidc: {issuer: "ISSUER", client-id: shop, client-secret: "s3cret/", logout-to: /bye OPTIONS}}
      opaque: {introspection: {issuer: "ISSUER", client-id: shop, client-secret: "s3cret/", audience: shop}}
      tokens: {jwt: {issuer: "ISSUER", audience: shop}}
    routes:
      - {match: "ANY /orders/{proxy*}", target: "service:a", headers: {request: {set: {x-who: "${principal.id}"}}}}
      - {match: GET /bye, target: mock, authorize: none}
      - {match: GET /opaque, target: "service:a", authorize: {any: opaque, scopes: orders.read}}
      - {match: GET /tokens, target: "service:a", authorize: tokens}
services: {a: {targets: ["BACKEND"]}}
`

func startLogin(t *testing.T, options string, files ...string) (*running, *provider) {
	t.Helper()
	p := newProvider(t)
	if options != "" {
		options = ", " + options
	}
	text := strings.NewReplacer("ISSUER", p.URL, "BACKEND", newBackend(t, "a").Listener.Addr().String(), " OPTIONS", options).Replace(loginShop)
	return start(t, strings.Join(append(files, text), ""), nil), p
}

// person is a browser without scripts.
type person struct {
	t      *testing.T
	r      *running
	jar    *cookiejar.Jar
	client *http.Client
	hops   int // redirects of the last request
}

func newPerson(t *testing.T, r *running, h2 bool) *person {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	p := &person{t: t, r: r, jar: jar}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, ForceAttemptHTTP2: h2}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(q *http.Request, via []*http.Request) error {
		p.hops = len(via)
		if len(via) > 10 {
			return fmt.Errorf("round in circles: %s", q.URL)
		}
		q.Header.Set("Accept", "text/html")
		q.Header.Set("Sec-Fetch-Mode", "navigate")
		return nil
	}}
	return p
}

func (p *person) url(path string) string {
	return "https://localhost:" + port(p.r.secure()) + path
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// do sends a request and returns its answer with its body.
func (p *person) do(method, path string, header ...string) (*http.Response, string) {
	p.t.Helper()
	p.hops = 0
	q, err := http.NewRequest(method, p.url(path), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(q)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func (p *person) navigate(path string) (*http.Response, string) {
	p.t.Helper()
	return p.do("GET", path, "Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none")
}

func (p *person) cookies() (names []string) {
	u, _ := url.Parse(p.url("/"))
	for _, c := range p.jar.Cookies(u) {
		names = append(names, c.Name)
	}
	return names
}

// forget drops all cookies but those of a prefix.
func (p *person) only(prefix string) {
	u, _ := url.Parse(p.url("/"))
	all := p.jar.Cookies(u)
	p.jar, _ = cookiejar.New(nil)
	p.client.Jar = p.jar
	for _, c := range all {
		if strings.HasPrefix(c.Name, prefix) {
			c.Secure, c.Path = true, "/"
			p.jar.SetCookies(u, []*http.Cookie{c})
		}
	}
}

const whoAnn = `"X-Who":["oidc:`

// A person logs in and comes back to where she wanted to go; a program is told that
// it may not.
func TestLogin(t *testing.T) {
	r, p := startLogin(t, "")
	for _, h2 := range []bool{false, true} {
		ann := newPerson(t, r, h2)
		for _, header := range [][]string{nil, {"Accept", "*/*"}, {"Accept", "text/html", "Sec-Fetch-Mode", "cors"}, {"Accept", "text/html", "X-Requested-With", "XMLHttpRequest"}, {"Accept", "application/json"}} {
			if resp, _ := ann.do("GET", "/orders/1", header...); resp.StatusCode != 401 || resp.Header.Get("Www-Authenticate") == "" || ann.hops != 0 || len(ann.cookies()) != 0 {
				t.Errorf("%v: %d", header, resp.StatusCode)
			}
		}
		if resp, _ := ann.do("POST", "/orders/1", "Accept", "text/html", "Sec-Fetch-Mode", "navigate"); resp.StatusCode != 401 {
			t.Errorf("a form: %d", resp.StatusCode)
		}
		resp, body := ann.navigate("/orders/42?page=2&x=//evil.test")
		if resp.StatusCode != 200 || resp.Request.URL.RequestURI() != "/orders/42?page=2&x=//evil.test" || !strings.Contains(body, whoAnn+p.URL+"|ann") {
			t.Fatalf("%d at %s: %s", resp.StatusCode, resp.Request.URL, body)
		}
		if strings.Contains(body, "__Host-") || strings.Contains(body, "Authorization") {
			t.Errorf("the service got the session: %s", body)
		}
		if resp, _ := ann.do("GET", "/orders/1"); resp.StatusCode != 200 {
			t.Errorf("a script with the session: %d", resp.StatusCode)
		}
		for header, want := range map[string]int{"Sec-Fetch-Site: same-origin": 200, "Sec-Fetch-Site: cross-site": 403, "Sec-Fetch-Site: same-site": 403, "Origin: https://evil.test": 403, "Origin: " + ann.url(""): 200, "X-Nothing: 1": 403} {
			name, value, _ := strings.Cut(header, ": ")
			if resp, _ := ann.do("POST", "/orders/1", name, value); resp.StatusCode != want {
				t.Errorf("POST with %s: %d, want %d", header, resp.StatusCode, want)
			}
		}
		if resp, _ := ann.do("GET", "/orders/1", "Connection", "Upgrade", "Upgrade", "websocket"); !h2 && resp.StatusCode != 403 {
			t.Errorf("a WebSocket for which nobody vouches: %d", resp.StatusCode)
		}
	}
}

// Tabs that log in side by side do not loop, and leave no cookies behind.
func TestLoginInTabs(t *testing.T) {
	r, p := startLogin(t, "")
	ann := newPerson(t, r, true)
	stop := ann.client.CheckRedirect
	ann.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var started []string
	for i := range 12 {
		resp, _ := ann.navigate(fmt.Sprintf("/orders/%d", i))
		started = append(started, resp.Header.Get("Location"))
	}
	if n := len(ann.cookies()); n > 4 {
		t.Errorf("%d cookies: %v", n, ann.cookies())
	}
	ann.client.CheckRedirect = stop
	fine := 0
	for _, location := range started {
		resp, err := ann.client.Get(location)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		// A login whose slot another took: there may be a session by now, or none yet.
		if resp.StatusCode == 200 {
			fine++
		} else if resp.StatusCode != 400 && resp.StatusCode != 404 && resp.StatusCode != 401 {
			t.Errorf("%s: %d", location, resp.StatusCode)
		}
	}
	if fine != 4 {
		t.Errorf("%d of the last 4 logins succeeded", fine)
	}
	if n := len(ann.cookies()); n > 2 { // the session, and that it has just begun
		t.Errorf("%d cookies are left: %v", n, ann.cookies())
	}
	if resp, _ := ann.navigate("/orders/1"); resp.StatusCode != 200 || ann.hops != 0 {
		t.Errorf("%d after %d redirects", resp.StatusCode, ann.hops)
	}
	if p.times("/authorize") != 12 {
		t.Errorf("asked %d times", p.times("/authorize"))
	}
}

// Whatever comes back that is not what was begun here is refused.
func TestLoginRefused(t *testing.T) {
	r, p := startLogin(t, "")
	for _, tc := range []struct {
		name   string
		change func(claims map[string]any)
		status int
	}{
		{"another nonce", func(c map[string]any) { c["nonce"] = "x" }, 403},
		{"another audience", func(c map[string]any) { c["aud"] = "bank" }, 403},
		{"another issuer", func(c map[string]any) { c["iss"] = "https://evil.test" }, 403},
		{"expired", func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, 403},
		{"no expiry", func(c map[string]any) { delete(c, "exp") }, 403},
		{"given to another", func(c map[string]any) { c["aud"], c["azp"] = []string{"shop", "bank"}, "bank" }, 403},
		{"no subject", func(c map[string]any) { delete(c, "sub") }, 403},
		{"too long for cookies", func(c map[string]any) { c["groups"] = strings.Repeat("x", 11<<10) }, 500},
		{"long, in several cookies", func(c map[string]any) { c["groups"] = strings.Repeat("x", 5000) }, 200},
	} {
		p.set(func() { p.change = tc.change })
		ann := newPerson(t, r, true)
		resp, _ := ann.navigate("/orders/1")
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %d", tc.name, resp.StatusCode)
		}
		if session := strings.Contains(strings.Join(ann.cookies(), " ")+" ", "__Host-gatehouse-people "); session != (tc.status == 200) {
			t.Errorf("%s: %v", tc.name, ann.cookies())
		}
	}
	p.set(func() { p.change = nil })
	ann := newPerson(t, r, true)
	for _, target := range []string{"/_auth/callback", "/_auth/callback?code=x", "/_auth/callback?code=x&state=0.x", "/_auth/callback?code=x&state=9.x", "/_auth/callback?state=0.a&state=0.b", "/_auth/callback?error=access_denied&state=0.x"} {
		if resp, _ := ann.navigate(target); resp.StatusCode != 400 {
			t.Errorf("%s: %d", target, resp.StatusCode)
		}
	}
	if resp, _ := ann.do("POST", "/_auth/callback"); resp.StatusCode != 405 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	// A cookie that was changed, or is another's.
	if resp, _ := ann.do("GET", "/orders/1", "Cookie", "__Host-gatehouse-people=1.AAAA"); resp.StatusCode != 401 {
		t.Errorf("a forged cookie: %d", resp.StatusCode)
	}
	// Somebody who logs another in with a code of their own.
	eve := newPerson(t, r, true)
	eve.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _ := eve.navigate("/orders/1")
	resp, err := eve.client.Get(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	back, _ := resp.Location()
	if resp, _ := ann.navigate(back.RequestURI()); resp.StatusCode != 400 {
		t.Errorf("another browser's login: %d", resp.StatusCode)
	}
	// A provider that is down, before anybody knows where its endpoints are.
	r2, p2 := startLogin(t, "")
	p2.set(func() { p2.down = true })
	if resp, _ := newPerson(t, r2, true).navigate("/orders/1"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a provider that is down: %d", resp.StatusCode)
	}
}

// A browser that does not keep the session is not sent round in circles.
func TestLoginLoop(t *testing.T) {
	r, _ := startLogin(t, "")
	ann := newPerson(t, r, true)
	ann.navigate("/orders/1")
	ann.only("__Host-gatehouse-people-just")
	if resp, _ := ann.navigate("/orders/1"); resp.StatusCode != 401 || ann.hops != 0 {
		t.Errorf("%d after %d redirects", resp.StatusCode, ann.hops)
	}
}

// A session is prolonged once for all tabs, and goes on while the provider is away
// as long as it holds.
func TestLoginRefresh(t *testing.T) {
	r, p := startLogin(t, "")
	p.set(func() { p.lifetime = time.Second }) // at least 90 s for the gateway, of which the last minute counts
	ann := newPerson(t, r, true)
	if resp, body := ann.navigate("/orders/1"); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	var tabs sync.WaitGroup
	for range 8 {
		tabs.Go(func() {
			q, _ := http.NewRequest("GET", ann.url("/orders/1"), nil)
			if resp, err := ann.client.Do(q); err != nil || resp.StatusCode != 200 {
				t.Errorf("%v %v", resp, err)
			} else {
				_ = resp.Body.Close()
			}
		})
	}
	tabs.Wait()
	if n := p.times("/token"); n != 1 {
		t.Errorf("prolonged %d times before it was time", n-1)
	}
}

// Logging out ends the session, here and at the provider, also for who has copied
// its cookie.
func TestLogout(t *testing.T) {
	r, p := startLogin(t, "")
	ann, thief := newPerson(t, r, true), newPerson(t, r, false)
	ann.navigate("/orders/1")
	u, _ := url.Parse(ann.url("/"))
	var stolen []string
	for _, c := range ann.jar.Cookies(u) {
		stolen = append(stolen, c.Name+"="+c.Value)
	}
	steal := func() int {
		resp, _ := thief.do("GET", "/orders/1", "Cookie", strings.Join(stolen, "; "))
		return resp.StatusCode
	}
	if steal() != 200 {
		t.Fatal("the copied cookie is no session")
	}
	if resp, _ := ann.do("GET", "/_auth/logout", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 403 {
		t.Errorf("another web site logs out: %d", resp.StatusCode)
	}
	if resp, _ := ann.do("GET", "/_auth/logout", "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 || resp.Request.URL.Path != "/bye" {
		t.Errorf("%d at %s", resp.StatusCode, resp.Request.URL)
	}
	if p.endedBack != ann.url("/bye") || len(ann.cookies()) != 0 {
		t.Errorf("the provider was told %q; cookies %v", p.endedBack, ann.cookies())
	}
	if got := steal(); got != 401 {
		t.Errorf("the copied cookie after the logout: %d", got)
	}
	if resp, _ := ann.do("GET", "/_auth/logout"); resp.StatusCode != 200 {
		t.Errorf("without a session: %d", resp.StatusCode)
	}
}

// The provider logs people out at the back.
func TestBackChannelLogout(t *testing.T) {
	r, p := startLogin(t, "")
	say := func(token string) int {
		resp, err := newPerson(t, r, true).client.PostForm("https://localhost:"+port(r.secure())+"/_auth/backchannel-logout", url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	ann := newPerson(t, r, true)
	ann.navigate("/orders/1")
	for name, change := range map[string]func(map[string]any){
		"an ID token":      func(c map[string]any) { delete(c, "events") },
		"a nonce":          func(c map[string]any) { c["nonce"] = "x" },
		"another audience": func(c map[string]any) { c["aud"] = "bank" },
		"expired":          func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"nobody":           func(c map[string]any) { delete(c, "sub") },
		"no name":          func(c map[string]any) { delete(c, "jti") },
		"another type":     func(c map[string]any) { c["typ"] = "at+jwt+x" },
		"another event":    func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} },
	} {
		if name == "another type" {
			change = func(c map[string]any) { c["typ"] = "secevent+jwt" }
		}
		if got := say(p.logoutToken(change)); got != 400 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := say("garbage"); got != 400 {
		t.Errorf("garbage: %d", got)
	}
	if resp, _ := ann.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Fatalf("logged out by what is no logout: %d", resp.StatusCode)
	}
	if got := say(p.logoutToken(func(c map[string]any) { c["sid"] = "another" })); got != 200 {
		t.Errorf("another session's: %d", got)
	}
	if resp, _ := ann.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Errorf("logged out with another session: %d", resp.StatusCode)
	}
	if got := say(p.logoutToken(nil)); got != 200 {
		t.Errorf("%d", got)
	}
	if resp, _ := ann.do("GET", "/orders/1"); resp.StatusCode != 401 {
		t.Errorf("still logged in: %d", resp.StatusCode)
	}
}

// Where the gateway has a state, a session that was ended stays so after a restart,
// and the others go on.
func TestLogoutOutlivesRestarts(t *testing.T) {
	r, p := startLogin(t, "", "state: {master-key: private/master}\n")
	ann := newPerson(t, r, true)
	ann.navigate("/orders/1")
	status := func(who *person) int {
		resp, _ := who.do("GET", "/orders/1")
		return resp.StatusCode
	}
	r.restart()
	if got := status(ann); got != 200 {
		t.Fatalf("a session after a restart: %d", got)
	}
	resp, err := newPerson(t, r, true).client.PostForm("https://localhost:"+port(r.secure())+"/_auth/backchannel-logout", url.Values{"logout_token": {p.logoutToken(nil)}})
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	r.restart()
	if got := status(ann); got != 401 {
		t.Errorf("a session that was ended, after a restart: %d", got)
	}
}

// Where it is asked for, services get the access token, and never the session.
func TestLoginForwards(t *testing.T) {
	p := newProvider(t)
	text := strings.NewReplacer("ISSUER", p.URL, "BACKEND", newBackend(t, "a").Listener.Addr().String(), " OPTIONS}}", "}, forward-credential: true}").Replace(loginShop)
	r := start(t, text, nil)
	resp, body := newPerson(t, r, true).navigate("/orders/1")
	token, _, _ := strings.Cut(body[strings.Index(body, "Bearer ")+7:], `"`)
	p.set(func() {
		if resp.StatusCode != 200 || p.access[token] == nil || strings.Contains(body, "__Host-") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

// Opaque tokens are good by their issuer's word, which is remembered; keys are found
// by its description.
func TestIntrospectionAndDiscovery(t *testing.T) {
	r, p := startLogin(t, "")
	p.set(func() {
		p.access["good"] = map[string]any{"active": true, "iss": p.URL, "sub": "ann", "scope": "orders.read x", "aud": "shop"}
		p.access["narrow"] = map[string]any{"active": true, "sub": "ann", "scope": "x", "aud": "shop"}
		p.access["bank"] = map[string]any{"active": true, "sub": "ann", "scope": "orders.read", "aud": "bank"}
		p.access["old"] = map[string]any{"active": true, "sub": "ann", "scope": "orders.read", "aud": "shop", "exp": time.Now().Add(-time.Hour).Unix()}
		p.access["nobody"] = map[string]any{"active": true, "scope": "orders.read", "aud": "shop"}
		p.access["odd"] = map[string]any{"active": "yes"}
	})
	for _, tc := range []struct {
		token  string
		status int
	}{{"good", 200}, {"narrow", 403}, {"bank", 401}, {"old", 401}, {"nobody", 401}, {"odd", 503}, {"unknown", 401}, {"a b", 401}} {
		for _, protocol := range protocols {
			a := protocol.send(t, r, message{method: "GET", target: "/opaque", host: "localhost", header: [][2]string{{"Authorization", "Bearer " + tc.token}}})
			if a.status != tc.status || strings.Contains(a.body, "Bearer") {
				t.Errorf("%s by %s: %d", tc.token, protocol.name, a.status)
			}
		}
	}
	if n := p.times("/introspect"); n != 8 { // each once, but for the odd answer
		t.Errorf("asked %d times", n)
	}
	p.set(func() { p.down = true })
	for token, want := range map[string]int{"good": 200, "unknown": 401, "new": 503} {
		if a := sendHTTP1(t, r, message{method: "GET", target: "/opaque", host: "localhost", header: [][2]string{{"Authorization", "Bearer " + token}}}); a.status != want {
			t.Errorf("%s while the issuer is down: %d", token, a.status)
		}
	}
	p.set(func() { p.down = false })
	bearer := func() [][2]string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return [][2]string{{"Authorization", "Bearer " + p.sign("JWT", map[string]any{"iss": p.URL, "aud": "shop", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})}}
	}
	if a := sendHTTP1(t, r, message{method: "GET", target: "/tokens", host: "localhost", header: bearer()}); a.status != 200 {
		t.Errorf("a token whose keys the issuer describes: %d", a.status)
	}
	p.set(p.rotate)
	if a := sendHTTP1(t, r, message{method: "GET", target: "/tokens", host: "localhost", header: bearer()}); a.status != 200 {
		t.Errorf("after the keys were changed: %d", a.status)
	}
}

// What an issuer names of other servers is not asked at private addresses, unless
// they are listed.
func TestDiscoveryOfPrivateAddresses(t *testing.T) {
	p := newProvider(t)
	p.set(func() {
		p.describe = func(d map[string]any) {
			d["jwks_uri"], d["introspection_endpoint"], d["token_endpoint"] = "https://127.0.0.1:1/keys", "https://localhost:1/introspect", "https://169.254.169.254/token"
		}
	})
	text := strings.NewReplacer("ISSUER", p.URL, "BACKEND", "127.0.0.1:1", " OPTIONS", "").Replace(loginShop)
	r := start(t, text, nil)
	for target, reason := range map[string]string{"/opaque": "issuer-unreachable", "/tokens": "no-keys"} {
		token := "x"
		if target == "/tokens" {
			p.set(func() {
				token = p.sign("JWT", map[string]any{"iss": p.URL, "aud": "shop", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
			})
		}
		a := sendHTTP1(t, r, message{method: "GET", target: target, host: "localhost", header: [][2]string{{"Authorization", "Bearer " + token}}})
		if trail := r.explain(a.id()); a.status != 503 || !strings.Contains(trail, reason) || target == "/opaque" && !strings.Contains(trail, "a loopback address") {
			t.Errorf("%s: %d %s", target, a.status, trail)
		}
	}
	ann := newPerson(t, r, true)
	if resp, _ := ann.navigate("/orders/1"); resp.StatusCode != 503 {
		t.Errorf("a login: %d", resp.StatusCode)
	}
}

// A person with a real browser.
func TestLoginInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser")
	}
	r, p := startLogin(t, "")
	p.set(func() { p.user = "" }) // the provider asks who it is
	tab := startBrowser(t, port(r.secure())).ctx
	site := "https://localhost:" + port(r.secure())
	navigate := func(tab context.Context, address string) {
		t.Helper()
		if _, err := chromedp.Run(tab, chromedp.Navigate(address)); err != nil {
			t.Fatal(err)
		}
	}
	location := func(tab context.Context) string {
		t.Helper()
		at, err := chromedp.Run(tab, chromedp.Location())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	eval := func(tab context.Context, script string) string {
		t.Helper()
		got, err := chromedp.Run(tab, chromedp.Evaluate[string]("(async () => {"+script+"})().catch(e => 'failed: ' + e)", chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	logIn := func(tab context.Context, want string) {
		t.Helper()
		if _, err := chromedp.Run(tab, chromedp.Click("#go")); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); location(tab) != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("at %s, not %s", location(tab), want)
			}
		}
	}

	// Two tabs come to the provider, one after the other, and log in in turn.
	navigate(tab, site+"/orders/1?x=1")
	second, cancel := chromedp.NewContext(tab)
	t.Cleanup(cancel)
	navigate(second, site+"/orders/2")
	if at := location(tab); !strings.HasPrefix(at, p.URL+"/authorize?") {
		t.Fatalf("at %s", at)
	}
	logIn(second, site+"/orders/2")
	logIn(tab, site+"/orders/1?x=1")
	if got := eval(tab, "return document.body.innerText"); !strings.Contains(got, "|ann") {
		t.Errorf("the page: %s", got)
	}
	if got := eval(tab, "return document.cookie"); got != "" {
		t.Errorf("scripts see the session: %s", got)
	}
	if got := eval(tab, "return 'status ' + (await fetch('/orders/3', {method: 'POST', body: 'x'})).status"); got != "status 200" {
		t.Errorf("a change by the page itself: %s", got)
	}
	if at := location(tab); at != site+"/orders/1?x=1" {
		t.Errorf("at %s", at)
	}
	// A page of another site cannot use the session.
	navigate(second, p.URL+"/.well-known/openid-configuration")
	eval(second, "await fetch('"+site+"/orders/4', {method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x'}); return ''")
	if strings.Contains(string(r.read("access.log")), `"path":"/orders/4","status":200`) {
		t.Error("another site's page made a change")
	}
	// Logged out in one tab is logged out in the other.
	if got := eval(tab, "location.href = '/_auth/logout'; return ''"); got != "" {
		t.Fatal(got)
	}
	for deadline := time.Now().Add(patience); location(tab) != site+"/bye"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("at %s", location(tab))
		}
	}
	navigate(second, site+"/orders/5")
	if at := location(second); !strings.HasPrefix(at, p.URL+"/authorize?") {
		t.Errorf("logged out, and at %s", at)
	}
}
