package gatehouse

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"gatehouse/admin"
	"gatehouse/dial"
)

// The admin listener is out of every target's reach from the moment it is
// bound, not only once its configuration is in force; and what an aborted
// reload bound is forgotten.
func TestAdminIsDeniedAtOnce(t *testing.T) {
	cfg := mustLoad(t, `
listen: [{address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0"}
apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}}
`)
	g, err := New(cfg, Options{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	denied := func(address string) bool {
		conn, err := g.keepers.dialer.Dial(t.Context(), address)
		if err == nil {
			conn.Close()
		}
		return dial.KindOf(err) == dial.Forbidden
	}
	var first string
	g.keepers.admin.Each(func(_ string, l *admin.Listener) { first = l.Addr().String() })

	l := g.keepers.begin()
	const other = "localhost:0"
	if _, err := l.listenAdmin(admin.Config{Address: other}, g); err != nil {
		t.Fatal(err)
	}
	listener, err := l.admin.Get(other, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := listener.Addr().String()
	if !denied(first) || !denied(second) {
		t.Errorf("%s denied: %v, %s denied: %v", first, denied(first), second, denied(second))
	}
	l.abort()
	g.keepers.denyAdmin()
	if !denied(first) || denied(second) {
		t.Errorf("after the abort: %s denied: %v, %s denied: %v", first, denied(first), second, denied(second))
	}
}
