package schema

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"net/url"
	"time"
)

// Formats returns the names of the formats that are checked, beside int32 and
// int64. All others are passed over.
func Formats() []string {
	return []string{"byte", "date", "date-time", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
}

// formatOf returns what checks a format; nil for one that is not checked.
func formatOf(name string) func([]byte) bool {
	switch name {
	case "byte":
		return isBase64
	case "date":
		return func(b []byte) bool { return isTime(b, time.DateOnly) }
	case "date-time":
		return isDateTime
	case "time":
		return func(b []byte) bool { return len(b) > 8 && isDateTime(append([]byte("2000-01-01T"), b...)) }
	case "email":
		return isEmail
	case "hostname":
		return isHostname
	case "ipv4":
		return func(b []byte) bool { a, err := netip.ParseAddr(string(b)); return err == nil && a.Is4() }
	case "ipv6":
		return func(b []byte) bool {
			a, err := netip.ParseAddr(string(b))
			return err == nil && a.Is6() && a.Zone() == ""
		}
	case "uri":
		return isURI
	case "uuid":
		return isUUID
	}
	return nil
}

func isTime(b []byte, layout string) bool {
	if len(b) > 64 {
		return false
	}
	_, err := time.Parse(layout, string(b))
	return err == nil
}

// isDateTime reports a date-time of RFC 3339, which may be written in small
// letters, and whose minute may have a 61st second.
func isDateTime(b []byte) bool {
	const plain = len("2006-01-02T15:04:05")
	if len(b) <= plain || len(b) > 64 || b[10]|0x20 != 't' {
		return false
	}
	s := bytes.ToUpper(b)
	if s[17] == '6' && s[18] == '0' {
		s[17], s[18] = '5', '9'
	}
	if bytes.IndexByte(s, ',') >= 0 {
		return false // time.Parse takes it for a point
	}
	_, err := time.Parse(time.RFC3339, string(s))
	return err == nil
}

func isBase64(b []byte) bool {
	buf := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	_, err := base64.StdEncoding.Decode(buf, b)
	return err == nil
}

// isEmail takes what has a part before and a host behind its last @.
func isEmail(b []byte) bool {
	at := bytes.LastIndexByte(b, '@')
	return at > 0 && at <= 64 && len(b) <= 320 && !bytes.ContainsAny(b, " \t\r\n") && isHostname(b[at+1:])
}

// isHostname reports a host name of RFC 1123.
func isHostname(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	for label := range bytes.SplitSeq(b, []byte(".")) {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

func isURI(b []byte) bool {
	u, err := url.Parse(string(b))
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "" || u.Path != "") && !bytes.ContainsAny(b, " \\^`{|}<>\"")
}

func isUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}
