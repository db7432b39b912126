package edge

import (
	"net/http"
	"testing"
)

func TestServesHTTPSOverBothVersions(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	for _, h2 := range []bool{false, true} {
		resp := get(t, h.client(h2), "https://api.shop.test/")
		if got := text(t, resp); got != "hello" {
			t.Errorf("h2=%v: body %q", h2, got)
		}
		if want := 1; !h2 && resp.ProtoMajor != want || h2 && resp.ProtoMajor != 2 {
			t.Errorf("h2=%v: %s", h2, resp.Proto)
		}
		if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
			t.Errorf("h2=%v: HSTS %q", h2, got)
		}
		if resp.TLS == nil {
			t.Error("no TLS")
		}
	}
}

func TestPlainHTTPSendsNoHSTS(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	resp := get(t, h.client(false), "http://api.shop.test/")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
