package crs

import (
	"errors"
	"strings"
)

// pathPattern is a path as routes write it: {name} for one segment, {name+} for
// one or more at the end, {name*} for any number there.
type pathPattern struct {
	segments []string // "" for any
	open     bool     // more may follow
}

func parsePath(text string) (p pathPattern, err error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return p, errors.New("a path begins with /")
	}
	if rest == "" {
		return p, nil
	}
	all := strings.Split(rest, "/")
	for i, s := range all {
		name, isParam := strings.CutPrefix(s, "{")
		if !isParam {
			if s == "" || strings.ContainsAny(s, "{}?#%\\") {
				return p, errors.New("a path has segments without {}, ?, #, % and \\: write it as it reads decoded")
			}
			p.segments = append(p.segments, s)
			continue
		}
		name, ok = strings.CutSuffix(name, "}")
		last := i == len(all)-1
		switch {
		case !ok || strings.ContainsAny(name, "{}") || name == "":
			return p, errors.New("a parameter is a whole segment: {name}")
		case strings.HasSuffix(name, "+") && last:
			p.segments, p.open = append(p.segments, ""), true
		case strings.HasSuffix(name, "*") && last:
			p.open = true
		case strings.ContainsAny(name, "+*"):
			return p, errors.New("{name+} and {name*} stand at the end of a path")
		default:
			p.segments = append(p.segments, "")
		}
	}
	return p, nil
}

// matches reports whether the pattern is that of a path, given as its decoded
// segments.
func (p *pathPattern) matches(segments []string) bool {
	if len(segments) < len(p.segments) || !p.open && len(segments) > len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s != "" && s != segments[i] {
			return false
		}
	}
	return true
}
