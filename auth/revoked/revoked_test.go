package revoked

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/state"
)

func newList(t testing.TB, dir string) (*List, *state.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c := &state.Config{}
	c.MasterKey.File = &config.Path{Value: filepath.Join(dir, "master.key")}
	s := state.New(state.Options{Data: filepath.Join(dir, "data"), Config: c, Log: log})
	l := New(s, log)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return l, s
}

func token(issuer, subject, id, issued string) *exchange.Principal {
	p := exchange.NewPrincipal("jwt", issuer, subject)
	p.Claims = map[string]any{"jti": id}
	if issued != "" {
		p.Claims["iat"] = json.Number(issued)
	}
	return p
}

func TestRevoked(t *testing.T) {
	dir := t.TempDir()
	l, store := newList(t, dir)
	at := time.Unix(1000, 0)
	for _, r := range []Rule{
		{Issuer: "a", ID: "1"},
		{Issuer: "a", Subject: "ann", Before: &at},
		{Issuer: "b", Before: &at},
	} {
		if _, err := l.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	check := func(l *List) {
		t.Helper()
		for _, tc := range []struct {
			name string
			p    *exchange.Principal
			want bool
		}{
			{"its id", token("a", "bob", "1", "5000"), true},
			{"another id", token("a", "bob", "2", "5000"), false},
			{"the id at another issuer", token("c", "bob", "1", "5000"), false},
			{"a subject's old token", token("a", "ann", "3", "1000"), true},
			{"in that second", token("a", "ann", "3", "1000.9"), true},
			{"a subject's new token", token("a", "ann", "3", "1001"), false},
			{"one that does not say how old it is", token("a", "ann", "3", ""), true},
			{"the subject at another issuer", token("c", "ann", "3", "1"), false},
			{"an issuer's old token", token("b", "eve", "3", "999"), true},
			{"an issuer's new token", token("b", "eve", "3", "2000"), false},
			{"no claims", exchange.NewPrincipal("iam", "a", "bob"), false},
		} {
			if got := l.Revoked(tc.p); (got != "") != tc.want {
				t.Errorf("%s: %q", tc.name, got)
			}
		}
	}
	check(l)
	store.Close()
	l, _ = newList(t, dir)
	check(l)
	if err := l.Pardon(t.Context(), Rule{Issuer: "a", ID: "1"}); err != nil || l.Revoked(token("a", "bob", "1", "5000")) != "" {
		t.Errorf("pardoned: %v", err)
	}
	if err := l.Pardon(t.Context(), Rule{Issuer: "a", ID: "1"}); err == nil {
		t.Error("pardoned twice")
	}
	for _, r := range []Rule{{ID: "1"}, {Issuer: "a", ID: "1", Subject: "b"}} {
		if _, err := l.Revoke(t.Context(), r); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

// Rules about what has expired make room.
func TestPrune(t *testing.T) {
	l, _ := newList(t, t.TempDir())
	past := time.Now().Add(-time.Minute)
	for range 2 {
		if _, err := l.Revoke(t.Context(), Rule{Issuer: "a", ID: "old", Until: &past}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Revoke(t.Context(), Rule{Issuer: "a", ID: "new"}); err != nil || len(l.Rules()) != 1 {
		t.Errorf("%d rules, %v", len(l.Rules()), err)
	}
}

func BenchmarkRevoked(b *testing.B) {
	l, _ := newList(b, b.TempDir())
	p := token("a", "ann", "1", "5000")
	b.Run("none", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Revoked(p)
		}
	})
	at := time.Unix(1000, 0)
	for _, r := range []Rule{{Issuer: "a", ID: "7"}, {Issuer: "a", Subject: "ann", Before: &at}} {
		if _, err := l.Revoke(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("some", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if l.Revoked(p) != "" {
				b.Fatal("revoked")
			}
		}
	})
}
