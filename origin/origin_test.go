package origin

import (
	"net/url"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	list := []Origin{"https://shop.test", "https://*.shop.test", "https://*.port.test:8443", "http://localhost:*", "http://*.dev.test:*", "app://x", "http://[::1]:8080"}
	o := NewSet(list)
	for _, origin := range []string{
		"https://shop.test", "https://a.shop.test", "https://a.b-c.shop.test", "https://a.port.test:8443", "http://localhost", "http://localhost:1",
		"http://localhost:65535", "http://a.dev.test", "http://a.b.dev.test:3000", "app://x", "http://[::1]:8080",
	} {
		if !o.Has(origin) {
			t.Errorf("%s may not call", origin)
		}
	}
	for _, origin := range []string{
		"", "null", "*", "https://", "http://shop.test", "https://shop.test:443", "https://shop.test/", "https://SHOP.test", "HTTPS://shop.test", "https://shop.test.", "https://xshop.test",
		"https://.shop.test", "https://a..shop.test", "https://-/.shop.test", "https://evil.test/.shop.test", "https://evil.test#.shop.test", "https://evil.test?.shop.test",
		"https://evil.test\\.shop.test", "https://user@.shop.test", "https://user@a.shop.test", "https://a:1.shop.test", "https://é.shop.test", "https://a.shop.test:8443", "https://a.shop.test.evil.test",
		"https://a.port.test", "https://a.port.test:84430", "http://localhost:", "http://localhost:0", "http://localhost:x", "http://localhost:1:2", "http://localhost.evil.test", "http://localhost:80@evil.test",
		"http://localhostx:1", "http://dev.test:1", "http://[::1].dev.test", "https://[::1.shop.test", "http://a.dev.test:3000/", "https://*.shop.test", "https://a.shop.test ", " https://shop.test",
	} {
		if o.Has(origin) {
			t.Errorf("%q may call", origin)
		}
	}
}

func TestOriginText(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.test":         "https://shop.test",
		"HTTPS://Shop.Test":         "https://shop.test",
		"https://shop.test:443":     "https://shop.test",
		"http://shop.test:80":       "http://shop.test",
		"https://shop.test:80":      "https://shop.test:80",
		"https://*.shop.test":       "https://*.shop.test",
		"http://localhost:*":        "http://localhost:*",
		"http://127.0.0.1:3000":     "http://127.0.0.1:3000",
		"http://[::1]:3000":         "http://[::1]:3000",
		"http://[::1]":              "http://[::1]",
		"chrome-extension://abcdef": "chrome-extension://abcdef",
		"null":                      "null",
		"*":                         "*",
		"":                          "! is no origin",
		"shop.test":                 "! is no origin",
		"//shop.test":               "! is no origin",
		"://shop.test":              "! is no origin",
		"1https://shop.test":        "! is no origin",
		"https://shop.test/":        "! ends in /",
		"https://shop.test/app":     "! says more than an origin",
		"https://u@shop.test":       "! says more than an origin",
		"https://":                  "! has no host name",
		"https://*":                 "! has no host name",
		"https://*.":                "! has no host name",
		"https://a.*.test":          "! has no host name",
		"https://*shop.test":        "! has no host name",
		"https://bücher.test":       "! has no host name",
		"https://shop test":         "! has no host name",
		"https://shop.test:0":       "! has no port",
		"https://shop.test:":        "! has no port",
		"https://shop.test:http":    "! has no port",
		"https://shop.test:123456":  "! has no port",
	} {
		var o Origin
		err := o.UnmarshalText([]byte(text))
		wrong, bad := strings.CutPrefix(want, "! ")
		if bad && (err == nil || !strings.HasPrefix(err.Error(), wrong)) || !bad && (err != nil || string(o) != want) {
			t.Errorf("%q: %q, %v", text, o, err)
		}
	}
}

// FuzzOrigins: what a wildcard lets in is an origin below its host, and nothing
// that a URL parser could take for another one.
func FuzzOrigins(f *testing.F) {
	for _, seed := range []string{"https://a.shop.test", "https://evil.test/.shop.test", "https://a@b.shop.test:8443", "http://localhost:80", "https://a.shop.test:8443", "null", "https://[::1].shop.test"} {
		f.Add(seed)
	}
	o := NewSet([]Origin{"https://*.shop.test", "https://*.shop.test:8443", "http://localhost:*"})
	f.Fuzz(func(t *testing.T, origin string) {
		if !o.Has(origin) {
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
