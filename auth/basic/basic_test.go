package basic

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"gatehouse/auth/scheme"
	"gatehouse/config"
	"gatehouse/exchange"
)

type document struct {
	config.At
	Basic *Config `yaml:"basic"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.Basic, err
}

// cheap is a hash of the least costs that are taken.
func cheap(password string) string {
	h := hash{memory: minMemory, passes: 1, threads: 1, salt: []byte("12345678")}
	h.sum = h.of(password, 16)
	return h.String()
}

func authorizer(t testing.TB, k *Keeper, users string) *Authorizer {
	t.Helper()
	c, err := load("basic: " + users)
	if err != nil {
		t.Fatal(err)
	}
	return k.Authorizer(c, "shop", "people")
}

func judge(a *Authorizer, from, credential string, header ...string) scheme.Verdict {
	r := httptest.NewRequest("POST", "https://api.shop.test/", nil)
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	x.Client = netip.MustParseAddr(from)
	return a.Authenticate(x, r)
}

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestAuthenticate(t *testing.T) {
	a := authorizer(t, NewKeeper(), "{users: {ann: '"+cheap("geheim:ß")+"', bob: '"+cheap("b")+"'}}")
	for _, tc := range []struct{ name, credential, want string }{
		{"nothing", "", "none"},
		{"a token", "Bearer x", "none"},
		{"the kind alone", "Basic", "none"},
		{"good, with a colon", basic("ann:geheim:ß"), "good"},
		{"in other case", "bASIC " + strings.TrimPrefix(basic("bob:b"), "Basic "), "good"},
		{"wrong", basic("ann:b"), "wrong-password"},
		{"another's", basic("bob:geheim:ß"), "wrong-password"},
		{"nobody", basic("eve:b"), "wrong-password"},
		{"empty", basic("ann:"), "wrong-password"},
		{"name in other case", basic("Ann:geheim:ß"), "wrong-password"},
		{"no colon", basic("ann"), "malformed"},
		{"no name", basic(":b"), "malformed"},
		{"no UTF-8", basic("ann:\xff"), "malformed"},
		{"no base64", "Basic !", "malformed"},
		{"too long", basic("ann:" + strings.Repeat("x", maxPassword+1)), "malformed"},
	} {
		v := judge(a, "192.0.2.1", tc.credential)
		got := v.Reason
		switch {
		case v.Principal != nil:
			got = "good"
		case !v.Found:
			got = "none"
		}
		if got != tc.want {
			t.Errorf("%s: %s", tc.name, got)
		}
		if v.Principal != nil && v.Principal.ID != "basic:shop/people|"+v.Principal.Subject {
			t.Error(v.Principal.ID)
		}
	}
	if v := judge(a, "192.0.2.1", basic("bob:b"), "Sec-Fetch-Site", "cross-site"); v.Status != 403 || v.Reason != "cross-origin" {
		t.Errorf("another web site's page: %+v", v)
	}
	if got := a.Challenge("shop", true); got != `Basic realm="shop", charset="UTF-8"` {
		t.Error(got)
	}
}

// Who guesses is stopped, for many names and for one; who knows the password is
// not, and nobody is locked out by another's guesses.
func TestGuesses(t *testing.T) {
	// The clock stands: on a busy machine guesses would be granted anew meanwhile.
	synctest.Test(t, testGuesses)
}

func testGuesses(t *testing.T) {
	k := NewKeeper()
	a := authorizer(t, k, "{users: {ann: '"+cheap("a")+"'}}")
	for range 50 {
		if v := judge(a, "192.0.2.9", basic("ann:a")); v.Principal == nil {
			t.Fatalf("%+v", v)
		}
	}
	guess := func(from, name string) (n int) {
		for ; n < 100; n++ {
			if v := judge(a, from, basic(name+":x")); v.Status == http.StatusTooManyRequests {
				if v.Retry <= 0 {
					t.Errorf("%+v", v)
				}
				return n
			}
		}
		return n
	}
	if n := guess("192.0.2.1", "ann"); n != nameHits {
		t.Errorf("%d guesses at one name", n)
	}
	if n := guess("192.0.2.1", "bob") + guess("192.0.2.1", "eve") + guess("192.0.2.1", "kim"); n != addressHits-nameHits {
		t.Errorf("%d further guesses", n)
	}
	if v := judge(a, "198.51.100.1", basic("ann:a")); v.Principal == nil {
		t.Errorf("locked out: %+v", v)
	}
	// The same users, after a reload: what was right is remembered.
	again := authorizer(t, k, "{users: {ann: '"+cheap("a")+"'}}")
	if v := judge(again, "192.0.2.1", basic("ann:a")); v.Principal == nil {
		t.Errorf("forgotten: %+v", v)
	}
	// Another hash, and it is not.
	other := authorizer(t, k, "{users: {ann: '"+cheap("b")+"'}}")
	if v := judge(other, "203.0.113.1", basic("ann:a")); v.Principal != nil {
		t.Error("an old password is still good")
	}
}

// No more hashes are made at once than there are turns.
func TestBusy(t *testing.T) {
	k := NewKeeper()
	a := authorizer(t, k, "{users: {ann: '"+cheap("a")+"'}}")
	for range cap(k.slots) {
		k.slots <- struct{}{}
	}
	k.waiting.Store(maxWaiting)
	if v := judge(a, "192.0.2.1", basic("ann:a")); v.Status != 503 || v.Retry == 0 {
		t.Errorf("%+v", v)
	}
	<-k.slots
	if v := judge(a, "192.0.2.1", basic("ann:a")); v.Principal == nil {
		t.Errorf("%+v", v)
	}
}

func TestHash(t *testing.T) {
	h, err := parseHash(Hash("open sesame"))
	if err != nil || !h.matches("open sesame") || h.matches("open sesame ") || h.dummy().matches("open sesame") {
		t.Errorf("%v, %v", h, err)
	}
	if one, two := Hash("a"), Hash("a"); one == two {
		t.Error("no salt")
	}
	good := cheap("a")
	for _, bad := range []string{"", "a", "$argon2i" + good[9:], good[:len(good)-1], good + "=", good + "$", "$apr1$x$y", "{SHA}x",
		strings.Replace(good, "m=8192", "m=8191", 1), strings.Replace(good, "m=8192", "m=9999999", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "t=1", "t=99", 1), strings.Replace(good, "p=1", "p=01", 1), strings.Replace(good, "v=19", "v=16", 1)} {
		if _, err := parseHash(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"{}", "no users"},
		{"{users: {ann: plain}}", "no argon2id hash"},
		{"{users: {'a:b': '" + cheap("x") + "'}}", "is not a name"},
		{"{users: {ann: '" + cheap("x") + "'}, remember: 1h}", "10m"},
	} {
		_, err := load("basic: " + tc.text)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "plain") {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
	for text, want := range map[string]string{
		"# users\nann:" + cheap("x") + "\r\n\nbob:" + cheap("y") + "\n": "",
		"ann\n": "line 1", "ann:x\n": "line 1: the hash of ann", ":" + cheap("x"): "no name", "a:" + cheap("x") + "\na:" + cheap("x"): "line 2: the user a is there twice",
	} {
		users, problem := readFile([]byte(text))
		if (problem == "") != (want == "") || !strings.Contains(problem, want) || want == "" && len(users) != 2 {
			t.Errorf("%q: %v %q", text, users, problem)
		}
	}
}

func FuzzCredential(f *testing.F) {
	for _, seed := range []string{basic("ann:a"), "Basic ", "basic  YTpi ", "Basic YTpi YTpi", "Bearer x", "Basic \x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Authorization": {value}}}
		text, found, _ := credential(r)
		if !found {
			return
		}
		name, password, ok := split(text)
		theirs, secret, _ := r.BasicAuth()
		if ok && (name != theirs || password != secret) && (theirs != "" || secret != "") {
			t.Errorf("%q: net/http reads %q %q, judged are %q %q", value, theirs, secret, name, password)
		}
		if ok && (len(name) > maxName || len(password) > maxPassword || strings.Contains(name, ":")) {
			t.Errorf("%q: %q %q", value, name, password)
		}
	})
}

func BenchmarkRemembered(b *testing.B) {
	a := authorizer(b, NewKeeper(), "{users: {ann: '"+cheap("a")+"'}}")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", basic("ann:a"))
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if a.Authenticate(x, r).Principal == nil {
			b.Fatal()
		}
	}
}

func BenchmarkHash(b *testing.B) {
	h, _ := parseHash(Hash("a"))
	for b.Loop() {
		h.matches("a")
	}
}
