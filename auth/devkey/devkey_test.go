package devkey

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func TestOpen(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	key, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(folder, File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	again, err := Open(folder)
	if err != nil || string(again.JWKS()) != string(key.JWKS()) {
		t.Errorf("the key is another the second time: %v", err)
	}
	if strings.Contains(string(key.JWKS()), `"d"`) {
		t.Errorf("the public keys tell the private one: %s", key.JWKS())
	}
	entries, _ := os.ReadDir(folder)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	other, err := Open(t.TempDir())
	if err != nil || string(other.JWKS()) == string(key.JWKS()) {
		t.Errorf("two folders have one key: %v", err)
	}
}

func TestOpenByManyAtOnce(t *testing.T) {
	folder := t.TempDir()
	keys := make([]string, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := Open(folder)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = string(key.JWKS())
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Error("not all have the same key")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, content := range map[string]string{"nothing": "", "garbage": "{", "another curve": `{"kty":"EC","crv":"P-384","d":"AAAA"}`, "zero": `{"kty":"EC","crv":"P-256","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, File), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	folder := t.TempDir()
	if _, err := Open(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, File), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
}

// The key and its tokens are what go-jose takes.
func TestSign(t *testing.T) {
	key, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign(Claims{Issuer: "i", Audience: []string{"a", "b"}, Subject: "ann", Scopes: []string{"x", "y"}, Lifetime: time.Hour, Extra: map[string]any{"tier": "gold", "sub": "root"}})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(key.JWKS(), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].Valid() || !set.Keys[0].IsPublic() {
		t.Fatalf("%v %s", err, key.JWKS())
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		jwt.Claims
		Scope string `json:"scope"`
		Tier  string `json:"tier"`
	}
	if err := parsed.Claims(&set, &said); err != nil {
		t.Fatal(err)
	}
	if err := said.Validate(jwt.Expected{Issuer: "i", Subject: "ann", AnyAudience: []string{"b"}, Time: time.Now()}); err != nil {
		t.Error(err)
	}
	if said.Scope != "x y" || said.Tier != "gold" || said.Expiry.Time().Sub(said.IssuedAt.Time()) != time.Hour {
		t.Errorf("%+v", said)
	}
	if _, err := key.Sign(Claims{Extra: map[string]any{"f": func() {}}}); err == nil {
		t.Error("a function was signed")
	}
}
