package test

import (
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestShop runs the example as "make run" does, and pastes every line that it
// prints into a shell.
func TestShop(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := checkout(t)
	shop := launch(t, dir, "bin/shop")
	shop.says("explain")
	listens(t, "127.0.0.1:9901")
	shell := newShell(t, dir)
	var answers []string
	for _, line := range regexp.MustCompile(`(?m)^  ((?:curl|bin/|TOKEN=|KEY=|ID=).*)$`).FindAllStringSubmatch(shop.said.String(), -1) {
		answers = append(answers, shell.run(line[1]))
	}
	for i, want := range []string{
		`"sku":"mug-blue"`,
		`{"message":"Unauthorized"}`,
		``, // a token
		`"customer":"alice","status":"delivered"`,
		`{"message":"Forbidden"}`,
		``, // another
		`"status":"placed"`,
		`{"message":"Unauthorized"}`,
		`{"orders":[]}`,
		`User: arn:aws:iam::000000000000:user/courier is not authorized to perform: execute-api:Invoke`,
		``, // an API key
		`"sku":"mug-blue"`,
		``, // an id
		`refused by auth (no-credential)`,
	} {
		if i >= len(answers) || !strings.Contains(answers[i], want) {
			t.Errorf("line %d of %d: %q, want %q", i+1, len(answers), slices.Concat(answers, make([]string, 14))[i], want)
		}
	}
	for url, want := range map[string]string{"http://127.0.0.1:9901/metrics": "gatehouse_requests_total", "-k https://localhost:8443/public/": "<h1>The shop</h1>"} {
		if got := shell.run("curl -s " + url); !strings.Contains(got, want) {
			t.Errorf("%s: %s", url, got)
		}
	}
	shopLogin(t, dir)
	shop.signal(syscall.SIGINT)
	if code := shop.ends(); code != 0 {
		t.Errorf("after an interrupt it ends with %d:\n%s", code, shop.said)
	}
	if said := shop.said.String(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "development key") {
		t.Errorf("it says\n%s", shop.said)
	}
	free(t)
}

// shopLogin logs in and out at the shop as a person with a browser does.
func shopLogin(t *testing.T, dir string) {
	t.Helper()
	authority, err := os.ReadFile(filepath.Join(dir, "examples/shop/data/authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	bob := newPerson(t, &running{roots: roots, fixed: shopAddresses[0]}, true)
	asked, page := bob.navigate("/account?from=shop")
	if asked.Request.URL.Host != "127.0.0.1:9103" || !strings.Contains(page, `<form method="post">`) || !strings.Contains(page, `name="user" value="bob"`) {
		t.Fatalf("%d at %s: %s", asked.StatusCode, asked.Request.URL, page)
	}
	back, err := bob.client.PostForm(asked.Request.URL.String(), url.Values{"user": {"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = back.Body.Close()
	if back.StatusCode != 200 || back.Request.URL.String() != bob.url("/account?from=shop") {
		t.Errorf("after the login: %d at %s", back.StatusCode, back.Request.URL)
	}
	if resp, body := bob.do("GET", "/account", "X-Customer", "alice", "X-Email", "alice@shop.test"); resp.StatusCode != 200 || !strings.Contains(body, "logged in as bob (bob@shop.test)") {
		t.Errorf("logged in: %d %s", resp.StatusCode, body)
	}
	if resp, _ := bob.navigate("/_auth/logout"); resp.StatusCode != 200 || resp.Request.URL.Path != "/public/" || bob.hops != 2 {
		t.Errorf("after the logout: %d at %s", resp.StatusCode, resp.Request.URL)
	}
	if resp, _ := bob.do("GET", "/account"); resp.StatusCode != 401 {
		t.Errorf("logged out: %d", resp.StatusCode)
	}
}

// TestShopEndsWhole: whichever of its programs dies, and however, none is left.
func TestShopEndsWhole(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, victim := range []string{"the shop", "services", "the gateway"} {
		shop := launch(t, checkout(t), "bin/shop")
		shop.says("explain")
		all := children(shop.cmd.Process.Pid)
		if len(all) != 2 {
			t.Fatalf("children: %v", all)
		}
		pid := map[string]int{"the shop": shop.cmd.Process.Pid, "services": all[0], "the gateway": all[1]}[victim]
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if code := shop.ends(); code == 0 {
			t.Errorf("%s was killed: the exit code is 0", victim)
		}
		eventually(t, func() error {
			for _, child := range all {
				if lives(child) {
					return syscall.EBUSY
				}
			}
			return nil
		})
		free(t)
	}
}

// TestShopSaysWhatIsTaken instead of starting by halves.
func TestShopSaysWhatIsTaken(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, address := range shopAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		shop := launch(t, checkout(t), "bin/shop")
		if code := shop.ends(); code != 1 || !strings.Contains(shop.said.String(), address+" is taken") || strings.Contains(shop.said.String(), "open") {
			t.Errorf("%s is taken: exit code %d, and it says\n%s", address, code, shop.said)
		}
		_ = l.Close()
	}
}

var shopAddresses = []string{"127.0.0.1:8443", "127.0.0.1:8080", "127.0.0.1:9901", "127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"}

// free checks that nobody listens where the example did.
func free(t *testing.T) {
	t.Helper()
	for _, address := range shopAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Errorf("after the end: %v", err)
			continue
		}
		_ = l.Close()
	}
}
