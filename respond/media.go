package respond

import (
	"errors"
	"fmt"
	"mime"
	"strings"
)

// family is how variables are escaped in a body.
type family uint8

const (
	other family = iota // no variables
	jsonText
	htmlText
	xmlText
	plainText
)

// media is a media type, in lower case.
type media struct{ kind, sub string }

// parseMedia reads a media type, and returns it with what Content-Type says.
func parseMedia(text string) (media, string, error) {
	full, params, err := mime.ParseMediaType(text)
	kind, sub, ok := strings.Cut(full, "/")
	if err != nil || !ok || strings.Contains(full, "*") || !isToken(kind) || !isToken(sub) {
		return media{}, "", fmt.Errorf("%q is no media type: write one such as application/json or text/html", text)
	}
	if kind == "text" && params["charset"] == "" {
		if params == nil {
			params = make(map[string]string)
		}
		params["charset"] = "utf-8"
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") {
		return media{}, "", errors.New("bodies are in UTF-8: remove the charset")
	}
	field := mime.FormatMediaType(full, params)
	if field == "" {
		return media{}, "", fmt.Errorf("%q is no media type", text)
	}
	return media{kind, sub}, field, nil
}

func (m media) family() family {
	switch {
	case m.sub == "json" || strings.HasSuffix(m.sub, "+json"):
		return jsonText
	case m.kind == "text" && m.sub == "html":
		return htmlText
	case m.sub == "xml" || strings.HasSuffix(m.sub, "+xml"):
		return xmlText
	case m.kind == "text" && m.sub == "plain":
		return plainText
	}
	return other
}

// maxRanges is how many ranges of an Accept are looked at.
const maxRanges = 64

// choose returns the index of the offer that an Accept field likes best, the
// first of equals, as RFC 9110 section 12.5.1 has it; 0 where it likes none.
// Parameters of ranges do not count.
func choose(accept []string, offers []media) int {
	best, most := 0, 0
	for i, offer := range offers {
		if w := offer.weight(accept); w > most {
			best, most = i, w
		}
	}
	return best
}

// weight returns what an Accept field gives to m, in thousandths.
func (m media) weight(accept []string) int {
	if len(accept) == 0 {
		return 1000
	}
	found, closest, seen := 0, 0, 0
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			if seen++; seen > maxRanges {
				return found
			}
			rng, params, _ := strings.Cut(part, ";")
			if fit := m.fits(strings.TrimSpace(rng)); fit > closest {
				found, closest = quality(params), fit
			}
		}
	}
	return found
}

// fits reports how exactly a range names m: 3 by its name, 2 by its kind, 1 by
// */*, 0 not at all.
func (m media) fits(rng string) int {
	kind, sub, _ := strings.Cut(rng, "/")
	switch {
	case strings.EqualFold(kind, m.kind) && strings.EqualFold(sub, m.sub):
		return 3
	case strings.EqualFold(kind, m.kind) && sub == "*":
		return 2
	case kind == "*" && sub == "*":
		return 1
	}
	return 0
}

// quality reads the weight among a range's parameters, in thousandths: 1000
// without, 0 for what is no weight.
func quality(params string) int {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		whole, fraction, _ := strings.Cut(value, ".")
		if whole != "0" && whole != "1" || len(fraction) > 3 {
			return 0
		}
		n := 0
		for i := range 3 {
			n *= 10
			if i < len(fraction) {
				if fraction[i] < '0' || fraction[i] > '9' {
					return 0
				}
				n += int(fraction[i] - '0')
			}
		}
		if whole == "1" {
			return 1000
		}
		return n
	}
	return 1000
}
