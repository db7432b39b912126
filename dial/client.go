package dial

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The defaults of ClientOptions.
const (
	DefaultClientTimeout = 10 * time.Second
	DefaultClientLimit   = 1 << 20
)

// ClientOptions bound what a client of HTTPClient does.
type ClientOptions struct {
	Timeout time.Duration // of a whole fetch with its redirects; 0 for 10 s
	Limit   int64         // of an answer's body, in bytes; 0 for 1 MiB
	Plain   bool          // http is allowed too: the operator wrote such a URL
	// KeepAlive keeps connections for the next request. Whoever sets it ends them by
	// the client's CloseIdleConnections.
	KeepAlive bool
	TLS       *tls.Config // whom to trust, and who we are; nil for the system's roots. It is cloned.
}

// The errors of an HTTPClient's own, beside the Dialer's.
var (
	ErrScheme   = errors.New("only https is fetched")
	ErrRedirect = errors.New("redirected to another host")
	ErrTooLarge = errors.New("the answer is larger than the limit")
)

const maxRedirects = 3

// What a client with KeepAlive keeps.
const (
	maxIdle     = 16
	idleTimeout = time.Minute
)

// HTTPClient returns a client for what the gateway fetches for itself: key
// sets, discovery documents, introspection. It speaks https only, follows
// redirects within scheme, host and port only, fails with ErrTooLarge where a
// body is over the limit, ignores proxies of the environment, and keeps no
// connection open unless told to, so that nothing of it needs to be closed.
func (d *Dialer) HTTPClient(o ClientOptions) *http.Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultClientTimeout
	}
	if o.Limit <= 0 {
		o.Limit = DefaultClientLimit
	}
	conf := &tls.Config{}
	if o.TLS != nil {
		conf = o.TLS.Clone()
	}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	t := &http.Transport{
		DialContext:            d.dialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    o.Timeout,
		DisableKeepAlives:      !o.KeepAlive,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{Transport: &fetcher{t, o}, Timeout: o.Timeout, CheckRedirect: sameHost}
}

func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if first := via[0].URL; r.URL.Scheme != first.Scheme || !strings.EqualFold(hostPort(r.URL), hostPort(first)) {
		return ErrRedirect
	}
	return nil
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":" + map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// fetcher refuses schemes and cuts bodies.
type fetcher struct {
	next    *http.Transport
	options ClientOptions
}

// CloseIdleConnections is what the client's calls.
func (f *fetcher) CloseIdleConnections() { f.next.CloseIdleConnections() }

func (f *fetcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !(f.options.Plain && r.URL.Scheme == "http") {
		return nil, ErrScheme
	}
	resp, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > f.options.Limit {
		resp.Body.Close()
		return nil, ErrTooLarge
	}
	resp.Body = &cut{resp.Body, f.options.Limit}
	return resp, nil
}

// cut fails a body that is longer than what is left.
type cut struct {
	io.ReadCloser
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, ErrTooLarge
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
