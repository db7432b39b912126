package kong

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/importer/golden"
)

// TestGolden holds what files are made into. That it passes gatehouse check, and
// that services get the same requests as from nginx, is tested in test.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			r, err := ConvertFile(name)
			if err != nil {
				t.Fatal(err)
			}
			golden.Holds(t, name+".golden", r)
		})
	}
}

// TestNoSecrets: what authenticates callers and servers is not copied.
func TestNoSecrets(t *testing.T) {
	r, err := ConvertFile("testdata/golden/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"not-to-be-printed-secret", "not-to-be-printed-key", "PRIVATE KEY"} {
		if strings.Contains(string(r.Text), secret) {
			t.Errorf("it holds %s", secret)
		}
		for _, n := range r.Notes {
			if strings.Contains(n.Text, secret) {
				t.Errorf("a note holds %s", secret)
			}
		}
	}
}

// TestExpressions: what regular expressions become, and which none do.
func TestExpressions(t *testing.T) {
	for in, want := range map[string]string{
		`/users/\d+$`:                   "/users/{p2} exact loose",
		`^/users/(?<id>[^/]+)/orders`:   "/users/{id}/orders/{proxy*}",
		`/files/(.*)$`:                  "/files/{p2} exact",
		`/v1\.0/x$`:                     "/v1.0/x exact",
		`/`:                             "/{proxy*}",
		`/a/(?<id>\d+)/b/(?<id>\d+)$`:   "",
		`/(a|b)/c`:                      "",
		`/a.*`:                          "",
		`/a//b`:                         "",
		`users`:                         "",
		`/x/(?<proxy>.+)$`:              "",
		`/[a-z]+/(?:\w+)/[^/]+$`:        "/{p1}/{p2}/{p3} exact loose",
		`/a/(?<b c>\d+)$`:               "",
		`/a;b$`:                         "",
		`/orders/(?<order_id>[0-9]+)/?`: "",
	} {
		p, ok, loose := fromExpression(in)
		got := p.text
		if p.exact {
			got += " exact"
		}
		if loose {
			got += " loose"
		}
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
