package test

import (
	"net"
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
		`{"orders":[]}`,
		`User: arn:aws:iam::000000000000:user/courier is not authorized to perform: execute-api:Invoke`,
		``, // an API key
		`"sku":"mug-blue"`,
		``, // an id
		`refused by auth (no-credential)`,
	} {
		if i >= len(answers) || !strings.Contains(answers[i], want) {
			t.Errorf("line %d of %d: %q, want %q", i+1, len(answers), slices.Concat(answers, make([]string, 13))[i], want)
		}
	}
	for url, want := range map[string]string{"http://127.0.0.1:9901/metrics": "gatehouse_requests_total", "-k https://localhost:8443/public/": "<h1>The shop</h1>"} {
		if got := shell.run("curl -s " + url); !strings.Contains(got, want) {
			t.Errorf("%s: %s", url, got)
		}
	}
	shop.signal(syscall.SIGINT)
	if code := shop.ends(); code != 0 {
		t.Errorf("after an interrupt it ends with %d:\n%s", code, shop.said)
	}
	if said := shop.said.String(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "development key") {
		t.Errorf("it says\n%s", shop.said)
	}
	free(t)
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

var shopAddresses = []string{"127.0.0.1:8443", "127.0.0.1:8080", "127.0.0.1:9901", "127.0.0.1:9101", "127.0.0.1:9102"}

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
