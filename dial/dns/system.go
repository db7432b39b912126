package dns

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// settings are those of resolv.conf(5).
type settings struct {
	servers  []netip.AddrPort
	domains  []string // the search list, each with a final dot
	ndots    int      // names with as many dots are tried as they are first
	timeout  time.Duration
	attempts int
	rotate   bool
	tcp      bool // UDP is not used
}

// defaults are the settings where nothing is said.
func defaults() settings { return settings{ndots: 1, timeout: 5 * time.Second, attempts: 2} }

const (
	maxServers = 3
	maxDomains = 32
	maxHosts   = 16 << 20 // bytes that are read of a file
)

// system reads the system's files, anew when they have changed.
type system struct {
	resolv file[settings]
	hostsF file[map[string][]netip.Addr]
	nss    file[[]string]
}

func newSystem(etc string) system {
	return system{
		resolv: file[settings]{path: filepath.Join(etc, "resolv.conf"), parse: parseResolv, state: &state[settings]{}},
		hostsF: file[map[string][]netip.Addr]{path: filepath.Join(etc, "hosts"), parse: parseHosts, state: &state[map[string][]netip.Addr]{}},
		nss:    file[[]string]{path: filepath.Join(etc, "nsswitch.conf"), parse: parseOrder, state: &state[[]string]{}},
	}
}

func (s system) settings() settings {
	out := s.resolv.read()
	if out.domains == nil { // resolv.conf(5): the machine's own domain
		if name, err := os.Hostname(); err == nil {
			if _, domain, ok := strings.Cut(name, "."); ok && strings.Trim(domain, ".") != "" {
				out.domains = []string{strings.Trim(domain, ".") + "."}
			}
		}
	}
	return out
}

// order returns whether /etc/hosts has a say, whether only after DNS, and
// whether DNS has none.
func (s system) order() (files, last, off bool) {
	sources := s.nss.read()
	if len(sources) == 0 {
		return true, false, false
	}
	dns := false
	for _, name := range sources {
		switch name {
		case "files":
			files, last = true, dns
		case "dns", "resolve":
			dns = true
		}
	}
	return files, last, !dns
}

// hosts returns the addresses of a name that no server needs to be asked for.
func (s system) hosts(name string) []netip.Addr {
	name = host(name)
	if addrs := s.hostsF.read()[name]; len(addrs) > 0 {
		return addrs
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 section 6.3
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return nil
}

// file is a file of the system's, parsed.
type file[T any] struct {
	path  string
	parse func(io.Reader) T
	state *state[T]
}

type state[T any] struct {
	mu    sync.Mutex
	known bool
	size  int64
	at    time.Time
	value T
}

// read returns what the file says now; one that cannot be read says nothing.
func (f file[T]) read() T {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		f.state.known = false
		return f.parse(bytes.NewReader(nil))
	}
	if f.state.known && info.Size() == f.state.size && info.ModTime().Equal(f.state.at) {
		return f.state.value
	}
	r, err := os.Open(f.path)
	if err != nil {
		return f.parse(bytes.NewReader(nil))
	}
	defer r.Close()
	f.state.value = f.parse(io.LimitReader(r, maxHosts))
	f.state.known, f.state.size, f.state.at = true, info.Size(), info.ModTime()
	return f.state.value
}

// lines calls f with the words of every line, without comments.
func lines(r io.Reader, comments string, f func(words []string)) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		if i := strings.IndexAny(line, comments); i >= 0 {
			line = line[:i]
		}
		if words := strings.Fields(line); len(words) > 0 {
			f(words)
		}
	}
}

// parseResolv reads resolv.conf(5).
func parseResolv(r io.Reader) settings {
	s := defaults()
	lines(r, "#;", func(words []string) {
		values := words[1:]
		switch words[0] {
		case "nameserver":
			if len(values) > 0 && len(s.servers) < maxServers {
				if a, err := netip.ParseAddr(values[0]); err == nil {
					s.servers = append(s.servers, netip.AddrPortFrom(a, 53))
				}
			}
		case "domain", "search":
			s.domains = []string{}
			for _, d := range values[:min(len(values), maxDomains)] {
				if d = strings.Trim(d, "."); d != "" {
					s.domains = append(s.domains, d+".")
				}
			}
		case "options":
			for _, o := range values {
				s.option(o)
			}
		}
	})
	if len(s.servers) == 0 {
		s.servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	return s
}

func (s *settings) option(text string) {
	name, value, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(value)
	switch {
	case name == "rotate":
		s.rotate = true
	case name == "use-vc", name == "usevc", name == "tcp":
		s.tcp = true
	case err != nil || n < 0:
	case name == "ndots":
		s.ndots = min(n, 15)
	case name == "timeout":
		s.timeout = time.Duration(min(max(n, 1), 30)) * time.Second
	case name == "attempts":
		s.attempts = min(max(n, 1), 5)
	}
}

// parseHosts reads hosts(5): names, in lower case, to addresses.
func parseHosts(r io.Reader) map[string][]netip.Addr {
	out := make(map[string][]netip.Addr)
	lines(r, "#", func(words []string) {
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			return
		}
		for _, name := range words[1:] {
			name = host(name)
			if len(out[name]) < MaxAddresses {
				out[name] = append(out[name], a.Unmap())
			}
		}
	})
	return out
}

// parseOrder reads the sources of hosts from nsswitch.conf(5), in order.
func parseOrder(r io.Reader) []string {
	var out []string
	lines(r, "#", func(words []string) {
		if words[0] != "hosts:" {
			return
		}
		out = nil
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "[") && !strings.HasSuffix(w, "]") {
				out = append(out, w)
			}
		}
	})
	return out
}
