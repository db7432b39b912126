package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestIdle holds connections to Go's own server, and notices that it has
// closed them.
func TestIdle(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(smallBody()) }))
	defer server.Close()
	l := load{address: server.Listener.Addr().String(), paths: []string{"/"}, body: smallBody()}
	l.tls = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	l.tls.ServerName, l.tls.NextProtos = "example.com", []string{"http/1.1"}
	conns, err := openIdle(context.Background(), l, 50)
	defer closeAll(conns)
	if err != nil || len(conns) != 50 {
		t.Fatalf("%d connections, %v", len(conns), err)
	}
	if err := allOpen(conns); err != nil {
		t.Error(err)
	}
	server.CloseClientConnections()
	if err := allOpen(conns); err == nil {
		t.Error("closed connections count as held")
	}
}
