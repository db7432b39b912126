package route

import (
	"fmt"
	"strings"

	"gatehouse/config"
)

// Methods is a set of methods.
type Methods uint32

// Any is the set that ANY stands for: every method but CONNECT and TRACE, also
// those that no route can name.
const Any Methods = 1 << 31

const (
	bitGET Methods = 1 << iota
	bitHEAD
	bitPOST
	bitPUT
	bitPATCH
	bitDELETE
	bitOPTIONS
)

// methodNames are the methods that a route can name, in the order of their
// bits: those of RFC 9110 and RFC 5789, QUERY, and WebDAV's (RFC 4918, 3253, 5323).
var methodNames = [...]string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH",
}

// usual are the methods that API Gateway's ANY stands for.
const usual = bitGET | bitHEAD | bitPOST | bitPUT | bitPATCH | bitDELETE | bitOPTIONS

// bit returns the set of one method; none for one that no route can name.
func bit(method string) Methods {
	switch method {
	case "GET":
		return bitGET
	case "POST":
		return bitPOST
	case "HEAD":
		return bitHEAD
	}
	for i, name := range methodNames {
		if name == method {
			return 1 << i
		}
	}
	return 0
}

// wantedBy returns the sets to look for, best first: the method itself, GET
// for a HEAD, then ANY. Unused places are 0.
func wantedBy(method string) [3]Methods {
	switch method {
	case "HEAD":
		return [3]Methods{bitHEAD, bitGET, Any}
	case "CONNECT", "TRACE":
		return [3]Methods{}
	}
	return [3]Methods{bit(method), Any}
}

// Has reports whether a request with method is served by a route of these
// methods.
func (m Methods) Has(method string) bool {
	for _, wanted := range wantedBy(method) {
		if m&wanted != 0 {
			return true
		}
	}
	return false
}

// Names returns the names of the methods in m, HEAD wherever GET is. For Any
// these are the methods that API Gateway's ANY stands for.
func (m Methods) Names() []string {
	if m&Any != 0 {
		m |= usual
	}
	if m&bitGET != 0 {
		m |= bitHEAD
	}
	var names []string
	for i, name := range methodNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Allow returns m as the value of an Allow field (RFC 9110 section 10.2.1).
func (m Methods) Allow() string { return strings.Join(m.Names(), ", ") }

// String returns m as a route's match writes it: ANY, or names joined by ",".
func (m Methods) String() string {
	if m&Any != 0 {
		return "ANY"
	}
	var names []string
	for i, name := range methodNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseMethods reads ANY, one method, or several joined by ",".
func ParseMethods(text string) (Methods, error) {
	if text == "ANY" {
		return Any, nil
	}
	var all Methods
	for name := range strings.SplitSeq(text, ",") {
		m := bit(name)
		switch {
		case m == 0:
			return 0, unknownMethod(name)
		case all&m != 0:
			return 0, fmt.Errorf("the method %s is named twice", name)
		}
		all |= m
	}
	return all, nil
}

func unknownMethod(name string) error {
	upper := strings.ToUpper(name)
	switch {
	case name == "":
		return fmt.Errorf("a method is missing: write GET, or GET,POST without spaces, or ANY")
	case name == "ANY":
		return fmt.Errorf("ANY stands for every method and for itself alone")
	case name == "CONNECT" || name == "TRACE":
		return fmt.Errorf("the method %s is served by no route", name)
	case bit(upper) != 0 || upper == "ANY":
		return fmt.Errorf("methods are written in capitals: %s", upper)
	}
	if near := config.Nearest(upper, append([]string{"ANY"}, methodNames[:]...)); near != "" {
		return fmt.Errorf("unknown method %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown method %q: write GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY", name)
}

// HeadIsGet reports whether HEAD is served as GET: GET is named, HEAD is not.
func (m Methods) HeadIsGet() bool { return m&bitGET != 0 && m&bitHEAD == 0 }
