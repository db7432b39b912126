package trace

import (
	"net/http"
	"strings"
)

const (
	maxState   = 512 // bytes of tracestate that are passed on
	maxMembers = 32
)

// keepState keeps the tracestate headers of a request as far as they are good
// (W3C Trace Context, section 3.3.1): none where one member is malformed or
// there are more than 32 of them; of what is longer than 512 bytes, as many
// whole members from the first on as fit.
func keepState(h http.Header) {
	values := h[stateHeader]
	room, members := maxState, 0
	for i, line := range values {
		fits, n := membersOf(line, room)
		members += n
		if n < 0 || members > maxMembers {
			delete(h, stateHeader)
			return
		}
		if fits < len(line) {
			values[i] = line[:fits]
			h[stateHeader] = values[:i+min(fits, 1)]
			break
		}
		room = max(room-len(line)-1, 0)
	}
	for _, line := range h[stateHeader] {
		if line != "" {
			return
		}
	}
	delete(h, stateHeader)
}

// membersOf returns how much of one header's value whole members fill within
// room, and how many members it has; -1 where one of them is malformed.
func membersOf(line string, room int) (fits, n int) {
	for from := 0; from <= len(line); {
		end := len(line)
		if comma := strings.IndexByte(line[from:], ','); comma >= 0 {
			end = from + comma
		}
		member := strings.Trim(line[from:end], " \t")
		switch {
		case member == "": // allowed, and no member
		case !goodMember(member):
			return 0, -1
		default:
			n++
		}
		if end <= room {
			fits = end
		}
		from = end + 1
	}
	return fits, n
}

// goodMember reports whether s is KEY=VALUE.
func goodMember(s string) bool {
	key, value, found := strings.Cut(s, "=")
	if !found || !goodKey(key) || value == "" || len(value) > 256 {
		return false
	}
	for i := range len(value) {
		if c := value[i]; c < 0x20 || c > 0x7e || c == '=' {
			return false
		}
	}
	return true
}

func goodKey(key string) bool {
	if key == "" || len(key) > 256 || !isLetter(key[0]) && !isDigit(key[0]) {
		return false
	}
	for i := range len(key) {
		if c := key[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("_-*/@", c) < 0 {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
