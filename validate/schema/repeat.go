package schema

import (
	"regexp"
	"strconv"
	"strings"
)

// maxRepeat is the most that RE2 repeats by one {n,m}.
const maxRepeat = 1000

var repeat = regexp.MustCompile(`\{([0-9]{1,6})(,([0-9]{0,6}))?\}`)

// longRepeats writes {1,2048}, which API definitions are fond of, as several
// repetitions of the same.
func longRepeats(pattern string) string {
	var b strings.Builder
	rest := pattern
	for {
		at := repeat.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		low, _ := strconv.Atoi(rest[at[2]:at[3]])
		high := low
		if at[4] >= 0 {
			high = -1
			if at[6] < at[7] {
				high, _ = strconv.Atoi(rest[at[6]:at[7]])
			}
		}
		before := b.String() + rest[:at[0]]
		atom := lastAtom(before)
		if atom == "" || low <= maxRepeat && high <= maxRepeat {
			b.WriteString(rest[:at[1]])
			rest = rest[at[1]:]
			continue
		}
		b.Reset()
		b.WriteString(before[:len(before)-len(atom)])
		b.WriteString("(?:" + repeated(atom, low, high) + ")")
		rest = rest[at[1]:]
	}
	return b.String() + rest
}

// repeated writes low to high repetitions of an atom; high is -1 for no end.
func repeated(atom string, low, high int) string {
	var b strings.Builder
	one := func(low, high int) {
		b.WriteString(atom + "{" + strconv.Itoa(low) + "," + strconv.Itoa(high) + "}")
	}
	for n := low; n > 0; n -= maxRepeat {
		one(min(n, maxRepeat), min(n, maxRepeat))
	}
	if high < 0 {
		return b.String() + atom + "*"
	}
	for n := high - low; n > 0; n -= maxRepeat {
		one(0, min(n, maxRepeat))
	}
	return b.String()
}

// lastAtom returns what a repetition at the end of s would repeat: a character,
// a class, or a group.
func lastAtom(s string) string {
	starts := []int{} // of the atoms of the group that is open
	groups := [][]int{}
	class := -1
	for i := 0; i < len(s); i++ {
		if class >= 0 {
			switch s[i] {
			case '\\':
				i++
			case ']':
				starts = append(starts, class)
				class = -1
			}
			continue
		}
		switch s[i] {
		case '\\':
			starts = append(starts, i)
			i++
			if i < len(s) && (s[i] == 'x' || s[i] == 'p' || s[i] == 'P') && i+1 < len(s) && s[i+1] == '{' {
				if end := strings.IndexByte(s[i:], '}'); end > 0 {
					i += end
				}
			}
		case '[':
			class = i
			if i+1 < len(s) && s[i+1] == '^' {
				i++
			}
			if i+1 < len(s) && s[i+1] == ']' {
				i++
			}
		case '(':
			groups = append(groups, append(starts, i))
			starts = nil
		case ')':
			if len(groups) == 0 {
				return ""
			}
			starts = groups[len(groups)-1]
			groups = groups[:len(groups)-1]
		default:
			if s[i]&0xc0 != 0x80 {
				starts = append(starts, i)
			}
		}
	}
	if class >= 0 || len(starts) == 0 {
		return ""
	}
	return s[starts[len(starts)-1]:]
}
