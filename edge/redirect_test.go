package edge

import (
	"net"
	"net/http"
	"testing"
)

func TestRedirect(t *testing.T) {
	redirect := func(port int) func(*Listener) {
		return func(l *Listener) { l.Redirect = HTTPSRedirect{HTTPS: true, Port: port} }
	}
	h := newHouse(t, nil, listenerConfig(redirect(0)), listenerConfig(withTLS()))
	_, port, _ := net.SplitHostPort(h.addr("127.0.0.1:0#2"))
	client := h.client(false)
	for _, test := range []struct {
		method, url string
		status      int
		location    string
	}{
		{"GET", "http://Api.shop.test:80/a?b=c", 301, "https://api.shop.test:" + port + "/a?b=c"},
		{"HEAD", "http://api.shop.test/", 301, "https://api.shop.test:" + port + "/"},
		{"POST", "http://api.shop.test/%2e%2e//x", 308, "https://api.shop.test:" + port + "/%2e%2e//x"},
		{"DELETE", "http://[2001:db8::1]/", 308, "https://[2001:db8::1]:" + port + "/"},
	} {
		r, _ := http.NewRequest(test.method, test.url, nil)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != test.status || resp.Header.Get("Location") != test.location {
			t.Errorf("%s %s: %d %s", test.method, test.url, resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp.Header.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS over plain HTTP")
		}
	}
	h.reload(listenerConfig(redirect(443)))
	if got := get(t, h.client(false), "http://api.shop.test//evil.test/x").Header.Get("Location"); got != "https://api.shop.test//evil.test/x" {
		t.Error(got)
	}
}
