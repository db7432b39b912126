package acme

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"unicode"

	protocol "github.com/mholt/acmez/v3/acme"

	"gatehouse/private"
)

// maxProblem is how much of what a CA says is kept and logged.
const maxProblem = 400

// explain returns why an attempt failed in one line that can be printed: the
// CA's own words where it has said any.
func explain(err error) string {
	text := err.Error()
	for _, what := range []string{"] Obtain: ", "] Renew: "} {
		if _, rest, wrapped := strings.Cut(text, what); wrapped {
			text = rest // certmagic has put the name in front
		}
	}
	var problem protocol.Problem
	if errors.As(err, &problem) {
		text = strings.TrimPrefix(problem.Type, protocol.ProblemTypeNamespace) + ": " + problem.Detail
		for _, sub := range problem.Subproblems {
			text += "; " + sub.Detail
		}
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '.'
		}
		return r
	}, text)
	return shorten(text, maxProblem)
}

// cure says what an operator can do about an attempt that failed.
func (a *authority) cure(err error) string {
	var (
		problem protocol.Problem
		hooked  *hookError
		harmed  *damaged
		bared   *private.Exposed
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		network net.Error
		account *accountError
		lost    *directoryError
	)
	switch {
	case errors.As(err, &hooked):
		return "see to acme.dns: it must set and remove the record within dns.timeout"
	case errors.As(err, &account) && errors.As(err, &problem) && a.config.ExternalAccount != nil:
		return "see that acme.external-account is what the CA gave you, and that the account there is good"
	case errors.As(err, &problem):
		return a.cureOf(problem)
	case errors.As(err, &harmed):
		return "put " + harmed.path + " back from a backup, or remove it, and another is made"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "the CA's own server does not prove who it is: see that acme.directory is right, and that acme.ca names its root"
	case errors.As(err, &bared):
		return "mend the permissions"
	case isFile(err):
		return "see that the gateway can write to " + a.keeper.files.dir + ", and that the disk has room"
	case errors.As(err, &network):
		return "see that this machine can reach " + a.config.Directory
	case strings.Contains(err.Error(), "no solvers available"):
		return "the CA does not offer what acme.challenges allows"
	case strings.Contains(err.Error(), "unknown profile"):
		return "the CA has no such profile: see to acme.profile"
	case errors.As(err, &lost):
		return "see that acme.directory is the URL of a CA's directory, such as https://acme-v02.api.letsencrypt.org/directory"
	}
	return "see that acme.directory is right and that the CA works"
}

func isFile(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) || strings.Contains(err.Error(), "failed storage check")
}

// cureOf says what can be done about what a CA has answered.
func (a *authority) cureOf(p protocol.Problem) string {
	switch p.Type {
	case protocol.ProblemTypeConnection, protocol.ProblemTypeTLS:
		return "the CA must reach this gateway by the name, on port 443 for tls-alpn-01 and on port 80 for http-01: see to addresses, port forwarding and firewalls"
	case protocol.ProblemTypeDNS:
		return "the name must resolve to this gateway, or for dns-01 its record be there: see to the domain's DNS"
	case protocol.ProblemTypeUnauthorized, protocol.ProblemTypeIncorrectResponse:
		return "something else than this gateway answers for the name, or the record is not there yet: see where the name leads, or let acme.dns wait longer"
	case protocol.ProblemTypeCAA:
		return "a CAA record of the domain allows other CAs alone: add this one"
	case protocol.ProblemTypeRateLimited:
		return "the CA was asked too often, and is asked again later: see its rate limits"
	case protocol.ProblemTypeRejectedIdentifier, protocol.ProblemTypeUnsupportedIdentifier:
		return "the CA certifies no such name: use another CA for it, or certificates: internal"
	case protocol.ProblemTypeExternalAccountRequired:
		return "the CA wants acme.external-account: get a key from it"
	case protocol.ProblemTypeInvalidContact, protocol.ProblemTypeUnsupportedContact:
		return "the CA does not take acme.email"
	case protocol.ProblemTypeUserActionRequired:
		return "the CA wants you to do something first: " + shorten(p.Instance, maxProblem)
	case protocol.ProblemTypeServerInternal:
		return "the CA has trouble of its own"
	}
	return "see what the CA says"
}
