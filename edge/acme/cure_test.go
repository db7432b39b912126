package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	protocol "github.com/mholt/acmez/v3/acme"

	"gatehouse/private"
)

func TestCures(t *testing.T) {
	problem := func(kind string) error {
		return fmt.Errorf("[a.test] Obtain: solving: %w", protocol.Problem{Type: protocol.ProblemTypeNamespace + kind, Detail: "what\n\x1b[31m happened"})
	}
	a := &authority{keeper: &Keeper{files: newFiles("data/acme")}, config: &Config{Directory: "https://ca.test/dir", ExternalAccount: &ExternalAccount{}}}
	for _, tc := range []struct {
		err  error
		says string
	}{
		{problem("connection"), "port 443"},
		{problem("tls"), "port 443"},
		{problem("dns"), "resolve"},
		{problem("unauthorized"), "something else"},
		{problem("caa"), "CAA"},
		{problem("rateLimited"), "asked too often"},
		{problem("rejectedIdentifier"), "no such name"},
		{problem("externalAccountRequired"), "acme.external-account"},
		{problem("invalidContact"), "acme.email"},
		{problem("userActionRequired"), "something first"},
		{problem("serverInternal"), "trouble of its own"},
		{problem("badPublicKey"), "what the CA says"},
		{&accountError{problem("unauthorized")}, "what the CA gave you"},
		{&hookError{errors.New("x")}, "acme.dns"},
		{&damaged{"f.pem", errors.New("x")}, "f.pem"},
		{&private.Exposed{}, "permissions"},
		{fmt.Errorf("x: %w", x509.UnknownAuthorityError{}), "acme.ca"},
		{&directoryError{fmt.Errorf("x: %w", x509.UnknownAuthorityError{})}, "acme.ca"},
		{&directoryError{&net.OpError{Err: syscall.ECONNREFUSED}}, "reach https://ca.test/dir"},
		{&directoryError{errors.New("HTTP 404: page not found")}, "the URL of a CA's directory"},
		{&fs.PathError{Err: syscall.ENOSPC}, "write to data/acme"},
		{errors.New("failed storage check: x"), "write to data/acme"},
		{errors.New("a.test: no solvers available for remaining challenges"), "acme.challenges"},
		{errors.New("unknown profile name 'gold'"), "acme.profile"},
		{context.DeadlineExceeded, "reach https://ca.test/dir"},
		{errors.New("x"), "the CA works"},
	} {
		if got := a.cure(tc.err); !strings.Contains(got, tc.says) {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.says)
		}
	}
	if got := explain(problem("dns")); got != "dns: what .[31m happened" {
		t.Errorf("%q", got)
	}
	if got := explain(errors.New("[a.test] Renew: " + strings.Repeat("x", 1000))); len(got) > maxProblem+4 || !strings.HasPrefix(got, "xxx") {
		t.Errorf("%q", got)
	}
}
