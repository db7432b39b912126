package live

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/importer/value"
)

// Found is what was seen of a service.
type Found struct {
	Address    string `json:"address"` // HOST:PORT
	TLS        bool   `json:"tls"`
	Trusted    bool   `json:"trusted"`              // its certificate is, by this machine, for that host
	Answers    bool   `json:"answers"`              // it speaks HTTP
	Status     int    `json:"status,omitempty"`     // of its first page
	Health     string `json:"health,omitempty"`     // a path that says how it does
	Definition string `json:"definition,omitempty"` // a path of an OpenAPI document
	Title      string `json:"title,omitempty"`      // that the document says
}

// patience is how long one question to a service may take: it stands nearby.
const patience = 2 * time.Second

// healths are where services say how they do, and definitions where they describe
// themselves.
var (
	healths     = []string{"/healthz", "/health", "/actuator/health", "/livez", "/ping"}
	definitions = []string{"/openapi.json", "/openapi.yaml", "/swagger.json", "/v3/api-docs", "/api-docs", "/swagger/v1/swagger.json", "/v2/api-docs"}
)

// Ports are those that services under development usually listen on.
var Ports = []int{3000, 3001, 3333, 4000, 4200, 5000, 5001, 5173, 8000, 8001, 8081, 8082, 8088, 8888, 9000, 9090}

// ParseAddress reads http://HOST:PORT, https://HOST or HOST:PORT.
func ParseAddress(text string) (Found, error) {
	problem := errors.New("this is no address of a service: write --to http://HOST:PORT") // it may hold a password
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(u.Host, "$ ") {
		return Found{}, problem
	}
	port, known := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if !known {
		return Found{}, problem
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return Found{Address: net.JoinHostPort(strings.ToLower(u.Hostname()), port), TLS: u.Scheme == "https"}, nil
}

// Probe looks at a service: it asks for a few pages by GET, and changes nothing.
func Probe(ctx context.Context, f Found) Found {
	p := prober{ctx: ctx, found: f}
	if !p.connects() {
		return f
	}
	first, err := p.get("/")
	if err != nil && !f.TLS {
		p.found.TLS = true // a server of TLS answers plain HTTP with an alert, or 400
		first, err = p.get("/")
	} else if err == nil && first.status == http.StatusBadRequest && !f.TLS {
		p.found.TLS = true
		if secured, failed := p.get("/"); failed == nil {
			first = secured
		} else {
			p.found.TLS = false
		}
	}
	if err != nil {
		return f
	}
	p.found.Answers, p.found.Status = true, first.status
	p.found.Trusted = p.found.TLS && p.trusted()
	p.health()
	p.definition()
	return p.found
}

type prober struct {
	ctx   context.Context
	found Found
}

// page is an answer's beginning.
type page struct {
	status int
	kind   string // its media type
	body   []byte
}

func (p *prober) connects() bool {
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(p.ctx, "tcp", p.found.Address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// maxPage is how much of a page is read: a definition may be large.
const maxPage = 16 << 20

// get asks for one page. Redirects are not followed: they may lead elsewhere.
func (p *prober) get(path string) (page, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	host, _, _ := net.SplitHostPort(p.found.Address)
	d := net.Dialer{}
	c, err := d.DialContext(ctx, "tcp", p.found.Address)
	if err != nil {
		return page{}, err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if p.found.TLS {
		// Whose certificate it is, is looked at elsewhere: nothing secret is sent.
		secured := tls.Client(c, &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err := secured.HandshakeContext(ctx); err != nil {
			return page{}, err
		}
		c = secured
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + p.found.Address + "\r\nUser-Agent: gatehouse-init\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		return page{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodGet})
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	out := page{status: resp.StatusCode}
	out.kind, _, _ = strings.Cut(strings.ToLower(resp.Header.Get("Content-Type")), ";")
	out.body, err = io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil && len(out.body) == 0 {
		return page{}, err
	}
	return out, nil
}

// trusted reports whether this machine trusts the service's certificate.
func (p *prober) trusted() bool {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{}}
	c, err := d.DialContext(ctx, "tcp", p.found.Address)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) || err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// health finds a page that says how the service does. One that serves the same
// page at any path says nothing.
func (p *prober) health() {
	anything, err := p.get("/gatehouse-init-" + rand.Text())
	everything := err == nil && anything.status < 400
	for _, path := range healths {
		got, err := p.get(path)
		if err == nil && got.status >= 200 && got.status < 400 && (!everything || got.kind != anything.kind) {
			p.found.Health = path
			return
		}
	}
	if p.found.Status >= 200 && p.found.Status < 400 {
		p.found.Health = "/"
	}
}

// definition finds a document that describes the service.
func (p *prober) definition() {
	for _, path := range definitions {
		got, err := p.get(path)
		if err != nil || got.status != http.StatusOK || got.kind == "text/html" || len(got.body) == maxPage {
			continue
		}
		root, err := value.Read(path, got.body)
		if err != nil || !root.Get("openapi").There() && !root.Get("swagger").There() {
			continue
		}
		p.found.Definition, p.found.Title = path, root.Path("info", "title").Text()
		return
	}
}

// URL is where the service is, for people.
func (f Found) URL() string {
	if f.TLS {
		return "https://" + f.Address
	}
	return "http://" + f.Address
}

// String says what was seen.
func (f Found) String() string {
	if !f.Answers {
		return f.URL() + " does not answer"
	}
	text := fmt.Sprintf("%s answers %d", f.URL(), f.Status)
	if f.Health != "" {
		text += ", health at " + f.Health
	}
	if f.Definition != "" {
		text += ", OpenAPI at " + f.Definition
	}
	return text
}
