package live

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// service answers the paths that it is given, and everything else by otherwise.
func service(t *testing.T, secured bool, pages map[string]string, otherwise int) Found {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("it was asked %s %s", r.Method, r.URL)
		}
		if page, ok := pages[r.URL.Path]; ok {
			kind, body, _ := strings.Cut(page, "|")
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
			return
		}
		if otherwise == http.StatusFound {
			w.Header().Set("Location", "http://203.0.113.1/elsewhere") // which must not be followed
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(otherwise)
	})
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = nil
	if secured {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return Found{Address: s.Listener.Addr().String()}
}

func TestProbe(t *testing.T) {
	document := `application/json|{"openapi": "3.1.0", "info": {"title": "Shop"}, "paths": {}}`
	for _, tc := range []struct {
		name      string
		secured   bool
		pages     map[string]string
		otherwise int
		want      Found
	}{
		{"nothing but pages", false, map[string]string{"/": "text/html|x"}, 404, Found{Answers: true, Status: 200, Health: "/"}},
		{"nothing at all", false, nil, 404, Found{Answers: true, Status: 404}},
		{"health", false, map[string]string{"/healthz": "text/plain|ok", "/health": "text/plain|ok"}, 404, Found{Answers: true, Status: 404, Health: "/healthz"}},
		{"one page for everything", false, nil, 200, Found{Answers: true, Status: 200, Health: "/"}},
		{"one page for everything but health", false, map[string]string{"/health": "application/json|{}"}, 200, Found{Answers: true, Status: 200, Health: "/health"}},
		{"redirects", false, map[string]string{"/ping": "text/plain|pong"}, 302, Found{Answers: true, Status: 302, Health: "/ping"}},
		{"described", false, map[string]string{"/v3/api-docs": document}, 404, Found{Answers: true, Status: 404, Definition: "/v3/api-docs", Title: "Shop"}},
		{"Swagger in YAML", false, map[string]string{"/openapi.yaml": "application/yaml|swagger: '2.0'\ninfo: {title: Old}\n"}, 404, Found{Answers: true, Status: 404, Definition: "/openapi.yaml", Title: "Old"}},
		{"no document", false, map[string]string{"/openapi.json": "application/json|{\"a\": 1}", "/swagger.json": "text/html|openapi: x", "/api-docs": "application/json|{{{"}, 404, Found{Answers: true, Status: 404}},
		{"over TLS", true, map[string]string{"/healthz": "text/plain|ok"}, 404, Found{Answers: true, TLS: true, Status: 404, Health: "/healthz"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := service(t, tc.secured, tc.pages, tc.otherwise)
			got := Probe(t.Context(), at)
			tc.want.Address = at.Address
			if got != tc.want {
				t.Errorf("got %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// TestProbeOfOthers: what is no HTTP, says nothing, or is not there, does not
// answer.
func TestProbeOfOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			_ = c.Close()
		}
	}()
	if got := Probe(t.Context(), Found{Address: l.Addr().String()}); got.Answers || got.TLS {
		t.Errorf("%+v", got)
	}
	_ = l.Close()
	if got := Probe(t.Context(), Found{Address: l.Addr().String()}); got.Answers {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Probe(ctx, Found{Address: "127.0.0.1:1"}); got.Answers {
		t.Errorf("%+v", got)
	}
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"http://localhost:3000": "http://localhost:3000", "localhost:3000": "http://localhost:3000", "https://API.test": "https://api.test:443", "http://[::1]:8080/": "http://[::1]:8080", "10.0.0.1": "http://10.0.0.1:80",
		"http://u:secret@h": "", "ftp://h": "", "http://h/path": "", "http://h?x": "", "": "", "http://": "", "http://${env:X}": "",
	} {
		f, err := ParseAddress(in)
		got := ""
		if err == nil {
			got = f.URL()
		}
		if got != want {
			t.Errorf("%s: %q, want %q (%v)", in, got, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestStarter(t *testing.T) {
	one := Starter([]Found{{Address: "127.0.0.1:3000", Answers: true, Health: "/healthz", Definition: "/openapi.json", Title: "Shop API"}})
	for _, want := range []string{"  shop-api:\n", "health: {path: /healthz}", "OPEN to everybody: say who may call", "http://127.0.0.1:3000/openapi.json > shop-api.openapi.json", `"127.0.0.1:3000"`} {
		if !strings.Contains(string(one.Text), want) {
			t.Errorf("no %q in\n%s", want, one.Text)
		}
	}
	two := Starter([]Found{{Address: "localhost:3000"}, {Address: "localhost:4000", TLS: true, Answers: true}})
	for _, want := range []string{"domains: [app-3000.localhost]", "domains: [app-4000.localhost]", "It did not answer", "tls: {}", "ca: FILE"} {
		if !strings.Contains(string(two.Text), want) {
			t.Errorf("no %q in\n%s", want, two.Text)
		}
	}
	if len(two.Published) != 2 {
		t.Error(two.Published)
	}
}
