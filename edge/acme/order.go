package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	protocol "github.com/mholt/acmez/v3/acme"
)

// order is one attempt to get a certificate for one name. It is the
// certmagic.Issuer of that attempt.
type order struct {
	authority *authority
	name      string
	present   *x509.Certificate // of the same CA, which is to be renewed; nil for none
	replaces  bool              // the CA is told so
	ari       *protocol.RenewalInfo
	later     time.Duration // what the CA asked us to wait; 0 for nothing
}

var _ certmagic.Issuer = (*order)(nil)

// attemptLimit is how long one attempt may take: CAs look more than once, and
// records take their time.
const attemptLimit = 15 * time.Minute

// get obtains a certificate, or renews the one that is stored.
func (o *order) get(ctx context.Context, renew bool) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	k := o.authority.keeper
	manager := certmagic.New(k.cache, certmagic.Config{
		Storage:    k.files,
		Issuers:    []certmagic.Issuer{o},
		KeySource:  certmagic.StandardKeyGenerator{KeyType: o.authority.config.keyType()},
		OCSP:       certmagic.OCSPConfig{DisableStapling: true}, // it would be fetched past the gateway's dialer
		DisableARI: true,                                        // when to renew is for us to say
		Logger:     nop(),                                       // what went wrong is in the error
	})
	if renew {
		return manager.RenewCertSync(ctx, o.name, true)
	}
	return manager.ObtainCertSync(ctx, o.name)
}

// IssuerKey implements certmagic.Issuer.
func (o *order) IssuerKey() string { return o.authority.key() }

// Issue implements certmagic.Issuer.
func (o *order) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	client := o.authority.talk(o.name, o)
	if _, err := client.GetDirectory(ctx); err != nil {
		return nil, &directoryError{err}
	}
	chain, err := o.issue(ctx, client, csr)
	if unknownAccount(err) {
		chain, err = o.issue(ctx, client, csr) // issue has forgotten the account
	}
	if err != nil {
		return nil, err
	}
	if err := o.fits(chain.ChainPEM); err != nil {
		return nil, err
	}
	o.ari = chain.RenewalInfo
	return &certmagic.IssuedCertificate{Certificate: chain.ChainPEM, Metadata: chain}, nil
}

func unknownAccount(err error) bool {
	var problem protocol.Problem
	return errors.As(err, &problem) && problem.Type == protocol.ProblemTypeAccountDoesNotExist
}

func (o *order) issue(ctx context.Context, client *acmez.Client, csr *x509.CertificateRequest) (protocol.Certificate, error) {
	account, err := o.authority.registered(ctx, client)
	if err != nil {
		return protocol.Certificate{}, err
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return protocol.Certificate{}, err
	}
	params.Profile = o.authority.config.Profile
	if o.replaces {
		params.Replaces = o.present
	}
	chains, err := client.ObtainCertificate(ctx, params)
	if unknownAccount(err) {
		return protocol.Certificate{}, errors.Join(err, o.authority.forget(ctx, account))
	}
	if err != nil {
		return protocol.Certificate{}, err
	}
	if len(chains) == 0 {
		return protocol.Certificate{}, errors.New("the CA gave no certificate")
	}
	return chains[0], nil
}

// directoryError is a directory that could not be read.
type directoryError struct{ err error }

func (e *directoryError) Error() string {
	return "reading the directory: " + strings.TrimPrefix(e.err.Error(), "provisioning client: ")
}
func (e *directoryError) Unwrap() error { return e.err }

// fits refuses what listeners could not serve for the name.
func (o *order) fits(chain []byte) error {
	b, err := decodeChain(chain)
	if err != nil {
		return fmt.Errorf("the CA's certificate cannot be read: %w", err)
	}
	return covers(b, o.name)
}

// covers reports why a certificate is not one for a name.
func covers(leaf *x509.Certificate, name string) error {
	host := name
	if len(name) > 2 && name[:2] == "*." {
		host = "any" + name[1:]
	}
	if err := leaf.VerifyHostname(host); err != nil {
		return fmt.Errorf("the certificate is not for %s, but for %v", name, leaf.DNSNames)
	}
	return nil
}

// RoundTrip implements http.RoundTripper: it passes a request on and notes what
// the CA says of when to come again.
func (o *order) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.authority.client.Transport.RoundTrip(r)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		o.later = max(o.later, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	}
	return resp, err
}

// longest is the most that a CA's Retry-After is followed.
const longest = 24 * time.Hour

// retryAfter reads Retry-After (RFC 9110 section 10.2.3); 0 for none.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, longest)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longest)
}

// suggestion asks the CA when a certificate should be renewed.
func (a *authority) suggestion(ctx context.Context, leaf *x509.Certificate) (protocol.RenewalInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	o := &order{authority: a}
	return a.talk("", o).GetRenewalInfo(ctx, leaf)
}

// load returns the stored certificate of a name by this CA; fs.ErrNotExist where
// there is none.
func (k *Keeper) load(ctx context.Context, issuer, name string) (*tls.Certificate, error) {
	cert, err := k.files.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, name))
	if err != nil {
		return nil, err
	}
	key, err := k.files.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, name))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err == nil {
		err = covers(pair.Leaf, name)
	}
	if err != nil {
		return nil, &damaged{k.files.bundleFile(issuer, name), err}
	}
	return &pair, nil
}
