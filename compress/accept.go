package compress

import "strings"

// coding is a content coding that the gateway can give.
type coding uint8

const (
	identity coding = iota // none
	gzip
	br
	zstd
	codings
)

// names are the codings as Accept-Encoding and Content-Encoding say them.
var names = [codings]string{"identity", "gzip", "br", "zstd"}

func (c coding) String() string { return names[c] }

// codingOf returns the coding of a name, whatever its case. RFC 9110 section
// 8.4.1.3 wants x-gzip to be read as gzip.
func codingOf(name string) (coding, bool) {
	for c, known := range names {
		if strings.EqualFold(name, known) {
			return coding(c), true
		}
	}
	return gzip, strings.EqualFold(name, "x-gzip")
}

// weight is a quality value in thousandths, or unsaid.
type weight int16

const unsaid weight = -1

// accept is what a client takes: the weights of its Accept-Encoding.
type accept struct {
	of    [codings]weight
	other weight // of "*"
}

// parseAccept reads Accept-Encoding (RFC 9110 section 12.5.3). An element that
// cannot be read takes nothing; of several for one coding the least counts, so
// that a refusal stays one. Without the field, and with an empty one, a client
// takes plain bodies alone.
func parseAccept(lines []string) accept {
	a := accept{other: unsaid}
	for c := range a.of {
		a.of[c] = unsaid
	}
	for _, line := range lines {
		for more := true; more; {
			var element string
			element, line, more = strings.Cut(line, ",")
			a.note(element)
		}
	}
	return a
}

func (a *accept) note(element string) {
	name, parameter, weighted := strings.Cut(element, ";")
	name = strings.Trim(name, " \t")
	w := weight(1000)
	if weighted {
		w = parseWeight(strings.Trim(parameter, " \t"))
	}
	if name == "*" {
		a.other = least(a.other, w)
		return
	}
	if c, ok := codingOf(name); ok {
		a.of[c] = least(a.of[c], w)
	}
}

func least(a, b weight) weight {
	if a == unsaid {
		return b
	}
	return min(a, b)
}

// parseWeight reads "q=0.5"; 0 for what is no weight.
func parseWeight(s string) weight {
	if len(s) < 3 || s[0]|0x20 != 'q' || s[1] != '=' {
		return 0
	}
	whole, fraction, _ := strings.Cut(s[2:], ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	w := weight(whole[0]-'0') * 1000
	for i, unit := 0, weight(100); i < len(fraction); i, unit = i+1, unit/10 {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0
		}
		w += weight(fraction[i]-'0') * unit
	}
	if w > 1000 {
		return 0
	}
	return w
}

// takes returns how gladly the client takes a coding; 0 for not at all.
func (a *accept) takes(c coding) weight {
	switch {
	case a.of[c] != unsaid:
		return a.of[c]
	case a.other != unsaid:
		return a.other
	case c == identity:
		return 1 // always taken, but last
	}
	return 0
}

// refusesPlain reports whether the client says that it cannot take a body
// without a coding.
func (a *accept) refusesPlain() bool { return a.takes(identity) == 0 }

// choose returns the coding that the client likes best, of those that are
// offered: by the weights, and where they are equal by the order of offers. A
// coding that only "*" lets in comes after those that the client names, and
// among such gzip is first: whoever says "*" can hardly know of newer ones.
func (a *accept) choose(offers []coding) coding {
	best := identity
	for _, c := range offers {
		if w := a.takes(c); w > 0 && w >= a.takes(best) && (w > a.takes(best) || a.precedes(c, best)) {
			best = c
		}
	}
	return best
}

// precedes reports whether c comes before best, which was offered earlier and
// weighs the same.
func (a *accept) precedes(c, best coding) bool {
	return best == identity || a.of[best] == unsaid && (a.of[c] != unsaid || c == gzip)
}
