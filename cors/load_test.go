package cors

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

func load(text string) (*Config, error) {
	var root struct {
		CORS *Config `yaml:"cors"`
	}
	_, err := config.LoadBytes("t.yaml", []byte(text), &root, config.Options{})
	return root.CORS, err
}

func TestLoad(t *testing.T) {
	c, err := load(`cors: {origins: ["HTTPS://Shop.test:443", "*.x"], max-age: 0s}`)
	if err == nil || !strings.Contains(err.Error(), "t.yaml:1:43") || !strings.Contains(err.Error(), "is no origin") {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = load(`cors: {origins: ["https://shop.test"], methods: [GET], headers: [X-Key], expose: [ETag], credentials: true, max-age: 1h}`)
	if err != nil || c.Origins[0] != "https://shop.test" || c.Methods[0] != "GET" || c.Headers[0] != "x-key" || c.Expose[0] != "etag" || !c.Credentials || c.MaxAge.D() != time.Hour {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err = load(`cors: {methods: [GET]}`); err == nil || !strings.Contains(err.Error(), "origins") {
		t.Error(err)
	}
	if _, err = load(`cors: {origins: "*", credentials: true}`); err == nil {
		t.Error("credentials for everybody")
	}
	// A max-age of 0 forbids remembering; none leaves it to the browser.
	for text, want := range map[string]string{"": "[]", ", max-age: 0s": "[0]"} {
		c, err := load(`cors: {origins: ["*"]` + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		if got := newPolicy(c, nil).maxAge; strings.Join(got, "") != strings.Trim(want, "[]") {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// FuzzOrigins: what a wildcard lets in is an origin below its host, and nothing
// that a URL parser could take for another one.
func FuzzOrigins(f *testing.F) {
	for _, seed := range []string{"https://a.shop.test", "https://evil.test/.shop.test", "https://a@b.shop.test:8443", "http://localhost:80", "https://a.shop.test:8443", "null", "https://[::1].shop.test"} {
		f.Add(seed)
	}
	o := newOrigins([]Origin{"https://*.shop.test", "https://*.shop.test:8443", "http://localhost:*"})
	f.Fuzz(func(t *testing.T, origin string) {
		if !o.allows(origin) {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.User != nil || u.Path+u.RawQuery+u.Fragment+u.Opaque != "" || u.Scheme+"://"+u.Host != origin {
			t.Fatalf("%q may call: %+v, %v", origin, u, err)
		}
		below := u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".shop.test") && (u.Port() == "" || u.Port() == "8443")
		local := u.Scheme == "http" && u.Hostname() == "localhost"
		if !below && !local {
			t.Fatalf("%q may call", origin)
		}
	})
}
