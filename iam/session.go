package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"gatehouse/iam/policy"
)

// Session is a role assumed for a time. It stands in its token alone: nothing
// of it is kept.
type Session struct {
	AccessKey string       `json:"k"`
	Secret    string       `json:"s"`
	Account   string       `json:"a"`
	Role      string       `json:"r"` // its name
	Name      string       `json:"n"`
	By        string       `json:"b"`           // ARN of who assumed the role
	Origin    string       `json:"o,omitempty"` // source identity
	Issued    int64        `json:"i"`           // Unix time
	Expires   int64        `json:"e"`           // Unix time
	Policy    string       `json:"p,omitempty"` // a JSON document
	Tags      []policy.Tag `json:"t,omitempty"`
}

// sessionPrefix begins the access key ids of sessions, as AWS's do.
const sessionPrefix = "ASIA"

// Lifetimes of a session.
const (
	MinSession = 15 * time.Minute
	MaxSession = 12 * time.Hour
)

// Expired reports whether the session is over at a time.
func (s *Session) Expired(now time.Time) bool { return now.Unix() >= s.Expires }

// NewCredentials gives the session a new access key.
func (s *Session) NewCredentials() {
	var random [10 + 30]byte
	_, _ = rand.Read(random[:]) // never fails
	s.AccessKey = sessionPrefix + base32.StdEncoding.EncodeToString(random[:10])
	s.Secret = base64.StdEncoding.EncodeToString(random[10:])
}

// The errors of opening a token.
var (
	ErrToken  = errors.New("this is no session token of this gateway")
	ErrTooBig = errors.New("the session's policy and tags are too large together")
)

// Bounds of what a session says, as AWS has them.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

// IsSessionName reports a name that a session can have.
func IsSessionName(s string) bool { return 2 <= len(s) && len(s) <= 64 && isWord(s, "_=,.@+-") }

// IsExternalID reports an id that AssumeRole takes.
func IsExternalID(s string) bool {
	return 2 <= len(s) && len(s) <= 1224 && isWord(s, "_=,.@:/+-")
}

// IsTag reports a tag that a session can have.
func IsTag(t policy.Tag) bool {
	const further = " _.:/=+-@"
	return t.Key != "" && len(t.Key) <= maxTagKey && len(t.Value) <= maxTagValue && isWord(t.Key, further) && isWord(t.Value, further)
}

// isWord reports letters, digits and some further characters.
func isWord(s, further string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(further, c) >= 0:
		default:
			return false
		}
	}
	return true
}
