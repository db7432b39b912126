package sigv4

import (
	"net/http"
	"testing"
	"time"
)

// A reload leaves nothing of the users and roles before it in the cache: sessions
// are opened anew, by the roles of now.
func TestCacheForgetsOldDirectories(t *testing.T) {
	g := newGate(t)
	s, token := g.session(t, time.Hour)
	use := func() *Fault {
		r := request(t, http.MethodGet, "https://api.shop.test/", "", "X-Amz-Security-Token", token)
		signByHand(r, s.Secret, time.Now(), "host;x-amz-date;x-amz-security-token", emptyHash, s.AccessKey)
		_, f, _, _ := g.verify(t, r)
		return f
	}
	before := directory(t, region)
	g.verifier = g.keeper.Verifier(before, ExecuteAPI, 1<<20)
	if f := use(); f != nil || g.keeper.cache.session(token, before, g.sealer.Version()) == nil {
		t.Fatalf("%+v, or not remembered", f)
	}
	if g.keeper.Verifier(before, "sts", 1<<20); g.keeper.cache.session(token, before, g.sealer.Version()) == nil {
		t.Error("another verifier for the same users forgets")
	}
	after := directory(t, region)
	g.verifier = g.keeper.Verifier(after, ExecuteAPI, 1<<20)
	for i := range g.keeper.cache.sessions {
		if g.keeper.cache.sessions[i].Load() != nil {
			t.Error("something of the old users is kept")
		}
	}
	if f := use(); f != nil || g.keeper.cache.session(token, after, g.sealer.Version()) == nil {
		t.Errorf("%+v, or not remembered", f)
	}
}
